"""How runs ended: by their own submission, by a limit, by a failed evaluation; and how many have no score."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from benchmarks.published.behaviour import Behaviour

Ending: TypeAlias = Literal[
    "submitted", "autosubmitted", "evaluation failed", "no artefact", "died", "trajectory missing"
]
ENDINGS: tuple[Ending, ...] = (
    "submitted", "autosubmitted", "evaluation failed", "no artefact", "died", "trajectory missing",
)  # fmt: skip
Cause: TypeAlias = Literal["submit", "steps", "context", "format", "cost", "other", "unknown"]
CAUSES: tuple[Cause, ...] = ("submit", "steps", "context", "format", "cost", "other", "unknown")
_REASON = re.compile(r"\((\w+)\)")
_CAUSE_OF: dict[str, Cause] = {
    "max_steps": "steps",
    "exit_context": "context",
    "exit_format": "format",
    "exit_cost": "cost",
    "submit": "submit",
}


class ExitRow(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one model, or of all of them, or on one task."""

    name: str
    runs: int
    endings: dict[Ending, int]
    """How each ended; every ending is named."""
    causes: dict[Cause, int]
    """What ended it: its own submission, or the limit that struck."""
    without_score: int
    """Runs with no entry at all."""
    incomplete: int
    """Runs with a score that ended neither by submission nor by the limit of steps, as MLGym counts them."""


def ending_of(status: str | None) -> Ending:
    """The kind of ending that a recorded exit status stands for; None: the trajectory is missing."""
    if status is None:
        return "trajectory missing"
    if status == "submitted":
        return "submitted"
    for begin, ending in _BEGINS.items():
        if status.startswith(begin):
            return ending
    return "died"


_BEGINS: dict[str, Ending] = {
    "autosubmission": "autosubmitted",
    "evaluation_format_error": "evaluation failed",
    "submission_not_found": "no artefact",
}


def cause_of(status: str | None) -> Cause:
    """What brought the end about."""
    if status is None:
        return "unknown"
    if status == "submitted":
        return "submit"
    found = _REASON.search(status)
    return _CAUSE_OF.get(found[1], "other") if found else "other"


def exits_by_method(runs: Sequence[Behaviour], methods: Iterable[str]) -> tuple[ExitRow, ...]:
    """A row for each model in the order given, and one for all of them (``all``)."""
    named = tuple(methods)
    rows = [exit_row(method, [run for run in runs if run.method == method]) for method in named]
    return (*rows, exit_row("all", [run for run in runs if run.method in named]))


def exits_by_task(runs: Sequence[Behaviour], tasks: Iterable[str]) -> tuple[ExitRow, ...]:
    """A row for each task in the order given."""
    return tuple(exit_row(task, [run for run in runs if run.task == task]) for task in tasks)


def exit_row(name: str, runs: Sequence[Behaviour]) -> ExitRow:
    """The counts of some runs."""
    endings = Counter(ending_of(run.exit_status) for run in runs)
    causes = Counter(cause_of(run.exit_status) for run in runs)
    return ExitRow(
        name=name,
        runs=len(runs),
        endings={ending: endings[ending] for ending in ENDINGS},
        causes={cause: causes[cause] for cause in CAUSES},
        without_score=sum(not run.has_score for run in runs),
        incomplete=sum(
            run.has_score and cause_of(run.exit_status) not in ("submit", "steps", "unknown") for run in runs
        ),
    )
