"""What a study's figures mean: headlines, paired comparisons, removals, power; every one with what it says about itself.

Start with `outcomes` (the array all else takes), then `headline` and `comparison`. Units of every interval and test are
blocks (task and seed), joint for all methods. How far the intervals and tests hold what they promise is measured by
``python -m benchmarks.calibration``. Quantiles come from scipy (extra ``study``), imported when they are needed.
"""

from benchmarks.statistics.anytime import (
    CurvePoint,
    SpendGap,
    area_under_curve,
    common_grid,
    mean_curve,
    median_to_threshold,
    on_grid,
    restricted_spend_to_threshold,
    spend_gap,
    spend_to_threshold,
)
from benchmarks.statistics.best_of import (
    BestOfK,
    Optimism,
    best_of_k,
    best_of_k_summary,
    selection_optimism,
)
from benchmarks.statistics.comparison import Comparison, Pair, compare, paired_differences
from benchmarks.statistics.extra import ExtraMissing
from benchmarks.statistics.factorial import Term, factorial_terms
from benchmarks.statistics.from_results import (
    block_of,
    optimism_of_results,
    outcomes_of_results,
    reference_of,
)
from benchmarks.statistics.headline import Headline, Sensitivity, failure_sensitivity, headlines
from benchmarks.statistics.interval import (
    DEFAULT_RESAMPLES,
    FEWEST_BLOCKS,
    Interval,
    bootstrap_interval,
    mean_of_tasks_interval,
    wilson_interval,
)
from benchmarks.statistics.outcomes import FailureRule, Observation, Outcomes, make_outcomes
from benchmarks.statistics.permutation import SignFlip, holm, holm_by_name, sign_flip_test
from benchmarks.statistics.power import (
    PUBLISHED_SPREAD,
    Plan,
    blocks_needed,
    detectable_effect,
    pilot_spread,
    plan,
    power_of,
    simulated_power,
    spread_of_difference,
)
from benchmarks.statistics.profile_area import ProfileArea, TaskInterval, profile_areas
from benchmarks.statistics.removals import RemovalEffect, Sense, removal_effects
from benchmarks.statistics.sequential import Look, boundaries, spending
from benchmarks.statistics.shapley import ShapleyShare, shapley_shares, shapley_values

__all__ = [
    "DEFAULT_RESAMPLES",
    "FEWEST_BLOCKS",
    "PUBLISHED_SPREAD",
    "BestOfK",
    "Comparison",
    "CurvePoint",
    "ExtraMissing",
    "FailureRule",
    "Headline",
    "Interval",
    "Look",
    "Observation",
    "Optimism",
    "Outcomes",
    "Pair",
    "Plan",
    "ProfileArea",
    "RemovalEffect",
    "Sense",
    "Sensitivity",
    "ShapleyShare",
    "SignFlip",
    "SpendGap",
    "TaskInterval",
    "Term",
    "area_under_curve",
    "best_of_k",
    "best_of_k_summary",
    "block_of",
    "blocks_needed",
    "bootstrap_interval",
    "boundaries",
    "common_grid",
    "compare",
    "detectable_effect",
    "factorial_terms",
    "failure_sensitivity",
    "headlines",
    "holm",
    "holm_by_name",
    "make_outcomes",
    "mean_curve",
    "mean_of_tasks_interval",
    "median_to_threshold",
    "on_grid",
    "optimism_of_results",
    "outcomes_of_results",
    "paired_differences",
    "pilot_spread",
    "plan",
    "power_of",
    "profile_areas",
    "reference_of",
    "removal_effects",
    "restricted_spend_to_threshold",
    "selection_optimism",
    "shapley_shares",
    "shapley_values",
    "sign_flip_test",
    "simulated_power",
    "spend_gap",
    "spend_to_threshold",
    "spending",
    "spread_of_difference",
    "wilson_interval",
]
