"""What MLGym's files leave unsaid: which metric counts and which way, which starter files are the player's own.

Directions and metrics are those of MLGym-Bench (Nathani et al. 2025, arXiv 2502.14499).
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from engine.task import Direction, Files
from tasks.mlgym_folder.configuration import TaskConfiguration

SUBMISSION_CSV: Final = "submission.csv"
_METRICS: Final = {"regressionKaggleHousePrice": "r2"}
"""By MLGym's id, where it is not the first of the baseline's scores."""
_SMALLER_IS_BETTER: Final = frozenset({"time", "rmse", "mse", "mae", "val_loss", "loss", "perplexity"})
_WALL_TIME: Final = frozenset({"Time"})
_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "battleOfSexes": ("strategy.py",),
    "prisonersDilemma": ("strategy.py",),
    "blotto": ("strategy.py",),
    "3SATTime": ("heuristic.py",),
}
"""By MLGym's id: the starter files that a submission may change."""
_MENTIONED: Final = re.compile(r"`([\w./-]+\.py)`")


def metric_of(task: TaskConfiguration) -> str:
    """The key of the score that counts; "" where the task stores no baseline score to tell by."""
    keys = tuple(task.baseline_scores[0]) if task.baseline_scores else ()
    return _METRICS.get(task.id, keys[0] if keys else "")


def direction_of(metric: str) -> Direction:
    """Which way a metric is better; MLGym's files do not say, so it is told by its name."""
    return "min" if metric.lower() in _SMALLER_IS_BETTER else "max"


def is_wall_time(metric: str) -> bool:
    """Whether the score is a time, which differs from machine to machine and from run to run."""
    return metric in _WALL_TIME


def own_files(task: TaskConfiguration, starter: Files) -> tuple[str, ...]:
    """The starter files that the submission is made of: known, or mentioned in the description, or baseline code."""
    evaluators = evaluation_files(task)
    if task.id in _OWN:
        named: Iterable[str] = _OWN[task.id]
    else:
        named = (*_MENTIONED.findall(task.description), *_in_workspace(task.baseline_paths or ()))
    wanted = dict.fromkeys(path for path in named if path in starter and path not in evaluators)
    return tuple(wanted)


def evaluation_files(task: TaskConfiguration) -> tuple[str, ...]:
    """The evaluator's paths in the workspace."""
    return _in_workspace(task.evaluation_paths or ())


def protected_files(task: TaskConfiguration, starter: Files) -> tuple[str, ...]:
    """What the score stands on and no submission may change: the evaluator, and starter files that it imports.

    MLGym makes the evaluator alone read-only; opponents and solvers lie beside it, writable.
    """
    own = set(own_files(task, starter))
    found: dict[str, None] = {}
    waiting = [path for path in evaluation_files(task) if path in starter]
    while waiting:
        path = waiting.pop()
        if path in found or path in own:
            continue
        found[path] = None
        waiting += [each for each in _imported(starter[path]) if each in starter]
    return tuple(sorted(found))


def third_party_imports(files: Files) -> frozenset[str]:
    """The top names that Python files import and that are neither the standard library's nor among the files."""
    import sys

    local = {part.removesuffix(".py") for path in files for part in PurePosixPath(path).parts} | {"__main__"}
    names = {
        name.partition(".")[0] for data in files.values() for name in _imported_names(data)
    } - sys.stdlib_module_names
    return frozenset(names - local)


def _in_workspace(paths: Iterable[str]) -> tuple[str, ...]:
    """A configuration may give an evaluator from the checkout's root; in the workspace it lies by its last name."""
    return tuple(path if not path.startswith("data/") else PurePosixPath(path).name for path in paths)


def _imported(source: bytes) -> Iterable[str]:
    for name in _imported_names(source):
        stem = name.replace(".", "/")
        yield from (f"{stem}.py", f"{stem}/__init__.py")


def _imported_names(source: bytes) -> Iterable[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
