"""Players of the iterated Prisoner's Dilemma (0 cooperates, 1 defects): eleven rules and their mixtures.

A rule maps the past moves of both sides to the probability of defecting. Shapes: ``own`` and ``other`` are
``(rounds, games)``, the answer is ``(games,)``.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from arenas.arrays import FloatArray, MoveArray
from arenas.errors import ArenaError
from arenas.players.interface import History, LawfulPlayer

Rule = Callable[[MoveArray, MoveArray], FloatArray]
"""Probability ``(games,)`` of defecting, from own and other past moves ``(rounds, games)``."""


def mixed(own: MoveArray, other: MoveArray) -> FloatArray:
    """Defects first; then cooperates (0.3333), defects (0.1667), repeats itself (0.4) or opposes the other (0.1)."""
    if len(own) == 0:
        return _always(1.0, own)
    defects: FloatArray = 0.1667 + 0.4 * own[-1] + 0.1 * (1 - other[-1])
    return defects


def tit_for_tat(own: MoveArray, other: MoveArray) -> FloatArray:
    """Cooperates first, then repeats the other's last move (Rapoport, in Axelrod 1980)."""
    return _always(0.0, own) if len(own) == 0 else other[-1].astype(np.float64)


def always_cooperate(own: MoveArray, other: MoveArray) -> FloatArray:  # noqa: ARG001 - the shape of a rule
    """Cooperates."""
    return _always(0.0, own)


def always_defect(own: MoveArray, other: MoveArray) -> FloatArray:  # noqa: ARG001 - the shape of a rule
    """Defects."""
    return _always(1.0, own)


def coin(own: MoveArray, other: MoveArray) -> FloatArray:  # noqa: ARG001 - the shape of a rule
    """Throws a fair coin."""
    return _always(0.5, own)


def grim(own: MoveArray, other: MoveArray) -> FloatArray:
    """Cooperates until the other has defected once."""
    return _always(0.0, own) if len(own) == 0 else other.max(axis=0).astype(np.float64)


def pavlov(own: MoveArray, other: MoveArray) -> FloatArray:
    """Cooperates first and after equal moves, defects after unequal ones."""
    return _always(0.0, own) if len(own) == 0 else (own[-1] != other[-1]).astype(np.float64)


def tit_for_two_tats(own: MoveArray, other: MoveArray) -> FloatArray:
    """Defects only after two defections in a row."""
    return _always(0.0, own) if len(own) < 2 else (other[-1] & other[-2]).astype(np.float64)


def suspicious_tit_for_tat(own: MoveArray, other: MoveArray) -> FloatArray:
    """Defects first, then repeats the other's last move."""
    return _always(1.0, own) if len(own) == 0 else other[-1].astype(np.float64)


def forgiving(own: MoveArray, other: MoveArray) -> FloatArray:
    """Tit for tat that cooperates after two defections in a row."""
    if len(own) < 2:
        return tit_for_tat(own, other)
    defects: FloatArray = (other[-1] > other[-2]).astype(np.float64)
    return defects


RULES: tuple[Rule, ...] = (
    mixed,
    tit_for_tat,
    always_cooperate,
    always_defect,
    coin,
    grim,
    pavlov,
    tit_for_two_tats,
    suspicious_tit_for_tat,
    coin,  # the published list holds the coin twice
    forgiving,
)
"""The published opponent's rules, in its order."""


class RuleMixture(LawfulPlayer, frozen=True, kw_only=True):
    """Draws one of the `RULES` by weight, in every round anew or once for each game.

    A rule kept for a game is integrated out by its posterior given the moves seen (Bayes), so the law stays
    exact.

    Raises:
        ArenaError: on construction, unless there are as many non-negative weights as rules, of positive sum.
    """

    weights: tuple[float, ...] = (1.0,) * len(RULES)
    """Relative weight of each rule."""
    redrawn: Literal["every round", "every game"] = "every round"

    def __post_init__(self) -> None:
        if len(self.weights) != len(RULES) or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ArenaError(f"{len(RULES)} non-negative weights are needed, one a rule, not {self.weights}")

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of defecting."""
        prior = np.array(self.weights) / sum(self.weights)
        if self.redrawn == "every round":
            mixture: FloatArray = prior @ _rule_laws(history.own, history.other)
            return mixture
        return _posterior_law(prior, history.own, history.other)


class PrisonersDilemmaBaseline(LawfulPlayer, frozen=True, kw_only=True):
    """The published row baseline: a coin first, then a softened tit for tat.

    After the opponent's defection: 1 with probability 0.75, its own last move with 0.15, 0 with 0.10; after
    cooperation: 0 with 0.6, its own last move with 0.3, 1 with 0.1.
    """

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of defecting."""
        if history.rounds == 0:
            return np.full(history.games, 0.5)
        own: FloatArray = history.own[-1].astype(np.float64)
        defects: FloatArray = np.where(history.other[-1] == 1, 0.75 + 0.15 * own, 0.1 + 0.3 * own)
        return defects


class RulePlayer(LawfulPlayer, frozen=True, kw_only=True):
    """Plays one rule throughout, in either seat."""

    rule: Rule

    def probability_of_move(self, history: History) -> FloatArray:
        """Probability ``(games,)`` of defecting."""
        return self.rule(history.own, history.other)


def _weighted(**weights: float) -> tuple[float, ...]:
    """Weights by the rules' names; 1 for every rule that is not named."""
    return tuple(weights.get(rule.__name__, 1.0) for rule in RULES)


PRISONERS_DILEMMA_OPPONENT = RuleMixture()
"""The opponent of the published scoring: a rule drawn in every round."""

PRISONERS_DILEMMA_HELD_OUT: dict[str, LawfulPlayer] = {
    "rule per game": RuleMixture(redrawn="every game"),
    "tit-for-tat heavy": RuleMixture(weights=_weighted(tit_for_tat=12.0), redrawn="every game"),
    "grim heavy": RuleMixture(weights=_weighted(grim=12.0), redrawn="every game"),
    "pavlov heavy": RuleMixture(weights=_weighted(pavlov=12.0), redrawn="every game"),
    "forgiving heavy": RuleMixture(
        weights=_weighted(forgiving=8.0, tit_for_two_tats=8.0), redrawn="every game"
    ),
    "reactive every round": RuleMixture(weights=_weighted(tit_for_tat=5.0, grim=5.0)),
}
"""Opponents that no feedback is taken from."""


def _always(probability: float, own: MoveArray) -> FloatArray:
    return np.full(int(own.shape[1]), probability)


def _rule_laws(own: MoveArray, other: MoveArray) -> FloatArray:
    """Each rule's probability of defecting, ``(rules, games)``."""
    laws: FloatArray = np.stack([rule(own, other) for rule in RULES])
    return laws


def _posterior_law(prior: FloatArray, own: MoveArray, other: MoveArray) -> FloatArray:
    """Predictive probability of defecting when the rule was drawn once."""
    joint: FloatArray = np.repeat(prior[:, None], own.shape[1], axis=1)
    for past in range(len(own)):
        by_rule = _rule_laws(own[:past], other[:past])
        joint *= np.where(own[past] == 1, by_rule, 1 - by_rule)
    evidence: FloatArray = joint.sum(axis=0)
    laws = _rule_laws(own, other)
    # A history that no rule can produce has weight 0 wherever it is summed; the prior's law keeps it finite.
    law: FloatArray = prior @ laws
    np.divide((joint * laws).sum(axis=0), evidence, out=law, where=evidence > 0)
    return law
