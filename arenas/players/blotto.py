"""Players of Colonel Blotto: the published opponent, a held-out pool, the row baseline.

None looks at the past, and all but the baseline treat the fields alike (their law is exchangeable), which
`arenas.exact.blotto` relies on.
"""

from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from arenas.arrays import MoveArray
from arenas.games import COLONEL_BLOTTO, BlottoGame
from arenas.players.interface import History

Soldiers = npt.NDArray[np.int32]


class BlottoPlayer(Protocol):
    """A Blotto player that ignores the past."""

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        ...

    def sample(self, history: History, generator: np.random.Generator) -> MoveArray:
        """Allocations ``(games, fields)`` of the next round."""
        ...


class _Forgetful(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the players here: one draw a game, whatever was played before."""

    game: BlottoGame = COLONEL_BLOTTO

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        raise NotImplementedError

    def sample(self, history: History, generator: np.random.Generator) -> MoveArray:
        """Allocations ``(games, fields)``; the history only says how many."""
        return self.draw(history.games, generator)


class ScaledUniform(_Forgetful, frozen=True, kw_only=True):
    """The published opponent: uniform integers scaled down to the budget, the rest on one random field."""

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        raw = generator.integers(
            0, self.game.budget, size=(count, self.game.fields), endpoint=True, dtype=np.int32
        )
        return scale_to_budget(raw, self.game.budget, generator)


class DirichletLike(_Forgetful, frozen=True, kw_only=True):
    """Gamma weights scaled to the budget: evener than uniform above concentration 1, more lopsided below."""

    concentration: float = 1.0

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        weights = generator.gamma(self.concentration, size=(count, self.game.fields))
        # Fixed-point weights keep the scaling in integers: 2^14 steps of the largest field, below 2^31 / 127.
        raw = np.ceil(weights * (1 << 14) / weights.max(axis=1, keepdims=True)).astype(np.int32)
        return scale_to_budget(raw, self.game.budget, generator)


class Concentrated(_Forgetful, frozen=True, kw_only=True):
    """Spreads the budget evenly over a few random fields and leaves the others empty."""

    held: tuple[int, ...] = (3, 4, 5)
    """Numbers of fields held; one is drawn a game."""

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        held = generator.choice(np.array(self.held), size=count)
        raw = (np.arange(self.game.fields) < held[:, None]).astype(np.int32)
        return scale_to_budget(generator.permuted(raw, axis=1), self.game.budget, generator)


class JitteredEqual(_Forgetful, frozen=True, kw_only=True):
    """An equal split with an integer jitter on every field."""

    jitter: int = 6
    """Largest change of a field before scaling."""

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        jitter = generator.integers(-self.jitter, self.jitter, size=(count, self.game.fields), endpoint=True)
        raw = np.maximum(self.game.budget // self.game.fields + jitter, 0).astype(np.int32)
        return scale_to_budget(raw, self.game.budget, generator)


class ShuffledTemplates(_Forgetful, frozen=True, kw_only=True):
    """One of a few allocations, its fields in random order."""

    templates: tuple[tuple[int, ...], ...]

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        chosen = np.array(self.templates, np.int8)[generator.integers(len(self.templates), size=count)]
        return generator.permuted(chosen, axis=1)


class BlottoBaseline(_Forgetful, frozen=True, kw_only=True):
    """The published row baseline, from its description.

    One to six times, 10 to 30 soldiers on a random field; while soldiers remain, each field still empty gets,
    in order, a uniform share of what remains; then scaling to the budget as the opponent does.
    """

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        fields, budget = self.game.fields, self.game.budget
        raw = np.zeros((count, fields), np.int32)
        drops = generator.integers(1, fields, size=count, endpoint=True)
        games = np.arange(count)
        for drop in range(fields):
            soldiers = generator.integers(10, 30, size=count, endpoint=True)
            raw[games, generator.integers(fields, size=count)] += np.where(drop < drops, soldiers, 0)
        remaining: Soldiers = np.maximum(budget - raw.sum(axis=1), 0)
        for field in range(fields):
            share: Soldiers = generator.integers(0, remaining, endpoint=True, dtype=np.int32)
            share[raw[:, field] > 0] = 0
            raw[:, field] += share
            remaining -= share
        return scale_to_budget(raw, budget, generator)


def scale_to_budget(raw: Soldiers, budget: int, generator: np.random.Generator) -> MoveArray:
    """Scale non-negative integers to a total of exactly the budget.

    Each entry becomes ``floor(x * budget / total)``; what rounding leaves over goes to one random field.
    (Floor of the exact quotient and of the floating one agree: a quotient that is no integer is 1/total or
    more away from one.)

    Args:
        raw: ``(count, fields)``; rows of zeros are scaled by nothing, so that the whole budget is left over.
        budget: 0 to 127.
        generator: one draw a row.

    Returns:
        Allocations ``(count, fields)``, non-negative, each of sum ``budget``.
    """
    total = np.maximum(raw.sum(axis=1, dtype=np.int32), 1)
    scaled: MoveArray = (raw * np.int32(budget) // total[:, None]).astype(np.int8)
    left_over = (budget - scaled.sum(axis=1, dtype=np.int32)).astype(np.int8)
    scaled[np.arange(len(raw)), generator.integers(raw.shape[1], size=len(raw))] += left_over
    return scaled


BLOTTO_OPPONENT = ScaledUniform()
"""The opponent of the published scoring."""

BLOTTO_TEMPLATES = (
    (20, 20, 20, 20, 20, 20),
    (0, 24, 24, 24, 24, 24),
    (0, 0, 30, 30, 30, 30),
    (0, 0, 0, 40, 40, 40),
)
"""What comes to mind first: the budget spread evenly over some of the fields."""

BLOTTO_HELD_OUT: dict[str, BlottoPlayer] = {
    "even dirichlet": DirichletLike(concentration=3.0),
    "lopsided dirichlet": DirichletLike(concentration=0.5),
    "concentrated": Concentrated(),
    "jittered equal": JitteredEqual(),
    # Best replies to the shuffled templates that a local search found: +0.70 a round against their even mixture.
    "template hunter": ShuffledTemplates(
        templates=((1, 1, 25, 31, 31, 31), (1, 2, 24, 31, 31, 31), (1, 1, 24, 31, 31, 32))
    ),
}
"""Opponents that no feedback is taken from."""
