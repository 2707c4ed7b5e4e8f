"""The leading member: carries the nodes of the research tree from idea to verdict, several at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from engine.member import Behaviour, Member
from engine.messages import (
    CODE,
    EXPERIMENT,
    FUNCTIONS,
    HYPOTHESIZE,
    REVIEW,
    SELECTIONS,
    AnyBody,
    Argument,
    ArtefactHash,
    Bid,
    BidRequest,
    Brief,
    Candidate,
    Dropped,
    Envelope,
    Evidence,
    Expired,
    Hypothesis,
    IdeaRequest,
    Motion,
    NodeId,
    Patch,
    Queue,
    Review,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
    Verdict,
    Vote,
    WorkOrder,
)
from roles.evidence import lead as lead_over
from roles.strategies.rule import Auctioneer, Chair, Move, Rule
from roles.tree import Node, Status, Tree

BARREN = 24
"""Nodes in a row that spent no evaluation, after which no other is begun: they would go on for ever."""


def lead(make_rule: Callable[[], Rule], then: Callable[[], Rule] | None = None) -> Behaviour:
    """The behaviour of a strategy's member: it ends with a final selection.

    Args:
        make_rule: makes the search rule with an empty memory.
        then: makes the one that succeeds it where the episode is a fork, once that is passed.
    """

    async def behave(member: Member) -> None:
        while True:
            envelope = await member.receive()
            if isinstance(envelope.body, Brief):
                break
        successor = None if then is None else then()
        await _Lead(member, make_rule(), envelope.body, successor).carry_on()

    return behave


@dataclass(kw_only=True)
class _Council:
    """A question that all functions were asked, or ideas of which one will be tried; the last answer ends it."""

    rule: Rule
    """Under which it was begun, and is ended."""
    slot: NodeId
    """The node that it stands for among those in flight."""
    waiting: int
    motion: Motion | None = None
    verdict: Review | None = None
    """Of the node that is voted on."""
    ideas: list[NodeId] = field(default_factory=list[NodeId])
    arguments: list[Argument] = field(default_factory=list[Argument])
    votes: list[Vote] = field(default_factory=list[Vote])
    bids: list[Bid] = field(default_factory=list[Bid])

    def hear(self, body: AnyBody) -> None:
        """Take an answer; whoever cannot answer has nothing to say."""
        self.waiting -= 1
        match body:
            case Argument():
                self.arguments.append(body)
            case Vote():
                self.votes.append(body)
            case Bid():
                self.bids.append(body)
            case _:
                pass


@dataclass(kw_only=True)
class _Asked:
    """A request that waits for its answer."""

    node: NodeId
    promised: int = 0
    """Evaluations that it may spend; those of one council may spend them once."""
    council: _Council | None = None

    @property
    def slot(self) -> NodeId:
        """What it counts as among those in flight."""
        return self.node if self.council is None else self.council.slot

    against: Evidence | None = None
    """For a review: the incumbent it was told of."""
    is_about_rival: bool = False
    """For a run: that it measures the incumbent on the node's behalf."""


