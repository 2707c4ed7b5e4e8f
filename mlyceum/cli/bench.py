"""``mlyceum bench``: put a team beside the published models of MLGym-Bench, on a named subset of its tasks."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from benchmarks.comparison import Placement
from benchmarks.scores import BASELINE
from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.running import limits_for, run_plan
from benchmarks.studies.summary import Record
from engine.errors import BadSpecification
from mlyceum.bench import Bench, bench_folder
from mlyceum.cli.output import json_option, make_table, print_json, stdout_console
from mlyceum.cli.run import INTERRUPTED, run_interruptible
from mlyceum.cli.score import print_marks, suite_text
from mlyceum.folders import study_folder
from mlyceum.plain_text import plain_struct
from mlyceum.progress import open_reporter
from mlyceum.run_folders import folder_for
from mlyceum.viewer.fitted import Column, print_fitted
from mlyceum.viewer.numbers import number

DEFAULT_TASKS = ("battle-of-sexes", "prisoners-dilemma", "colonel-blotto")
"""Those whose evaluations take seconds; one of 3-sat takes about half a minute."""
DEFAULT_BUDGET = 12


@click.command("bench")
@click.option(
    "--team", metavar="NAME|FILE", help="Who researches; with --from, an arm of it.  [default: full]"
)
@click.option("--tasks", "named", multiple=True, metavar="TASK,...", help="[default: the three games]")
@click.option(
    "--seeds", metavar="K", type=click.IntRange(min=1), default=4, show_default=True, help="Runs per task."
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=DEFAULT_BUDGET,
    show_default=True,
    help="Evaluations per run (MLGym: 50 steps).",
)
@click.option(
    "--model", "models", multiple=True, metavar="[ROLE=]PROVIDER/NAME", help="Drives the team or a role."
)
@click.option("--max-cost", type=float, metavar="USD", help="Over all runs, shared evenly.")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), metavar="DIR", help="Read a study; run nothing."
)
@click.option("--jobs", type=int, metavar="N", help="Runs at once.  [default: by cores]")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/TIME-TASK]")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    team: str | None,
    named: tuple[str, ...],
    seeds: int,
    budget: int,
    models: tuple[str, ...],
    max_cost: float | None,
    source: Path | None,
    jobs: int | None,
    out: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a team under the protocol mlgym, and print BA@k, BS@k and AUP beside the published models.

    The pool (12 models and the baseline) is cut to the tasks named: nothing here stands beside a figure of all 13
    tasks. What deviates from the published setting is said.

    \b
    Examples:
      mlyceum bench
      mlyceum bench --team full --tasks battle-of-sexes,3-sat --budget 8
      mlyceum bench --from runs/latest --json
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    tasks = tuple(name.strip() for each in named for name in each.split(",") if name.strip())
    status = 0
    if source is None:
        request = Request(
            tasks=tasks or DEFAULT_TASKS,
            team=team or "full",
            models=models,
            max_cost_usd=max_cost,
            seeds=seeds,
            evaluations=budget,
            protocol="mlgym",
        )
        record = _run(request, jobs=jobs, out=out, quiet=quiet)
        if record is None:
            return INTERRUPTED
        for episode, reason in record.failed.items():
            click.echo(f"mlyceum: {episode} failed: {reason}; the same command tries it again", err=True)
            status = 1
        bench = bench_folder(Path(record.folder), team=record.team, tasks=tasks)
    else:
        if models or out is not None or max_cost is not None:
            raise BadSpecification(
                "--from", "reads a study and runs nothing; leave --model, --max-cost and --out out"
            )
        bench = bench_folder(study_folder(source), team=team, tasks=tasks)
    print_json(bench) if as_json else _print(plain_struct(bench))
    return status


def _run(request: Request, *, jobs: int | None, out: Path | None, quiet: bool) -> Record | None:
    plan = make_plan(request)
    limits = limits_for(jobs)
    with open_reporter(quiet=quiet) as reporter:
        folder = folder_for(plan, out, reporter)

        async def run() -> Record:
            return await run_plan(plan, folder=folder, limits=limits, reporter=reporter)

        record = run_interruptible(run)
    if record is None:
        click.echo(f"mlyceum: interrupted; the same command goes on from here ({folder})", err=True)
    return record


def _print(bench: Bench) -> None:
    console = stdout_console()
    comparison = bench.comparison
    title = f"{bench.team} beside the published models on {suite_text(comparison.suite)}"
    console.print(Text(title, style="bold underline"), soft_wrap=True)
    console.print()
    _print_scores(console, bench)
    for name, placement in (
        ("best attempt", comparison.best_attempt),
        ("best submission", comparison.best_submission),
    ):
        console.print()
        _print_placement(console, bench, placement, f"AUP of {name}@{comparison.k}")
    console.print()
    verdict = (
        "comparable with the published setting" if bench.comparable else "NOT COMPARABLE as a reproduction:"
    )
    console.print(Text(verdict, style="green" if bench.comparable else "bold yellow"))
    for each in bench.deviations:
        line = f"  {each.what}: published {each.published}; here {each.here}"
        console.print(Text(line), soft_wrap=True)
    for absent in bench.left_out:
        console.print(Text(f"left out: {absent.task} {absent.reason}", style="yellow"), soft_wrap=True)
    for note in bench.notes:
        console.print(Text(f"note: {note}", style="dim"), soft_wrap=True)
    print_marks(console, comparison.marks)
    console.print(Text(f"record: {bench.folder}", style="dim"), soft_wrap=True)


def _print_scores(console: Console, bench: Bench) -> None:
    k = bench.comparison.k
    columns = (
        Column(name="task"),
        Column(name="runs", right=True, optional=3),
        Column(name="baseline", right=True, optional=2),
        Column(name=f"BA@{k}", right=True),
        Column(name="place", right=True),
        Column(name=f"BS@{k}", right=True),
        Column(name="place ", right=True),
        Column(name="best BA in the pool", right=True, optional=1),
        Column(name="best BS in the pool", right=True, optional=1),
    )
    attempt, submission = bench.comparison.best_attempt, bench.comparison.best_submission
    rows: list[list[str]] = []
    for task in bench.tasks:
        cells: list[str] = []
        for placement in (attempt, submission):
            place = placement.position[task]
            where = "-" if place is None else f"{place} of {len(placement.after.aup)}"
            cells += [number(placement.scores[task]), where]
        baseline = number(attempt.before.scores[task][BASELINE])
        best = [number(each.before.scores[task][_first(each, task)]) for each in (attempt, submission)]
        rows.append([task, str(bench.runs[task]), baseline, *cells, *best])
    print_fitted(console, columns, rows)


def _first(placement: Placement, task: str) -> str:
    return placement.before.ranks[task][0]


def _print_placement(console: Console, bench: Bench, placement: Placement, title: str) -> None:
    numbers = ("AUP", "before", "shift")
    table = make_table(title, *numbers, numbers=frozenset(numbers))
    after, before = placement.after.aup, placement.before.aup
    for method in sorted(after, key=lambda name: -after[name]):
        own = method == bench.team
        shift = placement.shift.get(method)
        table.add_row(
            method,
            f"{after[method]:.3f}",
            "-" if own else f"{before[method]:.3f}",
            "new" if own else f"{shift:+.3f}" if shift else "0",
            style="bold" if own else "",
        )
    console.print(table)
    note = f"{bench.team} with ratios and range of the pool as it was: {placement.frozen_aup:.3f}"
    console.print(Text(note, style="dim"), soft_wrap=True)
