"""Permutation test, Holm, comparisons, removals and factorial terms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.statistics import (
    Observation,
    compare,
    factorial_terms,
    failure_sensitivity,
    headlines,
    holm,
    holm_by_name,
    make_outcomes,
    removal_effects,
    sign_flip_test,
)
from benchmarks.statistics.outcomes import Outcomes
from engine.errors import BadSpecification, UnknownName


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def outcomes(values: np.ndarray, methods: tuple[str, ...] = ()) -> Outcomes:
    names = methods or tuple(f"m{i}" for i in range(len(values)))
    return Outcomes(
        methods=names,
        tasks=tuple(f"t{i}" for i in range(values.shape[1])),
        values=values,
        failed=np.zeros(values.shape, dtype=np.bool_),
        floors=np.zeros(values.shape[1]),
    )


def test_three_equal_signs_have_one_chance_in_four():
    found = sign_flip_test(np.array([[1.0, 2.0, 3.0]]), generator=rng())

    assert (found.p, found.exact, found.smallest_p) == (0.25, True, 0.25)


def test_the_exact_test_is_that_of_scipy():
    differences = rng().normal(0.4, 1.0, size=10)

    ours = sign_flip_test(differences[None], generator=rng())

    theirs = stats.permutation_test(
        (differences, np.zeros(10)),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert ours.p == pytest.approx(theirs.pvalue)


def test_the_monte_carlo_test_agrees_with_scipys():
    differences = rng().normal(0.4, 1.0, size=30)

    ours = sign_flip_test(differences[None], generator=rng())

    theirs = stats.permutation_test(
        (differences, np.zeros(30)), lambda x, y: np.mean(x - y), permutation_type="samples", rng=rng(2)
    )
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.02)
    assert not ours.exact


def test_blocks_without_difference_decide_nothing():
    some = sign_flip_test(np.array([[1.0, 1.0, 1.0]]), generator=rng())
    more = sign_flip_test(np.array([[1.0, 1.0, 1.0, 0.0, np.nan]]), generator=rng())

    assert some == more
    assert sign_flip_test(np.zeros((1, 20)), generator=rng()).p == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_neither_the_order_of_blocks_nor_the_side_matters(values, random):
    whole = np.array([values], dtype=np.float64)
    shuffled = np.array([random.sample(values, len(values))], dtype=np.float64)

    p = sign_flip_test(whole, generator=rng()).p

    assert sign_flip_test(shuffled, generator=rng()).p == p == sign_flip_test(-whole, generator=rng()).p


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm_by_name({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_value_and_bonferronis(p_values):
    for p, corrected in zip(p_values, holm(p_values), strict=True):
        assert p <= corrected <= min(1.0, len(p_values) * p) + 1e-12


def test_a_comparison_is_paired_by_block():
    """A difference of 0.1 in every block is certain, however widely blocks differ."""
    base = rng().normal(size=(1, 2, 12))
    found = compare(outcomes(np.concatenate([base + 0.1, base])), [("m0", "m1")], generator=rng())[0]

    assert found.difference.low == pytest.approx(0.1)
    assert found.test.p < 0.001
    assert found.correlation == pytest.approx(1.0)
    assert found.improvement.estimate < 0.7


def test_p_values_of_one_call_are_corrected_together():
    values = rng().normal(size=(3, 1, 12))

    found = compare(outcomes(values), [("m1", "m0"), ("m2", "m0")], generator=rng())

    assert [each.holm_p for each in found] == list(holm([each.test.p for each in found]))
    with pytest.raises(UnknownName):
        compare(outcomes(values), [("m9", "m0")], generator=rng())


def test_a_removal_that_changes_nothing_says_so():
    base = rng().normal(size=(1, 1, 12))
    study = outcomes(np.concatenate([base, base, base - 1]), ("full", "same", "worse"))

    effects = removal_effects(
        study, "full", {("coder", "absorbed"): "same", ("coder", "vacuous"): "worse"}, generator=rng()
    )

    assert [effect.identical for effect in effects] == [True, False]
    assert effects[1].effect.difference.estimate == pytest.approx(1.0)


def test_factorial_terms_by_hand():
    """With a and b both 1 and their interaction 0.5: (+1 there, -1 not) effects 2.5, 2.5 and 0.5 over 2^2 cells."""
    cells = {
        frozenset[str](): 0.0,
        frozenset({"a"}): 1.0,
        frozenset({"b"}): 1.0,
        frozenset({"a", "b"}): 2.5,
    }
    values = np.array([np.full((1, 12), value) for value in cells.values()])
    study = outcomes(values, ("none", "a", "b", "both"))
    names = dict(zip(cells, study.methods, strict=True))

    main_a, main_b, both = factorial_terms(study, names, ("a", "b"), generator=rng())

    assert main_a.effect.estimate == main_b.effect.estimate == pytest.approx(1.25)
    assert both.effect.estimate == pytest.approx(0.25)
    del names[frozenset({"a"})]
    with pytest.raises(BadSpecification, match="no method for a"):
        factorial_terms(study, names, ("a", "b"), generator=rng())


def test_a_headline_holds_its_three_figures_and_what_is_missing():
    seen = [
        Observation(method=m, task="t", block=str(seed), score=None if seed < 3 and m == "a" else 0.5)
        for m in ("a", "b")
        for seed in range(12)
        if (m, seed) != ("a", 11)
    ]

    head = headlines(make_outcomes(seen, floors={"t": -1.0}), generator=rng())[0]

    assert head.mean.estimate == pytest.approx((8 * 0.5 - 3) / 11)
    assert head.interquartile_mean.estimate == pytest.approx((6 * 0.5 - 1) / 7)
    assert head.failure_rate.estimate == pytest.approx(3 / 11)
    assert (head.runs, head.missing) == (11, 1)


def test_failures_can_be_left_out_or_counted_at_the_worst():
    seen = [
        Observation(method="a", task="t", block=str(s), score=None if s == 0 else float(s)) for s in range(12)
    ] + [Observation(method="b", task="t", block="0", score=-5.0)]
    study = make_outcomes(seen, floors={"t": 0.0})

    means = {each.rule: each.means["a"].estimate for each in failure_sensitivity(study)}

    assert means == pytest.approx({"count": 66 / 12, "exclude": 66 / 11, "worst": 61 / 12})


def test_two_runs_of_one_block_are_refused():
    twice = [Observation(method="a", task="t", block="1", score=0.5)] * 2

    with pytest.raises(BadSpecification, match="twice"):
        make_outcomes(twice)


def test_some_methods_and_tasks_can_be_taken_out():
    study = outcomes(np.arange(2 * 3 * 4, dtype=np.float64).reshape(2, 3, 4))

    part = study.only(methods=["m1"], tasks=["t2", "t0"])

    assert part.values.tolist() == [[[20, 21, 22, 23], [12, 13, 14, 15]]]
    assert part.seeds == 4
    with pytest.raises(UnknownName, match="t9"):
        study.only(tasks=["t9"])


def test_a_method_that_ran_in_few_blocks_shows_its_points_beside_others_with_intervals():
    values = rng().random((2, 1, 12))
    values[1, 0, 8:] = np.nan

    many, few = headlines(outcomes(values), generator=rng(), resamples=200)

    assert (many.mean.method, few.mean.method) == ("expanded-bca", "points")
    assert few.mean.points == tuple(values[1, 0, :8])
    assert few.missing == 4


def test_sensitivity_to_failures_has_the_headlines_intervals():
    study = outcomes(rng().random((1, 1, 12)))

    head = headlines(study, generator=rng(), resamples=4000)[0]
    ruled = failure_sensitivity(study, rules=["count"], generator=rng(), resamples=4000)[0]

    assert ruled.means["m0"] == head.mean
