"""Best attempt@k, best submission@k, and the expected best of k runs."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.attempts import best_attempt_at_k, best_submission_at_k, expected_best_of_k
from engine.errors import BadSpecification

nan = float("nan")


def test_the_best_attempt_is_the_best_entry_of_all_runs_in_the_metrics_direction() -> None:
    runs = [(3.0, 1.0, 2.0), (2.5,)]

    assert best_attempt_at_k(runs, "max") == 3.0
    assert best_attempt_at_k(runs, "min") == 1.0


def test_the_submission_is_the_last_entry_whatever_came_before() -> None:
    assert best_submission_at_k([(9.0, 1.0), (0.0, 2.0)], "max") == 2.0


def test_entries_without_the_metric_and_nan_never_win() -> None:
    assert best_attempt_at_k([(None, nan, 1.0)], "max") == 1.0
    assert best_submission_at_k([(1.0, nan), (0.5, None)], "max") is None


def test_a_method_without_a_usable_run_has_no_score() -> None:
    assert best_attempt_at_k([(), (None,)], "min") is None
    assert best_submission_at_k([], "max") is None


def test_more_runs_than_k_give_the_expected_best_of_k() -> None:
    runs = [(1.0,), (2.0,), (4.0,)]

    assert best_attempt_at_k(runs, "max", k=2) == pytest.approx((2 + 4 + 4) / 3)
    assert best_submission_at_k(runs, "min", k=2) == pytest.approx((1 + 1 + 2) / 3)


@pytest.mark.parametrize("k", [0, 4])
def test_a_k_beyond_the_runs_is_refused(k: int) -> None:
    with pytest.raises(BadSpecification, match="1 to 3 runs"):
        expected_best_of_k([1.0, 2.0, 3.0], k, "max")


values = st.lists(st.floats(-100, 100), min_size=1, max_size=7)


@given(values=values, k=st.integers(1, 7), direction=st.sampled_from(["max", "min"]))
def test_the_estimator_is_the_mean_over_all_subsets(values: list[float], k: int, direction: str) -> None:
    k = min(k, len(values))
    best = max if direction == "max" else min
    subsets = [best(subset) for subset in combinations(values, k)]

    estimate = expected_best_of_k(values, k, "max" if direction == "max" else "min")

    assert estimate == pytest.approx(sum(subsets) / len(subsets), abs=1e-9)


@given(values=values, failures=st.integers(1, 4), k=st.integers(1, 4))
def test_a_failed_run_loses_to_every_usable_one(values: list[float], failures: int, k: int) -> None:
    runs: list[float | None] = [*values, *[None] * failures]
    subsets = [
        max(v for v in s if v is not None)
        for s in combinations(runs, min(k, len(runs)))
        if any(v is not None for v in s)
    ]

    estimate = expected_best_of_k(runs, min(k, len(runs)), "max")

    assert estimate == pytest.approx(sum(subsets) / len(subsets), abs=1e-9)


def test_a_failed_run_may_score_a_stated_value() -> None:
    assert expected_best_of_k([1.0, None], 1, "max", failure=0.0) == 0.5
    assert expected_best_of_k([None, None], 1, "max") is None


def test_for_zeros_and_ones_it_is_pass_at_k() -> None:
    """1 - C(n - c, k) / C(n, k) with n = 5, c = 2, k = 2 (Chen et al. 2021)."""
    assert expected_best_of_k([0, 1, 0, 1, 0], 2, "max") == pytest.approx(1 - 3 / 10)
