"""``mlyceum tasks``: list tasks, show one, score an artefact or a task's baseline."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click
import msgspec
from rich.markdown import Markdown
from rich.text import Text

from engine.errors import BadSpecification
from engine.task import Moves, ScoringProtocol, Split, TaskCard
from mlyceum.cli.mlgym_root import mlgym_root_option, named_task
from mlyceum.cli.output import json_option, print_json, stdout_console
from mlyceum.plain_text import plain_struct
from mlyceum.task_scoring import Scoring, score_files
from mlyceum.viewer.fitted import Column, print_fitted
from mlyceum.viewer.numbers import difference, number, score_text
from tasks.artefacts import artefact_from_path
from tasks.mlgym_folder.checkout import Checkout, open_checkout
from tasks.mlgym_folder.facts import metric_of
from tasks.mlgym_folder.names import PREFIX
from tasks.mlgym_folder.needs import missing
from tasks.package import TaskPackage
from tasks.registry import aliases, open_task, task_names


class SpaceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A declared move space of a task."""

    name: str
    """As in ``TASK@NAME``; ``default`` needs no name."""
    parameters: int
    digest: str


class TaskLine(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it is listed."""

    id: str
    aliases: tuple[str, ...]
    card: TaskCard
    spaces: tuple[SpaceLine, ...]


@click.group("tasks", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the tasks; show one, score an artefact of it, or its baseline.

    \b
    Examples:
      mlyceum tasks
      mlyceum tasks show colonel-blotto
      mlyceum tasks score 3-sat path/to/artefact --seed 2
      mlyceum tasks baseline battle-of-sexes --json
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    if ctx.invoked_subcommand is not None:
        return
    lines = [_line(name) for name in task_names()]
    print_json({"tasks": lines}) if as_json else _print_list(lines)


def _line(name: str) -> TaskLine:
    package = open_task(name)
    known = tuple(alias for alias, own in aliases().items() if own == package.card.id)
    return TaskLine(id=package.card.id, aliases=known, card=package.card, spaces=_spaces(package))


def _spaces(package: TaskPackage) -> tuple[SpaceLine, ...]:
    module = importlib.import_module(f"tasks.{package.folder.name}.moves")
    # What a module defines is not typed from outside; `tasks.registry` reads the same name.
    spaces = cast("Mapping[str, Moves]", module.SPACES)
    return tuple(
        SpaceLine(name=name, parameters=len(moves.space.parameters), digest=moves.space.digest())
        for name, moves in spaces.items()
    )


_COLUMNS = (
    Column(name="task"),
    Column(name="alias", optional=2),
    Column(name="variant", optional=1),
    Column(name="metric"),
    Column(name="baseline", right=True),
    Column(name="best published", right=True, optional=3),
    Column(name="optimum", right=True),
    Column(name="move spaces", optional=4),
)


def _print_list(lines: list[TaskLine]) -> None:
    rows = [
        (
            line.id,
            ", ".join(line.aliases) or "-",
            line.card.variant,
            f"{line.card.metric} {'↑' if line.card.direction == 'max' else '↓'}",
            number(line.card.baseline),
            number(line.card.best_published),
            number(line.card.optimum),
            ", ".join(f"{each.name} ({each.parameters})" for each in line.spaces),
        )
        for line in lines
    ]
    console = stdout_console()
    print_fitted(console, _COLUMNS, rows)
    if any(line.card.mlgym_metric_is_wall_time for line in lines):
        note = "3-sat: best published is MLGym's wall time in seconds, the baseline a ratio of decisions"
        console.print(Text(f"note: {note}", style="dim"), soft_wrap=True)
    console.print(Text("more: mlyceum tasks show TASK", style="dim"))


@command.command("show")
@click.argument("task")
@mlgym_root_option
@json_option
def show(task: str, *, mlgym_root: Path | None, as_json: bool) -> None:
    """Print the brief that a team gets, and the fact card.

    \b
    Example:
      mlyceum tasks show prisoners-dilemma
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    package = open_task(named_task(task, mlgym_root))
    if as_json:
        document = {
            "task": package.name,
            "card": package.card,
            "brief": package.brief,
            "fact_card": package.fact_card,
            "starter": {path: content.decode(errors="replace") for path, content in package.starter.items()},
            "space": package.moves.space,
        }
        print_json(document)
        return
    console = stdout_console()
    width = min(console.width, 110)
    console.print(Markdown(package.brief), width=width)
    console.print(Text("\nFact card", style="bold underline"))
    console.print(Markdown(package.fact_card), width=width)


class FolderLine(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a checkout of MLGym as it is listed."""

    name: str
    """As other commands take it."""
    mlgym_id: str
    metric: str
    baseline: float | None
    missing: str
    """What it needs that is not here; empty where it runs."""


@command.command("mlgym")
@mlgym_root_option
@json_option
def mlgym(*, mlgym_root: Path | None, as_json: bool) -> None:
    """List the tasks of a checkout of MLGym: which run here, and what the others need.

    \b
    Example:
      mlyceum tasks mlgym --mlgym-root ../MLGym
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    checkout = open_checkout(mlgym_root)
    lines = [_folder_line(checkout, name) for name in checkout.configurations]
    if as_json:
        print_json({"checkout": str(checkout.root), "tasks": lines})
        return
    console = stdout_console()
    for line in (plain_struct(line) for line in lines):
        what = line.missing or f"runs here: {line.metric}, stored baseline {number(line.baseline)}"
        console.print(Text(f"{line.name}: {what}", style="dim" if line.missing else ""), soft_wrap=True)


def _folder_line(checkout: Checkout, name: str) -> FolderLine:
    try:
        task = checkout.task(name)
        metric, why = metric_of(task), missing(checkout, task)
    except BadSpecification as error:
        return FolderLine(name=f"{PREFIX}{name}", mlgym_id="", metric="", baseline=None, missing=str(error))
    stored = task.baseline_scores[0].get(metric) if task.baseline_scores else None
    return FolderLine(name=f"{PREFIX}{name}", mlgym_id=task.id, metric=metric, baseline=stored, missing=why)


_protocol = click.option(
    "--protocol",
    type=click.Choice(["verified", "mlgym"]),
    default="verified",
    show_default=True,
    help="Of scoring.",
)
_split = click.option(
    "--split",
    type=click.Choice(["feedback", "final", "held-out"]),
    default="final",
    show_default=True,
    help="Feedback is noisy, final is not, held-out has other opponents.",
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the evaluation."
)


@command.command("score")
@click.argument("task")
@mlgym_root_option
@click.argument("path", type=click.Path(path_type=Path))
@_protocol
@_split
@_seed
@json_option
def score(
    task: str,
    path: Path,
    *,
    mlgym_root: Path | None,
    protocol: str,
    split: str,
    seed: int,
    as_json: bool,
) -> int:
    """Score the artefact at PATH, in the sandbox, with the audit's findings.

    PATH is a folder, or a file where the task asks for one only. Without isolation nothing is scored.

    Exit status 0: it has a score; 1: it earned none (the report says why).

    \b
    Example:
      mlyceum tasks score colonel-blotto my-strategy/ --protocol mlgym
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    package = open_task(named_task(task, mlgym_root))
    files = artefact_from_path(path, package.rules)
    return _report(_score(package, files, protocol, split, seed), as_json=as_json)


@command.command("baseline")
@click.argument("task")
@mlgym_root_option
@_protocol
@_split
@_seed
@json_option
def baseline(
    task: str, *, mlgym_root: Path | None, protocol: str, split: str, seed: int, as_json: bool
) -> int:
    """Score a task's starter, beside the baseline that its card states.

    \b
    Example:
      mlyceum tasks baseline 3-sat --json
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    package = open_task(named_task(task, mlgym_root))
    return _report(_score(package, dict(package.starter), protocol, split, seed), as_json=as_json)


def _score(package: TaskPackage, files: dict[str, bytes], protocol: str, split: str, seed: int) -> Scoring:
    if split == "held-out" and not package.card.has_held_out:
        raise click.BadParameter(f"{package.card.id} has no split held-out; choose feedback or final")
    # click has checked both choices
    return score_files(
        package, files, protocol=cast("ScoringProtocol", protocol), split=cast("Split", split), seed=seed
    )


def _report(scoring: Scoring, *, as_json: bool) -> int:
    if as_json:
        print_json(scoring)
    else:
        _print_scoring(plain_struct(scoring))
    return 0 if scoring.score.value is not None else 1


def _print_scoring(scoring: Scoring) -> None:
    console = stdout_console()
    sign = "↑" if scoring.direction == "max" else "↓"
    console.print(Text(f"{scoring.task}: {scoring.metric} {sign} {score_text(scoring.score)}", style="bold"))
    beside = f"baseline {number(scoring.baseline)}"
    if scoring.score.value is not None:
        beside += f" ({difference(scoring.score.value, scoring.baseline)})"
    if scoring.optimum is not None:
        beside += f", optimum {number(scoring.optimum)}"
    console.print(Text(f"{beside}; protocol {scoring.protocol}, split {scoring.split}, seed {scoring.seed}"))
    for name, value in scoring.score.metrics.items():
        console.print(Text(f"  {name} {number(value)}"))
    for finding in scoring.score.findings:
        kind = f"{finding.kind}{' (advisory)' if finding.advisory else ''}"
        console.print(
            Text(f"finding: {kind}: {finding.detail}", style="dim" if finding.advisory else "yellow")
        )
    if not scoring.score.findings:
        console.print(Text("the audit found nothing", style="dim"))
    console.print(Text(f"artefact {scoring.artefact}, scored in the {scoring.workspace}", style="dim"))
