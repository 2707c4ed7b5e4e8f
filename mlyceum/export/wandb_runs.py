"""A study as runs of Weights & Biases, after the fact: a run an episode, group = study, tags = arm and task.

Written offline, so that nothing leaves this machine before ``wandb sync`` is called. Needs the package ``wandb``.
"""

import hashlib
import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import msgspec

from mlyceum.frame_rows import CurveRow, EpisodeRow
from mlyceum.frames import ExtraMissing

_CONFIG = (
    "study",
    "task",
    "arm",
    "arm_kind",
    "block",
    "is_pilot",
    "task_seed",
    "team_seed",
    "evaluation_seed",
    "strategy",
    "model",
    "protocol",
    "patches",
    "metric",
    "direction",
    "baseline",
    "budget_evaluations",
    "budget_cost_usd",
)
_SUMMARY = (
    "state",
    "outcome",
    "final",
    "final_standard_error",
    "counted",
    "held_out",
    "best_feedback_final",
    "findings",
    "evaluations",
    "steps",
    "tokens",
    "cost_usd",
    "device_seconds",
    "messages",
    "seconds",
)
_STEPS = ("value", "best_feedback", "standing_mean", "standing_final", "steps", "tokens", "cost_usd")


class _Summary(Protocol):
    def update(self, values: Mapping[str, object]) -> None: ...


class _Run(Protocol):
    """Of a run of W&B, what is used here."""

    @property
    def summary(self) -> _Summary: ...
    def log(self, data: Mapping[str, object], *, step: int) -> None: ...
    def finish(self, exit_code: int | None = None) -> None: ...


class _Wandb(Protocol):
    """Of the package, what is used here."""

    def Settings(self, **settings: object) -> object: ...  # noqa: N802 - the package's name
    def init(self, **options: object) -> _Run: ...


def run_id(study: str, episode: str) -> str:
    """A run's id, the same for the same episode: synced twice it is still one run."""
    return hashlib.sha256(f"{study}\0{episode}".encode()).hexdigest()[:16]


def write_runs(
    episodes: Iterable[EpisodeRow], curves: Mapping[str, Sequence[CurveRow]], out: Path, *, project: str
) -> int:
    """Write a run for each episode that has begun; how many there were.

    Args:
        episodes: rows of the study.
        curves: each episode's, by its name.
        out: a folder; runs are in ``wandb/offline-run-…`` below it.
        project: in which ``wandb sync`` puts them.

    Raises:
        ExtraMissing: without wandb.
        OSError: when something cannot be written.
    """
    # Set before the package is imported, which reads it then: no word on the terminal for each of many runs.
    os.environ.setdefault("WANDB_SILENT", "true")
    try:
        wandb = cast("_Wandb", importlib.import_module("wandb"))
    except ImportError as error:
        raise ExtraMissing("an export to Weights & Biases", "wandb", "wandb") from error
    out.mkdir(parents=True, exist_ok=True)
    count = 0
    for episode in episodes:
        if episode.state == "waiting":
            continue
        _write_run(wandb, episode, curves.get(episode.episode, ()), out, project=project)
        count += 1
    return count


def _write_run(
    wandb: _Wandb, episode: EpisodeRow, curve: Sequence[CurveRow], out: Path, *, project: str
) -> None:
    run = wandb.init(
        project=project,
        group=episode.study,
        job_type=episode.arm,
        name=episode.episode,
        id=run_id(episode.study, episode.episode),
        tags=[tag[:64] for tag in (episode.arm, episode.task, *(["pilot"] if episode.is_pilot else []))],
        config={name: getattr(episode, name) for name in _CONFIG},
        dir=str(out),
        mode="offline",
        reinit="finish_previous",
        # Of the machine that exports, nothing belongs to a run that ended long ago.
        settings=wandb.Settings(
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_meta=True,
            x_disable_stats=True,
            silent=True,
        ),
    )
    for row in curve:
        values: dict[str, object] = msgspec.to_builtins(row)
        run.log({name: values[name] for name in _STEPS if values[name] is not None}, step=row.evaluation)
    summary = {name: getattr(episode, name) for name in _SUMMARY}
    run.summary.update({name: value for name, value in summary.items() if value is not None})
    run.finish(exit_code=0 if episode.state == "ended" else 1)
