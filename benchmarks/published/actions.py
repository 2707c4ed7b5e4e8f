"""What runs spent their steps on: by model, by task, and by how far into the run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from benchmarks.published.behaviour import KINDS, ActionKind, Behaviour


class ActionRow(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one model, or on one task; runs without a trajectory are left out."""

    name: str
    runs: int
    mean_steps: float
    median_steps: float
    counts: dict[ActionKind, int]
    """Steps of each kind, over all runs."""
    environment_seconds: float
    """Mean of a run: commands and evaluations, without the model's own time, which was not recorded."""

    @property
    def shares(self) -> dict[ActionKind, float]:
        """Of all steps; empty without one."""
        total = sum(self.counts.values())
        return {kind: count / total for kind, count in self.counts.items()} if total else {}


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step number over all runs that came so far."""

    step: int
    """From 1."""
    runs: int
    counts: dict[ActionKind, int]


def actions_by(
    runs: Sequence[Behaviour], names: Iterable[str], *, by_task: bool = False
) -> tuple[ActionRow, ...]:
    """A row for each model (or task) in the order given; those without a trajectory are left out."""
    rows: list[ActionRow] = []
    for name in names:
        own = [
            run
            for run in runs
            if (run.task if by_task else run.method) == name and run.exit_status is not None
        ]
        if own:
            rows.append(_row(name, own))
    return tuple(rows)


def actions_by_step(runs: Sequence[Behaviour]) -> tuple[StepRow, ...]:
    """A row for each step number that any run reached."""
    last = max((len(run.kinds) for run in runs), default=0)
    rows: list[StepRow] = []
    for step in range(1, last + 1):
        kinds: Counter[ActionKind] = Counter(run.kinds[step - 1] for run in runs if len(run.kinds) >= step)
        counts: dict[ActionKind, int] = {kind: kinds[kind] for kind in KINDS}
        rows.append(StepRow(step=step, runs=sum(counts.values()), counts=counts))
    return tuple(rows)


def _row(name: str, runs: Sequence[Behaviour]) -> ActionRow:
    counts: Counter[ActionKind] = Counter(kind for run in runs for kind in run.kinds)
    steps = [len(run.kinds) for run in runs]
    return ActionRow(
        name=name,
        runs=len(runs),
        mean_steps=fmean(steps),
        median_steps=float(median(steps)),
        counts={kind: counts.get(kind, 0) for kind in KINDS},
        environment_seconds=fmean(sum(run.step_seconds) for run in runs),
    )
