"""Scores that cannot have been earned, found in the figures themselves; and those known from reading the runs.

The released data hold no artefacts, so no audit can run them again. What can be held against a score is its size: beyond
the best that is possible, far from all others, or equal to what a line of random numbers gives.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from benchmarks.records import PublishedRuns, TaskRuns
from benchmarks.reference import facts_of
from benchmarks.scores import best_of, is_better

ENOUGH = 8
"""Runs that beat the baseline, below which nothing is said of their spread."""
FENCE = 3.0
"""Widths of the middle half beyond which a score is far out (Tukey 1977)."""
LONE = 1 / 3
"""Distance to the next best run, as a share of the range of all runs that beat the baseline, from which one stands alone."""
_DIGITS = 1e-6


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One run's score with what speaks against it."""

    task: str
    method: str
    run: int
    score: float
    known_invalid: str
    """Why it does not count, where that is known from the run itself; empty: it is only conspicuous, and counts."""
    conspicuous: tuple[str, ...]
    """What its size alone says."""
    best_of_others: float | None
    """The method's best attempt over its other runs."""


def find_flags(runs: PublishedRuns) -> tuple[Flag, ...]:
    """Every run that is known to be invalid or whose best entry is conspicuous, by task and method."""
    flags: list[Flag] = []
    for task in dict.fromkeys(each.task for each in runs.runs):
        of_task = [each for each in runs.runs if each.task == task]
        flags += [flag for each in of_task for flag in _of_method(each, of_task)]
    return tuple(flags)


def _of_method(own: TaskRuns, everybody: Sequence[TaskRuns]) -> list[Flag]:
    best = {run.index: best_of(run.entries, own.direction) for run in own.runs}
    flags: list[Flag] = []
    for run in own.runs:
        score = best[run.index]
        if score is None:
            continue
        why = tuple(_conspicuous(own, score, everybody))
        if run.valid and not why:
            continue
        others = [value for index, value in best.items() if index != run.index]
        flags.append(
            Flag(
                task=own.task,
                method=own.method,
                run=run.index,
                score=score,
                known_invalid=run.reason,
                conspicuous=why,
                best_of_others=best_of(others, own.direction),
            )
        )
    return flags


def _conspicuous(own: TaskRuns, score: float, everybody: Sequence[TaskRuns]) -> list[str]:
    facts = facts_of(own.task)
    said: list[str] = []
    bests = [best_of(run.entries, own.direction) for each in everybody for run in each.runs]
    sign = 1.0 if own.direction == "max" else -1.0
    gains = sorted(sign * b for b in bests if b is not None and is_better(b, facts.baseline, own.direction))
    if len(gains) >= ENOUGH and sign * score > gains[0]:
        low, high = (float(q) for q in np.quantile(gains, (0.25, 0.75)))
        beyond = (sign * score - high) / (high - low) if high > low else 0.0
        if beyond > FENCE:
            said.append(
                f"{beyond:.1f} widths of the middle half beyond the other runs that beat the baseline"
            )
        gap = (gains[-1] - gains[-2]) / (gains[-1] - gains[0])
        if sign * score == gains[-1] and gap > LONE:
            said.append(
                f"{gap:.0%} of the range of the runs that beat the baseline lie between it and the next"
            )
    if facts.self_reported:
        said += [
            f"equals the mean of {count} uniform random numbers of seed {seed}"
            for seed in (0, 42)
            for count in (100, 1000)
            if abs(float(np.random.RandomState(seed).rand(count).mean()) - score) < _DIGITS
        ]
    return said
