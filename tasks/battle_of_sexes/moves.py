"""What may be tried in the Battle of the Sexes."""

from engine.messages import Value
from engine.task import Moves
from tasks.two_move_games import TwoMoveMoves

# Mostly what the other played last, a little of what was played oneself: 0.1 + 0.7 other + 0.1 own.
_START: dict[str, Value] = {"first": "0", "p_00": 0.1, "p_01": 0.8, "p_10": 0.2, "p_11": 0.9}

SPACES: dict[str, Moves] = {
    "default": TwoMoveMoves(start=_START, payoffs={(0, 0): 2, (0, 1): 0, (1, 0): 0, (1, 1): 1})
}
