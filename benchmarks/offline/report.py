"""Tables of the curves."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.offline.arms import FULL
from benchmarks.offline.curves import Curve, by_arm
from engine.task import TaskCard

FloatArray = npt.NDArray[np.float64]
RESAMPLES = 10_000


def table(curves: Sequence[Curve], card: TaskCard) -> str:
    """One task as a Markdown table: final score after the last evaluation, and the paired difference to the full team.

    Intervals are percentile bootstrap intervals over seeds, 95 % (Efron 1979); differences are paired by seed.
    """
    arms = by_arm(curves)
    last = max(curve.evaluations[-1] for curve in curves)
    half = max((n for n in curves[0].evaluations if n <= last // 3), default=last)
    arrow = "↑" if card.direction == "max" else "↓"
    lines = [
        f"| {card.id} {arrow} | n | after {half} | after {last} | 95 % interval | less full team, paired | 95 % interval |",
        "|---|--:|--:|--:|---|--:|---|",
    ]
    full = {curve.seed: curve.finals[-1] for curve in arms.get(FULL.name, [])}
    for arm, of_arm in arms.items():
        finals = np.array([curve.finals[-1] for curve in of_arm])
        early = np.mean([curve.finals[curve.evaluations.index(half)] for curve in of_arm])
        low, high = interval(finals)
        row = f"| {arm} | {len(finals)} | {early:.4f} | {finals.mean():.4f} | {low:.4f} … {high:.4f} |"
        paired = np.array([c.finals[-1] - full[c.seed] for c in of_arm if c.seed in full])
        if arm == FULL.name or not len(paired):
            lines.append(f"{row} | |")
            continue
        low, high = interval(paired)
        lines.append(f"{row} {paired.mean():+.4f} | {low:+.4f} … {high:+.4f} |")
    return "\n".join(lines)


def interval(values: FloatArray) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a mean; the same for the same values."""
    draws = np.random.default_rng(len(values)).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
