"""The published tables come out of the published runs: areas, score cells, orders, and what they hinge on."""

from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from shared_data import shared

from benchmarks.comparison import add_method
from benchmarks.pool import (
    Pool,
    PublishedScores,
    in_published_order,
    pool_of_runs,
    published_pool,
    score_published,
)
from benchmarks.records import (
    PublishedRuns,
    load_aup_table,
    load_published_runs,
    load_rank_table,
    load_score_table,
)
from benchmarks.reference import facts_of, published_methods, reference
from benchmarks.scoreboard import FullSuite, PartialSuite, scoreboards
from benchmarks.scores import BASELINE, TaskScores, with_method

KINDS = ("best", "last")

TEST_MOUNTAIN_CAR: dict[str, dict[str, float]] = {
    "best": {
        "gpt-o1": 96.335,
        "gemini-15-pro": 92.513,
        "claude-35-sonnet-new": 36.313,
        "llama3-405b-tools": 18.692,
        "gpt4o2": -215.776,
    },
    "last": {
        "gpt-o1": 96.335,
        "gemini-15-pro": 92.513,
        "claude-35-sonnet-new": 36.313,
        "llama3-405b-tools": 18.692,
        "gpt4o2": -216.621,
    },
}
"""The "test" tables took Mountain Car of five models from runs that were not released."""


def folder() -> Path:
    return shared("mlgym-results")


@cache
def runs_of(path: Path) -> PublishedRuns:
    return load_published_runs(path)


@cache
def compatible_pool(path: Path) -> Pool:
    return pool_of_runs(runs_of(path), mlgym_compatible=True)


@cache
def compatible_scores(path: Path) -> PublishedScores:
    return score_published(path, mlgym_compatible=True)


def tables(pool: Pool, kind: str) -> tuple[TaskScores, ...]:
    return pool.attempt if kind == "best" else pool.submission


def tables_of_test(kind: str) -> tuple[TaskScores, ...]:
    """The tables with the five Mountain Car cells that "test" has, methods ordered as it lists them."""
    changed: list[TaskScores] = []
    for table in tables(compatible_pool(folder()), kind):
        if table.task == "mountain-car-continuous":
            scores = {**table.scores, **TEST_MOUNTAIN_CAR[kind]}
            table = msgspec.structs.replace(table, scores=scores)  # noqa: PLW2901 -- one table swapped for another
        changed.append(table)
    return in_published_order(changed, load_rank_table(folder() / f"{kind}_ranks_test_results.csv"))


def published_rounding(method: str, score: float | None) -> float | None:
    """Models were rounded by NumPy (0.8855 to 0.886), the baseline by Python (0.7835 to 0.783)."""
    if score is None:
        return None
    return round(score, 3) if method == BASELINE else float(np.round(score, 3))


def test_all_676_runs_are_read() -> None:
    published = runs_of(folder())

    assert sum(len(task.runs) for task in published.runs) == 676
    assert len(published.methods) == 13
    assert published.baselines == {facts.id: facts.baseline for facts in reference().tasks}


def test_the_26_areas_of_the_aggregate_table_come_out_to_three_decimals() -> None:
    scores = compatible_scores(folder())

    table = load_aup_table(folder() / "aup_scores_aggregate_results.csv")

    assert len(table) == 13
    assert scores.best_attempt.aup == {m: row.best_attempt for m, row in table.items()}
    assert scores.best_submission.aup == {m: row.best_submission for m, row in table.items()}
    assert isinstance(scores.suite, FullSuite)
    assert scores.best_attempt.t_max == scores.best_submission.t_max == 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_all_score_cells_of_the_aggregate_table_come_out(kind: str) -> None:
    computed = tables(compatible_pool(folder()), kind)
    printed = load_score_table(folder() / f"{kind}_scores_aggregate_results.csv")

    cells = 0
    for mine, theirs in zip(computed, printed, strict=True):
        assert {m: published_rounding(m, s) for m, s in mine.scores.items()} == theirs.scores
        cells += len(theirs.scores)
    assert (cells, [t.task for t in computed]) == (169, [t.task for t in printed])


@pytest.mark.parametrize("kind", KINDS)
def test_all_orders_of_the_aggregate_table_come_out(kind: str) -> None:
    scores = compatible_scores(folder())
    board = scores.best_attempt if kind == "best" else scores.best_submission

    printed = load_rank_table(folder() / f"{kind}_ranks_aggregate_results.csv")

    assert printed.pop("BORDA") == printed.pop("Plackett-Luce") == board.mlgym_mean_rank.order
    assert printed == board.ranks


