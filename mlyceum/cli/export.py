"""``mlyceum export``: a study written for other programs."""

import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from benchmarks.studies.looks import read_looks, record_look
from engine.errors import BadSpecification, OutputUnusable, UnknownName
from mlyceum.export.frame_files import FileFormat, write_frames
from mlyceum.export.result_tables import ResultTable, by_task, headline, latex, markdown
from mlyceum.export.trajectories import Trajectory, trajectories, write_trajectories
from mlyceum.export.wandb_runs import write_runs
from mlyceum.frame_making import curve_rows
from mlyceum.frame_rows import ROWS, CurveRow, EpisodeRow
from mlyceum.frames import StudyFrames, load
from tasks.registry import open_task

FILES: dict[str, FileFormat] = {"parquet": "parquet", "csv": "csv", "jsonl": "jsonl", "sqlite": "sqlite"}
TABLES = ("latex", "markdown")
FORMATS = (*FILES, *TABLES, "chat", "wandb")


@click.command("export", short_help="write a study as tables, trajectories, or runs of W&B")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="Where to; must be new.")
@click.option(
    "--frames", metavar="NAMES", help=f"For files, comma between: {', '.join(ROWS)}.  [default: all]"
)
@click.option(
    "--member", "members", multiple=True, metavar="ROLE", help="For chat: only these.  [default: all]"
)
@click.option("--project", default="mlyceum", show_default=True, help="For wandb: where runs are put.")
def command(
    folder: Path, form: str, out: Path | None, frames: str | None, members: tuple[str, ...], project: str
) -> None:
    """Write the study in DIR, finished or not, for other programs.

    \b
    parquet, csv, jsonl   a folder with a file for each frame
    sqlite                one database, a table for each frame
    latex, markdown       tables of results with intervals; a look at the results, and put down as one
    chat                  trajectories: a line for each member or conversation, with per-step rewards
    wandb                 an offline run for each episode, for `wandb sync`

    \b
    Examples:
      mlyceum export runs/latest --to parquet --out frames
      mlyceum export runs/latest --to csv --frames episodes,scores --out tables
      mlyceum export runs/latest --to latex --out results.tex
      mlyceum export runs/latest --to chat --member coder --out coder.jsonl
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    study = load(folder)
    if form in TABLES:
        _tables(study, form, out)
        return
    if out is None:
        raise BadSpecification("--out", f"{form} needs a place to be written to; name one that is new")
    _check_new(out)
    try:
        _say(f"{_written(study, form, out, frames, members, project)} ({out})")
    except (OSError, sqlite3.Error) as error:
        raise OutputUnusable(f"cannot write {out}: {error}; name another place") from error


def _written(
    study: StudyFrames, form: str, out: Path, frames: str | None, members: tuple[str, ...], project: str
) -> str:
    """What was written, in words."""
    if form in FILES:
        made = study.make(*_frame_names(frames))
        write_frames(made, out, FILES[form])
        return ", ".join(f"{frame.height} {name}" for name, frame in made.items())
    if form == "chat":
        out.parent.mkdir(parents=True, exist_ok=True)
        return f"{write_trajectories(_trajectories(study, members), out)} trajectories"
    episodes = tuple(study.episode_rows())
    return f"{write_runs(episodes, _curves(study), out, project=project)} runs; `wandb sync` sends them"


def _frame_names(text: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    for name in names:
        if name not in ROWS:
            raise UnknownName("frame", name, ROWS)
    return names


def _check_new(out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists():
        raise OutputUnusable(f"{out} exists already, and nothing is written over; name another --out")


def _trajectories(study: StudyFrames, members: tuple[str, ...]) -> Iterator[Trajectory]:
    known: set[str] = set()
    for row, spec in zip(study.episode_rows(), study.specs, strict=True):
        view, records = study.read(spec)
        known |= {member.role for member in spec.team.members}
        yield from trajectories(
            view,
            records,
            study=study.name,
            arm=row.arm,
            block=row.block,
            is_pilot=row.is_pilot,
            members=members,
        )
    for member in members:
        if member.partition(".")[0] not in {*known, "strategy"}:
            raise UnknownName("role", member, known)


def _curves(study: StudyFrames) -> dict[str, tuple[CurveRow, ...]]:
    found: dict[str, tuple[CurveRow, ...]] = {}
    for spec in study.specs:
        view, records = study.read(spec)
        found[spec.id] = tuple(curve_rows(view, records, study.finals_of(spec)))
    return found


def _tables(study: StudyFrames, form: str, out: Path | None) -> None:
    rows = tuple(study.episode_rows())
    _put_down_look(study, rows)
    tables = tuple(_result_tables(study, rows))
    text = latex(tables) if form == "latex" else markdown(tables)
    if out is None:
        sys.stdout.write(text)
        return
    _check_new(out)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"cannot write {out}: {error.strerror or error}; name another file") from error
    _say(f"{len(tables)} tables ({out})")


def _result_tables(study: StudyFrames, rows: Iterable[EpisodeRow]) -> Iterator[ResultTable]:
    given = tuple(rows)
    pilots = {row.episode for row in given if row.is_pilot}
    results = [result for result in study.results if result.episode not in pilots]
    protocols = {result.spec.protocol for result in results}
    cards = {task: open_task(task).card for task in {row.task for row in given if row.metric is not None}}
    whole = headline(results, cards) if len(protocols) == 1 else None
    if whole is not None:
        yield whole
    yield by_task(given)


def _put_down_look(study: StudyFrames, rows: Iterable[EpisodeRow]) -> None:
    """Results are summarised: put down once for each state that they are in."""
    blocks: dict[str, bool] = {}
    for row in rows:
        if not row.is_pilot:
            blocks[row.block] = blocks.get(row.block, True) and row.state == "ended"
    seen = (sum(blocks.values()), len(blocks))
    looks = read_looks(study.folder)
    if not looks or (looks[-1].complete_blocks, looks[-1].blocks) != seen:
        record_look(study.folder, by="export", complete_blocks=seen[0], blocks=seen[1])


def _say(sentence: str) -> None:
    click.echo(f"wrote {sentence}", err=True)
