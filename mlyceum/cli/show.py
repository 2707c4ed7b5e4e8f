"""``mlyceum show``: read an episode, or list the episodes of a folder."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from engine.errors import EngineError
from engine.messages import ArtefactHash
from engine.store import ArtefactStore
from mlyceum.cli.output import json_option, keep_picture, picture_console, print_json, stdout_console
from mlyceum.folders import episode_folder, study_folder, study_of
from mlyceum.listing import EpisodeLine, list_episodes
from mlyceum.plain_text import plain_struct
from mlyceum.reading import EpisodeView, read_episode
from mlyceum.viewer.diffs import files_diff
from mlyceum.viewer.fitted import Column, print_fitted
from mlyceum.viewer.numbers import number
from mlyceum.viewer.page import SECTIONS, Section, find_node, show_node, show_page

_FIELDS: dict[Section, tuple[str, ...]] = {
    "tree": ("nodes",),
    "scores": ("feedback", "finals"),
    "decisions": ("decisions",),
    "messages": ("messages", "effects"),
    "diffs": ("nodes",),
}
"""What of the JSON document belongs to a section; everything else is left out where sections are asked for."""


@click.command("show")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--messages", is_flag=True, help="Every message, effect and who took it.")
@click.option("--tree", is_flag=True, help="The research tree: predicted, found, verdict.")
@click.option("--diffs", is_flag=True, help="The code of each node as a unified diff.")
@click.option("--scores", is_flag=True, help="Each feedback score, and the finals.")
@click.option("--decisions", is_flag=True, help="What was decided, by which rule, among what.")
@click.option("--node", type=click.IntRange(min=0), metavar="N", help="One node of the tree in full.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Keep it as a picture.")
@json_option
def command(
    path: Path,
    *,
    messages: bool,
    tree: bool,
    diffs: bool,
    scores: bool,
    decisions: bool,
    node: int | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Read the episode at PATH (DIR/EPISODE), also while it runs; or list the episodes of DIR.

    Without options: an overview of everything.

    \b
    Examples:
      mlyceum show runs/latest
      mlyceum show runs/latest/battle-of-sexes--full--seed-1
      mlyceum show runs/latest/battle-of-sexes--full--seed-1 --node 3
    """  # noqa: D301 - click reads the escape as a sign to keep these lines
    folder = episode_folder(path)
    if folder is None:
        _show_list(study_folder(path), as_json=as_json)
        return
    asked = {"messages": messages, "tree": tree, "diffs": diffs, "scores": scores, "decisions": decisions}
    sections: tuple[Section, ...] = tuple(section for section in SECTIONS if asked[section])
    view = read_episode(folder)
    if as_json:
        _print_json(view, sections, node)
        return
    view = plain_struct(view)
    console = stdout_console() if svg is None else picture_console()
    if node is not None:
        show_node(view, console, node)
    else:
        show_page(view, console, sections=sections, final_diff=_final_diff(view, folder))
    if svg is not None:
        keep_picture(console, svg, title=f"mlyceum show {view.episode}")


def _print_json(view: EpisodeView, sections: tuple[Section, ...], node: int | None) -> None:
    if node is not None:
        print_json(find_node(view, node))
        return
    wanted = {field for section in sections for field in _FIELDS[section]}
    droppable = {field for fields in _FIELDS.values() for field in fields}
    dropped = droppable - wanted if sections else set[str]()
    document: dict[str, object] = {
        field: getattr(view, field) for field in view.__struct_fields__ if field not in dropped
    }
    print_json(document)


def _final_diff(view: EpisodeView, folder: Path) -> str:
    """From the starter to what was handed in, where the study keeps both."""
    study = study_of(folder)
    if study is None or view.result is None or view.brief is None:
        return ""
    store = ArtefactStore(study / "artefacts")
    try:
        old, new = store.get(view.brief.starter), store.get(ArtefactHash(view.result.selected))
    except (EngineError, msgspec.DecodeError):
        return ""  # an overview does without; --diffs has what the coder said
    return files_diff(old, new, old_name="starter", new_name="handed-in")


def _show_list(study: Path, *, as_json: bool) -> None:
    episodes = list_episodes(study)
    if as_json:
        print_json({"folder": str(study), "episodes": episodes})
        return
    console = stdout_console()
    if not episodes:
        console.print(Text(f"{study}: no episode yet"))
        return
    _print_list(console, study, episodes)


_COLUMNS = (
    Column(name="episode"),
    Column(name="outcome"),
    Column(name="final", right=True),
    Column(name="± SE", right=True, optional=2),
    Column(name="evaluations", right=True, optional=1),
    Column(name="messages", right=True, optional=3),
    Column(name="time", right=True, optional=4),
)


def _print_list(console: Console, study: Path, episodes: tuple[EpisodeLine, ...]) -> None:
    rows = [
        (
            each.episode,
            Text(each.outcome, style="green" if each.outcome == "submitted" else "yellow"),
            number(each.final),
            number(each.standard_error) if each.final is not None else "-",
            str(each.evaluations),
            str(each.messages),
            f"{each.seconds:.1f} s",
        )
        for each in map(plain_struct, episodes)
    ]
    print_fitted(console, _COLUMNS, rows)
    console.print(Text(f"read one: mlyceum show {study / episodes[0].episode}", style="dim"), soft_wrap=True)
