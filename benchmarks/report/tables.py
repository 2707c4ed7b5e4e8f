"""The tables of a report as data frames: CSV for a spreadsheet, Parquet for a program, the same rows in both."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from benchmarks.report.curves import Curves
from benchmarks.report.findings import Findings
from benchmarks.report.pictures import extra
from benchmarks.report.plain import for_sheet, visible
from benchmarks.report.wording import arm_name, verdict
from benchmarks.statistics.interval import Interval

if TYPE_CHECKING:
    from polars import DataFrame

Cell: TypeAlias = str | int | float | bool | None
Rows: TypeAlias = Sequence[Mapping[str, Cell]]


def frames(findings: Findings, curves: Curves | None) -> dict[str, "DataFrame"]:
    """Every table with rows, by name.

    Raises:
        ExtraMissing: without polars.
    """
    extra("polars", "polars")
    import polars

    tables: dict[str, Rows] = {
        "episodes": episodes(findings),
        "headline": headline(findings),
        "contrasts": contrasts(findings),
        "spend": spend(findings),
        "curves": [] if curves is None else curve_points(findings, curves),
    }
    return {name: polars.DataFrame(rows, infer_schema_length=None) for name, rows in tables.items() if rows}


def for_csv(frame: "DataFrame") -> str:
    """A frame as CSV whose texts no spreadsheet takes for a formula."""
    import polars

    text = polars.selectors.string()
    return frame.with_columns(text.map_elements(for_sheet, return_dtype=polars.String)).write_csv()


def episodes(findings: Findings) -> Rows:
    """A row an episode that counts."""
    return [
        {
            "episode": run.episode,
            "task": run.task,
            "arm": run.arm,
            "block": run.block,
            "outcome": run.outcome,
            "reason": visible(run.reason),
            "final": run.final,
            "standard_error": run.standard_error if run.final is not None else None,
            "counted": run.counted,
            "normalised": run.normalised,
            "failed": run.final is None,
            "held_out": run.held_out,
            "best_feedback_final": run.best_feedback_final,
            "evaluations": run.evaluations,
            "spent_on_primary_axis": run.spent,
            "messages": run.messages,
            "findings": run.findings,
            "deterministic": run.is_deterministic,
            "artefact": run.artefact,
            "seconds": run.seconds,
        }
        for run in findings.evidence.runs
    ]


def headline(findings: Findings) -> Rows:
    """A row an arm."""
    return [
        {
            "arm": each.method,
            "label": visible(arm_name(findings.evidence, each.method)),
            **_interval("mean", each.mean),
            **_interval("interquartile_mean", each.interquartile_mean),
            **_interval("failure_rate", each.failure_rate),
            "runs": each.runs,
            "missing": each.missing,
        }
        for each in findings.headlines
    ]


def contrasts(findings: Findings) -> Rows:
    """A row a contrast."""
    return [
        {
            "contrast": visible(effect.contrast.name),
            "treatment": effect.contrast.treatment,
            "control": effect.contrast.control,
            "primary": effect.contrast.primary,
            "removed": effect.removal.role if effect.removal is not None else None,
            "sense": effect.removal.sense if effect.removal is not None else None,
            **_interval("difference", effect.found.difference),
            **_interval("improvement", effect.found.improvement),
            "p": effect.found.test.p,
            "p_corrected": effect.p,
            "blocks": effect.found.blocks,
            "correlation": effect.found.correlation,
            "verdict": verdict(effect.found, effect.p, significance=effect.needed),
        }
        for effect in findings.effects
    ]


def spend(findings: Findings) -> Rows:
    """A row an arm."""
    return [
        {
            "arm": each.arm,
            "held_against": each.control,
            "axis": findings.evidence.design.primary_axis,
            "mean": each.mean,
            "gap": each.gap,
            "flagged": each.is_flagged,
            "seconds": each.seconds,
        }
        for each in findings.spends
    ]


def curve_points(findings: Findings, curves: Curves) -> Rows:
    """A row a point of each arm's mean curve on each task and over all (task: null)."""
    rows: list[Mapping[str, Cell]] = []
    for arm in findings.evidence.arms:
        for task in (None, *curves.tasks):
            rows += [
                {
                    "arm": arm,
                    "task": task,
                    "score_kind": curves.kind,
                    "evaluations": point.spent,
                    **_interval("score", point.score),
                }
                for point in curves.mean(arm, task)
                if not np.isnan(point.score.estimate)
            ]
    return rows


def _interval(name: str, interval: Interval) -> dict[str, Cell]:
    return {
        name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
        f"{name}_method": interval.method,
    }
