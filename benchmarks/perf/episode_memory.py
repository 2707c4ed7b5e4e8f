"""What does an episode weigh while it waits for a model?

Question: how much resident memory does one more episode take in a process that holds 1,000 of them, each with the full
team driven by a model (strategy, hypothesizer, coder, experimenter, reviewer: five members), a journal of two open
files, and its first model call under way?

Quantity: kilobytes of resident memory an episode: what the process weighs more than before it started them, divided by
their number, after a collection. A process of its own for each repetition; medians with least and greatest. Seeds: the
episode's number.
Beside: five trio tasks in a nursery that wait for an event (the limit: five members that do nothing); a sample of
Inspect AI that waits for its model (optional peer; one agent, no team).

Raises the soft limit on open files where 2,000 journals' files would pass it. Takes about 20 s, one minute with the
peer.
Last gave: 92.8 KB (90.2 to 93.9), bare tasks 13.9 KB, Inspect AI 120 KB. Whole table, and what an episode consists
of: docs/reference/performance.md.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.perf.options import Options, parse, peer_python, show
from benchmarks.perf.peers import PeerUnusable, run_peer
from benchmarks.perf.table import Report, headline, look_at_machine, ratios, row
from benchmarks.perf.waiting_episodes import Weight
from engine.errors import EngineError

LARGEST_SHARES = 12
BARE = 1000
"""Groups of bare tasks: so few bytes each that fewer groups may find room in what was given back."""
TRACED = 200
"""Episodes of the one run whose allocations are followed, which is slow."""


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv, repetitions=3)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show(measure(options, Path(folder)), options)


def measure(options: Options, folder: Path) -> Report:
    before = look_at_machine()
    count = options.size(1000, 30)
    notes: list[str] = []
    ours: list[Weight] = []
    bare: list[float] = []
    for repetition in range(options.repetitions):
        # A quick run measures nothing, and may as well be the one that is traced.
        ours.append(_weigh("traced" if options.quick else "episodes", count, folder / str(repetition)))
        bare.append(_weigh("tasks", BARE, folder / str(repetition)).kb)
    weights = [figure.kb for figure in ours]
    rows = [
        row("an episode that waits for its model", "KB", weights),
        row("to start it: CPU", "ms CPU", [figure.start_cpu_ms for figure in ours]),
        row("to start it: wall", "ms", [figure.start_wall_ms for figure in ours]),
        row("five bare trio tasks in a nursery", "KB", bare, is_ours=False),
    ]
    headlines = [
        headline("memory of a waiting episode", weights, unit="KB", at_most=150.0),
        headline("a waiting episode / five bare trio tasks", ratios(weights, bare)),
    ]
    notes.append(_about_descriptors(ours[0]))
    python = peer_python(options, "inspect_ai")
    if python is None:
        notes.append("Inspect AI was not measured: name an interpreter that has it with --peer-python")
    else:
        try:
            theirs = run_peer(python, "inspect_waiting.py", options.size(300, 20), folder / "inspect")["kb"]
            rows.append(row("a waiting sample of Inspect AI (one agent)", "KB", [theirs], is_ours=False))
        except PeerUnusable as error:
            notes.append(str(error))
    traced = ours[0] if options.quick else _weigh("traced", TRACED, folder)
    notes.append(_about_shares(traced, count if options.quick else TRACED))
    return Report(
        script="episode_memory",
        question=f"Resident memory of an episode of five members that waits for a model, {count} in one process.",
        before=before,
        after=look_at_machine(),
        rows=tuple(rows),
        headlines=tuple(headlines),
        notes=tuple(notes),
    )


def _weigh(kind: str, count: int, folder: Path) -> Weight:
    command = [sys.executable, "-m", "benchmarks.perf.waiting_episodes", kind, str(count), str(folder / kind)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"the episodes could not be held: {done.stderr.strip()[-500:]}")
    return msgspec.json.decode(done.stdout, type=Weight)


def _about_descriptors(figure: Weight) -> str:
    if figure.raised_from:
        return (
            f"the soft limit on open files was raised from {figure.raised_from:} to "
            f"{figure.descriptors}: a journal holds two"
        )
    return f"the soft limit on open files allowed the {figure.descriptors} that are needed"


def _about_shares(traced: Weight, count: int) -> str:
    """What the allocations of Python consist of, in one sentence."""
    shares = traced.shares
    largest = sorted(shares.items(), key=lambda share: -share[1])[:LARGEST_SHARES]
    named = ", ".join(f"{part} {size:.1f}" for part, size in largest)
    return f"handed out by Python, KB an episode of {sum(shares.values()):.0f} (tracemalloc, {count} episodes): {named}"


if __name__ == "__main__":
    main()
