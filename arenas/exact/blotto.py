"""Expected payoff of Blotto allocations against an opponent that ignores the past.

An exact sum is out of reach (121^6 draws), so one large sample of the opponent is drawn and every allocation
meets the same one: the standard error stays below 0.001, and differences between allocations are smaller
still.

Memory: ``draws * fields`` bytes a sample (12.6 MB for the default 2,097,152 draws of 6 fields), at most
`_SAMPLES_KEPT` samples a process, and as much again for a moment while many-allocation players are valued.
"""

from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from arenas.arrays import FloatArray, MoveArray
from arenas.errors import ArenaError
from arenas.games import NOT_CONTESTED, BlottoGame
from arenas.players.blotto import BlottoPlayer

DRAWS = 1 << 21
"""Draws of the opponent in a sample: standard error 0.0007 or less for any one allocation."""

_SAMPLES_KEPT = 8  # an opponent and its held-out pool of five
_VALUES_KEPT = 100_000
_CHUNK = 1 << 16  # draws a pass: its temporaries stay in the second-level cache
_MOST_DISTINCT = 64  # allocations that each meet the whole sample; more are spread over it
_BLOCKS = 2048

_Outcomes = npt.NDArray[np.int8]


class BlottoValue(msgspec.Struct, frozen=True, kw_only=True):
    """Expected payoff of a player's allocations, with where its error comes from."""

    mean: float
    allocation_error: float
    """Standard error from the player's draws; 0 where it always plays the same allocation."""
    opponent_error: float
    """Standard error from the finite sample of the opponent."""
    distinct: int
    """Number of different allocations, order of the fields aside."""

    @property
    def standard_error(self) -> float:
        """Both parts together; they are independent."""
        return float(np.hypot(self.allocation_error, self.opponent_error))


class OpponentSample:
    """Independent draws of an opponent whose law does not change when fields are exchanged.

    Args:
        draws: allocations ``(draws, fields)``.
    """

    def __init__(self, draws: MoveArray) -> None:
        self._by_field: MoveArray = np.ascontiguousarray(draws.T)
        self._known: OrderedDict[tuple[int, ...], tuple[float, float]] = OrderedDict()

    @property
    def draws(self) -> int:
        """Number of draws."""
        return int(self._by_field.shape[1])

    @property
    def fields(self) -> int:
        """Number of fields."""
        return int(self._by_field.shape[0])

    def value(self, allocation: tuple[int, ...]) -> tuple[float, float]:
        """Mean payoff and its standard error; the same for every order of the fields, and remembered."""
        key = tuple(sorted(allocation))
        if key not in self._known:
            if len(self._known) >= _VALUES_KEPT:
                self._known.popitem(last=False)
            won = lost = 0
            for outcomes in self.outcomes(key):
                won += int(np.count_nonzero(outcomes > 0))
                lost += int(np.count_nonzero(outcomes < 0))
            mean = (won - lost) / self.draws
            variance = (won + lost) / self.draws - mean**2
            self._known[key] = mean, float((max(variance, 0.0) / self.draws) ** 0.5)
        return self._known[key]

    def outcomes(self, allocation: tuple[int, ...]) -> Iterator[_Outcomes]:
        """Payoffs in {-1, 0, +1} against each draw in turn, in chunks ``(up to 65,536,)``."""
        for start in range(0, self.draws, _CHUNK):
            yield np.sign(_fields_ahead(allocation, self._by_field[:, start : start + _CHUNK]))

    def block(self, index: int, blocks: int) -> MoveArray:
        """One of so many disjoint parts of the draws, as ``(draws of the part, fields)``."""
        start, stop = self.draws * index // blocks, self.draws * (index + 1) // blocks
        part: MoveArray = self._by_field[:, start:stop]
        return part.T


@lru_cache(maxsize=_SAMPLES_KEPT)
def opponent_sample(opponent: BlottoPlayer, seed: int, draws: int = DRAWS) -> OpponentSample:
    """The common sample of an opponent, drawn once a process for each opponent, seed and size."""
    generator = np.random.default_rng(seed)
    parts = [opponent.draw(min(1 << 18, draws - start), generator) for start in range(0, draws, 1 << 18)]
    return OpponentSample(np.concatenate(parts))


