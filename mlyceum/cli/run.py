"""``mlyceum run``: research tasks with a team, and print the scored table."""

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, cast

import click
import trio
from rich.table import Table

from benchmarks.studies.model_use import open_model_use
from benchmarks.studies.plan import CONTROLS, Request, make_plan
from benchmarks.studies.running import WORKSPACES, check_workspace, limits_for, run_plan
from benchmarks.studies.summary import ControlRow, Record, TaskRow
from engine.task import ScoringProtocol
from mlyceum.cli.mlgym_root import mlgym_root_option
from mlyceum.cli.output import json_option, make_table, print_json, stdout_console
from mlyceum.progress import open_reporter
from mlyceum.run_folders import folder_for
from mlyceum.single_error import single_error
from tasks.mlgym_folder.names import checkout_names

INTERRUPTED = 130
T = TypeVar("T")


@click.command("run", short_help="research tasks with a team, and print the scored table")
@click.argument("tasks", metavar="TASK...", nargs=-1, required=True)
@click.option("--team", default="full", show_default=True, metavar="NAME|FILE", help="Who researches.")
@click.option("--without", multiple=True, metavar="ROLE[=SENSE]", help="vacuous (default) or absorbed:ROLE.")
@click.option(
    "--patch", "patches", multiple=True, metavar="TEXT", help="Any other change, as 'mute reviews'."
)
@click.option(
    "--model", "models", multiple=True, metavar="[ROLE=]PROVIDER/NAME", help="Drives the team or a role."
)
@click.option("--base-url", metavar="URL", help="Of the model's endpoint, instead of its own.")
@click.option(
    "--model-cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="While developing: equal requests are asked once.",
)
@click.option("--max-cost", type=float, metavar="USD", help="Over all episodes, shared evenly.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Episodes per task.")
@click.option("--seed", "first_seed", type=int, default=1, show_default=True, help="The first one.")
@click.option("--budget", type=int, metavar="EVALUATIONS", help="Per episode.  [default: 20; mlgym: 50]")
@click.option(
    "--protocol",
    type=click.Choice(["verified", "mlgym"]),
    default="verified",
    show_default=True,
    help="Of scoring.",
)
@click.option("--feedback-size", type=int, metavar="N", help="Games or formulas per feedback score.")
@click.option(
    "--control", "controls", multiple=True, type=click.Choice(CONTROLS), help="Same seeds and budget."
)
@click.option("--jobs", type=int, metavar="N", help="Episodes at once.  [default: by cores]")
@click.option(
    "--workspace",
    type=click.Choice(WORKSPACES),
    default="sandbox",
    show_default=True,
    help="Isolation of code.",
)
@mlgym_root_option
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/TIME-TASK]")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    tasks: tuple[str, ...],
    team: str,
    without: tuple[str, ...],
    patches: tuple[str, ...],
    models: tuple[str, ...],
    base_url: str | None,
    model_cache: Path | None,
    max_cost: float | None,
    seeds: int,
    first_seed: int,
    budget: int | None,
    protocol: str,
    feedback_size: int | None,
    controls: tuple[str, ...],
    jobs: int | None,
    workspace: str,
    mlgym_root: Path | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Research tasks with a team, and print the scored table.

    Interrupted, the same command goes on where it stopped.

    \b
    Examples:
      mlyceum run battle-of-sexes --seeds 3
      mlyceum run colonel-blotto 3-sat --control random-search --budget 40
      mlyceum run battle-of-sexes --without reviewer --without coder=absorbed:hypothesizer
      mlyceum run prisoners-dilemma --model openai/gpt-4o-mini --max-cost 1
      mlyceum run --mlgym-root ../MLGym battleOfSexes
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    plan = make_plan(
        Request(
            tasks=checkout_names(tasks, mlgym_root),
            team=team,
            without=without,
            patches=patches,
            models=models,
            max_cost_usd=max_cost,
            seeds=seeds,
            first_seed=first_seed,
            evaluations=budget,
            protocol=cast("ScoringProtocol", protocol),  # click has checked it
            feedback_size=feedback_size,
            controls=controls,
        )
    )
    limits = limits_for(jobs)
    backend = check_workspace(workspace)
    with open_reporter(quiet=quiet) as reporter, open_model_use(model_cache, is_scoped=False) as use:
        folder = folder_for(plan, out, reporter)

        async def run() -> Record:
            return await run_plan(
                plan,
                folder=folder,
                limits=limits,
                reporter=reporter,
                workspace=backend,
                base_url=base_url,
                model_use=use,
            )

        record = run_interruptible(run)
    if record is None:
        click.echo(f"mlyceum: interrupted; the same command goes on from here ({folder})", err=True)
        return INTERRUPTED
    if as_json:
        print_json(record)
    else:
        print_table(record)
    return _status(record)


