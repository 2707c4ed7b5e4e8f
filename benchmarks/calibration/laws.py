"""Laws of outcomes whose means are known exactly, so that an interval can be caught missing them.

A law is a finite set of values with weights. Built-in ones are quantiles of simple laws; those of the published runs are
the normalised final scores themselves, read from the folder that ``MLYCEUM_SHARED`` names.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np

from benchmarks.attempts import submission
from benchmarks.normalised import normalised_score
from benchmarks.records import load_published_runs
from benchmarks.reference import best_published_valid, facts_of
from benchmarks.statistics.outcomes import FloatArray

_POINTS: Final = 10_000
SHARED_VARIABLE: Final = "MLYCEUM_SHARED"
PUBLISHED: Final = {
    "continuous": (("3-sat", "colonel-blotto", "prisoners-dilemma"), None),
    "ceiling-heavy": (("battle-of-sexes", "mnli"), (0.0, 1.0)),
    "zero-inflated": (
        ("house-prices", "cifar10", "coco-captions", "fineweb-lm", "meta-maze", "mountain-car-continuous"),
        (0.0, 1.0),
    ),
    "heavy-tailed": (("house-prices", "coco-captions", "fashion-mnist", "minatar-breakout"), None),
}
"""By shape: the tasks whose runs are pooled (over all models), and where they are clipped."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """A distribution of scores.

    Attributes:
        name: what it is like.
        source: ``built in`` or ``published runs``.
        values: shape ``(points,)``, rising.
        cumulative: shape ``(points,)``, up to 1.
    """

    name: str
    source: str
    values: FloatArray
    cumulative: FloatArray

    @property
    def weights(self) -> FloatArray:
        """Chance of each value."""
        return np.diff(self.cumulative, prepend=0.0)

    @property
    def mean(self) -> float:
        """Exactly."""
        return float(self.values @ self.weights)

    @property
    def variance(self) -> float:
        """Exactly."""
        return float((self.values - self.mean) ** 2 @ self.weights)

    @property
    def interquartile_mean(self) -> float:
        """Mean of the middle half of the law."""
        inside = np.diff(np.clip(self.cumulative, 0.25, 0.75), prepend=0.25)
        return float(self.values @ inside / 0.5)

    def draw(self, generator: np.random.Generator, shape: Sequence[int]) -> FloatArray:
        """Independent draws."""
        places = np.searchsorted(self.cumulative, generator.random(tuple(shape)), side="right")
        drawn: FloatArray = self.values[np.minimum(places, len(self.values) - 1)]
        return drawn

    def best_of(self, k: int) -> "Law":
        """The law of the best of k draws: an improvement that stays among the values that can occur."""
        return Law(
            name=f"best of {k}, {self.name}",
            source=self.source,
            values=self.values,
            cumulative=self.cumulative**k,
        )


def mixture(name: str, laws: Sequence[Law]) -> Law:
    """The law of a draw from one of several laws, each as likely."""
    values = np.concatenate([law.values for law in laws])
    order = np.argsort(values, kind="stable")
    weights = np.concatenate([law.weights for law in laws])[order] / len(laws)
    return Law(
        name=name, source=laws[0].source, values=values[order], cumulative=np.minimum(np.cumsum(weights), 1.0)
    )


def chance_of_improvement(treatment: Law, control: Law) -> float:
    """Chance that a draw of one law is above a draw of another on the same values, ties counted half."""
    below = control.cumulative - control.weights
    merged = np.unique(control.values)
    first = np.searchsorted(control.values, merged, side="left")
    last = np.searchsorted(control.values, merged, side="right") - 1
    beneath, upto = below[first], control.cumulative[last]
    mine = treatment.cumulative[last] - (treatment.cumulative - treatment.weights)[first]
    return float(mine @ ((beneath + upto) / 2))


def law_of(name: str, source: str, values: FloatArray) -> Law:
    """The law that gives each of some values the same chance."""
    ordered = np.sort(values)
    return Law(
        name=name,
        source=source,
        values=ordered,
        cumulative=np.arange(1, len(ordered) + 1, dtype=np.float64) / len(ordered),
    )


def built_in_laws() -> tuple[Law, ...]:
    """One law of each shape: of scores from 0 to 1 on three, with a long lower tail on the last."""
    normal = np.array([NormalDist().inv_cdf(float(each)) for each in _levels(_POINTS)])
    tied, rest = np.zeros(6 * _POINTS // 10), _hump(4 * _POINTS // 10)
    return (
        law_of("continuous", "built in", _hump(_POINTS)),
        law_of("ceiling-heavy", "built in", np.concatenate([rest, tied + 1.0])),
        law_of("zero-inflated", "built in", np.concatenate([tied, rest])),
        law_of("heavy-tailed", "built in", 1.0 - 0.4 * np.exp(0.8 * normal)),
    )


def published_laws(folder: Path | None = None) -> tuple[Law, ...]:
    """The shapes as the published runs have them; empty where they are not there.

    Args:
        folder: with ``results.jsonl.gz``; by default ``mlgym-results`` in the folder that ``MLYCEUM_SHARED`` names.
    """
    if folder is None:
        folder = Path(os.environ.get(SHARED_VARIABLE, "../shared")) / "mlgym-results"
    if not folder.is_dir():
        return ()
    scores = published_scores(folder)
    return tuple(
        law_of(
            shape,
            "published runs",
            np.concatenate([_clipped(scores[task][~np.isnan(scores[task])], clip) for task in tasks]),
        )
        for shape, (tasks, clip) in PUBLISHED.items()
    )


def published_scores(folder: Path) -> dict[str, FloatArray]:
    """Normalised final scores of the released runs: by task, shape ``(models, runs)``.

    A run without a usable score counts as the baseline (0); one known to be invalid is NaN.
    """
    cells: dict[str, list[list[float]]] = {}
    for runs in load_published_runs(folder).runs:
        facts = facts_of(runs.task)
        reference = facts.optimum if facts.optimum is not None else best_published_valid(runs.task).score
        row = [
            normalised_score(
                submission(run.entries),
                baseline=facts.baseline,
                reference=reference,
                direction=facts.direction,
            )
            or 0.0
            if run.valid
            else float("nan")
            for run in runs.runs
        ]
        cells.setdefault(runs.task, []).append(row)
    return {task: np.array(rows) for task, rows in cells.items()}


def _levels(count: int) -> FloatArray:
    return (np.arange(count, dtype=np.float64) + 0.5) / count


def _hump(count: int) -> FloatArray:
    """Quantiles of Kumaraswamy's law (1980) with both parameters 2: like a beta law, in closed form."""
    hump: FloatArray = np.sqrt(1 - np.sqrt(1 - _levels(count)))
    return hump


def _clipped(values: FloatArray, clip: tuple[float, float] | None) -> FloatArray:
    return values if clip is None else np.clip(values, *clip)
