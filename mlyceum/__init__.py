"""The front door: the command line, and the names that a notebook imports.

Here belong the command line (`cli`), the synchronous `facade`, and what reads and shows a record (`reading`, `viewer`).
Studies and the laboratory that joins task, team and judge are in `benchmarks.studies`. Nothing imports this room.

    >>> import mlyceum
    >>> record = mlyceum.run("battle-of-sexes", seeds=3)  # doctest: +SKIP
    >>> record.tasks[0].mean  # doctest: +SKIP
    >>> mlyceum.load(record.folder).scores  # doctest: +SKIP
"""

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
