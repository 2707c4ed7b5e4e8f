"""A team set beside the pool on the tasks it ran."""

import msgspec
import pytest

from benchmarks.comparison import Comparison, add_method
from benchmarks.pool import published_pool
from benchmarks.records import Run, TaskRuns
from benchmarks.reference import facts_of
from benchmarks.scoreboard import PartialSuite, aup_shift, scoreboards
from engine.errors import BadSpecification, UnknownName


def runs(task: str, *entries: tuple[float, ...], measured_baseline: float | None = None) -> TaskRuns:
    facts = facts_of(task)
    return TaskRuns(
        method="full",
        task=task,
        metric=facts.metric,
        direction=facts.direction,
        runs=tuple(Run(index=i, entries=run) for i, run in enumerate(entries)),
        measured_baseline=measured_baseline,
    )


GAMES = (
    runs("battle-of-sexes", (1.02, 1.44), (1.1,), (1.2,), (1.3,)),
    runs("prisoners-dilemma", (2.625, 2.5), (2.4,), (2.4,), (2.4,)),
    runs("colonel-blotto", (0.2,), (0.246,), (0.1,), (-0.1,)),
)


def test_a_team_gets_its_best_at_4_and_an_area_on_the_subset_it_names() -> None:
    comparison = add_method(published_pool(), "full", GAMES)

    assert comparison.best_attempt.scores == {
        "battle-of-sexes": 1.44,
        "prisoners-dilemma": 2.625,
        "colonel-blotto": 0.246,
    }
    assert comparison.best_submission.scores["prisoners-dilemma"] == 2.5
    assert isinstance(comparison.suite, PartialSuite)
    assert comparison.suite.tasks == ("battle-of-sexes", "prisoners-dilemma", "colonel-blotto")
    assert comparison.best_attempt.after.suite == comparison.suite
    assert comparison.best_attempt.aup == comparison.best_attempt.after.aup["full"]


def test_the_shift_of_every_other_method_is_shown() -> None:
    placement = add_method(published_pool(), "full", GAMES).best_submission

    assert set(placement.shift) == set(placement.before.aup)
    for method, shift in placement.shift.items():
        assert placement.after.aup[method] == pytest.approx(placement.before.aup[method] + shift)


def test_a_new_best_lowers_the_others_but_not_its_own_frozen_area() -> None:
    strong = add_method(published_pool(), "full", [runs("colonel-blotto", *[(0.9,)] * 4)]).best_attempt

    assert strong.frozen_aup == pytest.approx(strong.before.t_max)
    assert strong.position == {"colonel-blotto": 1}
    assert strong.after.aup["gpt-o1"] / strong.after.t_max < strong.before.aup["gpt-o1"] / strong.before.t_max


def test_a_partial_suite_is_refused_beside_another() -> None:
    pool = published_pool(mlgym_compatible=True)
    full, _ = scoreboards(pool.attempt, pool.submission)
    games = add_method(pool, "full", GAMES).best_attempt.after

    with pytest.raises(BadSpecification, match="same subset"):
        aup_shift(full, games)


def test_a_self_reported_metric_does_not_enter() -> None:
    told = runs("coco-captions", *[(1.0,)] * 4)

    comparison = add_method(published_pool(), "full", [*GAMES, told])

    assert isinstance(comparison.suite, PartialSuite)
    assert [left.task for left in comparison.suite.left_out] == ["coco-captions"]
    assert "coco-captions" not in comparison.best_attempt.after.ranks
    with pytest.raises(BadSpecification, match="self-reported"):
        add_method(published_pool(), "full", [told])


def test_runs_marked_self_reported_do_not_enter_on_any_task() -> None:
    told = msgspec.structs.replace(GAMES[2], self_reported=True)

    comparison = add_method(published_pool(), "full", [*GAMES[:2], told])

    assert comparison.suite.tasks == ("battle-of-sexes", "prisoners-dilemma")


def test_a_self_reported_metric_enters_when_asked_for_and_is_marked() -> None:
    pool = published_pool(mlgym_compatible=True)

    comparison = add_method(pool, "full", [runs("coco-captions", *[(1.0,)] * 4)])

    assert comparison.mlgym_compatible
    assert "self-reported" in {mark.kind for mark in comparison.marks}


