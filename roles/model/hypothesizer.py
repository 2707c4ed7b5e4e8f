"""A hypothesizer driven by a model: one tool, `propose`."""

import math
from collections.abc import Mapping

import msgspec

from engine.errors import EngineDefect
from engine.member import Member
from engine.messages import (
    HYPOTHESES,
    HYPOTHESIZE,
    PATCHES,
    RESULTS,
    REVIEWS,
    SELECTIONS,
    AnyBody,
    Envelope,
    Hypothesis,
    IdeaRequest,
    NodeId,
    Patch,
    Point,
    Review,
    RunResult,
    Selection,
    Topic,
)
from roles.model.folder import Folder
from roles.model.kit import kit
from roles.model.talk import Reaction, Talk, Use, shorten
from roles.offline.hypothesizer import space_of
from roles.offline.notebook import Notebook
from roles.offline.vacuous import RandomIdeas

TURNS = 16
NEWS_CHARACTERS = 6_000


class Propose(msgspec.Struct, frozen=True, kw_only=True):
    """An idea."""

    claim: str
    family: str = ""
    predicted: float | None = None
    parameters: dict[str, str | float | int | bool] = {}


class ModelHypothesizer:
    """Tells its model what is new and asks for an idea; falls back on a uniform draw from the move space."""

    queue = HYPOTHESIZE
    topics: tuple[Topic, ...] = (HYPOTHESES, PATCHES, RESULTS, REVIEWS, SELECTIONS)

    def __init__(self, member: Member, talk: Talk) -> None:
        self._member, self._talk = member, talk
        self._space = space_of(member)
        self._book = Notebook()
        self._news: list[str] = []
        self._told_space = False
        self._fallback = RandomIdeas(member)

    def observe(self, body: AnyBody) -> None:
        """Take note of what the next request should tell."""
        self._book.hear(body)
        line = news(body)
        if line:
            self._news.append(line)

    async def answer(self, request: Envelope) -> AnyBody:
        """The model's hypothesis for a node."""
        asked = request.body
        if not isinstance(asked, IdeaRequest):
            raise EngineDefect(f"a {type(asked).__name__} came to the queue {HYPOTHESIZE}")
        proposed: list[Propose] = []

        async def propose(idea: Propose) -> Reaction:
            if not idea.claim.strip():
                return Reaction("A proposal needs a claim.", is_wrong=True)
            proposed.append(idea)
            return Reaction("Noted.", is_last=True)

        use = Use("propose", "Propose one idea to be tested.", Propose, propose)
        parent = asked.parents[0] if asked.parents else NodeId(0)
        files = self._files(parent) or self._member.task.starter
        folder = Folder(self._member, files, writable=False, of_node=self._files)
        uses = [*kit(self._talk, "hypothesizer", folder), use]
        why = await self._talk.work(self._words(asked), uses, turns=TURNS)
        if not proposed:
            self._member.decide("fallback", "hypothesizer", rule=f"a uniform draw, since {why}"[:500])
            body = await self._fallback.answer(request)
            self._book.hear(body)
            return body
        hypothesis = self._state(asked, proposed[-1])
        self._book.hear(hypothesis)
        return hypothesis

    def _files(self, node: NodeId | None) -> Mapping[str, bytes] | None:
        """The files of a node, where its code was heard of."""
        if not node:
            return self._member.task.starter
        patch = self._book.patches.get(node)
        return None if patch is None or patch.artefact is None else self._member.store.get(patch.artefact)

    def _words(self, asked: IdeaRequest) -> str:
        parts = ["# Request: hypothesis"]
        if self._space is not None and not self._told_space:
            parts.append(f"The task declares these axes (`parameters`):\n{self._space.describe()}")
            parts.append(f"The starter stands for {_as_text(self._space.start)}.")
            self._told_space = True
        if self._news:
            parts.append("News:\n" + shorten("\n".join(self._news), NEWS_CHARACTERS))
            self._news.clear()
        parents = [f"- node {node}: {self._about(node)}" for node in asked.parents]
        parts.append(
            f"Operator: {asked.operator}. "
            + ("Parents:\n" + "\n".join(parents) if parents else "No parents.")
        )
        parts.append(
            f"Evaluations left for the team: {asked.evaluations_left}. Call `propose` for node {asked.node}."
        )
        return "\n\n".join(parts)

    def _about(self, node: NodeId) -> str:
        if node == 0:
            return "the starter artefact"
        hypothesis, point = self._book.hypotheses.get(node), self._book.point(node)
        result = self._book.results.get(node)
        claim = hypothesis.claim if hypothesis is not None else "(nothing was heard of it)"
        score = f"; {_score(result)}" if result is not None else ""
        return f"{shorten(claim, 400)}{'; ' + _as_text(point) if point else ''}{score}"

    def _state(self, asked: IdeaRequest, idea: Propose) -> Hypothesis:
        point: Point | None = None
        if self._space is not None and idea.parameters:
            base = self._book.point(asked.parents[0]) if asked.parents else None
            point, changes = self._space.settle(idea.parameters, base=base)
            if changes:
                self._member.decide(
                    "point", _as_text(point), rule=f"nearest of the space: {'; '.join(changes)}"[:500]
                )
        predicted = idea.predicted
        return Hypothesis(
            node=asked.node,
            operator=asked.operator,
            parents=asked.parents,
            claim=shorten(idea.claim.strip(), 2_000),
            family=shorten(idea.family.strip(), 80) or "unnamed",
            point=point,
            predicted=predicted if predicted is not None and math.isfinite(predicted) else None,
        )


def news(body: AnyBody) -> str:
    """A line on what was published; nothing for what is of no use to one who has ideas."""
    match body:
        case Patch(artefact=None):
            return f"- node {body.node}: no working code ({shorten(body.problem, 200)})"
        case RunResult():
            return f"- node {body.node}: {_score(body)}"
        case Review():
            reasons = "; ".join(f"{each.kind}: {shorten(each.text, 160)}" for each in body.objections)
            return f"- node {body.node}: review says {body.verdict}{', ' + reasons if reasons else ''}"
        case Selection():
            return f"- node {body.node} now stands as the best"
        case _:
            return ""


def _score(result: RunResult) -> str:
    evidence = result.evidence
    if evidence is None:
        return f"failed ({shorten(result.failure, 200)})"
    return f"score {evidence.mean:.4g} ± {evidence.standard_error:.2g} over {len(evidence.values)} runs"


def _as_text(point: Point) -> str:
    return msgspec.json.encode(point).decode()
