"""Whom Colonel Blotto is played against: the published opponent, a harder one, and pools held out from feedback."""

from typing import Final

import msgspec
import numpy as np

from arenas.arrays import MoveArray
from arenas.players.blotto import (
    BLOTTO_OPPONENT,
    BLOTTO_TEMPLATES,
    BlottoPlayer,
    Concentrated,
    DirichletLike,
    JitteredEqual,
    ScaledUniform,
    ShuffledTemplates,
)
from arenas.players.interface import History


class OneOf(msgspec.Struct, frozen=True, kw_only=True):
    """Each allocation is that of one of several players, all as likely; fields are exchangeable if they are theirs."""

    players: tuple[ScaledUniform | DirichletLike | Concentrated | JitteredEqual | ShuffledTemplates, ...]

    def draw(self, count: int, generator: np.random.Generator) -> MoveArray:
        """Independent allocations ``(count, fields)``."""
        drawn = np.stack([player.draw(count, generator) for player in self.players])
        chosen: MoveArray = drawn[generator.integers(len(self.players), size=count), np.arange(count)]
        return chosen

    def sample(self, history: History, generator: np.random.Generator) -> MoveArray:
        """Allocations ``(games, fields)``; the history only says how many."""
        return self.draw(history.games, generator)


HARDER: Final = OneOf(
    players=(ScaledUniform(), JitteredEqual(), Concentrated(held=(4,)), DirichletLike(concentration=4.0))
)
"""Scattered, even, and concentrated allocations mixed, so that what beats one kind loses to another."""

OPPONENTS: Final[dict[str, BlottoPlayer]] = {"published": BLOTTO_OPPONENT, "one of four": HARDER}

_POOL: Final[dict[str, BlottoPlayer]] = {
    "even weights": DirichletLike(concentration=3.0),
    "lopsided weights": DirichletLike(concentration=0.5),
    "concentrated": Concentrated(),
    "nearly equal": JitteredEqual(jitter=10),
    "templates": ShuffledTemplates(templates=BLOTTO_TEMPLATES),
}
HELD_OUT: Final[dict[str, dict[str, BlottoPlayer]]] = {
    "published": _POOL,
    "one of four": {**_POOL, "scattered": ScaledUniform()},
}
