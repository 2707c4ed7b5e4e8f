"""What the offline team finds, against its controls and with each role taken away, in both senses.

    python -m benchmarks.offline --tasks battle-of-sexes --seeds 20 --budget 60

Blocks are (task and seed); within a block every arm has the same seeds, so that arms share their draws wherever they
make the same decision. Read `arms` (what is compared), `curves` (final score after so many evaluations), `report`.
Offline teams search moves declared by people who know the tasks: the figures compare parts of this team with each
other, and are no control for teams that a model drives.
"""