def test_wall_time_is_scaled_by_the_baseline_measured_beside_it_and_marked() -> None:
    """Half the time of a baseline that takes 100 s here counts as half of the published 16.158 s."""
    timed = runs("3-sat", (50.0,), (80.0,), (80.0,), (80.0,), measured_baseline=100.0)

    comparison = add_method(published_pool(), "full", [timed])

    assert comparison.best_submission.scores["3-sat"] == pytest.approx(16.158 / 2)
    assert "wall-time" in {mark.kind for mark in comparison.marks}


@pytest.mark.parametrize("measured", [None, 0.0, float("nan")])
def test_wall_time_without_its_baseline_is_refused(measured: float | None) -> None:
    with pytest.raises(BadSpecification, match="measure the baseline beside"):
        add_method(published_pool(), "full", [runs("3-sat", (50.0,), measured_baseline=measured)])


def test_another_number_of_runs_than_the_pools_is_marked() -> None:
    few = runs("battle-of-sexes", (1.0,), (1.2,))
    many = runs("prisoners-dilemma", *[(float(i),) for i in range(5)])

    comparison = add_method(published_pool(), "full", [few, many])

    assert comparison.best_submission.scores["battle-of-sexes"] == 1.2
    assert comparison.best_submission.scores["prisoners-dilemma"] == pytest.approx((4 * 4 + 3) / 5)
    assert {"few-runs", "many-runs"} <= {mark.kind for mark in comparison.marks}


def test_an_invalid_run_does_not_count_and_is_marked() -> None:
    honest = runs("colonel-blotto", (0.1,), (0.2,))
    cheat = Run(index=9, entries=(1.0,), valid=False, reason="rewrote its opponent")

    comparison = add_method(
        published_pool(), "full", [msgspec.structs.replace(honest, runs=(*honest.runs, cheat))]
    )

    assert comparison.best_attempt.scores == {"colonel-blotto": 0.2}
    assert any("rewrote its opponent" in mark.text for mark in comparison.marks)


def test_a_task_on_which_every_run_failed_counts_as_a_failure() -> None:
    comparison = add_method(published_pool(), "full", [*GAMES[:2], runs("colonel-blotto", (), ())])

    placement = comparison.best_attempt
    assert (placement.scores["colonel-blotto"], placement.position["colonel-blotto"]) == (None, None)
    assert placement.after.ranks["colonel-blotto"][-1] == "full"


def test_the_protocol_is_named_and_marked_where_it_is_not_the_pools() -> None:
    verified = add_method(published_pool(), "full", GAMES)
    as_published = add_method(published_pool(), "full", GAMES, protocol="mlgym")

    assert (verified.protocol, as_published.protocol) == ("verified", "mlgym")
    assert "protocol" in {mark.kind for mark in verified.marks}
    assert "protocol" not in {mark.kind for mark in as_published.marks}


def test_a_named_task_must_exist_and_have_been_run() -> None:
    with pytest.raises(UnknownName, match="did you mean 'colonel-blotto'"):
        add_method(published_pool(), "full", GAMES, tasks=["colonel-bloto"])
    with pytest.raises(BadSpecification, match="3-sat was not run"):
        add_method(published_pool(), "full", GAMES, tasks=["battle-of-sexes", "3SATTime"])


def test_a_subset_of_what_was_run_may_be_named() -> None:
    comparison = add_method(published_pool(), "full", GAMES, tasks=["blotto"])

    assert comparison.suite.tasks == ("colonel-blotto",)


def test_a_taken_name_a_repeated_task_and_another_metric_are_refused() -> None:
    with pytest.raises(BadSpecification, match="already in the pool"):
        add_method(published_pool(), "gpt-o1", GAMES)
    with pytest.raises(BadSpecification, match="there twice"):
        add_method(published_pool(), "full", [*GAMES, GAMES[0]])
    with pytest.raises(BadSpecification, match="'Decisions'"):
        add_method(published_pool(), "full", [msgspec.structs.replace(GAMES[0], metric="Decisions")])


def test_a_comparison_repeats_and_survives_json() -> None:
    comparison = add_method(published_pool(), "full", GAMES)

    assert comparison == add_method(published_pool(), "full", GAMES)
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison
