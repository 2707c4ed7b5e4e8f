"""Whether predictions come true: what hypotheses predicted against what was measured."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.measures.episode_record import EpisodeRecord

FloatArray: TypeAlias = npt.NDArray[np.float64]
BINS = 5
NORMAL_95 = 1.959964
"""The 0.975 quantile of the standard normal law."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction and what came of it, on the task's metric."""

    node: int
    predicted: float
    measured: float
    """Mean of all feedback on the node's artefact."""
    standard_error: float
    """Of ``measured``."""


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts of neighbouring predictions: in a reliable series the two means agree."""

    count: int
    mean_predicted: float
    mean_measured: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How good a series of forecasts is."""

    forecasts: tuple[Forecast, ...]
    unmeasured: int
    """Predictions of nodes that were never measured: they failed, or were not run."""
    bias: float | None
    """Mean of measured minus predicted: below 0 where predictions are too high."""
    rmse: float | None
    coverage: float | None
    """Share of predictions inside the 95 % interval of what was measured; None where no error is known."""
    correlation: float | None
    """Rank correlation (Spearman 1904); None below three forecasts or without spread."""
    bins: tuple[ReliabilityBin, ...]


def calibration(record: EpisodeRecord) -> Calibration:
    """Forecasts of an episode: predicted scores against the mean of all feedback on the node.

    Replications and repairs carry another node's prediction and are left out.
    """
    forecasts: list[Forecast] = []
    unmeasured = 0
    for node in record.nodes:
        idea = node.hypothesis
        if idea is None or idea.predicted is None or node.operator in ("replicate", "debug"):
            continue
        if node.evidence is None:
            unmeasured += 1
            continue
        forecasts.append(
            Forecast(
                node=node.id,
                predicted=idea.predicted,
                measured=node.evidence.mean,
                standard_error=node.evidence.standard_error,
            )
        )
    return calibrate(forecasts, unmeasured=unmeasured)


def calibrate(forecasts: Sequence[Forecast], *, unmeasured: int = 0) -> Calibration:
    """Bias, error, coverage and reliability of forecasts, which may come from several episodes of one task.

    Reliability is read off bins of equal count by prediction (reliability diagram: Murphy & Winkler 1977): `BINS` of
    them, or fewer where that leaves less than two forecasts a bin. Every figure is None without a forecast.
    """
    if not forecasts:
        return Calibration(
            forecasts=(),
            unmeasured=unmeasured,
            bias=None,
            rmse=None,
            coverage=None,
            correlation=None,
            bins=(),
        )
    misses = [f.measured - f.predicted for f in forecasts]
    known = [f for f in forecasts if f.standard_error > 0]
    inside = [abs(f.measured - f.predicted) <= NORMAL_95 * f.standard_error for f in known]
    return Calibration(
        forecasts=tuple(forecasts),
        unmeasured=unmeasured,
        bias=math.fsum(misses) / len(misses),
        rmse=math.sqrt(math.fsum(miss * miss for miss in misses) / len(misses)),
        coverage=sum(inside) / len(inside) if inside else None,
        correlation=rank_correlation([f.predicted for f in forecasts], [f.measured for f in forecasts]),
        bins=_bins(forecasts),
    )


def rank_correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Correlation of ranks, ties sharing theirs (Spearman 1904); None below three pairs or where one side is constant."""
    if len(xs) < 3:
        return None
    a, b = _ranks(xs), _ranks(ys)
    if len(set(xs)) == 1 or len(set(ys)) == 1:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Sequence[float]) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    ordered = np.sort(array)
    first = np.searchsorted(ordered, array, side="left").astype(np.float64)
    behind = np.searchsorted(ordered, array, side="right").astype(np.float64)
    return (first + behind + 1) / 2


def _bins(forecasts: Sequence[Forecast]) -> tuple[ReliabilityBin, ...]:
    count = min(BINS, len(forecasts) // 2)
    if not count:
        return ()
    ordered = sorted(forecasts, key=lambda forecast: forecast.predicted)
    edges = [round(place * len(ordered) / count) for place in range(count + 1)]
    parts = [ordered[low:high] for low, high in pairwise(edges)]
    return tuple(
        ReliabilityBin(
            count=len(part),
            mean_predicted=math.fsum(f.predicted for f in part) / len(part),
            mean_measured=math.fsum(f.measured for f in part) / len(part),
        )
        for part in parts
    )
