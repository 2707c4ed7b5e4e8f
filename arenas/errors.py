"""The arenas' family of errors, named for what a caller can do about them.

::

    ArenaError
    ├── IllegalMove      an in-process player answered outside its game: mend the player
    ├── NotLawful        exact work was asked of a player or game that has no two-move law: sample instead
    ├── TooLarge         an enumeration would not fit: fewer rounds or repetitions
    └── PlayerFault      a remote player broke the rules: score it as a failed artefact
"""

from typing import Literal

from engine.errors import EngineError

FaultKind = Literal["bad_move", "exception", "bad_frame", "early_exit", "too_late"]
"""How a remote player can fail.

``bad_move`` its function returned what the game does not allow; ``exception`` its code raised (or its file
has no such function); ``bad_frame`` bytes that are no answer; ``early_exit`` the process ended or closed its
pipe; ``too_late`` no answer within the limit.
"""

DETAIL_CHARACTERS = 2_000
"""Most characters of a fault's detail: it is text that hostile code chose."""


class ArenaError(EngineError):
    """Base of every error that the arenas raise on purpose."""


class IllegalMove(ArenaError):
    """Raised when moves do not fit their game: wrong shape, wrong range."""


class NotLawful(ArenaError):
    """Raised when exact work needs a known two-move law and there is none; sample the match instead."""


class TooLarge(ArenaError):
    """Raised when an enumeration would hold too many histories; ask for fewer rounds or repetitions."""


class PlayerFault(ArenaError):
    """Raised when a remote player breaks the rules; its match has no score.

    Args:
        kind: what the player did.
        detail: more about it; partly written by hostile code, therefore cut and stripped of control
        characters.
    """

    def __init__(self, kind: FaultKind, detail: str) -> None:
        self.kind: FaultKind = kind
        self.detail = _printable(detail)
        super().__init__(f"player fault ({kind.replace('_', ' ')}): {self.detail}")


def _printable(text: str) -> str:
    """The text cut to `DETAIL_CHARACTERS`, without terminal escapes or other control characters."""
    cut = text[:DETAIL_CHARACTERS]
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in cut)
