"""The facts about tasks and published models that ship with the benchmarks."""

import pytest

from benchmarks.pool import published_pool
from benchmarks.reference import (
    best_published_valid,
    facts_of,
    published_methods,
    published_score,
    reference,
    task_facts,
)
from benchmarks.scoreboard import scoreboards
from benchmarks.scores import is_better
from engine.errors import UnknownName


def test_there_are_13_tasks_and_12_models_in_the_tables() -> None:
    assert len({facts.id for facts in task_facts()}) == 13
    assert len(published_methods()) == 12
    assert set(published_methods(in_tables_only=False)) - set(published_methods()) == {"gemini-20-pro"}


def test_a_task_answers_to_its_id_its_mlgym_id_and_its_label() -> None:
    for facts in task_facts():
        assert facts_of(facts.id) is facts_of(facts.mlgym_id) is facts_of(facts.label) is facts


def test_an_unknown_task_comes_with_what_was_probably_meant() -> None:
    with pytest.raises(UnknownName, match="did you mean 'prisoners-dilemma'"):
        facts_of("prisoner-dilemma")
    with pytest.raises(UnknownName, match="gpt-o1"):
        published_score("blotto", "gpt-1o", "attempt")


def test_every_stored_score_belongs_to_a_known_task_and_model() -> None:
    known = set(published_methods(in_tables_only=False))

    assert set(reference().published) == {facts.id for facts in task_facts()}
    for cells in reference().published.values():
        assert set(cells.submission) <= set(cells.attempt) <= known


def test_no_submission_is_better_than_the_best_attempt() -> None:
    for facts in task_facts():
        cells = reference().published[facts.id]
        for method, score in cells.submission.items():
            assert not is_better(score, cells.attempt[method], facts.direction)


def test_optima_are_known_for_the_games_and_beat_their_baselines() -> None:
    optima = {facts.id: facts.optimum for facts in task_facts() if facts.optimum is not None}

    assert optima == {"battle-of-sexes": 1.44, "prisoners-dilemma": 2.625138, "colonel-blotto": 0.248}
    assert all(is_better(optimum, facts_of(task).baseline, "max") for task, optimum in optima.items())


def test_known_invalid_cells_are_replaced_unless_the_published_ones_are_asked_for() -> None:
    cell = ("colonel-blotto", "claude-35-sonnet-new", "attempt")

    assert published_score(*cell, valid_only=False) == pytest.approx(0.57557)
    assert published_score(*cell) == pytest.approx(0.22803)
    assert published_score("coco-captions", "llama4-17b-128", "attempt") == pytest.approx(0.265298)


def test_the_best_published_blotto_attempt_is_not_the_one_that_rewrote_its_opponent() -> None:
    best = best_published_valid("blotto", "attempt")

    assert best.method != "claude-35-sonnet-new"
    assert 0.24 < best.score < 0.26


def test_the_best_published_score_carries_its_marks() -> None:
    assert best_published_valid("coco-captions").self_reported
    assert best_published_valid("3-sat").wall_time
    assert best_published_valid("prisoners-dilemma").beyond_optimum
    assert not best_published_valid("colonel-blotto").beyond_optimum


def test_only_one_metric_is_self_reported_and_one_is_wall_time() -> None:
    assert [facts.id for facts in task_facts() if facts.self_reported] == ["coco-captions"]
    assert [facts.id for facts in task_facts() if facts.wall_time] == ["3-sat"]


def test_the_stored_pool_alone_gives_the_26_published_areas() -> None:
    pool = published_pool(mlgym_compatible=True)

    attempt, submission = scoreboards(pool.attempt, pool.submission)

    assert {method: (attempt.aup[method], submission.aup[method]) for method in attempt.aup} == {
        "claude-35-sonnet-new": (1.426, 1.419),
        "gpt-o1": (1.423, 1.444),
        "gemini-15-pro": (1.420, 1.405),
        "gemini-25-pro": (1.419, 1.445),
        "gemini-20-flash-thinking": (1.374, 1.385),
        "claude-37-sonnet": (1.350, 1.378),
        "llama3-405b-tools": (1.330, 1.353),
        "llama4-17b-128": (1.303, 1.330),
        "gpt4o2": (1.288, 1.317),
        "llama4-17b-16": (1.267, 1.288),
        "deepseek-r1": (1.249, 1.267),
        "baseline": (1.220, 1.243),
        "gpt-o3-mini": (1.214, 1.236),
    }
