"""``mlyceum fork``: the same research up to a message, then another team, strategy or other draws."""

from pathlib import Path

import click

from benchmarks.studies.forking import ForkRequest, make_fork_plan
from benchmarks.studies.running import WORKSPACES, check_workspace, limits_for, run_missing, sum_up
from benchmarks.studies.summary import Record
from engine.errors import BadSpecification
from mlyceum.cli.output import json_option, print_json
from mlyceum.cli.run import INTERRUPTED, print_table, run_interruptible
from mlyceum.folders import episode_folder
from mlyceum.progress import open_reporter
from mlyceum.run_folders import folder_for


@click.command("fork", short_help="go on from a message of an episode with another team")
@click.argument("episode", type=click.Path(path_type=Path))
@click.option("--at", type=int, required=True, metavar="N", help="The last message that both have.")
@click.option(
    "--patch", "patches", multiple=True, metavar="TEXT", help="What is done to the team, as 'mute reviews'."
)
@click.option(
    "--seed", type=int, metavar="S", help="Other draws and feedback from N on.  [default: the same]"
)
@click.option("--seeds", type=int, default=1, show_default=True, metavar="K", help="Continuations: S, S+1, …")
@click.option("--control", is_flag=True, help="Go on with the unpatched team as well, at each seed.")
@click.option("--base-url", metavar="URL", help="Of the model's endpoint, instead of its own.")
@click.option("--jobs", type=int, metavar="N", help="Episodes at once.  [default: by cores]")
@click.option(
    "--workspace",
    type=click.Choice(WORKSPACES),
    default="sandbox",
    show_default=True,
    help="Isolation of code.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/TIME-TASK]")
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    episode: Path,
    *,
    at: int,
    patches: tuple[str, ...],
    seed: int | None,
    seeds: int,
    control: bool,
    base_url: str | None,
    jobs: int | None,
    workspace: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Go on from message N of EPISODE (DIR/EPISODE) with another team, strategy or other draws.

    Nothing before N is done or paid for again; it counts as spent. `mlyceum show DIR/EPISODE --messages` numbers the
    messages. Interrupted, the same command goes on where it stopped.

    \b
    Examples:
      mlyceum fork runs/latest/planted--full--seed-1 --at 40 --patch 'remove reviewer vacuous'
      mlyceum fork runs/latest/planted--full--seed-1 --at 40 --patch 'strategy random' --seed 100 --seeds 8 --control
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    folder = episode_folder(episode)
    if folder is None:
        raise BadSpecification(str(episode), "is a study; name one of its episodes: DIR/EPISODE")
    forks = make_fork_plan(
        ForkRequest(episode=folder, at=at, patches=patches, seed=seed, seeds=seeds, control=control)
    )
    plan, limits, backend = forks.plan, limits_for(jobs), check_workspace(workspace)
    with open_reporter(quiet=quiet) as reporter:
        study = folder_for(plan, out, reporter)

        async def run() -> Record:
            ran = await run_missing(
                plan,
                folder=study,
                limits=limits,
                reporter=reporter,
                workspace=backend,
                base_url=base_url,
                held=lambda: forks.begin(study),
            )
            return sum_up(
                plan,
                ran.episodes,
                folder=study,
                limits=limits,
                workspace=ran.workspace,
                fallback=ran.fallback,
            )

        record = run_interruptible(run)
    if record is None:
        click.echo(f"mlyceum: interrupted; the same command goes on from here ({study})", err=True)
        return INTERRUPTED
    if as_json:
        print_json(record)
    else:
        print_table(record)
    for name, reason in record.failed.items():
        click.echo(f"mlyceum: {name} failed: {reason}; the same command tries it again", err=True)
    return 1 if record.failed else 0
