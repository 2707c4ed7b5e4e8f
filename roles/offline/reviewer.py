"""Reviews by rule: duplicates, crashes, crossed boundaries, effects inside the noise, the winner's curse."""

import math
from typing import Literal, NamedTuple

import numpy as np

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import (
    HYPOTHESES,
    PATCHES,
    RESULTS,
    REVIEW,
    REVIEWS,
    AnyBody,
    Envelope,
    Evidence,
    Hypothesis,
    NodeId,
    Objection,
    Review,
    ReviewRequest,
    Topic,
    Verdict,
)
from engine.task import Direction
from roles.evidence import signed
from roles.offline.experimenter import FINDING
from roles.offline.notebook import Notebook

DOUBT = 0.9
"""Standard errors within which a lead is inside the noise."""
REVISIONS = 1
"""How often more evidence is asked for on one node."""
PREDICTIONS = 6
"""Predictions that must have been tested before they count as evidence."""


class Belief(NamedTuple):
    """What an artefact is thought to be worth (more is better), and how sure that is."""

    worth: float
    error: float


class Reviewer:
    """Accepts what is better than the incumbent after the winner's curse is taken off.

    The best of many noisy scores is too good on average, the more so the fewer runs it rests on. So a score is drawn
    towards what its hypothesis predicted, by as much as predictions have proved right so far (a normal prior whose
    mean and variance come from the record of predictions and outcomes; James & Stein 1961, Efron & Morris 1973).
    """

    queue = REVIEW
    topics: tuple[Topic, ...] = (HYPOTHESES, PATCHES, RESULTS, REVIEWS)

    def __init__(self, member: Member) -> None:
        self._direction: Direction = member.task.card.direction
        self._member = member
        self._book = Notebook()
        self._asked: dict[NodeId, int] = {}
        self._accepted: dict[str, Belief | None] = {}
        """What was to be expected of each accepted artefact before it ran, as it was then; None: nothing."""

    def observe(self, body: AnyBody) -> None:
        """Take note of predictions and outcomes."""
        self._book.hear(body)

    async def answer(self, request: Envelope) -> AnyBody:
        """A verdict, with objections and what became of the prediction."""
        asked = request.body
        if not isinstance(asked, ReviewRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {REVIEW}")
        for body in (asked.hypothesis, asked.patch, asked.result):
            self._book.hear(body)
        evidence = asked.result.evidence
        if evidence is None:
            return _verdict(asked, "reject", Objection(kind="bug", text=asked.result.failure or "no result"))
        if asked.result.failure.startswith(FINDING):
            return _verdict(asked, "reject", Objection(kind="leak", text=asked.result.failure))
        twin = self._twin(asked, evidence)
        if twin is not None:
            return _verdict(
                asked, "reject", Objection(kind="duplicate", text=f"the same code as node {twin}")
            )
        return self._weigh(asked, evidence)

    def _twin(self, asked: ReviewRequest, evidence: Evidence) -> NodeId | None:
        """The incumbent, if this is its code again: nothing would change by accepting it."""
        incumbent = asked.incumbent
        same = incumbent is not None and incumbent.artefact == evidence.artefact
        return incumbent.node if incumbent is not None and same else None

    def _weigh(self, asked: ReviewRequest, evidence: Evidence) -> Review:
        prediction = fate(asked.hypothesis, evidence, self._direction)
        if asked.incumbent is None:
            return _verdict(asked, "accept", prediction=prediction)
        expected = self._expected(asked.hypothesis)
        candidate = self._shrunk(expected, evidence)
        # As it was when the incumbent was judged: how the proposals after it fared says nothing of it.
        rival = self._shrunk(self._accepted.get(asked.incumbent.artefact), asked.incumbent)
        gap, error = candidate.worth - rival.worth, math.hypot(candidate.error, rival.error)
        confidence = _normal(abs(gap) / error) if error > 0 else 1.0
        self._member.decide(
            "review",
            "better" if gap > 0 else "not better",
            rule="lead after shrinking both scores towards their predictions",
            candidates={"candidate": candidate.worth, "incumbent": rival.worth, "error": error},
        )
        revisions = self._asked.get(asked.node, 0)
        noisy = Objection(
            kind="no-evidence", text=f"a lead of {gap:.3g} with a standard error of {error:.2g}"
        )
        is_close = abs(gap) < DOUBT * error
        if is_close and gap > 0 and revisions < REVISIONS and asked.evaluations_left > 0:
            self._asked[asked.node] = revisions + 1
            return _verdict(asked, "revise", noisy, confidence=confidence, prediction=prediction)
        if gap <= 0:
            objections = (noisy,) if is_close else ()
            return _verdict(asked, "reject", *objections, confidence=confidence, prediction=prediction)
        self._accepted[evidence.artefact] = expected
        return _verdict(asked, "accept", confidence=confidence, prediction=prediction)

    def _expected(self, hypothesis: Hypothesis) -> Belief | None:
        """What a prediction lets expect, by how predictions have fared; None where that is not known."""
        record = self._record()
        if hypothesis.predicted is None or record is None:
            return None
        bias, variance = record
        return Belief(signed(hypothesis.predicted, self._direction) + bias, math.sqrt(variance))

    def _shrunk(self, expected: Belief | None, evidence: Evidence) -> Belief:
        """A score drawn towards what was to be expected of it."""
        worth, error = signed(evidence.mean, self._direction), evidence.standard_error
        if expected is None or error <= 0:
            return Belief(worth, error)
        weight = expected.error**2 / (expected.error**2 + error**2)
        return Belief(expected.worth + weight * (worth - expected.worth), math.sqrt(weight) * error)

    def _record(self) -> tuple[float, float] | None:
        """Mean and variance of outcome minus prediction, the noise of the outcomes taken off; None while too few."""
        misses: list[float] = []
        noise: list[float] = []
        for node, hypothesis in self._book.hypotheses.items():
            result = self._book.results.get(node)
            if hypothesis.predicted is None or result is None or result.evidence is None:
                continue
            misses.append(signed(result.evidence.mean - hypothesis.predicted, self._direction))
            noise.append(result.evidence.standard_error**2)
        if len(misses) < PREDICTIONS:
            return None
        recent, recent_noise = misses[-3 * PREDICTIONS :], noise[-3 * PREDICTIONS :]
        # The middle half stands for all: one wild miss must not make every later prediction worthless.
        low, middle, high = (float(q) for q in np.quantile(recent, (0.25, 0.5, 0.75)))
        total = ((high - low) / 1.349) ** 2
        own = float(np.mean(recent_noise))
        return middle, max(total - own, 0.25 * own, 1e-12)


def fate(
    hypothesis: Hypothesis, evidence: Evidence, direction: Direction
) -> Literal["confirmed", "refuted", "open"]:
    """What became of a prediction: within two standard errors of the outcome, beyond three, or neither."""
    if hypothesis.predicted is None or evidence.standard_error <= 0:
        return "open"
    miss = signed(evidence.mean - hypothesis.predicted, direction) / evidence.standard_error
    if abs(miss) <= 2.0:
        return "confirmed"
    return "refuted" if abs(miss) > 3.0 else "open"


def _verdict(
    asked: ReviewRequest,
    verdict: Verdict,
    *objections: Objection,
    confidence: float = 1.0,
    prediction: Literal["confirmed", "refuted", "open"] = "open",
) -> Review:
    return Review(
        node=asked.node,
        verdict=verdict,
        objections=objections,
        confidence=round(confidence, 4),
        prediction=prediction,
    )


def _normal(z: float) -> float:
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
