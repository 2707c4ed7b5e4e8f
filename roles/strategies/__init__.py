"""Search rules over the research tree, one file each, by name."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from engine.errors import UnknownName
from engine.messages import ARGUMENTS, HYPOTHESES, PATCHES, RESULTS, REVIEWS, SELECTIONS, Topic, Value
from engine.team import StrategySpec
from roles.strategies.best_of_n import BestOfN
from roles.strategies.blackboard import Blackboard
from roles.strategies.debate import Debate
from roles.strategies.evolution import Evolution
from roles.strategies.greedy import Greedy
from roles.strategies.halving import SuccessiveHalving
from roles.strategies.pipeline import Pipeline
from roles.strategies.random_search import RandomSearch
from roles.strategies.rule import Rule
from roles.strategies.uct import UCT

MakeRule: TypeAlias = Callable[[Mapping[str, Value]], Rule]

STRATEGIES: dict[str, MakeRule] = {
    "best-of-n": BestOfN.from_settings,
    "blackboard": Blackboard.from_settings,
    "debate": Debate.from_settings,
    "evolution": Evolution.from_settings,
    "greedy": Greedy.from_settings,
    "pipeline": Pipeline.from_settings,
    "random": RandomSearch.from_settings,
    "successive-halving": SuccessiveHalving.from_settings,
    "uct": UCT.from_settings,
}
SOLO = "solo"
"""The strategy of a team that is one member: it leads itself."""
_BOARD = (HYPOTHESES, PATCHES, RESULTS, REVIEWS, SELECTIONS)
OPINIONATED: dict[str, tuple[Topic, ...]] = {"blackboard": _BOARD, "debate": (*_BOARD, ARGUMENTS)}
"""Strategies that ask every function for its opinion, and what all members hear so that they have one."""


def make_rule(spec: StrategySpec) -> Rule:
    """The search rule that a team names.

    Raises:
        UnknownName: with what was probably meant.
        BadSpecification: for a setting that the rule does not have, or a value it cannot take.
    """
    if spec.kind not in STRATEGIES:
        raise UnknownName("strategy", spec.kind, (*STRATEGIES, SOLO))
    return STRATEGIES[spec.kind](spec.settings)


__all__ = ["OPINIONATED", "SOLO", "STRATEGIES", "Rule", "make_rule"]
