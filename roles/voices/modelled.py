"""A voice that a model gives to its function: it argues, votes and bids as typed answers; by rule where there is none."""

import math
from collections.abc import Sequence

import msgspec

from engine.member import Member
from engine.messages import (
    CODE,
    EXPERIMENT,
    HYPOTHESIZE,
    REVIEW,
    AnyBody,
    Argument,
    Bid,
    BidRequest,
    Candidate,
    Claim,
    Evidence,
    Motion,
    NodeId,
    Operator,
    Queue,
    Vote,
)
from roles.model.talk import Reaction, Talk, Use, shorten
from roles.model.tools.tool import AnyUse
from roles.tree import STARTER
from roles.voices.board import Board
from roles.voices.ruled import Ruled

TURNS = 4
TEXT_CHARACTERS = 600
LOOKED_AT = 8
OPERATORS: dict[Queue, tuple[Operator, ...]] = {
    HYPOTHESIZE: ("draft", "improve", "combine"),
    CODE: ("debug",),
    EXPERIMENT: ("replicate",),
    REVIEW: ("replicate",),
}
"""What a function may bid for: what it would have work with."""
PARENTS: dict[Operator, int] = {"draft": 0, "improve": 1, "combine": 2, "debug": 1, "replicate": 1}


class OneClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one candidate."""

    node: int
    gain: float
    text: str = ""


class Argue(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say; nothing of candidates of which nothing is known."""

    claims: tuple[OneClaim, ...] = ()


class CastVote(msgspec.Struct, frozen=True, kw_only=True):
    """A vote; no choice is an abstention."""

    choice: int | None = None
    gain: float = 0.0


class MakeBid(msgspec.Struct, frozen=True, kw_only=True):
    """An offer; no operator is none."""

    operator: Operator | None = None
    parents: tuple[int, ...] = ()
    value: float = 0.0
    why: str = ""


