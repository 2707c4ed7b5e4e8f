"""Who speaks for a function where a strategy asks the team: for arguments and votes (debate), or for bids (blackboard).

By rule, a function argues from what it knows: the hypothesizer from its predictions, the coder from what ran, the
experimenter from measured points, the reviewer from how predictions held and from its verdicts. A function that is
vacuous has no opinion. A function that a model drives speaks by the same rules for now: a model's own voice is another
implementation of `Voice`, and `make_voice` is the place to choose it.
"""

from engine.member import Member
from engine.messages import Queue
from engine.team import PolicyName
from roles.voices.board import Board
from roles.voices.outspoken import Outspoken, Voice
from roles.voices.ruled import Ruled, Silent


def make_voice(member: Member, function: Queue, policy: PolicyName, board: Board) -> Voice:
    """The voice of a function.

    Args:
        member: who has the function.
        function: which.
        policy: what drives it; ``model`` speaks by rule, too, so far.
        board: what the member has heard, shared by its voices.
    """
    return Silent(function) if policy == "vacuous" else Ruled(member, function, board)


__all__ = ["Board", "Outspoken", "Voice", "make_voice"]
