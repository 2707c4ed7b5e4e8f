"""Who speaks for a function where a strategy asks the team: for arguments and votes (debate), or for bids (blackboard).

By rule, a function argues from what it knows: the hypothesizer from its predictions, the coder from what ran, the
experimenter from measured points, the reviewer from how predictions held and from its verdicts. A function that is
vacuous has no opinion. A function that a model drives speaks by its model, and by rule where that gives no valid answer.
"""

from engine.member import Member
from engine.messages import Queue
from roles.model.talk import Talk
from roles.voices.board import Board
from roles.voices.modelled import Modelled
from roles.voices.outspoken import Outspoken, Voice
from roles.voices.ruled import Ruled, Silent


def make_voice(member: Member, function: Queue, policy: str, board: Board, talk: Talk | None = None) -> Voice:
    """The voice of a function.

    Args:
        member: who has the function.
        function: which.
        policy: what drives it.
        board: what the member has heard, shared by its voices.
        talk: the member's conversation with its model, where one drives it.
    """
    if policy == "model" and talk is not None:
        return Modelled(member, function, board, talk)
    return Silent(function) if policy == "vacuous" else Ruled(member, function, board)


__all__ = ["Board", "Outspoken", "Voice", "make_voice"]
