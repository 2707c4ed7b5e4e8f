"""The leading member: carries the nodes of the research tree from idea to verdict, several at once."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from engine.member import Behaviour, Member
from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    SELECTIONS,
    AnyBody,
    ArtefactHash,
    Brief,
    Dropped,
    Envelope,
    Evidence,
    Expired,
    Hypothesis,
    IdeaRequest,
    NodeId,
    Patch,
    Queue,
    Review,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
    WorkOrder,
)
from roles.evidence import lead as lead_over
from roles.strategies.rule import Move, Rule
from roles.tree import Node, Status, Tree

BARREN = 24
"""Nodes in a row that spent no evaluation, after which no other is begun: they would go on for ever."""


def lead(make_rule: Callable[[], Rule]) -> Behaviour:
    """The behaviour of a strategy's member: it ends with a final selection.

    Args:
        make_rule: makes the search rule with an empty memory.
    """

    async def behave(member: Member) -> None:
        while True:
            envelope = await member.receive()
            if isinstance(envelope.body, Brief):
                break
        await _Lead(member, make_rule(), envelope.body).carry_on()

    return behave


@dataclass(kw_only=True)
class _Asked:
    """A request that waits for its answer."""

    node: NodeId
    promised: int = 0
    """Evaluations that it may spend."""
    against: Evidence | None = None
    """For a review: the incumbent it was told of."""
    is_about_rival: bool = False
    """For a run: that it measures the incumbent on the node's behalf."""


