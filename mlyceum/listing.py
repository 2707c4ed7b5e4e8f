"""The episodes of a study in one line each, ended or not."""

from pathlib import Path

import msgspec

from engine.episode import EpisodeResult
from engine.errors import RecordDamaged
from mlyceum.folders import EPISODES, episode_names
from mlyceum.reading import episode_view, read_records, read_results


class EpisodeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One episode in a list."""

    episode: str
    outcome: str
    """How it ended; ``"not ended"``, ``"not begun"`` or ``"damaged"`` for one that is in no index."""
    task: str | None
    team: str | None
    final: float | None
    standard_error: float
    evaluations: int
    messages: int
    seconds: float
    folder: str
    problem: str = ""


def list_episodes(study: Path) -> tuple[EpisodeLine, ...]:
    """Every episode of a study, by name.

    Raises:
        RecordDamaged: when the index cannot be read; a damaged journal is only said in its line.
    """
    results = {result.episode: result for result in read_results(study)}
    names = sorted({*results, *episode_names(study)})
    return tuple(
        _ended(results[name], study) if name in results else _unfinished(study / EPISODES / name)
        for name in names
    )


def _ended(result: EpisodeResult, study: Path) -> EpisodeLine:
    return EpisodeLine(
        episode=result.episode,
        outcome=result.outcome,
        task=result.spec.task,
        team=result.spec.team.name,
        final=result.final.value,
        standard_error=result.final.standard_error,
        evaluations=result.evaluations,
        messages=result.messages,
        seconds=result.measured.seconds,
        folder=str(study / EPISODES / result.episode),
        problem=result.reason or result.final.failure,
    )


def _unfinished(folder: Path) -> EpisodeLine:
    try:
        view = episode_view(
            read_records(folder), episode=folder.name, folder=str(folder), spec=None, result=None
        )
    except RecordDamaged as error:
        return EpisodeLine(
            episode=folder.name,
            outcome="damaged",
            task=None,
            team=None,
            final=None,
            standard_error=0.0,
            evaluations=0,
            messages=0,
            seconds=0.0,
            folder=str(folder),
            problem=str(error),
        )
    return EpisodeLine(
        episode=folder.name,
        outcome="not ended" if view.head is not None else "not begun",
        task=view.brief.task if view.brief is not None else None,
        team=None,
        final=None,
        standard_error=0.0,
        evaluations=len(view.feedback),
        messages=len(view.messages),
        seconds=view.seconds,
        folder=str(folder),
    )
