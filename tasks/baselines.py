"""Baselines: what each task's starter is worth, scored by the judge, and the exact constants of the cards.

`python -m tasks.baselines` prints the exact values of the two-move games' cards, from their opponents' known laws.
"""

import msgspec

from arenas.exact import expected_value, optimal_play
from arenas.games import BATTLE_OF_SEXES, PRISONERS_DILEMMA, MatrixGame
from arenas.players.battle_of_sexes import BATTLE_OF_SEXES_OPPONENT, BattleOfSexesBaseline
from arenas.players.interface import LawfulPlayer
from arenas.players.prisoners_dilemma import (
    PRISONERS_DILEMMA_OPPONENT,
    PrisonersDilemmaBaseline,
    RuleMixture,
)
from engine.seeds import Seeds, evaluation_seed
from engine.store import ArtefactStore
from engine.task import Measured, Score, ScoringProtocol, Split, TaskCard
from engine.workspace.interface import Backend
from tasks.battle_of_sexes.scorer import HARDER_OPPONENT
from tasks.game_settings import ROUNDS
from tasks.registry import open_task
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge

_SEEDS = Seeds(task=0, team=0, evaluation=0)


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """A task's starter, scored."""

    card: TaskCard
    protocol: ScoringProtocol
    scores: dict[Split, Score]
    measured: dict[Split, Measured]


class ExactValues(msgspec.Struct, frozen=True, kw_only=True):
    """Expected payoffs a round, over all joint histories."""

    baseline: float
    optimum: float
    """Of any history-dependent player."""


async def score_baseline(
    task_name: str,
    protocol: ScoringProtocol = "verified",
    *,
    store: ArtefactStore,
    backend: Backend,
    cache: ScoreCache | None = None,
    splits: tuple[Split, ...] = ("feedback", "final", "held-out"),
    seeds: Seeds = _SEEDS,
) -> Baseline:
    """Score a task's starter on each split; under ``mlgym`` ask for ``("final",)`` alone, the splits are one.

    Raises:
        UnknownName: for the task.
        EngineError: when scoring could not be done.
    """
    task = open_task(task_name)
    judge = SandboxJudge(task, protocol, store=store, backend=backend, cache=cache)
    artefact = store.put(task.starter)
    scores: dict[Split, Score] = {}
    measured: dict[Split, Measured] = {}
    for split in splits:
        seed = evaluation_seed(seeds, split=split, ordinal=1)
        scores[split], measured[split] = await judge.score(artefact, split=split, seed=seed)
    return Baseline(card=task.card, protocol=protocol, scores=scores, measured=measured)


def exact_values() -> dict[str, ExactValues]:
    """Baseline and optimum of the four two-move tasks, by task id; takes two seconds."""
    cases: dict[str, tuple[MatrixGame, LawfulPlayer, LawfulPlayer]] = {
        "battle-of-sexes": (BATTLE_OF_SEXES, BattleOfSexesBaseline(), BATTLE_OF_SEXES_OPPONENT),
        "battle-of-sexes-hard": (BATTLE_OF_SEXES, BattleOfSexesBaseline(), HARDER_OPPONENT),
        "prisoners-dilemma": (PRISONERS_DILEMMA, PrisonersDilemmaBaseline(), PRISONERS_DILEMMA_OPPONENT),
        "prisoners-dilemma-hard": (
            PRISONERS_DILEMMA,
            PrisonersDilemmaBaseline(),
            RuleMixture(redrawn="every game"),
        ),
    }
    return {
        name: ExactValues(
            baseline=expected_value(game, row, column, rounds=ROUNDS),
            optimum=optimal_play(game, column, rounds=ROUNDS).value,
        )
        for name, (game, row, column) in cases.items()
    }


if __name__ == "__main__":
    for task, values in exact_values().items():
        print(f"{task:24} baseline {values.baseline:.16f}  optimum {values.optimum:.16f}")  # noqa: T201 - its output
