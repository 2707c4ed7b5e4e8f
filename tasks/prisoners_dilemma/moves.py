"""What may be tried in the iterated Prisoner's Dilemma."""

from engine.messages import Value
from engine.task import Moves
from tasks.two_move_games import TwoMoveMoves

# After a defection 0.75 + 0.15 own, after a cooperation 0.1 + 0.3 own.
_START: dict[str, Value] = {
    "first": "mix",
    "p_first": 0.5,
    "p_00": 0.1,
    "p_01": 0.75,
    "p_10": 0.4,
    "p_11": 0.9,
}

SPACES: dict[str, Moves] = {
    "default": TwoMoveMoves(start=_START, payoffs={(0, 0): 3, (0, 1): 0, (1, 0): 5, (1, 1): 1})
}
