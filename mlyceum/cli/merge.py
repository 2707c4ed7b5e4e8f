"""``mlyceum merge``: bring the shards of a study together."""

from pathlib import Path

import click

from benchmarks.studies.merging import merge_shards, shards_beside
from mlyceum.cli.output import json_option, print_json


@click.command("merge", short_help="bring the shards of a study together")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("shards", metavar="[SHARD...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Shards or episodes may be missing.")
@json_option
def command(out: Path, shards: tuple[Path, ...], partial: bool, as_json: bool) -> int:
    """Bring the shards of a study together in one folder.

    Without SHARD: all in OUT.shards, where `mlyceum study --shard` puts them. Shards stay as they are; merging again
    brings over what has ended since. Nothing is summed up, so no look is taken.

    \b
    Examples:
      mlyceum merge runs/flagship
      mlyceum merge runs/flagship /scratch/a/1-of-2 /scratch/b/2-of-2
      mlyceum study runs/flagship/study.toml --out runs/flagship
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    merged = merge_shards(out, shards or shards_beside(out), partial=partial)
    if as_json:
        print_json(merged)
    else:
        click.echo(
            f"{merged.done} of {merged.episodes} episodes in {merged.folder}, {merged.brought} of them new, "
            f"from {len(merged.shards)} shards"
        )
    return 0
