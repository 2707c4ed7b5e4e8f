"""What each function would do next, and what that is expected to bring above what stands.

Values are expected gains on the task's metric, so that bids of different functions compete on one scale: expected
improvement for new nodes (Jones, Schonlau & Welch 1998), the knowledge gradient for runs of known ones (Frazier, Powell
& Dayanik 2008).
"""

from collections.abc import Callable
from typing import NamedTuple

from engine.messages import CODE, EXPERIMENT, HYPOTHESIZE, REVIEW, NodeId, Operator, Queue
from roles.evidence import signed
from roles.tree import STARTER
from roles.voices.board import Board
from roles.worth import Belief, chance, expected_improvement, knowledge_gradient

LOOKED_AT = 4
"""Best nodes that are thought of as parents, or worth another run."""


class Offer(NamedTuple):
    """One thing that could be done next."""

    operator: Operator
    parents: tuple[NodeId, ...]
    value: float
    why: str


def offers(function: Queue, board: Board) -> list[Offer]:
    """What a function has to offer, best first; equal ones in the order in which it thought of them."""
    return sorted(_OFFERS[function](board), key=lambda offer: -offer.value)


def _new_nodes(board: Board) -> list[Offer]:
    """The hypothesizer: a draft, an improvement of one of the best, a mix of the best two."""
    best, found = board.best(), list[Offer]()
    draft = chance(*board.record(operator="draft")) * expected_improvement(board.outcome("draft"), best)
    found.append(Offer("draft", (), draft, "expected improvement of a new start"))
    leading = board.measured()[:LOOKED_AT]
    gain, runs = board.outcome("improve"), chance(*board.record(operator="improve"))
    for node in leading or [STARTER]:
        value = expected_improvement(Belief((board.worth(node) or 0.0) + gain.mean, gain.error), best)
        crowd = 1 + board.under_way(node)
        why = f"expected improvement on node {node}" + (f", {crowd - 1} under way" if crowd > 1 else "")
        found.append(Offer("improve", (node,), runs * value / crowd, why))
    if len(leading) > 1:
        mother, father = leading[0], leading[1]
        gain, runs = board.outcome("combine"), chance(*board.record(operator="combine"))
        value = expected_improvement(Belief((board.worth(mother) or 0.0) + gain.mean, gain.error), best)
        crowd = 1 + board.under_way(mother)
        found.append(Offer("combine", (mother, father), runs * value / crowd, "a mix of the best two"))
    return found


def _mendings(board: Board) -> list[Offer]:
    """The coder: to mend what broke, for what its author expected of it."""
    found: list[Offer] = []
    mends = chance(*board.record(operator="debug"))
    for node in board.broken()[:LOOKED_AT]:
        predicted = board.book.hypotheses[node].predicted
        expected = board.outcome("draft").mean if predicted is None else signed(predicted, board.direction)
        value = mends * expected_improvement(Belief(expected, board.spread()), board.best())
        found.append(Offer("debug", (node,), value, f"{mends:.0%} that it can be mended"))
    return found


def _runs_of_challengers(board: Board) -> list[Offer]:
    """The experimenter: another run of what comes close to what stands."""
    found: list[Offer] = []
    standing = board.evidence(board.standing())
    for node in board.measured()[:LOOKED_AT]:
        known = board.evidence(node)
        if known is None or (standing is not None and known.artefact == standing.artefact):
            continue
        gap = board.best() - signed(known.mean, board.direction)
        value = knowledge_gradient(known, gap)
        found.append(Offer("replicate", (node,), value, f"knowledge gradient, {gap:.3g} behind what stands"))
    return found


def _run_of_what_stands(board: Board) -> list[Offer]:
    """The reviewer: another run of what stands, in case it was luck."""
    standing = board.standing()
    known = board.evidence(standing)
    if standing == STARTER or known is None:
        return []
    others = [board.worth(node) or 0.0 for node in board.measured() if board.evidence(node) != known]
    gap = signed(known.mean, board.direction) - max([board.baseline, *others])
    value = knowledge_gradient(known, gap)
    return [Offer("replicate", (standing,), value, f"knowledge gradient, {gap:.3g} ahead of the next")]


_OFFERS: dict[Queue, Callable[[Board], list[Offer]]] = {
    HYPOTHESIZE: _new_nodes,
    CODE: _mendings,
    EXPERIMENT: _runs_of_challengers,
    REVIEW: _run_of_what_stands,
}
