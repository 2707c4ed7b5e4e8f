"""A solo member driven by a model: one conversation, all tools."""

import msgspec

from engine.member import Behaviour, Member
from engine.messages import (
    PATCHES,
    RESULTS,
    SELECTIONS,
    ArtefactHash,
    Brief,
    Evidence,
    NodeId,
    Patch,
    RunResult,
    Selection,
)
from roles.evidence import pool, signed
from roles.model.folder import Folder
from roles.model.kit import kit
from roles.model.talk import Reaction, Talk, Use
from roles.offline.coder import unified
from roles.offline.experimenter import evaluated
from roles.solo import wait_for_brief
from roles.tree import STARTER

TURNS_PER_EVALUATION = 6
MOST_TURNS = 400


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """Score the files as they are."""


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    """End the work."""

    best: bool = False


def model_solo() -> Behaviour:
    """The behaviour of a solo member that a model drives; it ends with a final selection."""

    async def behave(member: Member) -> None:
        brief = await wait_for_brief(member)
        await _ModelSolo(member, brief).work()

    return behave


class _ModelSolo:
    """One episode of a solo member that a model drives."""

    def __init__(self, member: Member, brief: Brief) -> None:
        self._member, self._brief = member, brief
        self._folder = Folder(member, member.task.starter)
        self._left = brief.evaluations
        self._evidence: dict[ArtefactHash, Evidence] = {}
        self._nodes: dict[ArtefactHash, NodeId] = {brief.starter: STARTER}
        self._standing = brief.starter
        self._handed_in: ArtefactHash | None = None

    async def work(self) -> None:
        """Let the model work until it submits or the budget is spent; without a submission the best mean stands."""
        talk = Talk(self._member, ["solo"])
        uses = [
            *kit(talk, "solo", self._folder),
            Use("evaluate", "Score the files as they are; costs one evaluation.", Evaluate, self._evaluate),
            Use(
                "submit",
                "End the work: hand in the files as they are, or the best so far.",
                Submit,
                self._submit,
            ),
        ]
        turns = min(MOST_TURNS, 20 + TURNS_PER_EVALUATION * self._brief.evaluations)
        why = await talk.work(self._words(), uses, turns=turns)
        if self._handed_in is None:
            self._member.decide(
                "fallback", "solo", rule=f"the best mean score is handed in, since {why}"[:500]
            )
        await self._select(
            self._handed_in or self._best(), "submitted" if self._handed_in else "best mean", final=True
        )

    async def _evaluate(self, _: Evaluate) -> Reaction:
        artefact = self._folder.artefact
        node = await self._node(artefact)
        score, problem = await evaluated(self._member, artefact)
        if score is None:
            self._left = 0
            return Reaction(f"Not scored: {problem}. Call `submit`.", is_wrong=True)
        self._left -= 1
        if score.value is None:
            await self._member.post(
                RunResult(node=node, evidence=None, evaluations=1, failure=problem), topic=RESULTS
            )
            return Reaction(f"No score: {problem}. {self._left} evaluations left.")
        known = self._evidence.get(artefact)
        values = (*(known.values if known is not None else ()), score.value)
        evidence = pool(values, declared=score.standard_error, node=node, artefact=artefact)
        self._evidence[artefact] = evidence
        await self._member.post(
            RunResult(node=node, evidence=evidence, evaluations=1, failure=problem), topic=RESULTS
        )
        best = self._best()
        if best != self._standing:
            self._standing = best
            await self._select(best, "best mean so far", final=False)
        return Reaction(
            f"Score {score.value:.5g}; these files have mean {evidence.mean:.5g} ± {evidence.standard_error:.2g} over"
            f" {len(values)} runs. {self._left} evaluations left."
        )

    async def _submit(self, asked: Submit) -> Reaction:
        self._handed_in = self._best() if asked.best else self._folder.artefact
        await self._node(self._handed_in)
        return Reaction("Handed in.", is_last=True)

    async def _node(self, artefact: ArtefactHash) -> NodeId:
        """The node of an artefact; a new artefact is published as a patch first."""
        if artefact not in self._nodes:
            node = NodeId(len(self._nodes))
            self._nodes[artefact] = node
            before, after = self._member.store.get(self._standing), self._member.store.get(artefact)
            patch = Patch(node=node, base=self._standing, artefact=artefact, diff=unified(before, after))
            await self._member.post(patch, topic=PATCHES)
        return self._nodes[artefact]

    def _best(self) -> ArtefactHash:
        direction = self._brief.direction
        worths = {artefact: signed(known.mean, direction) for artefact, known in self._evidence.items()}
        worths.setdefault(self._brief.starter, signed(self._brief.baseline, direction))
        return max(worths, key=lambda artefact: worths[artefact])

    async def _select(self, artefact: ArtefactHash, rule: str, *, final: bool) -> None:
        node = self._nodes[artefact]
        choice = Selection(node=node, artefact=artefact, rule=rule, candidates=(node,), final=final)
        await self._member.post(choice, topic=SELECTIONS)

    def _words(self) -> str:
        return f"You have {self._left} evaluations. The starter's files:\n\n{self._folder.shown()}"
