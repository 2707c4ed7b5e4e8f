"""The figures made here against MLGym's own tables, where copies of these lie beside the runs."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.published.views import View
from benchmarks.records import load_aup_table, load_rank_table, load_score_table
from benchmarks.scores import TaskScores

_KINDS = {"best": "attempt", "last": "submission"}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One published table held against the same figures made from the runs."""

    table: str
    cells: int
    largest_difference: float
    """Over cells that both have; infinite where only one has a figure."""
    where: str
    """The cell of the largest difference; empty where there is none."""


def published_orders(folder: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """The published orders of methods by task, for best attempt and best submission, where the tables are there."""
    return {
        kind: load_rank_table(path)
        for name, kind in _KINDS.items()
        if (path := folder / f"{name}_ranks_aggregate_results.csv").exists()
    }


def check_tables(folder: Path, view: View) -> tuple[Check, ...]:
    """Every score and area of the aggregate tables in a folder against the view that scores as they did.

    Raises:
        BadSpecification: when a table is damaged.
    """
    checks: list[Check] = []
    for name, kind in _KINDS.items():
        path = folder / f"{name}_scores_aggregate_results.csv"
        if path.exists():
            own = view.pool.attempt if kind == "attempt" else view.pool.submission
            checks.append(_compared(path.name, _cells(load_score_table(path)), _cells(own)))
    path = folder / "aup_scores_aggregate_results.csv"
    if path.exists():
        published: dict[str, float | None] = {}
        made: dict[str, float | None] = {}
        for method, area in load_aup_table(path).items():
            published |= {
                f"{method}, attempt": area.best_attempt,
                f"{method}, submission": area.best_submission,
            }
            made[f"{method}, attempt"] = view.best_attempt.aup.get(method)
            made[f"{method}, submission"] = view.best_submission.aup.get(method)
        checks.append(_compared(path.name, published, made))
    return tuple(checks)


def _cells(tables: "tuple[TaskScores, ...]") -> dict[str, float | None]:
    return {f"{table.task}, {method}": score for table in tables for method, score in table.scores.items()}


def _compared(table: str, published: Mapping[str, float | None], made: Mapping[str, float | None]) -> Check:
    worst, where = 0.0, ""
    for cell, figure in published.items():
        difference = _difference(figure, made.get(cell))
        if difference > worst:
            worst, where = difference, cell
    return Check(table=table, cells=len(published), largest_difference=worst, where=where)


def _difference(published: float | None, made: float | None) -> float:
    if published is None or made is None:
        return 0.0 if published is made else float("inf")
    # The tables have three decimals, and what is as large as 3e13 has the digits of a float.
    return 0.0 if abs(made) > 1e9 and abs(published / made - 1) < 1e-6 else abs(published - made)
