"""How fast and how small the engine is: one script per question, each beside a peer or a limit in the same run.

A script measures its own figure and what it is held against in turns, repetition by repetition, so that whatever else
the machine does falls on both; the headline is a ratio (or a size that has a target), with its least and greatest
value. Run one with ``python -m benchmarks.perf.bus_round_trip``, all with ``python -m benchmarks.perf``; ``--quick``
shows the shape in seconds and measures nothing, ``--json`` prints the table for a program. Peers are other frameworks
and optional: ``--peer-python`` names an interpreter in which they are installed (never this project's own).
"""
