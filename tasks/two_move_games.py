"""The declared moves of repeated games with two moves, and the code that each stands for.

Three rules: a *table* (the chance of playing 1 after each pair of moves, some rounds back), a *majority* (of the
other's recent moves against a threshold) and a *bandit* (the move that has earned more in this game). Around them:
an opening, a fixed end, and noise. Two corners break: a look back without a guard fails in the first rounds, and a
bandit that resamples thousands of times is too slow.
"""

from collections.abc import Mapping
from typing import Final

from engine.messages import Point, Value
from engine.task import MoveSpace, Parameter
from tasks.move_space import check_point, defaults

PAIRS: Final = ("00", "01", "10", "11")
"""(own, other's) moves of a round."""
SLOW_RESAMPLES: Final = 3000


def _after(pair: str) -> tuple[Parameter, Parameter]:
    table: dict[str, tuple[Value, ...]] = {"rule": ("table",)}
    return (
        Parameter(
            name=f"after_{pair}",
            choices=("mix", "0", "1", "own", "theirs"),
            only_if=table,
            note=f"what to play after own {pair[0]}, theirs {pair[1]}",
        ),
        Parameter(
            name=f"p_{pair}",
            low=0.0,
            high=1.0,
            only_if={**table, f"after_{pair}": ("mix",)},
            note="chance of 1",
        ),
    )


SPACE: Final = MoveSpace(
    parameters=(
        Parameter(name="first", choices=("mix", "0", "1"), note="the opening move"),
        Parameter(
            name="p_first", low=0.0, high=1.0, only_if={"first": ("mix",)}, note="chance of opening with 1"
        ),
        Parameter(name="rule", choices=("table", "majority", "bandit")),
        *(parameter for pair in PAIRS for parameter in _after(pair)),
        Parameter(
            name="lag", low=1, high=4, integer=True, only_if={"rule": ("table",)}, note="rounds looked back"
        ),
        Parameter(name="window", low=1, high=9, integer=True, only_if={"rule": ("majority",)}),
        Parameter(
            name="threshold", low=0.0, high=1.0, only_if={"rule": ("majority",)}, note="share of their 1s"
        ),
        Parameter(name="if_above", choices=("0", "1"), only_if={"rule": ("majority",)}),
        Parameter(
            name="credit",
            low=1,
            high=4,
            integer=True,
            only_if={"rule": ("bandit",)},
            note="rounds that a move is credited with, its own first",
        ),
        Parameter(
            name="resamples",
            choices=(0, 8, SLOW_RESAMPLES),
            ordered=True,
            only_if={"rule": ("bandit",)},
            note="bootstrap samples of what each move earned; 0: their means",
        ),
        Parameter(
            name="guard",
            choices=("fallback", "none"),
            only_if={"rule": ("table", "bandit")},
            note="what to do where there is nothing to look back at",
        ),
        Parameter(name="endgame", low=0, high=4, integer=True, note="last rounds with a fixed move"),
        Parameter(name="end_move", choices=("0", "1"), only_if={"endgame": (1, 2, 3, 4)}),
        Parameter(name="noise", choices=("none", "early", "always"), note="rounds with a random move"),
        Parameter(name="noise_rate", low=0.0, high=0.5, only_if={"noise": ("early", "always")}),
    )
)

_HEAD = '''"""The row player of a game of ten rounds: `row_strategy` is called once a round and returns 0 or 1."""

import random

ROUNDS = 10
'''

_SIGNATURE = '''

def row_strategy(history):
    """history: the (own, other's) moves of every round so far, oldest first."""
'''


