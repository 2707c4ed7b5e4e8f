"""One task of a checkout as an `engine.task.Task`, beside our own."""

import math
from functools import cached_property
from pathlib import Path
from typing import Final

from engine.errors import BadSpecification, UserError
from engine.messages import Point, Value
from engine.task import Files, Moves, MoveSpace, TaskCard
from tasks.mlgym_folder.checkout import Checkout, open_checkout
from tasks.mlgym_folder.configuration import TaskConfiguration
from tasks.mlgym_folder.facts import (
    SUBMISSION_CSV,
    direction_of,
    evaluation_files,
    is_wall_time,
    metric_of,
    own_files,
    protected_files,
)
from tasks.mlgym_folder.names import PREFIX
from tasks.mlgym_folder.needs import missing, requirements
from tasks.package import ArtefactRules, TaskPackage

PUBLISHED_GAMES: Final = 10_000
"""That one run of a game's evaluator plays."""
_CHECK: Final = '''"""Does every Python file compile? More is not known of a task that came from outside."""
import pathlib, sys
for path in sorted(pathlib.Path(".").rglob("*.py")):
    try:
        compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        print(f"{path} does not compile: {error}")
        sys.exit(1)
print("every file compiles")
'''
_RULES: Final = """

---

How this run differs from MLGym's own: the evaluator `{evaluator}` is run for you, in a fresh workspace without a network
and on a copy of your files, whenever feedback is asked for; run it yourself only where its packages are at hand.
{protected} belong to the evaluation: changed, they are put back or reported.
"""


class FolderTask(TaskPackage):
    """A task of a checkout. Made by `open_folder_task`.

    Args:
        checkout: where it lies.
        name: of its configuration file.
        space: of our own task's move spaces, where we have a task with the same submission.
    """

    def __init__(self, checkout: Checkout, name: str, *, space: str = "default") -> None:
        # Not the parent's: nothing of this task lies in a folder of ours.
        self.folder = checkout.root
        self.name = PREFIX + name + ("" if space == "default" else f"@{space}")
        self.settings: dict[str, Value] = {"root": str(checkout.root), "task": name}
        self.environment = requirements(checkout, checkout.task(name))
        self.configuration: TaskConfiguration = checkout.task(name)
        self._checkout, self._own_name, self._space = checkout, name, space
        self._starter = checkout.starter_files(self.configuration)
        self._card = self._make_card()
        self.settings |= {"standard_error": self._card.feedback_standard_error}
        self._brief = self._make_brief()
        self._moves = self._make_moves()
        self.rules = self._make_rules()

    @property
    def scorer_module(self) -> str:
        """Where its scorer is made."""
        return "tasks.mlgym_folder.scorer"

    @property
    def check(self) -> str:
        """Our own self-check where the submission is the same as of a task of ours; else whether files compile."""
        ours = self._alias
        is_same = ours is not None and all(path in self.own for path in ours.rules.required)
        return ours.check if ours is not None and is_same and self._suffix is None else _CHECK

    @property
    def fact_card(self) -> str:
        """What is known of it, in Markdown."""
        facts = self._checkout.datasets(self.configuration)
        return "\n".join(
            (
                f"From the checkout {self._checkout.root}, `configs/tasks/{self._own_name}.yaml`.",
                "Nothing of it is part of this project.",
                "",
                f"- submission class: {self.configuration.task_entrypoint}",
                f"- score: {self._card.metric} ({self._card.direction}), stored baseline {self._card.baseline:g}",
                f"- a submission may change: {', '.join(self.own) or SUBMISSION_CSV}, and add files",
                f"- put back before a score counts: {', '.join(self.protected)}",
                f"- data: {', '.join(each.data_path for each in facts) or 'none'}",
                f"- packages of its environment: {', '.join(self.environment) or 'none'}",
                f"- limit of one evaluation: {self.configuration.training_timeout or 3600:g} s",
            )
        )

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Starter files that a submission is made of."""
        return own_files(self.configuration, self._starter)

    @cached_property
    def protected(self) -> tuple[str, ...]:
        """Starter files that it may not change."""
        return protected_files(self.configuration, self._starter)

    def audited(self, files: Files) -> dict[str, bytes]:
        """The files of an artefact whose source the audit reads: those that are not the checkout's own."""
        return {path: data for path, data in files.items() if self._starter.get(path) != data}

    @cached_property
    def _alias(self) -> TaskPackage | None:
        """Our own task with the same submission, where there is one."""
        from tasks.registry import aliases, open_task

        ours = aliases().get(self.configuration.id)
        if ours is None:
            return None
        return open_task(ours if self._space == "default" else f"{ours}@{self._space}")

    @property
    def _suffix(self) -> bytes | None:
        """What makes a file that our moves write what MLGym's evaluator imports."""
        return b"\n\nheuristic_fn = heuristic\n" if self.configuration.id == "3SATTime" else None

    def _make_card(self) -> TaskCard:
        task, ours = self.configuration, self._alias
        metric = metric_of(task)
        stored = task.baseline_scores[0].get(metric, math.nan) if task.baseline_scores else math.nan
        is_same = ours is not None and ours.card.metric == metric
        error = 0.0
        if (
            is_same
            and ours is not None
            and isinstance(games := ours.settings.get("feedback_games", 2_000), int)
        ):
            error = ours.card.feedback_standard_error * math.sqrt(games / PUBLISHED_GAMES)
        return TaskCard(
            id=PREFIX + self._own_name,
            title=f"{task.name or task.id} (MLGym's own folder)",
            version=1,
            metric=metric,
            direction=direction_of(metric),
            baseline=stored,
            mlgym_id=task.id,
            published_baseline=stored,
            best_published=ours.card.best_published if ours is not None else None,
            optimum=ours.card.optimum if ours is not None and is_same else None,
            feedback_standard_error=error,
            mlgym_metric_is_wall_time=is_wall_time(metric),
            summary="A task of a checkout of MLGym, with its own evaluator.",
            source="the user's checkout of MLGym; none of its words or code is part of this project",
        )

    def _make_brief(self) -> str:
        docs = "\n".join(
            f"{each.name.upper()}: {each.description}" for each in self._checkout.datasets(self.configuration)
        )
        rules = _RULES.format(
            evaluator=evaluation_files(self.configuration)[0],
            protected=", ".join(f"`{path}`" for path in self.protected),
        )
        return self.configuration.description.replace("{dataset_docs}", docs) + rules

    def _make_rules(self) -> ArtefactRules:
        is_csv = self.configuration.task_entrypoint == "CSVSubmissionTasks"
        required = (SUBMISSION_CSV,) if is_csv else self.own or evaluation_files(self.configuration)[:1]
        return ArtefactRules(
            required=required, largest_file_bytes=32 << 20, most_bytes=64 << 20, most_files=512
        )

    def _make_moves(self) -> Moves:
        ours = self._alias
        if ours is not None:
            return Borrowed(ours.moves, self._suffix or b"")
        if self._space != "default":
            raise BadSpecification(self.name, "declares no move spaces; leave @ and what follows out")
        return Undeclared(self._card.id)


