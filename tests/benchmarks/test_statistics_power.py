"""Power, sizes, and looks on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.statistics import (
    PUBLISHED_SPREAD,
    blocks_needed,
    boundaries,
    detectable_effect,
    pilot_spread,
    plan,
    power_of,
    simulated_power,
    spending,
    spread_of_difference,
)
from engine.errors import BadSpecification


def test_power_is_that_of_the_noncentral_t():
    critical = stats.t.ppf(0.975, 19)
    shift = 0.5 * np.sqrt(20)

    expected = stats.nct.sf(critical, 19, shift) + stats.nct.cdf(-critical, 19, shift)
    assert power_of(0.5, 1.0, 20) == pytest.approx(expected)


def test_an_effect_of_a_tenth_takes_a_hundred_runs_of_each_arm():
    """What a user is told before paying: published spread, no gain from pairing, power of 80 %."""
    assert blocks_needed(0.1, spread_of_difference(PUBLISHED_SPREAD)) == 101
    assert plan(0.1, blocks=101).power >= 0.8 > plan(0.1, blocks=100).power


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 2), st.floats(0.1, 2), st.integers(3, 60))
def test_power_rises_with_effect_and_blocks(effect, spread, blocks):
    here = power_of(effect, spread, blocks)

    assert power_of(effect * 1.2, spread, blocks) >= here - 1e-9
    assert power_of(effect, spread, blocks + 3) >= here - 1e-9
    assert power_of(-effect, spread, blocks) == here


def test_the_detectable_effect_is_detected():
    effect = detectable_effect(0.35, 20)

    assert power_of(effect, 0.35, 20) == pytest.approx(0.8)


def test_without_effect_power_is_the_level():
    assert power_of(0.0, 1.0, 10) == pytest.approx(0.05)


def test_simulated_power_agrees_where_differences_are_normal():
    pilot = np.random.default_rng(1).normal(0.5, 1.0, size=20_000)

    found = simulated_power(pilot, 20, generator=np.random.default_rng(2), studies=10_000)

    assert found == pytest.approx(power_of(0.5, 1.0, 20), abs=0.03)


def test_a_pilots_spread_is_pooled_within_cells():
    values = np.array([[1.0, 3.0, np.nan], [10.0, 10.0, 10.0], [7.0, np.nan, np.nan]])

    assert pilot_spread(values) == pytest.approx(np.sqrt(2.0 / 3))
    with pytest.raises(BadSpecification, match="two runs"):
        pilot_spread(values[2:])


def test_the_spending_function_spends_all_at_the_end():
    assert spending(1.0) == pytest.approx(0.05)
    assert spending(0.2) < spending(0.5) < 0.01


def test_boundaries_of_five_looks_are_the_published_ones():
    """The O'Brien-Fleming-like bounds that every package for group-sequential designs prints, two-sided 5 %."""
    looks = boundaries([0.2, 0.4, 0.6, 0.8, 1.0])

    assert [look.boundary for look in looks] == pytest.approx(
        [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=5e-4
    )


def test_a_single_look_at_the_end_is_the_plain_test():
    assert boundaries([1.0])[0].boundary == pytest.approx(1.95996, abs=1e-3)


def test_an_added_look_costs_the_later_ones_something():
    two = boundaries([0.5, 1.0])
    three = boundaries([0.5, 0.75, 1.0])

    assert three[0] == two[0]
    assert three[-1].boundary > two[-1].boundary
    with pytest.raises(BadSpecification, match="rise"):
        boundaries([0.5, 0.5])
