"""The report's tables as values: raw cells for programs, the same marked and rounded for people."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from benchmarks.measures.tables import csv_text, markdown_table
from benchmarks.published.actions import ActionRow, StepRow
from benchmarks.published.behaviour import KINDS
from benchmarks.published.checks import Check
from benchmarks.published.costs import CostRow
from benchmarks.published.exits import CAUSES, ENDINGS, ExitRow
from benchmarks.published.flags import Flag
from benchmarks.published.views import RankShift, View
from benchmarks.reference import facts_of, reference
from benchmarks.scores import BASELINE, TaskScores, best_of

Cell: TypeAlias = str | float | int | None
MARK = " †"
"""Behind a score that its run did not earn."""
_STEPS_SHOWN = (1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One table."""

    name: str
    """Of its file."""
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: int = 3
    marked: tuple[tuple[int, int], ...] = ()
    """(row, column) of cells with a mark behind them."""
    best: tuple[tuple[int, int], ...] = ()
    """(row, column) of cells in bold."""
    shown: tuple[int, ...] | None = None
    """Rows that people are shown; None: all."""

    def markdown(self) -> str:
        """The table for people."""
        places = range(len(self.rows)) if self.shown is None else self.shown
        rows = [
            [self._cell(row, column, cell) for column, cell in enumerate(self.rows[row])] for row in places
        ]
        return markdown_table(self.columns, rows)

    def csv(self) -> str:
        """The table for programs: every row, full precision, no marks."""
        return csv_text(self.columns, self.rows)

    def _cell(self, row: int, column: int, cell: Cell) -> str:
        text = cell_text(cell, self.digits)
        text = f"**{text}**" if (row, column) in self.best else text
        return text + (MARK if (row, column) in self.marked else "")