class _Lead:
    """One episode of the leading member.

    What is left of the budget is counted from the answers, not read from the ledger: a rerun counts the same.
    """

    def __init__(self, member: Member, rule: Rule, brief: Brief) -> None:
        self._member, self._rule = member, rule
        self._total = brief.evaluations
        self._spent = 0
        self._barren = 0
        self._tree = Tree(brief.starter, baseline=brief.baseline, direction=brief.direction)
        self._asked: dict[int, _Asked] = {}
        self._moves: dict[NodeId, Move] = {}

    async def carry_on(self) -> None:
        """Keep the declared number of nodes in progress until the budget is spent; hand in the choice."""
        while True:
            while len(self._asked) < self._member.spec.in_flight and await self._begin():
                pass
            if not self._asked:
                break
            await self._take(await self._member.receive())
        node, rule = self._rule.final(self._tree)
        await self._select(node, rule=rule, final=True)

    @property
    def _left(self) -> int:
        """Evaluations neither spent nor promised to a node under way."""
        return self._total - self._spent - sum(asked.promised for asked in self._asked.values())

    # -- beginning ------------------------------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Begin another node; whether there was one to begin."""
        if self._left < 1 or self._barren >= BARREN:
            return False
        move = self._rule.next(
            self._tree, left=self._left, total=self._total, rng=self._member.rng("strategy")
        )
        if move is None:
            return False
        node = self._tree.add(move.operator, move.parents)
        self._moves[node.id] = move
        self._member.decide(
            "next node", f"{move.operator} {list(move.parents)}", rule=move.why, candidates=move.candidates
        )
        if move.operator == "replicate":
            await self._replicate(node, move)
        elif move.operator == "debug":
            await self._debug(node, move)
        else:
            idea = IdeaRequest(
                node=node.id, operator=move.operator, parents=move.parents, evaluations_left=self._left
            )
            await self._ask(idea, HYPOTHESIZE, _Asked(node=node.id, promised=1))
        return True

    async def _replicate(self, node: Node, move: Move) -> None:
        original = self._tree.nodes[move.parents[0]]
        node = msgspec.structs.replace(node, hypothesis=original.hypothesis, patch=original.patch)
        await self._run(self._tree.put(node), at_most=move.evaluations_at_most)

    async def _debug(self, node: Node, move: Move) -> None:
        broken = self._tree.nodes[move.parents[0]]
        assert broken.hypothesis is not None  # a rule mends only what was once an idea
        point = broken.patch.point if broken.patch is not None else None
        hypothesis = msgspec.structs.replace(
            broken.hypothesis,
            node=node.id,
            operator="debug",
            parents=move.parents,
            point=point or broken.hypothesis.point,
        )
        node = msgspec.structs.replace(node, hypothesis=hypothesis)
        await self._order(node, base=broken.artefact or self._tree.starter, problem=broken.problem)

    # -- going on -------------------------------------------------------------------------------------------------

    async def _take(self, envelope: Envelope) -> None:
        """Carry the node that a message is about one step further; other messages are of no concern."""
        asked = self._asked.pop(envelope.cause, None) if envelope.cause else None
        if asked is None:
            return
        node = self._tree.nodes[asked.node]
        match envelope.body:
            case Hypothesis():
                base = self._base(node)
                await self._order(msgspec.structs.replace(node, hypothesis=envelope.body), base=base)
            case Patch():
                await self._take_patch(msgspec.structs.replace(node, patch=envelope.body), envelope.body)
            case RunResult() if asked.is_about_rival:
                self._spend(envelope.body)
                await self._review(node)
            case RunResult():
                await self._take_result(node, envelope.body)
            case Review():
                await self._take_review(
                    msgspec.structs.replace(node, review=envelope.body), envelope.body, asked
                )
            case Dropped() | Expired():
                self._close(node, "failed", problem="")  # nobody did it, so there is nothing to mend
            case _:
                self._close(node, "failed", problem=f"answered by a {type(envelope.body).__name__}")

    async def _take_patch(self, node: Node, patch: Patch) -> None:
        if patch.artefact is None:
            self._close(node, "failed", problem=patch.problem or "no artefact")
            return
        if node.operator == "debug" and patch.artefact == self._tree.artefact(node.parents[0]):
            self._close(node, "failed", problem="")  # the broken code again
            return
        if self._rule.reviews and self._tree.is_known(patch.artefact):
            self._close(node, "rejected", problem="the same code as an earlier node")  # it has been measured
            return
        await self._run(node, at_most=self._moves[node.id].evaluations_at_most)

    async def _take_result(self, node: Node, result: RunResult) -> None:
        self._spend(result)
        known = self._tree.evidence(node.id)
        if result.evidence is None or known is None:
            self._close(
                msgspec.structs.replace(node, result=result),
                "failed",
                problem=result.failure or "no evidence",
            )
            return
        node = self._tree.put(
            msgspec.structs.replace(node, result=msgspec.structs.replace(result, evidence=known))
        )
        if known.artefact == self._tree.artefact(self._tree.incumbent) and node.operator == "replicate":
            self._close(node, "measured")
        elif self._rule.reviews:
            await self._review(node)
        else:
            incumbent = self._tree.evidence(self._tree.incumbent)
            is_better = incumbent is None or lead_over(known, incumbent, self._tree.direction)[0] > 0
            self._close(node, "measured", is_better=is_better)
            if is_better:
                self._tree.incumbent = node.id
                await self._select(node.id, rule="best mean so far", final=False)

    def _spend(self, result: RunResult) -> None:
        self._spent += result.evaluations
        self._barren = 0 if result.evaluations else self._barren + 1
        self._tree.hear(result)

    async def _take_review(self, node: Node, review: Review, asked: _Asked) -> None:
        incumbent = self._tree.evidence(self._tree.incumbent)
        if review.verdict == "accept" and incumbent is not None and self._has_risen(incumbent, asked.against):
            await self._review(node)  # another took the incumbent's place meanwhile
        elif review.verdict == "accept":
            self._tree.incumbent = node.id
            self._close(node, "accepted", is_better=True)
            await self._select(node.id, rule="accepted by review", final=False)
        elif review.verdict == "revise" and self._left > 0:
            await self._more_evidence(node)
        else:
            if node.artefact is not None and any(each.kind == "leak" for each in review.objections):
                self._tree.barred.add(node.artefact)
            self._close(node, "rejected")

    def _has_risen(self, incumbent: Evidence, told: Evidence | None) -> bool:
        return told is not None and told.artefact != incumbent.artefact

    async def _more_evidence(self, node: Node) -> None:
        """Measure again whichever is known less well, candidate or incumbent."""
        node = msgspec.structs.replace(node, revisions=node.revisions + 1)
        candidate, incumbent = self._tree.evidence(node.id), self._tree.evidence(self._tree.incumbent)
        assert candidate is not None  # it was reviewed
        self._tree.put(node)
        if incumbent is not None and incumbent.values and incumbent.standard_error > candidate.standard_error:
            await self._measure_rival(node, incumbent)
        else:
            await self._run(node, at_most=self._moves[node.id].evaluations_at_most)

    async def _measure_rival(self, node: Node, incumbent: Evidence) -> None:
        request = RunRequest(
            node=incumbent.node,
            artefact=incumbent.artefact,
            rival=self._tree.evidence(node.id),
            evaluations_at_most=1,
        )
        await self._ask(request, EXPERIMENT, _Asked(node=node.id, promised=1, is_about_rival=True))

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _order(self, node: Node, *, base: ArtefactHash, problem: str = "") -> None:
        assert node.hypothesis is not None  # nobody writes code for nothing
        self._tree.put(msgspec.structs.replace(node, status="coding"))
        order = WorkOrder(
            node=node.id, operator=node.operator, base=base, hypothesis=node.hypothesis, problem=problem
        )
        await self._ask(order, CODE, _Asked(node=node.id, promised=1))

    async def _run(self, node: Node, *, at_most: int) -> None:
        if self._left < 1:
            self._close(node, "failed", problem="")  # promised to others
            return
        node = self._tree.put(msgspec.structs.replace(node, status="running"))
        assert node.artefact is not None  # a patch came first
        promised = min(at_most, self._left)
        request = RunRequest(
            node=node.id,
            artefact=node.artefact,
            rival=self._tree.evidence(self._tree.incumbent) if self._rule.reviews else None,
            evaluations_at_most=promised,
        )
        await self._ask(request, EXPERIMENT, _Asked(node=node.id, promised=promised))

    async def _review(self, node: Node) -> None:
        node = self._tree.put(msgspec.structs.replace(node, status="reviewing"))
        assert node.hypothesis is not None  # they came before the result
        assert node.patch is not None
        assert node.result is not None
        incumbent = self._tree.evidence(self._tree.incumbent)
        request = ReviewRequest(
            node=node.id,
            hypothesis=node.hypothesis,
            patch=node.patch,
            result=msgspec.structs.replace(node.result, evidence=self._tree.evidence(node.id)),
            incumbent=incumbent,
            evaluations_left=self._left,
        )
        await self._ask(request, REVIEW, _Asked(node=node.id, against=incumbent))

    async def _ask(self, body: AnyBody, queue: Queue, asked: _Asked) -> None:
        self._asked[await self._member.post(body, to=queue)] = asked

    # -- ending ---------------------------------------------------------------------------------------------------

    def _close(self, node: Node, status: Status, *, problem: str = "", is_better: bool = False) -> None:
        if node.result is None:
            self._barren += 1
        self._tree.put(msgspec.structs.replace(node, status=status, problem=problem))
        self._rule.heard(self._tree, node.id, is_better=is_better)

    async def _select(self, node: NodeId, *, rule: str, final: bool) -> None:
        artefact = self._tree.artefact(node)
        assert artefact is not None  # only nodes with an artefact stand
        candidates = self._tree.ranked()[:10]
        await self._member.post(
            Selection(node=node, artefact=artefact, rule=rule, candidates=candidates, final=final),
            topic=SELECTIONS,
        )

    def _base(self, node: Node) -> ArtefactHash:
        """What a node's code starts from: its first parent's artefact, else the starter."""
        parent = self._tree.artefact(node.parents[0]) if node.parents else None
        return parent or self._tree.starter
