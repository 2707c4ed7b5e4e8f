"""What is researched: tasks, each a folder of facts, words, starter files, moves and a scorer.

Start at `registry` (which tasks there are) and `package` (what a task's folder holds); `scoring` is the judge, which
alone touches an artefact, and only through a one-shot sandbox. Match code belongs to `arenas`, roles and budgets are
none of this room's business.
"""

from tasks.package import TaskPackage
from tasks.registry import aliases, open_task, task_names
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge, ScoringFailed, open_judge

__all__ = [
    "SandboxJudge",
    "ScoreCache",
    "ScoringFailed",
    "TaskPackage",
    "aliases",
    "open_judge",
    "open_task",
    "task_names",
]