def run_interruptible(run: Callable[[], Awaitable[T]]) -> T | None:
    """What an async function returns; None where Ctrl-C or SIGTERM ended it, everything closed."""

    async def main() -> T | None:
        record: T | None = None
        async with trio.open_nursery() as nursery:
            await nursery.start(_cancel_at_signal, nursery.cancel_scope)
            record = await run()
            nursery.cancel_scope.cancel()
        return record

    with single_error():
        return trio.run(main)


async def _cancel_at_signal(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


def _status(record: Record) -> int:
    """1 where the outside let an episode down; what it was is said in a sentence each."""
    for episode, reason in record.failed.items():
        click.echo(f"mlyceum: {episode} failed: {reason}; the same command tries it again", err=True)
    return 1 if record.failed else 0


def print_table(record: Record) -> None:
    """The scored table, and what a reader of it must know."""
    controls = list(dict.fromkeys(control.team for row in record.tasks for control in row.controls))
    numbers = (
        "baseline",
        "this team",
        "95 % interval",
        *controls,
        "best published",
        "optimum",
        "evaluations",
        "time",
    )
    table = make_table(
        "task",
        "baseline",
        "this team",
        "95 % interval",
        *controls,
        "best published",
        "optimum",
        "evaluations",
        "outcomes",
        "time",
        title=_title(record),
        numbers=frozenset(numbers),
    )
    for row in record.tasks:
        _add_row(table, row, controls)
    console = stdout_console()
    console.print(table)
    console.print()
    methods = sorted({row.interval_method for row in record.tasks} - {"none"})
    if methods:
        console.print(
            f"intervals over seeds: {', '.join(_METHODS[method] for method in methods)}", soft_wrap=True
        )
    if any(row.best_published_is_rescaled for row in record.tasks):
        console.print(
            "* wall time over the published baseline's wall time, on an unknown machine", soft_wrap=True
        )
    for note in record.notes:
        console.print(f"note: {note}", soft_wrap=True)
    console.print(f"record: {record.folder}", soft_wrap=True)


_METHODS = {"t": "Student's t", "bootstrap": "bootstrap (percentiles of 10,000 resamples)"}


def _title(record: Record) -> str:
    driven = f", driven by {record.model}" if record.model else ""
    changed = f" ({'; '.join(record.patches)})" if record.patches else ""
    return f"team {record.team}{changed}{driven}; protocol {record.protocol}"


def _add_row(table: Table, row: TaskRow, controls: list[str]) -> None:
    by_team = {control.team: control for control in row.controls}
    sign = {"max": "↑", "min": "↓"}[row.direction]
    table.add_row(
        f"{row.task} {sign}",
        _number(row.baseline),
        _number(row.mean),
        "-" if row.interval is None else f"{_number(row.interval[0])} … {_number(row.interval[1])}",
        *(_control(by_team.get(team)) for team in controls),
        _number(row.best_published) + ("*" if row.best_published_is_rescaled else ""),
        _number(row.optimum),
        f"{row.evaluations:g}",
        ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.items()),
        f"{row.seconds:.1f} s",
    )


def _control(control: ControlRow | None) -> str:
    return _number(control.score.mean if control is not None and control.score is not None else None)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4f}"
