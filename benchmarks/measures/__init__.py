"""How a team worked, from its journal alone: who spoke to whom, what depended on what, what was repeated, who was right.

Start with `episode_measures` (all measures of an episode or a study) and `by_arm` (over the episodes of each arm). The
quality of reviews needs scores that no team ever saw: `audit` runs a sample of rejected work anyway, after the fact.
A measure that is not defined in an episode is None, never 0.
"""

from benchmarks.measures.by_arm import ArmMeasures, Spread, headline, measures_by_arm
from benchmarks.measures.episode_measures import EpisodeMeasures, measure_episode, measure_study

__all__ = [
    "ArmMeasures",
    "EpisodeMeasures",
    "Spread",
    "headline",
    "measure_episode",
    "measure_study",
    "measures_by_arm",
]
