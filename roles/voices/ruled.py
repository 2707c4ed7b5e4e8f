"""A voice by rule, and one that says nothing."""

from engine.member import Member
from engine.messages import (
    AnyBody,
    Argument,
    Bid,
    BidRequest,
    Motion,
    NodeId,
    Queue,
    Vote,
)
from roles.voices.arguing import claims
from roles.voices.bidding import offers
from roles.voices.board import Board, mean

LISTENING = 0.5
"""Weight of what the others say in a vote, on average; the rest is one's own opinion (DeGroot 1974)."""


class Ruled:
    """Argues, votes and bids for one function by what its member has heard."""

    def __init__(self, member: Member, function: Queue, board: Board) -> None:
        self._member, self._function, self._board = member, function, board

    def observe(self, body: AnyBody) -> None:
        """Take note of a message."""
        self._board.hear(body)

    async def speak(self, asked: Motion | BidRequest) -> AnyBody:
        """An argument, a vote or a bid."""
        match asked:
            case Motion(stage="argue") as motion:
                made = claims(self._function, motion, self._board)
                return Argument(
                    node=motion.node, question=motion.question, function=self._function, claims=made
                )
            case Motion() as motion:
                return self._vote(motion)
            case _:
                return self._bid(asked)

    def _vote(self, motion: Motion) -> Vote:
        """For the candidate with the largest gain, its own claims and those of others averaged."""
        own = {claim.node: claim.gain for claim in claims(self._function, motion, self._board)}
        heard = self._board.arguments.get((motion.node, motion.question), {})
        weighed: dict[NodeId, float] = {}
        for node, gain in own.items():
            others = [
                claim.gain
                for function, argument in heard.items()
                for claim in argument.claims
                if function != self._function and claim.node == node
            ]
            weighed[node] = (1.0 - LISTENING) * gain + LISTENING * mean(others) if others else gain
        if not weighed:
            return Vote(node=motion.node, function=self._function, choice=None)
        choice = max(weighed, key=lambda node: (weighed[node], -node))
        if motion.question == "accept" and weighed[choice] <= 0.0:
            choice = motion.candidates[-1].node  # what stands
        self._member.decide(
            "vote",
            f"node {choice}",
            rule=f"{self._function}: own claims and those heard, averaged",
            candidates={f"node {node}": gain for node, gain in weighed.items()},
        )
        return Vote(node=motion.node, function=self._function, choice=choice, gain=weighed.get(choice, 0.0))

    def _bid(self, asked: BidRequest) -> Bid:
        """The best of what it has to offer."""
        found = offers(self._function, self._board)
        if not found:
            return Bid(node=asked.node, function=self._function, operator=None)
        best = found[0]
        self._member.decide(
            "bid",
            f"{best.operator} {list(best.parents)}",
            rule=f"{self._function}: the largest expected gain",
            candidates={f"{each.operator} {list(each.parents)}": each.value for each in found},
        )
        return Bid(
            node=asked.node,
            function=self._function,
            operator=best.operator,
            parents=best.parents,
            value=best.value,
            why=best.why,
        )


class Silent:
    """The voice of a function that was taken away: it has no opinion."""

    def __init__(self, function: Queue) -> None:
        self._function = function

    def observe(self, body: AnyBody) -> None:
        """Nothing."""

    async def speak(self, asked: Motion | BidRequest) -> AnyBody:
        """An argument without claims, an abstention, a bid for nothing."""
        match asked:
            case Motion(stage="argue", node=node, question=question):
                return Argument(node=node, question=question, function=self._function, claims=())
            case Motion(node=node):
                return Vote(node=node, function=self._function, choice=None)
            case _:
                return Bid(node=asked.node, function=self._function, operator=None)
