"""A submitted player's evaluation: one sandbox, one or more matches, and what went wrong as a score."""

from collections.abc import Awaitable, Callable

import msgspec

from arenas.errors import PlayerFault
from arenas.players.remote import DRIVER, RemotePlayer
from engine.task import Finding, Measured, Score
from engine.workspace.interface import Backend, CommandResult, Limits
from tasks.audit import fault_finding, leftovers, unless_changed
from tasks.draws import player_seed
from tasks.evaluation import Evaluation
from tasks.one_shot import ARTEFACT, ProcessChannel, end, measured, open_artefact, wait_or_kill

STRATEGY = "strategy.py"
FUNCTION = "row_strategy"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the matches of an evaluation came to."""

    value: float
    standard_error: float
    metrics: dict[str, float] = {}


async def score_player(
    evaluation: Evaluation,
    backend: Backend,
    *,
    limits: Limits,
    play: Callable[[RemotePlayer], Awaitable[Outcome]],
) -> tuple[Score, Measured]:
    """Play with the artefact's player in a sandbox of its own.

    The opponent and all draws of it stay on this side; the player's own generators are seeded by what the artefact
    is, so that nothing inside knows the evaluation's seed.

    Raises:
        EngineError: when the sandbox could not be had; never for what the player did.
    """
    arguments = (f"{ARTEFACT}/{STRATEGY}", FUNCTION)
    async with open_artefact(
        backend, evaluation.files, driver=DRIVER, arguments=arguments, limits=limits
    ) as process:
        player = RemotePlayer(
            ProcessChannel(process),
            seed=player_seed(evaluation.digest),
            start_seconds=limits.wall_seconds,
            round_seconds=limits.wall_seconds,
        )
        try:
            outcome = await play(player)
        except PlayerFault as fault:
            ended = await (wait_or_kill(process) if fault.kind == "early_exit" else process.kill())
            return _failed(fault, ended), measured(ended)
        changed = await process.changed_files()
        ended = await end(process)
    score = Score(
        value=outcome.value,
        standard_error=outcome.standard_error,
        metrics=outcome.metrics,
        findings=leftovers(ended),
    )
    return unless_changed(score, changed), measured(ended)


def _failed(fault: PlayerFault, ended: CommandResult) -> Score:
    found = fault_finding(fault, ended)
    said = tuple(each for each in leftovers(ended) if each.kind in {"output", "denied-call"})
    return Score(value=None, failure=failure_sentence(found), findings=(found, *said))


def failure_sentence(found: Finding) -> str:
    """Why there is no value, from the finding that decided it."""
    return f"{_SENTENCES[found.kind]}: {found.detail}"


_SENTENCES = {
    "bad-move": "it broke a rule of the game",
    "exception": "its code raised",
    "denied-call": "it was refused what it tried",
    "bad-frame": "it sent bytes that are no answer",
    "early-exit": "it ended before its last answer",
    "overrun": "it used more than it may",
}
