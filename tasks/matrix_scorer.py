"""The scorer of the two-move games: sampled feedback, exact or very precise finals, a held-out pool."""

import math
from collections.abc import Mapping

import numpy as np

from arenas.exact.player_value import player_value
from arenas.games import MatrixGame
from arenas.match import play
from arenas.players.interface import LawfulPlayer, TreePlayer
from engine.errors import UnknownName
from engine.task import Measured, Score
from engine.workspace.interface import Backend
from tasks.draws import stream
from tasks.evaluation import Evaluation
from tasks.game_settings import PUBLISHED_GAMES, ROUNDS, GameSettings
from tasks.isolated_player import Outcome, score_player

FINAL_ERROR = 0.001
"""A final's standard error is below this (0 for a player that is a function of the history)."""
_HELD_OUT_GAMES = 8_000  # of a random player against each of the pool: standard error about 0.004


class MatrixScorer:
    """Scores a player of a two-move game.

    Args:
        game: what is played.
        settings: of the task's variant.
        opponents: by the names that settings use.
        held_out: for each opponent, the pool that no feedback is taken from.
    """

    version = 1
    outside = True

    def __init__(
        self,
        game: MatrixGame,
        settings: GameSettings,
        *,
        opponents: Mapping[str, LawfulPlayer],
        held_out: Mapping[str, Mapping[str, LawfulPlayer]],
    ) -> None:
        if settings.opponent not in opponents:
            raise UnknownName("opponent", settings.opponent, opponents)
        self.game, self.settings = game, settings
        self.opponent = opponents[settings.opponent]
        self.held_out = held_out[settings.opponent]

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """The mean payoff a round.

        Under ``mlgym`` feedback and final are the published evaluation, 10,000 sampled games. Under ``verified``
        feedback is a small sample, and the final sums the opponent's randomness out: exactly for a player that is a
        function of the history, else to a standard error below 0.001.
        """
        generator = stream(evaluation.seed, f"opponent {evaluation.split}", secret=evaluation.secret)

        async def matches(player: TreePlayer) -> Outcome:
            if evaluation.split == "held-out":
                return await self._against_pool(player, generator)
            if evaluation.protocol == "mlgym":
                return await self._sampled(player, PUBLISHED_GAMES, generator)
            if evaluation.split == "feedback":
                return await self._sampled(player, self.settings.feedback_games, generator)
            found = await player_value(
                self.game, player, self.opponent, rounds=ROUNDS, generator=generator, target_error=FINAL_ERROR
            )
            return Outcome(value=found.mean, standard_error=found.standard_error)

        split = "final" if evaluation.protocol == "mlgym" else evaluation.split
        return await score_player(evaluation, backend, limits=self.settings.limits(split), play=matches)

    async def _sampled(self, player: TreePlayer, games: int, generator: np.random.Generator) -> Outcome:
        found = await play(self.game, player, self.opponent, games=games, rounds=ROUNDS, generator=generator)
        return Outcome(value=found.mean, standard_error=found.standard_error, metrics={"games": float(games)})

    async def _against_pool(self, player: TreePlayer, generator: np.random.Generator) -> Outcome:
        found = {
            name: await player_value(
                self.game, player, opponent, rounds=ROUNDS, generator=generator, most_games=_HELD_OUT_GAMES
            )
            for name, opponent in self.held_out.items()
        }
        return Outcome(
            value=math.fsum(each.mean for each in found.values()) / len(found),
            standard_error=math.hypot(*(each.standard_error for each in found.values())) / len(found),
            metrics={name: each.mean for name, each in found.items()},
        )
