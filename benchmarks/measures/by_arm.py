"""Measures over the episodes of each arm on each task."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from benchmarks.measures.calibration import Calibration, calibrate
from benchmarks.measures.episode_measures import EpisodeMeasures


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One measure over the episodes in which it is defined."""

    mean: float | None
    """None where it is defined in no episode."""
    deviation: float | None
    """Standard deviation (n - 1); None below two episodes."""
    defined: int
    undefined: int


class ArmMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """One arm on one task."""

    task: str
    arm: str
    episodes: int
    values: dict[str, Spread]
    calibration: Calibration
    """Of all forecasts of these episodes together."""


def measures_by_arm(measures: Iterable[EpisodeMeasures]) -> tuple[ArmMeasures, ...]:
    """A row for each task and arm, by name; episodes that have not ended are left out."""
    cells: dict[tuple[str, str], list[EpisodeMeasures]] = {}
    for each in measures:
        if each.has_ended:
            cells.setdefault((each.task, each.arm), []).append(each)
    return tuple(_arm(task, arm, found) for (task, arm), found in sorted(cells.items()))


def headline(measures: EpisodeMeasures) -> dict[str, float | None]:
    """The single figures of an episode, by name; what is not defined is None."""
    m = measures
    figures: dict[str, float | None] = {
        "messages": m.messages.posted,
        "message_bytes": m.messages.bytes,
        "density": m.messages.density,
        "density_with_copies": m.messages.density_with_copies,
        "causal_depth": m.causes.depth,
        "work_seconds": m.causes.work_seconds,
        "span_seconds": m.causes.span_seconds,
        "parallelism": m.causes.parallelism,
        "duplicate_hypotheses": m.redundancy.hypothesis_rate,
        "duplicate_artefacts": m.redundancy.artefact_rate,
        "verdict_with_evidence": m.agreement.with_evidence,
        "verdict_kappa": m.agreement.with_evidence_kappa,
        "verdict_with_later_evidence": m.agreement.with_later_evidence,
        "predictions_upheld": m.agreement.predictions_upheld,
        "conformity_rate": m.conformity.conformity_rate,
        "vote_change_rate": m.conformity.change_rate,
        "prediction_bias": m.calibration.bias,
        "prediction_rmse": m.calibration.rmse,
        "prediction_coverage": m.calibration.coverage,
        "prediction_correlation": m.calibration.correlation,
        "family_entropy_bits": m.entropy.final_families,
        "point_entropy_relative": m.entropy.relative_points,
        "generations": m.provenance.generations,
        "experimenter_busy_share": m.idle.busy_share,
        "idle_share": m.idle.idle_share,
    }
    for role, share in (m.provenance.share_of_messages or {}).items():
        figures[f"selected_messages_{role}"] = share
    return figures


def _arm(task: str, arm: str, measures: Sequence[EpisodeMeasures]) -> ArmMeasures:
    figures = [headline(each) for each in measures]
    names = dict.fromkeys(name for each in figures for name in each)
    forecasts = [forecast for each in measures for forecast in each.calibration.forecasts]
    return ArmMeasures(
        task=task,
        arm=arm,
        episodes=len(measures),
        values={name: _spread(name, figures) for name in names},
        calibration=calibrate(forecasts, unmeasured=sum(m.calibration.unmeasured for m in measures)),
    )


def _spread(name: str, figures: Sequence[Mapping[str, float | None]]) -> Spread:
    values = [value for each in figures if (value := each.get(name)) is not None]
    return Spread(
        mean=statistics.fmean(values) if values else None,
        deviation=statistics.stdev(values) if len(values) > 1 else None,
        defined=len(values),
        undefined=len(figures) - len(values),
    )