def allocations_value(game: BlottoGame, moves: MoveArray, sample: OpponentSample) -> BlottoValue:
    """Expected payoff a round of a player, from allocations it chose in independent games.

    Up to 64 different allocations each meet the whole sample. More are cut, with the sample, into up to 2,048 blocks,
    and each allocation meets the draws of its own block: the mean stays unbiased, its error is that of the
    allocations plus that of the sample (both estimated within blocks; their interaction enters twice, which
    errs on the safe side and is below 1 % of the whole here).

    A player that reacts to what it has seen is valued by allocations from a match against the same opponent, drawn
    with another seed than the sample.

    Args:
        game: checks the allocations.
        moves: ``(rounds, games, fields)``; rounds of one game may depend on each other, games may not.
        sample: of an opponent that ignores the past.

    Raises:
        IllegalMove: with an allocation the game does not allow.
        ArenaError: with fewer than two games, or a sample of other fields.
    """
    rounds, games, fields = moves.shape
    if games < 2 or fields != sample.fields:
        raise ArenaError(f"{games} games of {fields} fields against {sample.fields}; give 2 games or more")
    game.check_row(moves.reshape(-1, fields), games=rounds * games)
    ordered = np.sort(moves.transpose(1, 0, 2).reshape(-1, fields), axis=1)
    keys = np.ascontiguousarray(ordered).view(f"V{fields}").ravel()
    first, which = np.unique(keys, return_index=True, return_inverse=True)[1:]
    if len(first) <= _MOST_DISTINCT:
        return _few_allocations(ordered[first], which.reshape(games, rounds), sample)
    shuffled = moves.transpose(1, 0, 2)
    return _many_allocations(shuffled, sample, distinct=len(first))


def _few_allocations(distinct: MoveArray, which: npt.NDArray[np.intp], sample: OpponentSample) -> BlottoValue:
    """Every allocation against every draw; ``which`` says the allocation of each game and round."""
    allocations = [tuple(int(x) for x in row) for row in distinct]
    values = np.array([sample.value(allocation) for allocation in allocations])
    per_game = values[which, 0].mean(axis=1)
    allocation_error = float(per_game.std(ddof=1) / len(per_game) ** 0.5)
    if len(allocations) == 1:
        return BlottoValue(
            mean=float(values[0, 0]), allocation_error=0.0, opponent_error=float(values[0, 1]), distinct=1
        )
    share = np.bincount(which.ravel(), minlength=len(allocations)) / which.size
    squares = mean = 0.0
    for chunks in zip(*(sample.outcomes(allocation) for allocation in allocations), strict=True):
        against = sum((s * chunk for s, chunk in zip(share, chunks, strict=True)), np.zeros(len(chunks[0])))
        mean += float(against.sum()) / sample.draws
        squares += float(against @ against) / sample.draws
    opponent_error = (max(squares - mean**2, 0.0) / sample.draws) ** 0.5
    return BlottoValue(
        mean=float(per_game.mean()),
        allocation_error=allocation_error,
        opponent_error=opponent_error,
        distinct=len(allocations),
    )


def _many_allocations(moves: MoveArray, sample: OpponentSample, *, distinct: int) -> BlottoValue:
    """Blocks of games ``(games, rounds, fields)`` against blocks of draws."""
    games, rounds, fields = moves.shape
    blocks = max(1, min(_BLOCKS, games // 4))
    edges = [games * index // blocks for index in range(blocks + 1)]
    total = 0.0
    between_games: list[FloatArray] = []
    between_draws = 0.0
    for index in range(blocks):
        own = moves[edges[index] : edges[index + 1]]
        draws = sample.block(index, blocks)
        by_game, by_draw = _cross(own.reshape(-1, fields), draws)
        per_game = by_game.reshape(-1, rounds).mean(axis=1)
        total += float(per_game.sum())
        between_games.append(per_game - per_game.mean())
        between_draws += float(by_draw.var(ddof=1)) * len(by_draw)
    spread = np.concatenate(between_games)
    game_variance = float(spread @ spread) / (games - blocks)
    return BlottoValue(
        mean=total / games,
        allocation_error=(game_variance / games) ** 0.5,
        opponent_error=(between_draws / sample.draws) ** 0.5 / sample.draws**0.5,
        distinct=distinct,
    )


def _cross(own: MoveArray, draws: MoveArray) -> tuple[FloatArray, FloatArray]:
    """Mean payoffs of each allocation over the draws, and of each draw over the allocations."""
    ahead = np.zeros((len(own), len(draws)), np.int8)
    for mine, theirs in zip(own.T[:, :, None], draws.T[:, None, :], strict=True):
        ahead += (theirs < mine).view(np.int8)
        ahead -= ((theirs > mine) & (mine != NOT_CONTESTED)).view(np.int8)
    outcomes = np.sign(ahead)
    return outcomes.mean(axis=1, dtype=np.float64), outcomes.mean(axis=0, dtype=np.float64)


def _fields_ahead(allocation: tuple[int, ...], by_field: MoveArray) -> _Outcomes:
    """Fields won less fields lost against each draw; ``by_field`` is ``(fields, draws)``."""
    ahead = np.zeros(by_field.shape[1], np.int8)
    for soldiers, theirs in zip(allocation, by_field, strict=True):
        if soldiers != NOT_CONTESTED:
            ahead += (theirs < soldiers).view(np.int8)
            ahead -= (theirs > soldiers).view(np.int8)
    return ahead