def test_the_26_areas_of_the_test_table_come_out_with_its_five_mountain_car_cells() -> None:
    best, last = scoreboards(tables_of_test("best"), tables_of_test("last"))

    table = load_aup_table(folder() / "aup_scores_test_results.csv")

    assert len(table) == 13
    assert best.aup == {m: row.best_attempt for m, row in table.items()}
    assert last.aup == {m: row.best_submission for m, row in table.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_score_cells_and_orders_of_the_test_table_come_out_with_the_five_cells(kind: str) -> None:
    printed = load_score_table(folder() / f"{kind}_scores_test_results.csv")
    orders = load_rank_table(folder() / f"{kind}_ranks_test_results.csv")

    mine = tables_of_test(kind)
    board = scoreboards(mine, mine)[0]

    for table, theirs in zip(mine, printed, strict=True):
        assert {m: published_rounding(m, s) for m, s in table.scores.items()} == theirs.scores
        assert board.ranks[table.task] == orders[table.task]
    assert board.mlgym_mean_rank.order == orders["BORDA"] == orders["Plackett-Luce"]


def test_the_published_mean_rank_order_hinges_on_the_arbitrary_order_of_methods_without_a_score() -> None:
    pool = compatible_pool(folder())

    board, _ = scoreboards(pool.attempt, pool.submission)

    published = compatible_scores(folder()).best_attempt.mlgym_mean_rank.order
    assert board.mlgym_mean_rank.order != published
    assert board.borda == compatible_scores(folder()).best_attempt.borda


def test_failing_every_task_costs_little() -> None:
    pool = compatible_pool(folder())
    attempt = [with_method(table, "nothing", None) for table in pool.attempt]
    submission = [with_method(table, "nothing", None) for table in pool.submission]

    best, last = scoreboards(attempt, submission)

    assert (best.aup["nothing"], last.aup["nothing"]) == (1.201, 1.224)


def test_the_omitted_model_would_have_had_the_top_submission_score() -> None:
    omitted = [
        msgspec.structs.replace(task, measured_baseline=facts_of(task.task).baseline)
        for task in runs_of(folder()).runs
        if task.method == "gemini-20-pro"
    ]

    comparison = add_method(compatible_pool(folder()), "gemini-20-pro", omitted, protocol="mlgym")

    assert (comparison.best_attempt.aup, comparison.best_submission.aup) == (1.425, 1.451)
    assert min(comparison.best_attempt.shift.values()) == -0.004
    assert comparison.best_submission.aup == max(comparison.best_submission.after.aup.values())


def test_by_default_self_reported_metrics_and_invalid_runs_stay_out() -> None:
    scores = score_published(folder())

    assert isinstance(scores.suite, PartialSuite)
    assert [left.task for left in scores.suite.left_out] == ["coco-captions"]
    assert "coco-captions" not in scores.best_attempt.ranks
    assert scores.best_attempt.scores["colonel-blotto"]["claude-35-sonnet-new"] == pytest.approx(0.22803)
    assert scores.best_attempt.t_max < 1.5  # that one cell had set the published range


def test_plackett_luce_fits_the_published_orders_without_a_ghost() -> None:
    scores = compatible_scores(folder())

    for board in (scores.best_attempt, scores.best_submission):
        assert board.plackett_luce.converged
        assert board.plackett_luce.ghost == 0
        assert sum(board.plackett_luce.worths.values()) == pytest.approx(1)


@pytest.mark.parametrize("mlgym_compatible", [True, False])
def test_the_stored_pool_is_the_one_the_runs_make(mlgym_compatible: bool) -> None:
    stored = published_pool(mlgym_compatible=mlgym_compatible)
    made = pool_of_runs(runs_of(folder()), methods=published_methods(), mlgym_compatible=mlgym_compatible)

    assert stored.suite == made.suite
    for mine, theirs in zip(
        (*stored.attempt, *stored.submission), (*made.attempt, *made.submission), strict=True
    ):
        assert mine.scores == pytest.approx(theirs.scores, abs=5e-7)
    both = [scoreboards(pool.attempt, pool.submission) for pool in (stored, made)]
    assert [board.aup for board in both[0]] == [board.aup for board in both[1]]


def test_the_scoreboards_survive_json() -> None:
    scores = compatible_scores(folder())

    assert msgspec.json.decode(msgspec.json.encode(scores), type=PublishedScores) == scores
