"""Journals written by hand: a pen that puts messages and effects down in order, with times."""

from engine.effects import AnyEffect, AnyOutcome, Command, CommandOutcome, Evaluation, Scored
from engine.journal import AnyRecord, Finished, Posted, Started
from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    AnyBody,
    ArtefactHash,
    Brief,
    Evidence,
    Hypothesis,
    IdeaRequest,
    MemberId,
    NodeId,
    Patch,
    Review,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
    WorkOrder,
)
from engine.task import Measured, Score

STARTER = ArtefactHash("0" * 64)
STARTS_WITH = Evidence(node=NodeId(0), artefact=STARTER, values=(), mean=0.5, standard_error=0.0)


def artefact(node: int) -> ArtefactHash:
    return ArtefactHash(f"{node:064d}")


def idea(node: int, **changes: object) -> Hypothesis:
    fields: dict[str, object] = {
        "operator": "draft", "parents": (), "claim": f"idea {node}", "family": "a", "point": {"x": node}
    }  # fmt: skip
    return Hypothesis(node=NodeId(node), **{**fields, **changes})  # type: ignore[arg-type]  # a test's words


def evidence(node: int, *values: float, error: float = 0.1) -> Evidence:
    return Evidence(
        node=NodeId(node), artefact=artefact(node), values=values, mean=sum(values) / len(values),
        standard_error=error,
    )  # fmt: skip


class Pen:
    """Writes a journal of a task to maximise, with a baseline of 0.5."""

    def __init__(self) -> None:
        self.records: list[AnyRecord] = []
        self._ordinals: dict[str, int] = {}
        self._seq = 0
        self.say("runtime", Brief(
            task="t", text="", metric="m", direction="max", baseline=0.5, starter=STARTER, evaluations=9
        ), topic="brief", at=0.0)  # fmt: skip

    def say(
        self, sender: str, body: AnyBody, *, to: str | None = None, topic: str | None = None, cause: int = 0,
        at: float = 0.0,
    ) -> int:  # fmt: skip
        self._seq += 1
        self.records.append(
            Posted(
                seq=self._seq, sender=MemberId(sender), body=body, to=to, topic=topic, cause=cause,  # type: ignore[arg-type]  # plain words
                measured=Measured(at=at),
            )
        )  # fmt: skip
        return self._seq

    def act(self, member: str, effect: AnyEffect, outcome: AnyOutcome, *, at: float, seconds: float) -> None:
        ordinal = self._ordinals[member] = self._ordinals.get(member, 0) + 1
        who = MemberId(member)
        self.records += [
            Started(member=who, ordinal=ordinal, effect=effect, measured=Measured(at=at)),
            Finished(member=who, ordinal=ordinal, outcome=outcome, measured=Measured(seconds=seconds)),
        ]

    def evaluate(self, node: int, value: float, *, at: float = 0.0, seconds: float = 0.0) -> None:
        effect = Evaluation(artefact=artefact(node), split="feedback", seed=1)
        self.act("experimenter", effect, Scored(score=Score(value=value)), at=at, seconds=seconds)

    def node(
        self, node: int, *values: float, at: float = 0.0, verdict: str = "accept", base: ArtefactHash = STARTER,
        diff: str = "", incumbent: Evidence | None = STARTS_WITH, prediction: str = "open", **changes: object,
    ) -> None:  # fmt: skip
        """A node from idea to verdict: a second each to think, to write, a wait of one, then two to measure."""
        number = NodeId(node)
        hypothesis = idea(node, **changes)
        operator, parents = hypothesis.operator, hypothesis.parents
        asked = self.say("strategy", IdeaRequest(node=number, operator=operator, parents=parents, evaluations_left=9),
                         to=HYPOTHESIZE, at=at)  # fmt: skip
        self.say("hypothesizer", hypothesis, to="strategy", cause=asked, topic="hypotheses", at=at + 1)
        order = WorkOrder(node=number, operator=operator, base=base, hypothesis=hypothesis)
        asked = self.say("strategy", order, to=CODE, at=at + 1)
        self.act("coder", Command(language="python", source=""), CommandOutcome(exit_code=0, stdout="", stderr=""),
                 at=at + 1, seconds=1)  # fmt: skip
        patch = Patch(node=number, base=base, artefact=artefact(node), diff=diff)
        self.say("coder", patch, to="strategy", cause=asked, topic="patches", at=at + 2)
        asked = self.say(
            "strategy", RunRequest(node=number, artefact=artefact(node)), to=EXPERIMENT, at=at + 2
        )
        for value in values:
            self.evaluate(node, value, at=at + 3, seconds=2 / len(values))
        result = RunResult(node=number, evidence=evidence(node, *values), evaluations=len(values))
        self.say("experimenter", result, to="strategy", cause=asked, topic="results", at=at + 5)
        request = ReviewRequest(
            node=number, hypothesis=hypothesis, patch=patch, result=result, incumbent=incumbent,
            evaluations_left=1,
        )  # fmt: skip
        asked = self.say("strategy", request, to=REVIEW, at=at + 5)
        review = Review(node=number, verdict=verdict, prediction=prediction)  # type: ignore[arg-type]  # plain words
        self.say("reviewer", review, to="strategy", cause=asked, topic="reviews", at=at + 6)

    def select(self, node: int, *, at: float = 0.0) -> None:
        self.say("strategy", Selection(
            node=NodeId(node), artefact=artefact(node), rule="", candidates=(), final=True
        ), topic="selections", at=at)  # fmt: skip
