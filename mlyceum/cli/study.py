"""``mlyceum study``: run what a study file says, or what is missing of it."""

from functools import partial
from pathlib import Path

import click

from benchmarks.studies.arm_rows import ArmRow, StudySummary
from benchmarks.studies.conducting import RETRIES, conduct
from benchmarks.studies.design import Design, Shard
from benchmarks.studies.estimate import Estimate, estimate
from benchmarks.studies.implied import study_text
from benchmarks.studies.locking import make_lock
from benchmarks.studies.model_use import open_model_use
from benchmarks.studies.resolving import Resolved, parse_shard
from benchmarks.studies.running import WORKSPACES, check_workspace, limits_for
from benchmarks.studies.study import point_latest_at
from benchmarks.studies.study_file import Loaded, find_study, load_study, resolve_file
from engine.errors import BadSpecification
from mlyceum.cli.output import json_option, make_table, print_json, stdout_console
from mlyceum.cli.run import INTERRUPTED, run_interruptible
from mlyceum.progress import open_reporter
from mlyceum.run_folders import RUNS

FEWEST_FOR_INTERVAL = 10
_SPREAD = "95 % interval, or points"


@click.command("study", short_help="run a study file, or what is missing of it")
@click.argument("file", metavar="FILE|NAME")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/NAME]")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="As budget.evaluations=40.")
@click.option("--shard", metavar="I/N", help="Only that part of the blocks, in DIR.shards/I-of-N.")
@click.option("--dry-run", is_flag=True, help="Episodes, time and cost; nothing is run or written.")
@click.option("--print-resolved", is_flag=True, help="The study with everything written out.")
@click.option(
    "--like", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="Measured, for --dry-run."
)
@click.option("--blind", is_flag=True, help="Sum nothing up: no look is taken.")
@click.option("--retries", type=int, default=RETRIES, show_default=True, help="Where the outside fails.")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="On the node's disk: work on a copy there.",
)
@click.option("--jobs", type=int, metavar="N", help="Episodes at once.  [default: by cores]")
@click.option(
    "--workspace",
    type=click.Choice(WORKSPACES),
    default="sandbox",
    show_default=True,
    help="Isolation of code.",
)
@click.option("--base-url", metavar="URL", help="Of the models' endpoint, instead of its own.")
@click.option(
    "--model-cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Of completions, by block, arm and call.",
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    file: str,
    out: Path | None,
    overrides: tuple[str, ...],
    shard: str | None,
    dry_run: bool,
    print_resolved: bool,
    like: tuple[Path, ...],
    blind: bool,
    retries: int,
    scratch: Path | None,
    jobs: int | None,
    workspace: str,
    base_url: str | None,
    model_cache: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run what a study file says, or what is missing of it.

    Interrupted (Ctrl-C, SIGTERM: exit status 130), the same command goes on where it stopped.

    \b
    Examples:
      mlyceum study flagship --dry-run
      mlyceum study my.toml --set seeds.count=40 --set 'tasks=["planted"]'
      mlyceum study my.toml --shard 3/8 && mlyceum merge runs/my
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    loaded = load_study(find_study(file), overrides=overrides)
    part = parse_shard(shard) if shard is not None else None
    resolved = resolve_file(loaded, part)
    folder = study_folder(resolved.design, out, part)
    if print_resolved:
        if as_json:
            print_json(make_lock(resolved, overrides=loaded.overrides, sources=loaded.sources))
        else:
            click.echo(study_text(resolved.design), nl=False)
        return 0
    if dry_run:
        told = estimate(resolved, folder=folder, like=like)
        print_json(told) if as_json else print_estimate(told)
        return 0
    return run_study_here(
        resolved,
        folder=folder,
        loaded=loaded,
        jobs=jobs,
        workspace=workspace,
        base_url=base_url,
        retries=retries,
        look=None if blind else "study",
        scratch=scratch,
        model_cache=model_cache,
        as_json=as_json,
        quiet=quiet,
    )


def study_folder(design: Design, out: Path | None, shard: Shard | None) -> Path:
    """The folder of a study, or of a shard: beside it, so that the whole one stays free for what is merged."""
    whole = out if out is not None else RUNS / design.name
    if shard is None:
        return whole
    return whole.with_name(f"{whole.name}.shards") / f"{shard.number}-of-{shard.of}"


def run_study_here(
    resolved: Resolved,
    *,
    folder: Path,
    loaded: Loaded | None,
    jobs: int | None,
    workspace: str,
    base_url: str | None,
    retries: int,
    look: str | None,
    as_json: bool,
    quiet: bool,
    scratch: Path | None = None,
    model_cache: Path | None = None,
) -> int:
    """Run a study in this process and print what it came to.

    Returns:
        The exit status.
    """
    if retries < 0:
        raise BadSpecification("--retries", f"{retries} is too small; give 0 or more")
    with open_reporter(quiet=quiet) as reporter, open_model_use(model_cache, is_scoped=True) as use:
        summary = run_interruptible(
            partial(
                conduct,
                resolved,
                folder=folder,
                limits=limits_for(jobs),
                reporter=reporter,
                workspace=check_workspace(workspace),
                base_url=base_url,
                overrides=loaded.overrides if loaded is not None else (),
                sources=loaded.sources if loaded is not None else None,
                retries=retries,
                look=look,
                scratch=scratch,
                model_use=use,
            )
        )
    if folder.parent == RUNS:
        point_latest_at(folder)
    if summary is None:
        click.echo(f"mlyceum: interrupted; the same command goes on from here ({folder})", err=True)
        return INTERRUPTED
    print_json(summary) if as_json else print_summary(summary)
    for episode, reason in summary.failed.items():
        click.echo(f"mlyceum: {episode} failed: {reason}; the same command tries it again", err=True)
    return 1 if summary.failed else 0


def print_summary(summary: StudySummary) -> None:
    """What a study came to, as a table an arm a line."""
    console = stdout_console()
    part = f", shard {summary.shard}" if summary.shard else ""
    console.print(
        f"{summary.name}{part}: {summary.complete_blocks} of {summary.blocks} blocks complete", soft_wrap=True
    )
    if summary.rows:
        numbers = frozenset({"n", "mean", _SPREAD, "missing", summary.primary_axis, "time"})
        table = make_table(
            "task",
            "arm",
            "kind",
            "n",
            "mean",
            _SPREAD,
            "missing",
            summary.primary_axis,
            "time",
            numbers=numbers,
        )
        for row in summary.rows:
            table.add_row(*_cells(row))
        console.print(table)
        console.print()
    for note in summary.notes:
        console.print(f"note: {note}", soft_wrap=True)
    console.print(f"record: {summary.folder}", soft_wrap=True)


def _cells(row: ArmRow) -> tuple[str, ...]:
    score = row.score
    sign = {"max": "↑", "min": "↓"}[row.direction]
    return (
        f"{row.task} {sign}",
        row.arm,
        row.kind,
        str(score.n if score is not None else 0),
        f"{score.mean:.4f}" if score is not None else "-",
        _spread(row),
        str(row.missing),
        f"{row.spent:.4g}" if row.spent is not None else "-",
        f"{row.seconds:.1f} s",
    )


def _spread(row: ArmRow) -> str:
    """The interval; below 10 seeds, of which no interval holds what it says, the points themselves."""
    score = row.score
    if len(row.points) < FEWEST_FOR_INTERVAL or score is None or score.low is None or score.high is None:
        return " ".join(f"{point:.3g}" for point in row.points) or "-"
    return f"{score.low:.4f} … {score.high:.4f}"


def print_estimate(told: Estimate) -> None:
    """What a study would take."""
    console = stdout_console()
    pilots = f" ({told.pilot_blocks} of them pilots)" if told.pilot_blocks else ""
    lines = [
        f"{told.name}: {told.episodes} episodes in {told.blocks} blocks{pilots}; {told.done} are done in {told.folder}",
        f"arms: {', '.join(f'{arm} {count}' for arm, count in told.per_arm.items())}",
        f"evaluations: at most {told.evaluations_at_most}",
        f"time: {_span(told.wall_seconds)} ({told.time_basis})",
        f"cost: {_money(told.cost_usd)} expected, {_money(told.cost_usd_at_most)} at most ({told.cost_basis})",
        *(f"price: {model}: {price}" for model, price in told.prices.items()),
        *([f"power: {told.detectable}"] if told.detectable else []),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:.2f} USD"
