"""How each arm's team worked, by `benchmarks.measures`, over the journals of its first blocks.

A study of ten thousand episodes has gigabytes of journals, so that at most so many of each arm are measured; the report
says how many.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from benchmarks.measures import EpisodeMeasures, headline, measure_episode
from benchmarks.measures.calibration import Calibration, Forecast, calibrate
from benchmarks.measures.episode_record import role_of
from benchmarks.report.evidence import Evidence
from benchmarks.report.scales import Scale
from engine.errors import EngineError

JOURNALS_AT_MOST: Final = 20
"""Of each arm on each task."""


@dataclass(frozen=True, kw_only=True)
class Teamwork:
    """Measures of one arm, over its tasks and blocks.

    Attributes:
        arm: its name.
        episodes: how many were measured.
        flow: messages an episode by (sender's role, receiver's role), addressed or taken from a queue.
        values: mean of each measure over the episodes in which it is defined; None where it is in none.
        calibration: of all predictions, on the normalised scale.
    """

    arm: str
    episodes: int
    flow: Mapping[tuple[str, str], float]
    values: Mapping[str, float | None]
    calibration: Calibration

    @property
    def roles(self) -> tuple[str, ...]:
        """Everyone who sent or got something, by name."""
        return tuple(sorted({name for pair in self.flow for name in pair}))


@dataclass(frozen=True, kw_only=True)
class Teamworks:
    """Every arm that has journals.

    Attributes:
        each: in the order of the arms.
        unread: journals that could not be read.
    """

    each: tuple[Teamwork, ...]
    unread: int


def measure_teamwork(evidence: Evidence) -> Teamworks:
    """The measures of every arm."""
    folders = {
        result.episode: source.folder / "episodes" / result.episode
        for source in evidence.sources.each
        for result in source.results
    }
    measured: dict[str, list[EpisodeMeasures]] = {arm: [] for arm in evidence.arms}
    taken: Counter[tuple[str, str]] = Counter()
    unread = 0
    for run in evidence.runs:
        folder = folders[run.episode]
        if taken[run.arm, run.task] >= JOURNALS_AT_MOST or not (folder / "journal.jsonl").is_file():
            continue
        taken[run.arm, run.task] += 1
        try:
            measured[run.arm].append(measure_episode(folder))
        except (EngineError, OSError):
            unread += 1  # said in the report; no score rests on it
    return Teamworks(
        each=tuple(_teamwork(arm, each, evidence.scales) for arm, each in measured.items() if each),
        unread=unread,
    )


def _teamwork(arm: str, measured: list[EpisodeMeasures], scales: Mapping[str, Scale]) -> Teamwork:
    flow: Counter[tuple[str, str]] = Counter()
    for each in measured:
        for (sender, receiver), count in each.messages.between(way="addressed").items():
            flow[role_of(sender), role_of(receiver)] += count
    figures = [headline(each) for each in measured]
    names = dict.fromkeys(name for each in figures for name in each)
    forecasts = [
        forecast
        for each in measured
        for one in each.calibration.forecasts
        if (forecast := _normalised(one, scales[each.task])) is not None
    ]
    return Teamwork(
        arm=arm,
        episodes=len(measured),
        flow={pair: count / len(measured) for pair, count in sorted(flow.items())},
        values={name: _mean([each.get(name) for each in figures]) for name in names},
        calibration=calibrate(forecasts, unmeasured=sum(each.calibration.unmeasured for each in measured)),
    )


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None


def _normalised(forecast: Forecast, scale: Scale) -> Forecast | None:
    predicted, measured = scale.normalise(forecast.predicted), scale.normalise(forecast.measured)
    if predicted is None or measured is None or scale.reference is None:
        return None
    return Forecast(
        node=forecast.node,
        predicted=predicted,
        measured=measured,
        standard_error=forecast.standard_error / abs(scale.reference - scale.baseline),
    )
