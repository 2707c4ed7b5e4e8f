"""``mlyceum replay``: a finished study run again from its journals, with no network, and compared."""

from functools import partial
from pathlib import Path
from typing import cast

import click

from benchmarks.studies.running import WORKSPACES, check_workspace, limits_for
from benchmarks.studies.study import new_folder
from engine.replay import RECORDED_KINDS, RecordedKind
from mlyceum.cli.output import json_option, print_json, stdout_console
from mlyceum.cli.run import INTERRUPTED, run_interruptible
from mlyceum.cli.study import print_summary
from mlyceum.folders import episode_folder, study_folder, study_of
from mlyceum.progress import open_reporter
from mlyceum.replaying import ReplayReport, prepare_replay, replay_study
from mlyceum.run_folders import RUNS


@click.command("replay", short_help="run a finished study again from its journals, and compare")
@click.argument("folder", metavar="DIR|DIR/EPISODE", type=click.Path(path_type=Path))
@click.option(
    "--recorded",
    multiple=True,
    type=click.Choice(RECORDED_KINDS),
    help="Take these from the record, too, instead of doing them again.",
)
@click.option("--jobs", type=int, metavar="N", help="Episodes at once.  [default: by cores]")
@click.option(
    "--workspace",
    type=click.Choice(WORKSPACES),
    default="sandbox",
    show_default=True,
    help="Isolation of code.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/TIME-replay]")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    folder: Path,
    recorded: tuple[str, ...],
    jobs: int | None,
    workspace: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a finished study (or one episode of it) again from its journals, and compare.

    Models answer from the record, without network or key; commands and scores are done again. Exit status 0: every
    journal, every result and the table are equal, meters aside. 1: they are not; the first difference is printed.

    \b
    Examples:
      mlyceum replay runs/latest
      mlyceum replay runs/latest/planted--full--seed-1
      mlyceum replay runs/my-study --recorded scores --recorded commands
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    one = episode_folder(folder)
    origin = study_folder(folder if one is None else study_of(one) or folder)
    replay = prepare_replay(
        origin,
        episodes=() if one is None else (one.name,),
        recorded=cast("tuple[RecordedKind, ...]", recorded),  # click has checked them
    )
    limits, backend = limits_for(jobs), check_workspace(workspace)
    with open_reporter(quiet=quiet) as reporter:
        target = out if out is not None else new_folder(RUNS, "replay")
        report = run_interruptible(
            partial(replay_study, replay, folder=target, limits=limits, reporter=reporter, workspace=backend)
        )
    if report is None:
        click.echo(f"mlyceum: interrupted; --out {target} goes on from here", err=True)
        return INTERRUPTED
    print_json(report) if as_json else _print(report)
    return _status(report)


def _print(report: ReplayReport) -> None:
    print_summary(report.summary)
    console = stdout_console()
    same = sum(each.is_same for each in report.episodes)
    calls = sum(each.calls for each in report.episodes)
    followed = sum(each.how == "followed" for each in report.episodes)
    console.print(
        f"replay of {report.origin}: {same} of {len(report.episodes)} journals are equal, the table is "
        f"{'the same' if report.is_table_same else 'another'}; {calls} model calls answered from the record",
        soft_wrap=True,
    )
    if followed:
        console.print(
            f"note: {followed} followed their record: a clock had decided the order in them", soft_wrap=True
        )
    for name in report.left_out:
        console.print(f"note: {name} had not ended and was left out", soft_wrap=True)


def _status(report: ReplayReport) -> int:
    different = [each for each in report.episodes if not each.is_same]
    if different:
        first = different[0]
        click.echo(f"mlyceum: {first.episode} is not what it was: {first.difference}", err=True)
    elif not report.is_table_same:
        click.echo("mlyceum: the table is not what it was, and every episode is", err=True)
    return 0 if report.is_same else 1
