"""The front door: the command line, and the names that a notebook imports.

Here belong what joins the rooms (`laboratory`: the one place where task, team, judge, models and workspaces meet), a
study's folder (`study`), what a run comes to (`summary`), and how all of it is asked for and shown (`cli`, `facade`).
Nothing imports this room.

    >>> import mlyceum
    >>> record = mlyceum.run("battle-of-sexes", seeds=3)  # doctest: +SKIP
    >>> record.tasks[0].mean  # doctest: +SKIP
"""

from benchmarks.studies.intervals import Interval
from benchmarks.studies.summary import ControlRow, EpisodeRow, Record, TaskRow
from engine.errors import EngineError, UserError
from mlyceum.facade import run

__all__ = [
    "ControlRow",
    "EngineError",
    "EpisodeRow",
    "Interval",
    "Record",
    "TaskRow",
    "UserError",
    "run",
]