class Modelled:
    """Asks its member's model for an opinion, in the conversation that it works in."""

    def __init__(self, member: Member, function: Queue, board: Board, talk: Talk) -> None:
        self._member, self._function, self._board, self._talk = member, function, board, talk
        self._ruled = Ruled(member, function, board)

    def observe(self, body: AnyBody) -> None:
        """Take note of a message."""
        self._ruled.observe(body)

    async def speak(self, asked: Motion | BidRequest) -> AnyBody:
        """An argument, a vote or a bid."""
        said: list[AnyBody] = []
        if isinstance(asked, BidRequest):
            words, use = self._bid(asked, said)
        elif asked.stage == "argue":
            words, use = self._argument(asked, said)
        else:
            words, use = self._vote(asked, said)
        why = await self._talk.work(words, [use], turns=TURNS)
        if said:
            return said[-1]
        self._member.decide(
            "fallback", f"{self._function} (voice)", rule=f"an opinion by rule, since {why}"[:500]
        )
        return await self._ruled.speak(asked)

    def _argument(self, motion: Motion, said: list[AnyBody]) -> tuple[str, AnyUse]:
        nodes = [each.node for each in motion.candidates]

        async def argue(given: Argue) -> Reaction:
            for claim in given.claims:
                if claim.node not in nodes or not math.isfinite(claim.gain):
                    return Reaction(_not_among(claim.node, nodes), is_wrong=True)
            claims = tuple(
                Claim(node=NodeId(each.node), gain=each.gain, text=shorten(each.text, TEXT_CHARACTERS))
                for each in given.claims
            )
            said.append(
                Argument(node=motion.node, question=motion.question, function=self._function, claims=claims)
            )
            return Reaction("Said.", is_last=True)

        words = (
            f"{self._motion(motion)}\n\nSay as {self._function} what you know of the candidates, by `argue`. `gain`: by "
            "how much you expect one to be better than what stands, on the metric, positive is better."
        )
        return words, Use("argue", "Say what you know of the candidates.", Argue, argue)

    def _vote(self, motion: Motion, said: list[AnyBody]) -> tuple[str, AnyUse]:
        nodes = [each.node for each in motion.candidates]

        async def vote(given: CastVote) -> Reaction:
            if (given.choice is not None and given.choice not in nodes) or not math.isfinite(given.gain):
                return Reaction(_not_among(given.choice, nodes), is_wrong=True)
            choice = None if given.choice is None else NodeId(given.choice)
            said.append(Vote(node=motion.node, function=self._function, choice=choice, gain=given.gain))
            return Reaction("Counted.", is_last=True)

        heard = self._board.arguments.get((motion.node, motion.question), {})
        lines = [
            f"- {function} of node {claim.node}: gain {claim.gain:+.4g}; {shorten(claim.text, 300)}"
            for function, argument in heard.items()
            for claim in argument.claims
        ]
        words = (
            f"{self._motion(motion)}\n\nWhat was argued:\n{chr(10).join(lines) or '- nothing'}\n\nVote as "
            f"{self._function}, by `vote`, for one of the candidates {nodes}, or for none."
        )
        return words, Use("vote", "Vote for one of the candidates, or for none.", CastVote, vote)

    def _bid(self, asked: BidRequest, said: list[AnyBody]) -> tuple[str, AnyUse]:
        allowed = OPERATORS[self._function]

        async def bid(given: MakeBid) -> Reaction:
            problem = self._problem(given, allowed)
            if problem:
                return Reaction(f"Not taken: {problem}.", is_wrong=True)
            said.append(
                Bid(
                    node=asked.node,
                    function=self._function,
                    operator=given.operator,
                    parents=tuple(NodeId(parent) for parent in given.parents),
                    value=given.value,
                    why=shorten(given.why, TEXT_CHARACTERS),
                )
            )
            return Reaction("Taken.", is_last=True)

        board = self._board
        lines = [f"- node {node}: {_known(board.evidence(node))}" for node in board.measured()[:LOOKED_AT]]
        lines += [f"- node {node}: broken" for node in board.broken()[:LOOKED_AT]]
        words = (
            f"# Request: bid for node {asked.node}\n\nNode {board.standing()} stands. Known:\n"
            f"{chr(10).join(lines) or '- only the starter, node 0'}\n\nEvaluations left: {asked.evaluations_left}. "
            f"Say as {self._function} what should be done next, by `bid`: operator ({', '.join(allowed)}), its parents, "
            "and `value`: the gain over what stands that it can be expected to bring, on the metric. The highest bid "
            "is done. No operator: you have nothing to offer."
        )
        return words, Use("bid", "Offer what should be done next.", MakeBid, bid)

    def _problem(self, given: MakeBid, allowed: Sequence[Operator]) -> str:
        if given.operator is None:
            return ""
        if given.operator not in allowed:
            return f"{self._function} may bid for {', '.join(allowed)}"
        if not math.isfinite(given.value):
            return "the value is no number"
        if len(given.parents) != PARENTS[given.operator]:
            return f"{given.operator} has {PARENTS[given.operator]} parents"
        known = {STARTER, *self._board.book.hypotheses, *self._board.book.results}
        unknown = [parent for parent in given.parents if parent not in known]
        return f"there is no node {unknown[0]}" if unknown else ""

    def _motion(self, motion: Motion) -> str:
        question = (
            "which idea is tried next"
            if motion.question == "run"
            else "whether the first takes the last one's place"
        )
        lines = [_described(each) for each in motion.candidates]
        stands = "" if motion.incumbent is None else f"\nWhat stands has {_known(motion.incumbent)}."
        return f"# Request: {motion.stage} on {question}\n\nCandidates:\n{chr(10).join(lines)}{stands}"


def _described(candidate: Candidate) -> str:
    idea = candidate.hypothesis
    claim = "" if idea is None else f" {shorten(idea.claim, 400)}"
    predicted = "" if idea is None or idea.predicted is None else f" (predicted {idea.predicted:.4g})"
    measured = "" if candidate.evidence is None else f"; {_known(candidate.evidence)}"
    return f"- node {candidate.node}:{claim}{predicted}{measured}"


def _known(evidence: Evidence | None) -> str:
    if evidence is None:
        return "no score"
    return f"mean {evidence.mean:.5g} ± {evidence.standard_error:.2g} over {len(evidence.values)} runs"


def _not_among(node: int | None, nodes: Sequence[NodeId]) -> str:
    return f"Node {node} with a finite gain is not among the candidates {[int(each) for each in nodes]}."