class _Lead:
    """One episode of the leading member.

    What is left of the budget is counted from the answers, not read from the ledger: a rerun counts the same.
    """

    def __init__(self, member: Member, rule: Rule, brief: Brief, successor: Rule | None) -> None:
        self._member, self._first, self._successor = member, rule, successor
        self._has_succeeded = False
        self._total = brief.evaluations
        self._spent = 0
        self._barren = 0
        self._tree = Tree(brief.starter, baseline=brief.baseline, direction=brief.direction)
        self._asked: dict[int, _Asked] = {}
        self._moves: dict[NodeId, Move] = {}
        self._is_bidding = False
        """One auction at a time: bids depend on what the last one was awarded to."""

    async def carry_on(self) -> None:
        """Keep the declared number of nodes in progress until the budget is spent; hand in the choice."""
        while True:
            while len(self._promises()) < self._member.spec.in_flight and await self._begin():
                pass
            if not self._asked:
                break
            await self._take(await self._member.receive())
        node, rule = self._rule.final(self._tree)
        await self._select(node, rule=rule, final=True)

    @property
    def _rule(self) -> Rule:
        """The rule that leads now."""
        if self._successor is None or not self._member.is_past_fork():
            return self._first
        if not self._has_succeeded:
            self._has_succeeded = True
            self._member.decide(
                "handover", f"strategy ({self._member.spec.strategy.kind})", rule="has heard of every node"
            )
        return self._successor

    @property
    def _left(self) -> int:
        """Evaluations neither spent nor promised to a node under way."""
        return self._total - self._spent - sum(self._promises().values())

    def _promises(self) -> dict[NodeId, int]:
        """Evaluations promised to each of those in flight."""
        promises: dict[NodeId, int] = {}
        for asked in self._asked.values():
            promises[asked.slot] = max(asked.promised, promises.get(asked.slot, 0))
        return promises

    # -- beginning ------------------------------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Begin another node; whether there was one to begin."""
        if self._left < 1 or self._barren >= BARREN or self._is_bidding:
            return False
        if isinstance(self._rule, Auctioneer):
            await self._call_for_bids()
            return True
        move = self._rule.next(
            self._tree, left=self._left, total=self._total, rng=self._member.rng("strategy")
        )
        if move is None:
            return False
        await self._make(move)
        return True

    async def _make(self, move: Move) -> None:
        node = self._tree.add(move.operator, move.parents)
        self._moves[node.id] = move
        self._member.decide(
            "next node", f"{move.operator} {list(move.parents)}", rule=move.why, candidates=move.candidates
        )
        if move.operator == "replicate":
            await self._replicate(node, move)
        elif move.operator == "debug":
            await self._debug(node, move)
        elif move.proposals > 1:
            await self._call_for_ideas(node, move)
        else:
            await self._ask(self._idea(node), HYPOTHESIZE, _Asked(node=node.id, promised=1))

    def _idea(self, node: Node) -> IdeaRequest:
        return IdeaRequest(
            node=node.id, operator=node.operator, parents=node.parents, evaluations_left=self._left
        )

    async def _call_for_ideas(self, first: Node, move: Move) -> None:
        nodes = [first]
        for _ in range(move.proposals - 1):
            rival = self._tree.add(move.operator, move.parents, status="proposed")
            self._moves[rival.id] = move
            nodes.append(rival)
        council = _Council(
            rule=self._rule, slot=first.id, waiting=len(nodes), ideas=[node.id for node in nodes]
        )
        requests = [self._idea(node) for node in nodes]  # all are told the same
        for request in requests:
            await self._ask(request, HYPOTHESIZE, _Asked(node=request.node, promised=1, council=council))

    async def _call_for_bids(self) -> None:
        number = NodeId(len(self._tree.nodes) + 1)
        self._is_bidding = True
        council = _Council(rule=self._rule, slot=number, waiting=len(FUNCTIONS))
        await self._ask_all(BidRequest(node=number, evaluations_left=self._left), council)

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
        if asked.council is not None:
            asked.council.hear(envelope.body)
            await self._take_word(asked.council, asked.node, envelope.body)
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
        if review.verdict != "revise" and self._is_debatable(node, review):
            await self._debate_acceptance(node, review)
        else:
            await self._conclude(node, review, against=asked.against)

    async def _conclude(self, node: Node, review: Review, *, against: Evidence | None) -> None:
        """Do what a review, or the vote that overruled it, says."""
        incumbent = self._tree.evidence(self._tree.incumbent)
        if review.verdict == "accept" and incumbent is not None and self._has_risen(incumbent, against):
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

    # -- councils -------------------------------------------------------------------------------------------------

    async def _take_word(self, council: _Council, node: NodeId, body: AnyBody) -> None:
        """Take one answer of several; with the last of them, go on."""
        if council.ideas and council.motion is None:
            known = self._tree.nodes[node]
            if isinstance(body, Hypothesis):
                self._tree.put(msgspec.structs.replace(known, hypothesis=body))
            elif node != council.slot:  # nobody thought of anything: it was no node that failed
                self._tree.put(msgspec.structs.replace(known, status="outvoted"))
        if council.waiting:
            return
        if council.motion is None and council.ideas:
            await self._debate_ideas(council)
        elif council.motion is None:
            await self._award(council)
        elif council.motion.stage == "argue":
            council.motion = msgspec.structs.replace(council.motion, stage="vote")
            await self._put_to(council)
        else:
            await self._count(council, council.motion)

    async def _award(self, council: _Council) -> None:
        assert isinstance(council.rule, Auctioneer)  # nobody else calls for bids
        self._is_bidding = False
        move = council.rule.award(
            self._tree,
            council.bids,
            left=self._left,
            total=self._total,
            rng=self._member.rng("strategy"),
        )
        await self._make(move)

    async def _debate_ideas(self, council: _Council) -> None:
        ideas = [node for node in council.ideas if self._tree.nodes[node].hypothesis is not None]
        if len(ideas) > 1:
            council.motion = self._motion("run", ideas)
            await self._put_to(council)
        else:
            await self._try(council.slot, ideas, ideas[0] if ideas else None)

    async def _try(self, slot: NodeId, ideas: list[NodeId], winner: NodeId | None) -> None:
        """Let the winner be written; the others are out. Where there is none, the first of them has failed."""
        for loser in {slot, *ideas} - {winner}:
            self._tree.put(msgspec.structs.replace(self._tree.nodes[loser], status="outvoted"))
        if winner is None:
            self._close(self._tree.nodes[slot], "failed", problem="")
        else:
            node = self._tree.nodes[winner]
            await self._order(node, base=self._base(node))

    def _is_debatable(self, node: Node, review: Review) -> bool:
        """Whether a verdict is a matter of opinion: leaks, repeats and crashes are none."""
        if not (isinstance(self._rule, Chair) and self._rule.votes_on_acceptance):
            return False
        is_fact = any(each.kind in ("leak", "duplicate", "bug") for each in review.objections)
        rivals = {self._tree.artefact(node.id), self._tree.artefact(self._tree.incumbent)}
        return not is_fact and self._tree.evidence(node.id) is not None and len(rivals) > 1

    async def _debate_acceptance(self, node: Node, review: Review) -> None:
        self._tree.put(node)
        council = _Council(rule=self._rule, slot=node.id, waiting=0, verdict=review)
        council.motion = self._motion("accept", [node.id, self._tree.incumbent])
        await self._put_to(council)

    def _motion(self, question: Literal["run", "accept"], nodes: list[NodeId]) -> Motion:
        candidates: list[Candidate] = []
        for number in nodes:
            known = self._tree.nodes.get(number)
            hypothesis = None if known is None else known.hypothesis
            evidence = self._tree.evidence(number) if question == "accept" else None
            candidates.append(Candidate(node=number, hypothesis=hypothesis, evidence=evidence))
        return Motion(
            node=nodes[0],
            question=question,
            stage="argue",
            candidates=tuple(candidates),
            incumbent=self._tree.evidence(self._tree.incumbent),
        )

    async def _put_to(self, council: _Council) -> None:
        assert council.motion is not None  # there is something to argue about
        council.waiting = len(FUNCTIONS)
        await self._ask_all(council.motion, council)

    async def _ask_all(self, body: AnyBody, council: _Council) -> None:
        promised = (
            0 if council.verdict is not None else 1
        )  # where it is about what was run, nothing is left to run
        for function in FUNCTIONS:
            await self._ask(body, function, _Asked(node=council.slot, promised=promised, council=council))

    async def _count(self, council: _Council, motion: Motion) -> None:
        assert isinstance(council.rule, Chair)  # nobody else calls for votes
        nodes = [each.node for each in motion.candidates]
        review = council.verdict
        default = nodes[0] if review is None or review.verdict == "accept" else nodes[-1]
        outcome = council.rule.count(motion, council.arguments, council.votes, default=default)
        self._member.decide(
            motion.question, f"node {outcome.winner}", rule=outcome.why, candidates=outcome.candidates
        )
        if review is None:
            await self._try(council.slot, council.ideas, outcome.winner)
            return
        verdict: Verdict = "accept" if outcome.winner == motion.node else "reject"
        await self._conclude(
            self._tree.nodes[motion.node],
            msgspec.structs.replace(review, verdict=verdict),
            against=motion.incumbent,
        )

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
        for rule in (self._first, self._successor):
            if rule is not None:
                rule.heard(self._tree, node.id, is_better=is_better)

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
