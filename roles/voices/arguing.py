"""What each function says of an idea before it is run, and of a result before it stands.

Every claim is a gain over what stands, on the task's metric, so that claims of different functions can be weighed
against each other; a function that knows nothing of a candidate makes no claim on it.
"""

from collections.abc import Callable

import numpy as np

from engine.messages import CODE, EXPERIMENT, HYPOTHESIZE, REVIEW, Candidate, Claim, Motion, Queue
from roles.evidence import lead, signed
from roles.voices.board import Board, mean
from roles.worth import chance

PREDICTIONS = 3
"""Predictions that must have been tested before a reviewer corrects others by them."""
CAUTION = 0.5
"""Standard errors by which a reviewer discounts a lead."""


def claims(function: Queue, motion: Motion, board: Board) -> tuple[Claim, ...]:
    """What a function has to say on a motion."""
    if motion.question == "run":
        made = [_OF_IDEAS[function](each, motion, board) for each in motion.candidates]
        return tuple(claim for claim in made if claim is not None)
    candidate, incumbent = motion.candidates[0], motion.candidates[-1]
    claim = _OF_RESULTS[function](candidate, incumbent, board)
    return () if claim is None else (claim,)


def _predicted(candidate: Candidate, motion: Motion, board: Board) -> float | None:
    idea, standing = candidate.hypothesis, motion.incumbent
    if idea is None or idea.predicted is None or standing is None:
        return None
    return signed(idea.predicted - standing.mean, board.direction)


# -- ideas ------------------------------------------------------------------------------------------------------------


def _idea_predicted(candidate: Candidate, motion: Motion, board: Board) -> Claim | None:
    """The hypothesizer: the gain it predicts."""
    gain = _predicted(candidate, motion, board)
    if gain is None:
        return None
    return Claim(node=candidate.node, gain=gain, text=f"predicted gain {gain:+.4g}")


def _idea_that_runs(candidate: Candidate, motion: Motion, board: Board) -> Claim | None:
    """The coder: the predicted gain, times the probability that such code runs at all."""
    gain, idea = _predicted(candidate, motion, board), candidate.hypothesis
    if gain is None or idea is None:
        return None
    good, bad = board.record(family=idea.family)
    runs = chance(good, bad)
    text = f"{good} of {good + bad} nodes of {idea.family!r} worked: {runs:.0%} that this one does"
    return Claim(node=candidate.node, gain=runs * max(gain, 0.0) + min(gain, 0.0), text=text)


def _idea_by_analogy(candidate: Candidate, motion: Motion, board: Board) -> Claim | None:
    """The experimenter: what was measured closest by."""
    idea, standing = candidate.hypothesis, motion.incumbent
    if idea is None or idea.point is None or standing is None:
        return None
    found = board.nearest(idea.point)
    if found is None:
        return None
    nodes, axes = found
    gain = mean([board.worth(node) or 0.0 for node in nodes]) - signed(standing.mean, board.direction)
    where = ", ".join(str(node) for node in nodes[:4])
    text = f"measured closest by, {axes} axes away: node {where}, {gain:+.4g} from what stands"
    return Claim(node=candidate.node, gain=gain, text=text)


def _idea_at_risk(candidate: Candidate, motion: Motion, board: Board) -> Claim | None:
    """The reviewer: repeats bring nothing, and predictions are taken for what they have been worth."""
    idea = candidate.hypothesis
    if idea is None:
        return None
    twin = board.twin(idea)
    if twin is not None:
        return Claim(node=candidate.node, gain=0.0, text=f"node {twin} was at this point already")
    gain, misses = _predicted(candidate, motion, board), board.misses()
    if gain is None or len(misses) < PREDICTIONS:
        return None
    bias = float(np.median(misses))
    text = f"outcomes were {bias:+.4g} off their predictions (median of {len(misses)})"
    return Claim(node=candidate.node, gain=gain + bias, text=text)


# -- results ----------------------------------------------------------------------------------------------------------


def _gap(candidate: Candidate, incumbent: Candidate, board: Board) -> tuple[float, float] | None:
    if candidate.evidence is None or incumbent.evidence is None:
        return None
    return lead(candidate.evidence, incumbent.evidence, board.direction)


def _result_as_predicted(candidate: Candidate, incumbent: Candidate, board: Board) -> Claim | None:
    """The hypothesizer: halfway between what it predicted and what was measured."""
    idea, gap = candidate.hypothesis, _gap(candidate, incumbent, board)
    if gap is None or idea is None or idea.predicted is None or incumbent.evidence is None:
        return None
    predicted = signed(idea.predicted - incumbent.evidence.mean, board.direction)
    text = f"measured lead {gap[0]:+.4g}, predicted {predicted:+.4g}"
    return Claim(node=candidate.node, gain=0.5 * (gap[0] + predicted), text=text)


def _result_measured(candidate: Candidate, incumbent: Candidate, board: Board) -> Claim | None:
    """The experimenter: the lead, as it was measured."""
    gap = _gap(candidate, incumbent, board)
    if gap is None or candidate.evidence is None:
        return None
    runs = len(candidate.evidence.values)
    text = f"lead {gap[0]:+.4g} ± {gap[1]:.2g} over {runs} runs"
    return Claim(node=candidate.node, gain=gap[0], text=text)


def _result_weighed(candidate: Candidate, incumbent: Candidate, board: Board) -> Claim | None:
    """The reviewer: its verdict, and how sure it was; else the lead less its doubt."""
    gap = _gap(candidate, incumbent, board)
    if gap is None:
        return None
    review = board.book.reviews.get(candidate.node)
    if review is None:
        cautious = gap[0] - CAUTION * gap[1]
        return Claim(node=candidate.node, gain=cautious, text=f"lead less {CAUTION:g} standard errors")
    size = review.confidence * max(abs(gap[0]), gap[1])
    reasons = "; ".join(each.text for each in review.objections)[:200]
    text = f"review: {review.verdict}, confidence {review.confidence:.2f}" + (
        f" ({reasons})" if reasons else ""
    )
    return Claim(node=candidate.node, gain=size if review.verdict == "accept" else -size, text=text)


def _no_claim(candidate: Candidate, incumbent: Candidate, board: Board) -> Claim | None:  # noqa: ARG001 - one shape for all
    """The coder: that its code ran is known by now."""
    return None


_OF_IDEAS: dict[Queue, Callable[[Candidate, Motion, Board], Claim | None]] = {
    HYPOTHESIZE: _idea_predicted,
    CODE: _idea_that_runs,
    EXPERIMENT: _idea_by_analogy,
    REVIEW: _idea_at_risk,
}
_OF_RESULTS: dict[Queue, Callable[[Candidate, Candidate, Board], Claim | None]] = {
    HYPOTHESIZE: _result_as_predicted,
    CODE: _no_claim,
    EXPERIMENT: _result_measured,
    REVIEW: _result_weighed,
}

__all__ = ["claims"]