def cell_text(cell: Cell, digits: int) -> str:
    """A cell for people: figures rounded, very large ones in powers of ten, ``-`` for none."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.2e}" if abs(cell) >= 1e6 else f"{cell:.{digits}f}"
    return str(cell)


def title_of(method: str) -> str:
    """What people call a model."""
    return next((known.title for known in reference().methods if known.name == method), method)


def score_sheet(view: View, valid: View, *, submission: bool) -> Sheet:
    """A row a task, a column a method; the best score in bold; marked where it is another without invalid runs."""
    tables = view.pool.submission if submission else view.pool.attempt
    methods = _methods(tables)
    earned = {
        table.task: table.scores for table in (valid.pool.submission if submission else valid.pool.attempt)
    }
    kind = "submission" if submission else "attempt"
    rows: list[tuple[Cell, ...]] = []
    marked: list[tuple[int, int]] = []
    bold: list[tuple[int, int]] = []
    for place, table in enumerate(tables):
        facts = facts_of(table.task)
        scores = [table.scores.get(method) for method in methods]
        best = best_of(scores, table.direction)
        rows.append((facts.label, "more" if facts.direction == "max" else "less", *scores))
        for column, (method, score) in enumerate(zip(methods, scores, strict=True), start=2):
            if score is not None and score == best:
                bold.append((place, column))
            if score != earned[table.task].get(method):
                marked.append((place, column))
    return Sheet(
        name=f"best-{kind}",
        title=f"Best {kind}@{view.pool.k}",
        note="On the task's own metric; bold: best of the row; †: that run did not earn it; -: no usable run.",
        columns=("task", "better is", *(title_of(method) for method in methods)),
        rows=tuple(rows),
        marked=tuple(marked),
        best=tuple(bold),
    )


def aup_sheet(view: View) -> Sheet:
    """Areas under the profiles and the orders over tasks, best attempt first."""
    attempt, submission = view.best_attempt, view.best_submission
    rows = tuple(
        (
            title_of(method),
            attempt.aup[method],
            submission.aup[method],
            attempt.mlgym_mean_rank.mean_position[method],
            submission.mlgym_mean_rank.mean_position[method],
            attempt.borda[method],
            attempt.plackett_luce.worths[method],
        )
        for method in sorted(attempt.aup, key=lambda name: -attempt.aup[name])
    )
    return Sheet(
        name="aup",
        title="Area under the performance profile",
        note=f"Range 0 to {attempt.t_max:g} (log10 of ratio): the largest area possible is {attempt.t_max:g}.",
        columns=(
            "method", "AUP, best attempt", "AUP, best submission", "mean position, attempt",
            "mean position, submission", "Borda, attempt", "Plackett-Luce worth, attempt",
        ),
        rows=rows,
    )  # fmt: skip


def ranking_sheet(shifts: Sequence[RankShift], *, submission: bool) -> Sheet:
    """Place and area of every method in each view."""
    views = list(shifts[0].aup) if shifts else []
    kind = "submission" if submission else "attempt"
    return Sheet(
        name=f"ranking-{kind}",
        title=f"Ranking by best {kind}, with and without unearned scores",
        note="Place, area, and area over the published range (the only one to compare along a row, on the same tasks).",
        columns=(
            "method",
            *(f"place, {view}" for view in views),
            *(f"AUP, {view}" for view in views),
            *(f"AUP in the published range, {view}" for view in views[1:]),
        ),
        rows=tuple(
            (
                title_of(shift.method),
                *(shift.place[view] for view in views),
                *(shift.aup[view] for view in views),
                *(shift.frozen_aup[view] for view in views[1:]),
            )
            for shift in shifts
        ),
    )


def flag_sheet(flags: Sequence[Flag]) -> Sheet:
    """What is known against single runs, and what their figures say by themselves."""
    return Sheet(
        name="flags",
        title="Scores that were not earned, and conspicuous ones",
        note="Known: from reading the run; it is left out where the tables say so. Conspicuous: by size alone; it counts.",
        columns=("task", "method", "run", "score", "known", "conspicuous", "best of the method's other runs"),
        rows=tuple(
            (
                facts_of(flag.task).label,
                title_of(flag.method),
                flag.run,
                flag.score,
                flag.known_invalid or None,
                "; ".join(flag.conspicuous) or None,
                flag.best_of_others,
            )
            for flag in flags
        ),
    )


def exit_sheet(rows: Sequence[ExitRow], *, name: str, first: str) -> Sheet:
    """How runs ended."""
    return Sheet(
        name=name,
        title=f"How runs ended, by {first}",
        note="Died: an unhandled error ended the loop. Without score: no entry with the task's metric.",
        columns=(first, "runs", *ENDINGS, "without score", "incomplete"),
        rows=tuple(
            (
                _label(row.name),
                row.runs,
                *(row.endings[e] for e in ENDINGS),
                row.without_score,
                row.incomplete,
            )
            for row in rows
        ),
    )


def cause_sheet(rows: Sequence[ExitRow]) -> Sheet:
    """What brought the end about: exit reasons."""
    return Sheet(
        name="exit-causes",
        title="What ended runs, by model",
        note="Submit: the run's own submission, usable or not. Others: the limit that struck.",
        columns=("model", "runs", *CAUSES),
        rows=tuple((_label(row.name), row.runs, *(row.causes[c] for c in CAUSES)) for row in rows),
    )


def action_sheet(rows: Sequence[ActionRow], *, name: str, first: str) -> Sheet:
    """Steps of a run and what they were spent on."""
    return Sheet(
        name=name,
        title=f"Steps and what they were spent on, by {first}",
        note="Kinds as shares of all steps, in per cent. Seconds: the environment's, without the model's thinking.",
        columns=(
            first,
            "runs",
            "mean steps",
            "median steps",
            *(f"{kind} %" for kind in KINDS),
            "environment seconds",
        ),
        rows=tuple(
            (
                _label(row.name),
                row.runs,
                row.mean_steps,
                row.median_steps,
                *(100 * row.shares.get(kind, 0.0) for kind in KINDS),
                row.environment_seconds,
            )
            for row in rows
        ),
        digits=1,
    )


def step_sheet(rows: Sequence[StepRow]) -> Sheet:
    """Actions by step number."""
    return Sheet(
        name="actions-by-step",
        title="Actions by step",
        note="Over all runs with a trajectory that came so far; every step is in the CSV.",
        columns=("step", "runs", *KINDS),
        rows=tuple((row.step, row.runs, *(row.counts[kind] for kind in KINDS)) for row in rows),
        shown=tuple(place for place, row in enumerate(rows) if row.step in _STEPS_SHOWN),
    )


def cost_sheet(rows: Sequence[CostRow]) -> Sheet:
    """Cost of a run beside the area under the profile."""
    return Sheet(
        name="costs",
        title="Cost of a run against AUP",
        note="USD a run, from tokens and MLGym's prices, and as recorded: means over runs with a trajectory.",
        columns=(
            "model",
            "runs",
            "tokens sent",
            "tokens received",
            "USD, listed",
            "USD, recorded",
            "AUP, best attempt",
            "AUP, best submission",
        ),
        rows=tuple(
            (
                title_of(row.method),
                row.runs,
                None if row.tokens_sent is None else round(row.tokens_sent),
                None if row.tokens_received is None else round(row.tokens_received),
                row.listed_cost_usd,
                row.recorded_cost_usd,
                row.best_attempt_aup,
                row.best_submission_aup,
            )
            for row in rows
        ),
    )


def check_sheet(checks: Sequence[Check]) -> Sheet:
    """What was held against the published tables."""
    return Sheet(
        name="checks",
        title="Held against the published tables",
        note="Largest difference over all cells; the tables have 3 decimals, so 0.0005 is rounding.",
        columns=("table", "cells", "largest difference", "where"),
        rows=tuple(
            (check.table, check.cells, check.largest_difference, check.where or None) for check in checks
        ),
        digits=4,
    )


def _methods(tables: Sequence[TaskScores]) -> list[str]:
    found = dict.fromkeys(method for table in tables for method in table.scores)
    known: Mapping[str, int] = {each.name: place for place, each in enumerate(reference().methods)}
    return sorted(found, key=lambda method: -1 if method == BASELINE else known.get(method, len(known)))


def _label(name: str) -> str:
    return next((facts.label for facts in reference().tasks if facts.id == name), title_of(name))
