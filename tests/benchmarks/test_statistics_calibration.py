"""The calibration, in small: coarse bounds that a broken method misses and that chance cannot (seeds are fixed)."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.calibration.checks import problem_with
from benchmarks.calibration.coverage import measure_coverage
from benchmarks.calibration.detection import measure_power
from benchmarks.calibration.false_positives import (
    measure_false_positives,
    measure_family,
    measure_looks,
    measure_pairs,
)
from benchmarks.calibration.laws import (
    built_in_laws,
    chance_of_improvement,
    mixture,
    published_laws,
    published_scores,
)
from benchmarks.statistics import PUBLISHED_SPREAD, optimism_of_results, pilot_spread
from tasks.registry import open_task
from tests.shared_data import shared

LAWS = {law.name: law for law in built_in_laws()}


def test_a_laws_figures_are_those_of_its_draws():
    for law in LAWS.values():
        better = law.best_of(3)
        draws, others = (
            law.draw(np.random.default_rng(1), (50_000,)),
            better.draw(np.random.default_rng(2), (50_000,)),
        )
        won = np.mean(others > draws) + 0.5 * np.mean(others == draws)

        assert draws.mean() == pytest.approx(law.mean, abs=0.02)
        assert draws.var() == pytest.approx(law.variance, rel=0.1)
        assert chance_of_improvement(better, law) == pytest.approx(won, abs=0.01)


def test_a_mixture_has_the_mean_of_its_laws():
    both = mixture("both", [LAWS["continuous"], LAWS["ceiling-heavy"]])

    assert both.mean == pytest.approx((LAWS["continuous"].mean + LAWS["ceiling-heavy"].mean) / 2)


def test_nothing_is_found_too_often_where_nothing_is():
    for row in measure_false_positives(LAWS.values(), studies=300, seed=1, sizes=(12,)):
        assert row.permutation.share < 0.09
        assert row.interval.share < 0.09


def test_holm_and_the_spending_function_hold_the_whole_level():
    family = measure_family(LAWS["continuous"], blocks=12, studies=150, seed=2)
    looks = measure_looks(LAWS["continuous"], blocks=50, studies=1000, seed=2)

    assert family.corrected.share < 0.11 < family.uncorrected.share
    assert looks.planned.share < 0.08 < looks.naive.share


def test_intervals_of_continuous_outcomes_hold_the_truth():
    rows = chain.from_iterable(measure_coverage([LAWS["continuous"]], studies=150, seed=3, sizes=(12,)))

    kept = [row for row in rows if row.method in {"t", "expanded-bca"}]
    assert all(row.rate.share > 0.89 for row in kept)
    assert len(kept) == 6


def test_power_is_near_what_was_predicted():
    for row in measure_power([LAWS["continuous"]], studies=60, seed=4, sizes=(10, 20)):
        assert row.measured.share == pytest.approx(row.formula, abs=0.08)
        assert row.measured.share == pytest.approx(row.simulated, abs=0.08)


def test_the_published_runs_have_the_spread_that_users_are_told():
    folder = shared("mlgym-results")
    scores = published_scores(folder)

    spread = pilot_spread(np.clip(np.concatenate(list(scores.values())), 0.0, 1.0))

    assert sum(np.sum(~np.isnan(values)) for values in scores.values()) == 674  # of 676, two are invalid
    assert spread == pytest.approx(PUBLISHED_SPREAD, abs=0.005)
    assert [law.name for law in published_laws(folder)] == list(LAWS)


def test_without_the_published_runs_the_built_in_laws_remain(tmp_path):
    assert published_laws(tmp_path / "absent") == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"mode": "steady", "guard": "on", "depth": 8, "heat": 0.8, "flow": 0.2, "mix": 0.8},
        {"mode": "steady", "guard": "off", "depth": 5, "heat": 0.8, "flow": 0.2, "mix": 1},
        {"mode": "steady", "guard": "off", "depth": 4, "heat": 0, "flow": 0.2, "mix": 0.8},
        {"mode": "steady", "guard": "off", "depth": 4},
    ],
)
def test_the_check_in_this_process_says_what_the_tasks_own_says(tmp_path: Path, answer):
    import tasks.planted.check as check

    (tmp_path / "answer.json").write_bytes(msgspec.json.encode(answer))

    theirs = subprocess.run(
        [sys.executable, check.__file__], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    ours = problem_with({"answer.json": msgspec.json.encode(answer)})
    assert (ours or "keeps the rules", bool(ours)) == (theirs.stdout.strip(), theirs.returncode == 1)


def test_two_arms_of_one_team_run_through_the_engine():
    from benchmarks.calibration.pipeline import pipeline_pairs

    pairs = np.concatenate(list(pipeline_pairs(1, 4)))

    assert pairs.shape == (1, 2, 4)
    assert not np.isnan(pairs).any()
    assert np.any(pairs[0, 0] != pairs[0, 1])
    again = np.concatenate(list(pipeline_pairs(1, 4)))
    assert np.array_equal(pairs, again)


def test_what_selection_promised_and_held_is_read_from_episodes():
    from benchmarks.calibration.pipeline import make_specs, run_group

    task = open_task("planted")
    results = run_group(task, make_specs(0, 4), seed=1)

    promised, held, handed_in = optimism_of_results(results, {"planted": task.card}, "a")

    assert promised.shape == held.shape == handed_in.shape == (1, 4)
    assert not np.isnan(promised).any()
    by_name = {result.spec.team.name: result.final.value for result in results if result.spec.seeds.task == 0}
    baseline = task.card.baseline
    assert handed_in[0, 0] == pytest.approx((by_name["a"] - baseline) / (1 - baseline))


@pytest.mark.slow
def test_the_engine_finds_nothing_between_a_team_and_itself():
    from benchmarks.calibration.pipeline import pipeline_pairs

    pairs = np.concatenate(list(pipeline_pairs(60, 10)))

    row = measure_pairs(
        pairs, what="engine", law="planted", source="engine", generator=np.random.default_rng(1)
    )
    assert row.permutation.share < 0.14


@pytest.mark.slow
def test_the_long_calibration_holds_its_promises():
    """What the docs claim, on a quarter of their studies; three standard errors beyond the bound."""
    laws = list(LAWS.values())

    for row in measure_false_positives(laws, studies=500, seed=5):
        assert row.permutation.share < 0.065 + 3 * row.permutation.error
    for row in chain.from_iterable(measure_coverage(laws[:3], studies=500, seed=5, sizes=(20, 40))):
        if (row.figure, row.method) == ("paired difference", "t"):
            assert row.rate.share > 0.92 - 3 * row.rate.error
    for power in measure_power(laws, studies=500, seed=5):
        assert power.simulated == pytest.approx(power.measured.share, abs=0.03)
