"""``mlyceum replay-mlgym``: published runs of MLGym played again in our workspaces, held against what was recorded."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from benchmarks.mlgym_replay.playing import play, select
from benchmarks.mlgym_replay.running import Options, RunRow
from benchmarks.mlgym_replay.tables import ReplayReport, markdown, summarise
from engine.errors import OutputUnusable
from mlyceum.cli.mlgym_root import mlgym_root_option
from mlyceum.cli.output import json_option, make_table, print_json, stderr_console, stdout_console
from mlyceum.cli.run import INTERRUPTED, run_interruptible
from mlyceum.plain_text import plain_struct
from tasks.mlgym_folder.checkout import open_checkout


@click.command("replay-mlgym", short_help="play published MLGym runs again, step by step")
@click.argument("places", metavar="[TRAJ]...", nargs=-1, type=click.Path(path_type=Path))
@mlgym_root_option
@click.option("--task", "tasks", multiple=True, metavar="ID", help="MLGym's id; only runs of these.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="At most N runs of each task.  [default: all]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of the sample.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Runs at once.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Limit of an evaluation and of a training command; MLGym's is 1800.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Keep runs.jsonl, report.json, tables.md."
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    places: tuple[Path, ...],
    mlgym_root: Path | None,
    tasks: tuple[str, ...],
    sample: int | None,
    seed: int,
    jobs: int,
    seconds: float,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Play published MLGym runs again in our workspaces, and say which steps mean what was recorded.

    TRAJ: .traj files, folders or a bare git repository that hold them; without any, the checkout's own. With --out,
    an interrupted replay goes on where it stopped.

    \b
    Examples:
      mlyceum replay-mlgym --mlgym-root ../MLGym --task blotto --sample 4
      mlyceum replay-mlgym --mlgym-root ../MLGym path/to/blotto.traj --json
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    checkout = open_checkout(mlgym_root)
    console = Console(quiet=True) if quiet else stderr_console()
    chosen = select(places or (checkout.root / "trajectories",), tasks=tasks, sample=sample, seed=seed)
    for why in chosen.refused.values():
        console.print(Text(f"left out: {why}"), soft_wrap=True)
    played = 0

    def told(row: RunRow) -> None:
        nonlocal played
        played += 1
        same = sum(not step.difference for step in row.rows)
        flag = f"; changed {', '.join(row.changed)}" if row.changed else ""
        console.print(
            Text(f"{played}  {row.name}: {same} of {row.steps} steps the same{flag}"), soft_wrap=True
        )

    async def run() -> list[RunRow]:
        return await play(
            chosen,
            options=Options(evaluation_seconds=seconds, training_seconds=seconds),
            jobs=jobs,
            folder=out,
            told=told,
            note=lambda line: console.print(Text(line), soft_wrap=True),
        )

    rows = run_interruptible(run)
    if rows is None:
        click.echo("mlyceum: interrupted; the same command with --out goes on from there", err=True)
        return INTERRUPTED
    report = summarise(rows, checkout=str(checkout.root), selection=chosen.sentence())
    if out is not None:
        _write(out, report)
    print_json(report) if as_json else print_report(plain_struct(report))
    return 0


def _write(folder: Path, report: ReplayReport) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
        (folder / "tables.md").write_text(markdown(report), encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"cannot write into {folder}: {error.strerror or error}") from error


def print_report(report: ReplayReport) -> None:
    """The report's tables, for people."""
    console = stdout_console()
    table = make_table(
        "task", "runs", "steps", "same", "share", "score not compared",
        numbers=frozenset({"runs", "steps", "same", "share", "score not compared"}),
    )  # fmt: skip
    for line in (*report.tasks, report.total):
        table.add_row(
            line.task,
            str(line.runs),
            str(line.steps),
            str(line.same),
            f"{line.share:.2%}",
            str(line.not_compared),
        )
    console.print(table)
    if report.differences:
        console.print()
        table = make_table("difference", "steps", "what it is", numbers=frozenset({"steps"}))
        for name, count in report.total.by_difference.items():
            table.add_row(name, str(count), report.differences[name])
        console.print(table)
    for flag in report.flags:
        console.print(
            Text(
                f"flagged: {flag.run} changed {', '.join(flag.files)}: best score so {_score(flag.best_changed)}, "
                f"with the checkout's files put back {_score(flag.verified_best)}",
                style="yellow",
            ),
            soft_wrap=True,
        )
    for name, why in report.trouble.items():
        console.print(Text(f"not played to its end: {name}: {why}"), soft_wrap=True)
    console.print(Text(f"played: {report.selection}", style="dim"), soft_wrap=True)


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
