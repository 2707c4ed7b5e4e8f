"""How long a study still takes: an estimate from the episodes that have ended, with a range.

What is left is played through some hundred times: episodes that wait begin when a place is free, each takes the mean of
its task and arm times a draw from how far episodes lay from theirs. Those under way count as what they are, longer than
so far (Kaplan and Meier 1958): else the quick ones, which end first, would promise too much. The uncertainty of each
mean, and how far durations wandered in the course of the run, go into each play. The estimate is the median, the range
holds 95 % of the plays; `docs/how-to/watch.md` says how often it held.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Cell: TypeAlias = tuple[str, str]
"""Task and arm."""
FloatArray: TypeAlias = npt.NDArray[np.float64]
FEWEST = 3
"""Ended episodes before anything is said."""
PLAYS = 200
PLAYED_AT_MOST = 300
"""Waiting episodes that are played one by one, the last ones; those before them only fill the places."""
WINDOW = 5
"""Episodes, at least, over which a wandering of durations is looked for."""
DRIFT_AT_LEAST = 0.1
"""Relative: runs on a machine that others used wandered by that and more (`docs/how-to/watch.md`)."""
SPREAD_OF_ONE = 0.5
"""Relative spread that is assumed of durations where no task and arm has two."""


class Ended(NamedTuple):
    """An episode that has ended."""

    cell: Cell
    seconds: float
    """It took, waiting included."""
    at: float
    """It ended, seconds since 1970."""


class TimeLeft(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its range, in seconds."""

    seconds: float
    low: float
    high: float
    concurrency: float
    """Episode-seconds of work that this run does in a second."""


def time_left(
    ended: Sequence[Ended],
    *,
    waiting: Mapping[Cell, int],
    running: Sequence[tuple[Cell, float]],
    began: float,
    now: float,
) -> TimeLeft | None:
    """The estimate; None while fewer than `FEWEST` episodes have ended in this run, or nothing is left.

    Args:
        ended: every episode that has ended, of earlier runs too.
        waiting: episodes that have not begun, by cell.
        running: those that have, with the seconds that they have taken so far.
        began: when this run began, seconds since 1970.
        now: the time, likewise.
    """
    own = [each for each in ended if each.at > began]
    number = sum(waiting.values())
    if len(own) < FEWEST or not number + len(running) or now <= began:
        return None
    work = sum(min(each.seconds, each.at - began) for each in own)
    work += sum(min(seconds, now - began) for _, seconds in running)
    concurrency = work / (now - began)
    places = max(len(running), round(concurrency) if number else 1, 1)
    pace = min(1.0, concurrency / places) if number else 1.0
    durations = _Durations(ended, running, own)
    free = _rests(durations, running, places)
    played = _spread_out(waiting, max(number - PLAYED_AT_MOST, 0))
    for cell, count in played.before.items():
        free += (count * durations.mean_ratio * durations.means(cell) / places)[:, None]
    rows = np.arange(PLAYS)
    for cell in played.one_by_one:
        first = free.argmin(axis=1)
        free[rows, first] += durations.means(cell) * durations.draw()
    # Towards the end places stay empty. Either the last episodes take as long as ever, or they share a machine and
    # go the faster the fewer they are; the range covers both, and the estimate is half way.
    apart = free.max(axis=1) / pace * durations.wandering
    shared = free.sum(axis=1) / concurrency * durations.wandering
    return TimeLeft(
        seconds=float(np.median((apart + shared) / 2)),
        low=float(min(np.quantile(apart, 0.025), np.quantile(shared, 0.025))),
        high=float(max(np.quantile(apart, 0.975), np.quantile(shared, 0.975))),
        concurrency=concurrency,
    )


