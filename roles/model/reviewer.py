"""A reviewer driven by a model: one tool, `review`; what it may not say is held against the evidence."""

from typing import Annotated

import msgspec

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import (
    REVIEW,
    AnyBody,
    Envelope,
    Evidence,
    Objection,
    ObjectionKind,
    Review,
    ReviewRequest,
    Topic,
    Verdict,
)
from roles.model.folder import Folder
from roles.model.kit import kit
from roles.model.talk import Reaction, Talk, Use, shorten
from roles.offline.reviewer import fate
from roles.offline.vacuous import Nod

TURNS = 12
DIFF_CHARACTERS = 6_000


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """One reason against a result."""

    kind: ObjectionKind = "other"
    text: str = ""


class GiveReview(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on a result."""

    verdict: Verdict
    objections: tuple[Stated, ...] = ()
    confidence: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0


class ModelReviewer:
    """Asks its model for a verdict; falls back on accepting what looks better.

    A result without a score is rejected whatever the model says, and whether a prediction held is computed.
    """

    queue = REVIEW
    topics: tuple[Topic, ...] = ()

    def __init__(self, member: Member, talk: Talk) -> None:
        self._member, self._talk = member, talk
        self._fallback = Nod(member)

    def observe(self, body: AnyBody) -> None:
        """Nothing: everything it needs is in its requests."""

    async def answer(self, request: Envelope) -> AnyBody:
        """The model's review of a result."""
        asked = request.body
        if not isinstance(asked, ReviewRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {REVIEW}")
        evidence = asked.result.evidence
        if evidence is None:
            objection = Objection(kind="bug", text=asked.result.failure or "no result")
            return Review(node=asked.node, verdict="reject", objections=(objection,))
        given: list[GiveReview] = []

        async def review(stated: GiveReview) -> Reaction:
            given.append(stated)
            return Reaction("Noted.", is_last=True)

        use = Use("review", "Give your verdict on the result.", GiveReview, review)
        store = self._member.store
        files = store.get(asked.patch.artefact or asked.patch.base)
        base = store.get(asked.patch.base)
        folder = Folder(self._member, files, writable=False, of_node=lambda node: base if node == 0 else None)
        uses = [*kit(self._talk, "reviewer", folder), use]
        why = await self._talk.work(_words(asked, evidence), uses, turns=TURNS)
        if not given:
            self._member.decide(
                "fallback", "reviewer", rule=f"what looks better is accepted, since {why}"[:500]
            )
            return await self._fallback.answer(request)
        objections = tuple(
            Objection(kind=each.kind, text=shorten(each.text, 600)) for each in given[-1].objections[:8]
        )
        return Review(
            node=asked.node,
            verdict=given[-1].verdict,
            objections=objections,
            confidence=given[-1].confidence,
            prediction=fate(asked.hypothesis, evidence, self._member.task.card.direction),
        )


def _words(asked: ReviewRequest, evidence: Evidence) -> str:
    idea = asked.hypothesis
    predicted = "none" if idea.predicted is None else f"{idea.predicted:.5g}"
    incumbent = "none" if asked.incumbent is None else _known(asked.incumbent)
    warning = f"\nThe run reported: {shorten(asked.result.failure, 300)}" if asked.result.failure else ""
    return (
        f"# Request: review of node {asked.node} ({idea.operator})\n\nHypothesis: {shorten(idea.claim, 1_000)}\n"
        f"Predicted score: {predicted}\nCandidate: {_known(evidence)}\nIncumbent: {incumbent}{warning}\n"
        f"Evaluations left: {asked.evaluations_left}\n\nThe change:\n{shorten(asked.patch.diff, DIFF_CHARACTERS)}"
    )


def _known(evidence: Evidence) -> str:
    return f"mean {evidence.mean:.5g} ± {evidence.standard_error:.2g} over {len(evidence.values)} runs"
