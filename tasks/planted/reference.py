"""What simple search rules end with on the planted landscape, from its law alone: no team, no engine.

    python -m tasks.planted.reference

prints the table that measured arms are held against. Each rule draws uniformly, measures, and picks the best mean.
"""

import sys
from typing import NamedTuple

import numpy as np

from tasks.planted.landscape import draw_uniformly, feedback, true_yield


class Expected(NamedTuple):
    """A rule's mean final yield and the standard error of this calculation."""

    mean: float
    standard_error: float


def best_of(
    draws: int,
    *,
    runs_each: int = 1,
    floor: float,
    reads_audit: bool = False,
    repairs: bool = False,
    generator: np.random.Generator,
    repetitions: int = 20_000,
) -> Expected:
    """Expected yield of the best of so many uniform draws by the mean of so many runs of each.

    Args:
        draws: points drawn; a broken one costs its draw and is never picked.
        runs_each: measurements averaged.
        floor: what stands where every draw broke, or none measured better than this baseline.
        reads_audit: whether leaky points are passed over.
        repairs: whether the guard is put on where it is needed, before anything is measured.
        generator: draws points and noise.
        repetitions: searches averaged over.
    """
    finals = np.empty(repetitions)
    for start in range(0, repetitions, 1_000):
        count = min(1_000, repetitions - start)
        points = draw_uniformly(count * draws, generator)
        if repairs:
            points = points._replace(guard=np.ones_like(points.guard))
        measured = np.mean([feedback(points, generator) for _ in range(runs_each)], axis=0)
        if reads_audit:
            measured = np.where(points.mode == 2, -np.inf, measured)
        measured = np.where(np.isnan(measured), -np.inf, measured).reshape(count, draws)
        best = np.argmax(measured, axis=1)
        worth = true_yield(points).reshape(count, draws)[np.arange(count), best]
        stands = measured[np.arange(count), best] > floor
        finals[start : start + count] = np.where(stands, worth, floor)
    return Expected(float(finals.mean()), float(finals.std(ddof=1) / np.sqrt(repetitions)))


def main() -> None:
    """Print what each rule is expected to end with."""
    from tasks.registry import open_task

    floor = open_task("planted").card.baseline
    rows = [
        ("random search, 60 draws, 1 run each", {"draws": 60}),
        ("best of 20 draws, 3 runs each", {"draws": 20, "runs_each": 3}),
        ("random search, 60 draws, broken ones mended", {"draws": 60, "repairs": True}),
        ("best of 30 draws, 2 runs each, broken ones mended", {"draws": 30, "runs_each": 2, "repairs": True}),
        ("random search that reads the audit", {"draws": 60, "reads_audit": True}),
        ("best of 20, 3 runs each, reads the audit", {"draws": 20, "runs_each": 3, "reads_audit": True}),
    ]
    for name, rule in rows:
        expected = best_of(**rule, floor=floor, generator=np.random.default_rng(1))  # type: ignore[arg-type]  # its own rows
        sys.stdout.write(f"{name:50} {expected.mean:7.4f} ± {expected.standard_error:.4f}\n")


if __name__ == "__main__":
    main()