class _Durations:
    """How long episodes take: the mean of each cell, and one distribution of the ratio to it."""

    def __init__(
        self, ended: Sequence[Ended], running: Sequence[tuple[Cell, float]], own: Sequence[Ended]
    ) -> None:
        # The same figures for the same record, always.
        self._generator = np.random.default_rng(len(ended))
        self._seconds: dict[Cell | str, list[float]] = {}
        for each in ended:
            for key in (each.cell, each.cell[0], ""):
                self._seconds.setdefault(key, []).append(each.seconds)
        self._drawn: dict[Cell | str, FloatArray] = {}
        self.relative = self._relative()
        ratios = self._ratios()
        so_far = [seconds / self.mean(cell) for cell, seconds in running]
        self._values, self._weights = _kaplan_meier(ratios, so_far)
        self.mean_ratio = float(self._values @ self._weights)
        in_order = sorted(own, key=lambda each: each.at)
        drift = _drift([each.seconds / self.mean(each.cell) for each in in_order], self.relative)
        self.wandering: FloatArray = np.exp(self._generator.normal(0.0, drift, PLAYS))

    def _key(self, cell: Cell) -> Cell | str:
        """The cell, else its task, else all."""
        return next(key for key in (cell, cell[0], "") if key in self._seconds)

    def mean(self, cell: Cell) -> float:
        """Of the episodes of a cell that have ended."""
        values = self._seconds[self._key(cell)]
        return max(math.fsum(values) / len(values), 1e-9)

    def means(self, cell: Cell) -> FloatArray:
        """The cell's mean in each play, shape ``(PLAYS,)``: as uncertain as it is."""
        key = self._key(cell)
        if key not in self._drawn:
            error = self.relative / math.sqrt(len(self._seconds[key]))
            self._drawn[key] = self.mean(cell) * np.exp(self._generator.normal(0.0, error, PLAYS))
        return self._drawn[key]

    def draw(self) -> FloatArray:
        """A ratio for each play."""
        return self._generator.choice(self._values, size=PLAYS, p=self._weights)

    def draw_above(self, least: float) -> FloatArray:
        """A ratio for each play, of those above one."""
        above = self._values > least
        if not above.any():  # longer than any before it: nobody knows; as much again as half of what it took
            return least * (1 + self._generator.exponential(0.5, PLAYS))
        weights = self._weights[above]
        return self._generator.choice(self._values[above], size=PLAYS, p=weights / weights.sum())

    def _ratios(self) -> list[float]:
        """How far durations lay from the mean of their cell, as if that were known apart from them."""
        found: list[float] = []
        for key, values in self._seconds.items():
            if isinstance(key, tuple) and len(values) > 1:
                mean, stretch = self.mean(key), math.sqrt(len(values) / (len(values) - 1))
                found.extend(max(0.0, 1 + stretch * (value / mean - 1)) for value in values)
        return found or [1 - SPREAD_OF_ONE, 1.0, 1 + SPREAD_OF_ONE]

    def _relative(self) -> float:
        squares = degrees = 0.0
        for key, values in self._seconds.items():
            if isinstance(key, tuple) and len(values) > 1:
                mean = max(math.fsum(values) / len(values), 1e-9)
                squares += math.fsum((value / mean - 1) ** 2 for value in values)
                degrees += len(values) - 1
        return math.sqrt(squares / degrees) if degrees else SPREAD_OF_ONE


def _kaplan_meier(ended: Sequence[float], under_way: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Ratios with their probabilities, where those under way are known to be longer than so far."""
    marked = sorted([(max(ratio, 0.0), 0) for ratio in ended] + [(ratio, 1) for ratio in under_way])
    values: list[float] = []
    weights: list[float] = []
    surviving = 1.0
    for place, (ratio, is_under_way) in enumerate(marked):
        if not is_under_way:
            share = surviving / (len(marked) - place)
            values.append(ratio)
            weights.append(share)
            surviving -= share
    if surviving > 1e-9:  # the longest is under way: half as long again as it is
        values.append(1.5 * marked[-1][0])
        weights.append(surviving)
    probabilities = np.asarray(weights)
    return np.asarray(values), probabilities / probabilities.sum()


def _drift(ratios: Sequence[float], relative: float) -> float:
    """How far durations wandered, relative; ``ratios`` in the order in which episodes ended."""
    size = max(WINDOW, len(ratios) // 8)
    means = [float(np.mean(ratios[at : at + size])) for at in range(0, len(ratios) - size + 1, size)]
    found = float(np.var(means, ddof=1)) - relative**2 / size if len(means) > 1 else 0.0
    return max(DRIFT_AT_LEAST, math.sqrt(max(found, 0.0)))


def _rests(durations: _Durations, running: Sequence[tuple[Cell, float]], places: int) -> FloatArray:
    """When each place becomes free, in each play: shape ``(PLAYS, places)``."""
    free = np.zeros((PLAYS, places))
    for place, (cell, seconds) in enumerate(running):
        ratio = durations.draw_above(seconds / durations.mean(cell))
        free[:, place] = np.maximum(ratio * durations.mean(cell) - seconds, 0.0)
    return free


class _Played(NamedTuple):
    before: dict[Cell, int]
    one_by_one: list[Cell]


def _spread_out(waiting: Mapping[Cell, int], before: int) -> _Played:
    """Which episodes are played one by one, cells in turn, when so many before them are not."""
    left = dict(waiting)
    total = sum(left.values())
    skipped = {cell: count * before // total for cell, count in left.items()} if total else {}
    order: list[tuple[float, Cell]] = []
    for cell, count in left.items():
        rest = count - skipped.get(cell, 0)
        order.extend(((number + 0.5) / rest, cell) for number in range(rest))
    return _Played(before=skipped, one_by_one=[cell for _, cell in sorted(order)])
