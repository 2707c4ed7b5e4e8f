"""Search rules over the research tree, one file each, by name."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from engine.errors import UnknownName
from engine.messages import Value
from engine.team import StrategySpec
from roles.strategies.best_of_n import BestOfN
from roles.strategies.greedy import Greedy
from roles.strategies.random_search import RandomSearch
from roles.strategies.rule import Rule

MakeRule: TypeAlias = Callable[[Mapping[str, Value]], Rule]

STRATEGIES: dict[str, MakeRule] = {
    "best-of-n": BestOfN.from_settings,
    "greedy": Greedy.from_settings,
    "random": RandomSearch.from_settings,
}
SOLO = "solo"
"""The strategy of a team that is one member: it leads itself."""


def make_rule(spec: StrategySpec) -> Rule:
    """The search rule that a team names.

    Raises:
        UnknownName: with what was probably meant.
        BadSpecification: for a setting that the rule does not have, or a value it cannot take.
    """
    if spec.kind not in STRATEGIES:
        raise UnknownName("strategy", spec.kind, (*STRATEGIES, SOLO))
    return STRATEGIES[spec.kind](spec.settings)


__all__ = ["SOLO", "STRATEGIES", "Rule", "make_rule"]
