"""Scores a row player of Colonel Blotto."""

import math
from typing import Final

import msgspec
import numpy as np

from arenas.exact import BlottoValue, allocations_value, opponent_sample
from arenas.games import COLONEL_BLOTTO
from arenas.match import play
from arenas.players.blotto import BlottoPlayer
from arenas.players.interface import BatchPlayer
from engine.errors import UnknownName
from engine.task import Measured, Score
from engine.workspace.interface import Backend
from tasks.colonel_blotto.opponents import HELD_OUT, OPPONENTS
from tasks.draws import stream
from tasks.evaluation import Evaluation
from tasks.game_settings import PUBLISHED_GAMES, ROUNDS, GameSettings, read_settings
from tasks.isolated_player import Outcome, score_player
from tasks.package import Settings

_PUBLISHED_GAME: Final = msgspec.structs.replace(COLONEL_BLOTTO, exact_length=False)
_PILOT_GAMES: Final = 500
_FINAL_GAMES: Final = 12_000
_HELD_OUT_GAMES: Final = 1_000
_HELD_OUT_DRAWS: Final = 1 << 18
_SAMPLE_SEED: Final = 20_250_215
"""The common samples are the same in every study, so that finals can be compared between studies too."""


class BlottoScorer:
    """Scores allocations against opponents who ignore the past.

    Args:
        settings: of the task's variant.
    """

    version = 1
    outside = True

    def __init__(self, settings: GameSettings) -> None:
        if settings.opponent not in OPPONENTS:
            raise UnknownName("opponent", settings.opponent, OPPONENTS)
        self.settings = settings
        self.opponent = OPPONENTS[settings.opponent]
        self.held_out = HELD_OUT[settings.opponent]

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """The mean payoff a round.

        Under ``mlgym`` feedback and final are the published evaluation, 10,000 sampled games, with its lenient rule for
        the length of an allocation. Under ``verified`` feedback is a small sample, and the final meets each allocation
        that the player makes with two million draws of the opponent.
        """
        generator = stream(evaluation.seed, f"opponent {evaluation.split}", secret=evaluation.secret)

        async def matches(player: BatchPlayer) -> Outcome:
            if evaluation.split == "held-out":
                return await self._against_pool(player, generator)
            if evaluation.protocol == "mlgym":
                return await self._sampled(player, PUBLISHED_GAMES, generator, published=True)
            if evaluation.split == "feedback":
                return await self._sampled(player, self.settings.feedback_games, generator, published=False)
            found = await precise_value(player, self.opponent, games=_FINAL_GAMES, generator=generator)
            return Outcome(
                value=found.mean,
                standard_error=found.standard_error,
                metrics={"distinct allocations": float(found.distinct)},
            )

        split = "final" if evaluation.protocol == "mlgym" else evaluation.split
        return await score_player(evaluation, backend, limits=self.settings.limits(split), play=matches)

    async def _sampled(
        self, player: BatchPlayer, games: int, generator: np.random.Generator, *, published: bool
    ) -> Outcome:
        game = _PUBLISHED_GAME if published else COLONEL_BLOTTO
        found = await play(game, player, self.opponent, games=games, rounds=ROUNDS, generator=generator)
        return Outcome(value=found.mean, standard_error=found.standard_error, metrics={"games": float(games)})

    async def _against_pool(self, player: BatchPlayer, generator: np.random.Generator) -> Outcome:
        found = {
            name: await precise_value(
                player, opponent, games=_HELD_OUT_GAMES, generator=generator, draws=_HELD_OUT_DRAWS
            )
            for name, opponent in self.held_out.items()
        }
        return Outcome(
            value=math.fsum(each.mean for each in found.values()) / len(found),
            standard_error=math.hypot(*(each.standard_error for each in found.values())) / len(found),
            metrics={name: each.mean for name, each in found.items()},
        )


async def precise_value(
    player: BatchPlayer,
    opponent: BlottoPlayer,
    *,
    games: int,
    generator: np.random.Generator,
    draws: int = 1 << 21,
) -> BlottoValue:
    """The player's expected payoff a round: its allocations against one large common sample of the opponent.

    A player that makes one allocation in the pilot's 5,000 rounds is valued by that; one that mixes plays ``games``.
    """
    sample = opponent_sample(opponent, _SAMPLE_SEED, draws)  # type: ignore[arg-type]  # frozen structs are hashable; the protocol does not say it
    pilot = await play(
        COLONEL_BLOTTO, player, opponent, games=_PILOT_GAMES, rounds=ROUNDS, generator=generator
    )
    found = allocations_value(COLONEL_BLOTTO, pilot.rows, sample)
    if found.distinct == 1:
        return found
    full = await play(COLONEL_BLOTTO, player, opponent, games=games, rounds=ROUNDS, generator=generator)
    return allocations_value(COLONEL_BLOTTO, full.rows, sample)


def make_scorer(settings: Settings) -> BlottoScorer:
    """The scorer of a variant."""
    return BlottoScorer(read_settings(settings, GameSettings))
