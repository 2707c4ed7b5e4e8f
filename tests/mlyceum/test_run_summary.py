"""Means, intervals and rows: what counts, and what is said where nothing can be."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.studies.intervals import mean_interval
from benchmarks.studies.summary import make_rows, make_task_rows
from engine.budget import Budget
from engine.episode import Ending, EpisodeResult, EpisodeSpec
from engine.member import Feedback
from engine.messages import ArtefactHash
from engine.scheduler import Ran
from engine.seeds import Seeds
from engine.task import Score, ScoringProtocol, TaskCard
from engine.team import StrategySpec, TeamSpec

CARD = TaskCard(
    id="game", title="Game", version=1, metric="Score", direction="max", baseline=0.5, optimum=2.0
)
CHOSEN = ArtefactHash("a" * 64)


def spec(seed: int, team: str = "full") -> EpisodeSpec:
    return EpisodeSpec(
        task="game",
        team=TeamSpec(name=team, members=(), strategy=StrategySpec(kind="greedy")),
        seeds=Seeds(task=seed, team=seed, evaluation=seed),
        budget=Budget(evaluations=2),
    )


def result(asked: EpisodeSpec, value: float | None, outcome: Ending = "submitted") -> EpisodeResult:
    feedback = tuple(
        Feedback(evaluation=number, artefact=CHOSEN, value=score, standard_error=0.3)
        for number, score in ((1, 1.0), (2, 2.0))
    )
    final = Score(value=value, failure="" if value is not None else "strategy.py is missing")
    return EpisodeResult(
        episode=asked.id,
        spec=asked,
        outcome=outcome,
        selected=CHOSEN,
        final=final,
        feedback=feedback,
        evaluations=2,
    )


def test_a_single_seed_has_no_interval() -> None:
    found = mean_interval([1.5])

    assert found is not None
    assert (found.mean, found.low, found.high, found.method) == (1.5, None, None, "none")
    assert mean_interval([]) is None


def test_few_seeds_have_students_interval() -> None:
    found = mean_interval([1.0, 2.0, 3.0])

    # 4.3027 standard errors of the mean, 1 / √3, on either side.
    assert found is not None
    assert found.method == "t"
    assert (found.low, found.high) == (
        pytest.approx(2 - 2.4843, abs=1e-3),
        pytest.approx(2 + 2.4843, abs=1e-3),
    )


def test_many_seeds_have_a_bootstrap_interval_that_is_the_same_each_time() -> None:
    values = list(np.random.default_rng(3).normal(1.0, 0.2, 40))

    found = mean_interval(values)

    assert found == mean_interval(values)
    assert found is not None
    assert found.method == "bootstrap"
    half = 1.96 * np.std(values, ddof=1) / np.sqrt(40)
    assert found.high is not None
    assert found.high - found.mean == pytest.approx(half, rel=0.1)


def test_an_artefact_without_a_score_counts_as_the_baseline() -> None:
    specs = (spec(1), spec(2))
    ran = Ran(results=[result(specs[0], 1.5), result(specs[1], None)])

    rows = make_rows(specs, ran, cards={"game": CARD}, folder=Path("study"))
    (task,) = make_task_rows(rows, team="full", cards={"game": CARD})

    assert [row.counted_score for row in rows] == [1.5, 0.5]
    assert rows[1].reason == "strategy.py is missing"
    assert (task.mean, task.n, task.without_score) == (1.0, 2, 1)


def test_an_episode_that_the_outside_let_down_is_missing_and_not_a_score() -> None:
    specs = (spec(1), spec(2))
    ran = Ran(results=[result(specs[0], 1.5)], failed={specs[1].id: "Transient: no route"})

    rows = make_rows(specs, ran, cards={"game": CARD}, folder=Path("study"))
    (task,) = make_task_rows(rows, team="full", cards={"game": CARD})

    assert (rows[1].outcome, rows[1].reason) == ("failed", "Transient: no route")
    assert (task.mean, task.n, task.outcomes) == (1.5, 1, {"failed": 1, "submitted": 1})


def test_a_control_stands_beside_the_team_and_out_of_its_mean() -> None:
    specs = (spec(1), spec(1, "random-search"))
    ran = Ran(results=[result(specs[0], 1.5), result(specs[1], 0.7)])

    rows = make_rows(specs, ran, cards={"game": CARD}, folder=Path("study"))
    (task,) = make_task_rows(rows, team="full", cards={"game": CARD})

    assert task.mean == 1.5
    assert task.controls[0].score is not None
    assert (task.controls[0].team, task.controls[0].score.mean) == ("random-search", 0.7)


@pytest.mark.parametrize(
    ("protocol", "baseline", "best", "is_rescaled"),
    [("verified", 1.0, 0.75, True), ("mlgym", 16.0, 12.0, False)],
)
def test_a_published_wall_time_never_stands_bare_beside_a_ratio(
    protocol: ScoringProtocol, baseline: float, best: float, is_rescaled: bool
) -> None:
    card = msgspec.structs.replace(
        CARD, baseline=1.0, published_baseline=16.0, best_published=12.0, mlgym_metric_is_wall_time=True
    )
    asked = msgspec.structs.replace(spec(1), protocol=protocol)
    rows = make_rows((asked,), Ran(results=[result(asked, None)]), cards={"game": card}, folder=Path("s"))

    (task,) = make_task_rows(rows, team="full", cards={"game": card})

    assert (task.baseline, task.best_published, task.best_published_is_rescaled) == (
        baseline,
        best,
        is_rescaled,
    )
    assert task.mean == baseline


def test_feedback_of_what_was_handed_in_is_pooled() -> None:
    (row,) = make_rows(
        (spec(1),), Ran(results=[result(spec(1), 1.5)]), cards={"game": CARD}, folder=Path("s")
    )

    assert row.feedback_score == 1.5
    assert row.feedback_standard_error == pytest.approx(0.3 / np.sqrt(2))
    assert row.folder == "s/episodes/game--full--seed-1"
