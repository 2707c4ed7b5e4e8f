"""How long a study still takes: analytic cases, and how often the range holds in simulated studies."""

import heapq
from collections import Counter

import numpy as np
import pytest

from mlyceum.time_left import Cell, Ended, time_left
from mlyceum.time_left_replay import looks

CELL: Cell = ("task", "arm")


def test_nothing_is_said_before_three_episodes_have_ended() -> None:
    ended = [Ended(CELL, 10.0, at) for at in (10.0, 20.0)]

    assert time_left(ended, waiting={CELL: 5}, running=[], began=0.0, now=20.0) is None


def test_nothing_is_left_of_a_complete_study() -> None:
    ended = [Ended(CELL, 10.0, at) for at in (10.0, 20.0, 30.0)]

    assert time_left(ended, waiting={}, running=[], began=0.0, now=30.0) is None


def test_equal_episodes_one_after_the_other_take_their_number_times_their_time() -> None:
    ended = [Ended(CELL, 10.0, at) for at in (10.0, 20.0, 30.0)]

    left = time_left(ended, waiting={CELL: 5}, running=[(CELL, 0.0)], began=0.0, now=30.0)

    assert left is not None
    assert left.concurrency == pytest.approx(1.0)
    assert left.seconds == pytest.approx(60.0, rel=0.1)
    assert left.low < 60.0 < left.high


def test_a_task_of_longer_episodes_counts_for_what_it_takes() -> None:
    long: Cell = ("long", "arm")
    ended = [Ended(CELL, 1.0, 1.0), Ended(CELL, 1.0, 2.0), Ended(long, 100.0, 102.0)]

    left = time_left(ended, waiting={long: 2, CELL: 1}, running=[], began=0.0, now=102.0)

    assert left is not None
    assert left.seconds == pytest.approx(201.0, rel=0.1)


def test_episodes_of_an_earlier_run_say_how_long_but_not_how_many_at_once() -> None:
    earlier = [Ended(CELL, 10.0, float(at)) for at in range(-100, 0, 10)]
    own = [Ended(CELL, 10.0, 10.0), Ended(CELL, 10.0, 10.0), Ended(CELL, 10.0, 10.0)]

    left = time_left([*earlier, *own], waiting={CELL: 6}, running=[], began=0.0, now=10.0)

    assert left is not None
    assert left.concurrency == pytest.approx(3.0)


@pytest.mark.parametrize(("spread", "share"), [(0.1, 0.95), (0.5, 0.9), (1.0, 0.7)])
def test_the_range_holds_as_often_in_simulated_studies_as_the_docs_say(spread: float, share: float) -> None:
    """List scheduling of log-normal durations, looked at after 10 %, 50 % and 90 % of the episodes.

    With a spread of 1 the longest of 80 episodes takes some ten times the usual one: a few cannot foretell that.
    """
    generator = np.random.default_rng(7)
    held = [
        is_within
        for _ in range(60)
        for is_within in simulated_looks(generator, episodes=80, places=6, spread=spread)
    ]

    assert np.mean(held) >= share


def simulated_looks(
    generator: np.random.Generator, *, episodes: int, places: int, spread: float
) -> list[bool]:
    cells: list[Cell] = [("task", f"arm {number % 4}") for number in range(episodes)]
    means = {cell: float(generator.uniform(5, 20)) for cell in dict.fromkeys(cells)}
    spans: list[tuple[float, float, Cell]] = []
    free = [0.0] * places
    for cell in cells:
        begin = heapq.heappop(free)
        end = begin + means[cell] * float(generator.lognormal(-(spread**2) / 2, spread))
        heapq.heappush(free, end)
        spans.append((begin, end, cell))
    ends = sorted(end for _, end, _ in spans)
    looks = []
    for share in (0.1, 0.5, 0.9):
        now = ends[int(share * episodes) - 1]
        left = time_left(
            [Ended(cell, end - begin, end) for begin, end, cell in spans if end <= now],
            waiting=Counter(cell for begin, _, cell in spans if begin > now),
            running=[(cell, now - begin) for begin, end, cell in spans if begin <= now < end],
            began=0.0,
            now=now,
        )
        assert left is not None
        looks.append(left.low <= ends[-1] - now <= left.high)
    return looks


def test_a_finished_study_of_equal_episodes_was_foretold_at_every_look() -> None:
    ended = [Ended(CELL, 10.0, 10.0 * number) for number in range(1, 21)]

    found = looks(ended, began=0.0)

    assert len(found) == 17
    assert all(look.held for look in found)
