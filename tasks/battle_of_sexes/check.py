"""Self-check of a player: does `row_strategy` keep the rules of the game? It says nothing of how well it plays.

Run it in the folder of `strategy.py`. Exit status 0: it does; else the last line says what is wrong.
"""

import importlib
import random
import sys
from collections.abc import Callable

ROUNDS = 10
GAMES = 40
CALLS_A_MOVE = 2_000  # counted, not timed, so that the verdict is the same on every machine

Strategy = Callable[[list[tuple[int, int]]], object]


class TooSlow(Exception):
    """A move made more calls than a whole evaluation could afford."""


def main() -> str:
    """What is wrong; empty when nothing is."""
    sys.path.insert(0, ".")
    random.seed(1)  # so that what the code under test draws repeats, and the record with it
    try:
        row_strategy: Strategy = importlib.import_module("strategy").row_strategy
    except BaseException as error:  # noqa: BLE001 - the code under test may raise anything, SystemExit too
        return f"strategy.py cannot be imported: {type(error).__name__}: {error}"
    draws = random.Random(1)  # noqa: S311 - no secret hangs on it
    for game in range(GAMES):
        history: list[tuple[int, int]] = []
        for number in range(1, ROUNDS + 1):
            calls = 0

            def count(_frame: object, event: str, _argument: object) -> None:
                nonlocal calls
                calls += event in ("call", "c_call")
                if calls > CALLS_A_MOVE:
                    sys.setprofile(None)
                    raise TooSlow

            sys.setprofile(count)
            try:
                move = row_strategy(list(history))
            except TooSlow:
                return f"too slow: more than {CALLS_A_MOVE} calls for one move, in round {number}"
            except BaseException as error:  # noqa: BLE001 - as above
                return f"{type(error).__name__} in round {number} of game {game + 1}: {error}"
            finally:
                sys.setprofile(None)
            if type(move) is not int or move not in (0, 1):
                return f"the move in round {number} is {move!r}, not the int 0 or 1"
            history.append((move, draws.randrange(2)))
    return ""


if __name__ == "__main__":
    problem = main()
    print(problem or "keeps the rules")  # noqa: T201 - its answer
    sys.exit(1 if problem else 0)