class TwoMoveMoves:
    """The moves of one such game; an `engine.task.Moves`.

    Args:
        start: what the starter stands for; axes not given take their first value.
        payoffs: of the row player, by (own, other's) move.
    """

    def __init__(self, *, start: Mapping[str, Value], payoffs: Mapping[tuple[int, int], int]) -> None:
        self._start = defaults(SPACE, start)
        self._payoffs = dict(payoffs)

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        return SPACE

    def start(self) -> Point:
        """The starter's point."""
        return dict(self._start)

    def write(self, point: Point) -> dict[str, bytes]:
        """``strategy.py`` for a point.

        Raises:
            BadSpecification: when the point is not in the space.
        """
        check_point(SPACE, point)
        head = _HEAD + (f"PAYOFF = {self._payoffs}\n" if point["rule"] == "bandit" else "")
        body = [*_opening(point), *_ending(point), *_noise(point), *_RULES[str(point["rule"])](point)]
        return {"strategy.py": (head + _SIGNATURE + "".join(f"    {line}\n" for line in body)).encode()}

    def repair(self, point: Point, problem: str) -> Point | None:
        """Guards a look back that failed, and resamples less where moves are too slow."""
        if "IndexError" in problem or "ZeroDivisionError" in problem:
            return {**point, "guard": "fallback"} if point.get("guard") == "none" else None
        if ("too slow" in problem or "CPU time" in problem) and point.get("resamples") == SLOW_RESAMPLES:
            return {**point, "resamples": 8}
        return None


def _number(value: Value) -> float:
    return round(float(value), 4)


def _opening(point: Point) -> list[str]:
    if point["first"] != "mix":
        return ["if not history:", f"    return {point['first']}"]
    return ["if not history:", f"    return int(random.random() < {_number(point['p_first'])})"]


def _ending(point: Point) -> list[str]:
    if not point["endgame"]:
        return []
    return [f"if len(history) >= ROUNDS - {point['endgame']}:", f"    return {point['end_move']}"]


def _noise(point: Point) -> list[str]:
    if point["noise"] == "none":
        return []
    early = "len(history) < 4 and " if point["noise"] == "early" else ""
    return [
        f"if {early}random.random() < {_number(point['noise_rate'])}:",
        "    return random.randrange(2)",
    ]


def _chance(point: Point, pair: str) -> float:
    choice = point[f"after_{pair}"]
    fixed = {"0": 0.0, "1": 1.0, "own": float(pair[0]), "theirs": float(pair[1])}
    return fixed[str(choice)] if choice != "mix" else _number(point[f"p_{pair}"])


def _table(point: Point) -> list[str]:
    chances = ", ".join(f"({pair[0]}, {pair[1]}): {_chance(point, pair)}" for pair in PAIRS)
    lag = point["lag"]
    back = f"history[-{lag}]"
    if lag != 1 and point["guard"] == "fallback":
        back = f"{back} if len(history) >= {lag} else history[-1]"
    return [
        f"chance_of_1 = {{{chances}}}",
        f"own, other = {back}",
        "return int(random.random() < chance_of_1[own, other])",
    ]


def _majority(point: Point) -> list[str]:
    above = str(point["if_above"])
    return [
        f"recent = [other for _, other in history[-{point['window']}:]]",
        "share_of_1 = sum(recent) / len(recent)",
        f"return {above} if share_of_1 > {_number(point['threshold'])} else {1 - int(above)}",
    ]


def _bandit(point: Point) -> list[str]:
    lines = [
        "earned = {0: [], 1: []}",
        "for at, (own, _) in enumerate(history):",
        f"    following = history[at : at + {point['credit']}]",
        "    earned[own].append(sum(PAYOFF[pair] for pair in following) / len(following))",
    ]
    if point["guard"] == "fallback":
        lines += ["for move in (0, 1):", "    if not earned[move]:", "        return move"]
    if not point["resamples"]:
        return [*lines, "return int(sum(earned[1]) / len(earned[1]) > sum(earned[0]) / len(earned[0]))"]
    return [
        *lines,
        "votes = 0",
        f"for _ in range({point['resamples']}):",
        "    one = sum(random.choice(earned[1]) for _ in earned[1]) / len(earned[1])",
        "    zero = sum(random.choice(earned[0]) for _ in earned[0]) / len(earned[0])",
        "    votes += one > zero",
        f"return int(2 * votes > {point['resamples']})",
    ]


_RULES = {"table": _table, "majority": _majority, "bandit": _bandit}