class Borrowed:
    """The moves of our own task, for a checkout's task with the same submission; `engine.task.Moves`.

    Args:
        moves: of our task.
        suffix: put at the end of each file that they write.
    """

    def __init__(self, moves: Moves, suffix: bytes) -> None:
        self._moves, self._suffix = moves, suffix

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        return self._moves.space

    def start(self) -> Point:
        """The point that our starter stands for."""
        return self._moves.start()

    def write(self, point: Point) -> dict[str, bytes]:
        """The submission's own files for a point; the others are the checkout's."""
        return {path: data + self._suffix for path, data in self._moves.write(point).items()}

    def repair(self, point: Point, problem: str) -> Point | None:
        """As our task's."""
        return self._moves.repair(point, problem)


class Undeclared:
    """No moves: an empty space, so that records can name it, from which nothing can be drawn."""

    def __init__(self, task: str) -> None:
        self._task = task

    @property
    def space(self) -> MoveSpace:
        """No axis."""
        return MoveSpace(parameters=())

    def start(self) -> Point:
        """Never there."""
        raise UserError(
            f"{self._task} declares no moves, so that only a team with a model can work on it; give --model"
        )

    def write(self, point: Point) -> dict[str, bytes]:  # noqa: ARG002 - the interface's shape
        """Never there."""
        self.start()
        return {}

    def repair(self, point: Point, problem: str) -> Point | None:  # noqa: ARG002 - the interface's shape
        """Never there."""
        return None


def open_folder_task(name: str, root: Path | None = None) -> FolderTask:
    """The task of a name that begins with ``mlgym-``.

    Args:
        name: with MLGym's name of the file or its id behind, and ``@space`` where our own task has several.
        root: of the checkout; None: where ``MLYCEUM_MLGYM`` says.

    Raises:
        UnknownName: the checkout has no such task.
        UserError: there is no checkout, or the task needs what workspaces here have not.
        BadSpecification: the task's files do not say what they must.
    """
    base, _, space = name.removeprefix(PREFIX).partition("@")
    checkout = open_checkout(root)
    own_name = checkout.name_of(base)
    if why := missing(checkout, checkout.task(own_name)):
        raise UserError(f"{own_name} of the checkout {checkout.root} cannot be run here: {why}")
    return FolderTask(checkout, own_name, space=space or "default")
