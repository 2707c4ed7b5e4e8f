"""The front door: the command line, and the names that a notebook imports.

Here belong the command line (`cli`), the synchronous `facade`, and what reads and shows a record (`reading`, `viewer`).
Studies and the laboratory that joins task, team and judge are in `benchmarks.studies`. Nothing imports this room.

    >>> import mlyceum
    >>> record = mlyceum.run("battle-of-sexes", seeds=3)  # doctest: +SKIP
    >>> record.tasks[0].mean  # doctest: +SKIP
    >>> mlyceum.load(record.folder).scores  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.studies.arm_rows import StudySummary
    from benchmarks.studies.design import ArmDesign, Contrast, Design
    from benchmarks.studies.intervals import Interval
    from benchmarks.studies.summary import ControlRow, EpisodeRow, Record, TaskRow
    from engine.errors import EngineError, UserError
    from mlyceum.facade import run, run_study
    from mlyceum.frames import StudyFrames, load

__all__ = [
    "ArmDesign",
    "Contrast",
    "ControlRow",
    "Design",
    "EngineError",
    "EpisodeRow",
    "Interval",
    "Record",
    "StudyFrames",
    "StudySummary",
    "TaskRow",
    "UserError",
    "load",
    "run",
    "run_study",
]

_HOMES = {
    "ArmDesign": "benchmarks.studies.design",
    "Contrast": "benchmarks.studies.design",
    "ControlRow": "benchmarks.studies.summary",
    "Design": "benchmarks.studies.design",
    "EngineError": "engine.errors",
    "EpisodeRow": "benchmarks.studies.summary",
    "Interval": "benchmarks.studies.intervals",
    "Record": "benchmarks.studies.summary",
    "StudyFrames": "mlyceum.frames",
    "StudySummary": "benchmarks.studies.arm_rows",
    "TaskRow": "benchmarks.studies.summary",
    "UserError": "engine.errors",
    "load": "mlyceum.frames",
    "run": "mlyceum.facade",
    "run_study": "mlyceum.facade",
}


def __getattr__(name: str) -> object:
    """A public name, from its home when it is first asked for: most commands need few of them, and start sooner."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
