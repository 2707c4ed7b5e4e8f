"""``mlyceum watch``: how a study gets on, from another terminal."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.live import Live

from mlyceum.cli.output import json_option, print_json, stdout_console
from mlyceum.folders import NotAStudy, study_folder
from mlyceum.watch_view import event_line, screen, state_line
from mlyceum.watching import Snapshot, StudyWatch

INTERRUPTED = 130
STATE_SECONDS = 60.0
"""Between two plain lines that only say how far it is."""


@click.command("watch", short_help="how a running study gets on, from another terminal")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print how it stands, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@json_option
def command(folder: Path, *, once: bool, interval: float, as_json: bool) -> int:
    """Show how the study in DIR gets on, until every episode has ended.

    It reads the record and nothing else: no lock, no write, no word to the run, which may be anywhere that shares the
    folder. Ctrl-C ends the watching, not the study. Not on a terminal: one line for each change.

    \b
    Examples:
      mlyceum watch runs/latest
      mlyceum watch runs/latest --once
      mlyceum watch runs/latest --json
      mlyceum watch runs/latest | tee progress.log
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    study = _folder(folder)
    watch = StudyWatch(study)
    try:
        if once or as_json:
            watch.refresh(whole=True)
            _print_once(watch.snapshot(_now()), as_json=as_json)
        elif sys.stdout.isatty():
            _live(watch, interval)
        else:
            _lines(watch, interval)
    except KeyboardInterrupt:
        click.echo("mlyceum: no longer watching; the study is untouched", err=True)
        return INTERRUPTED
    return 0


def _folder(path: Path) -> Path:
    """The study's folder; one that is still empty is taken for a study that is about to begin."""
    try:
        return study_folder(path)
    except NotAStudy:
        if path.is_dir() and not any(path.iterdir()):
            return path
        raise


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _print_once(snapshot: Snapshot, *, as_json: bool) -> None:
    if as_json:
        print_json(snapshot)
    else:
        stdout_console().print(screen(snapshot))


def _live(watch: StudyWatch, interval: float) -> None:
    console = stdout_console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            more = watch.refresh()
            live.update(screen(watch.snapshot(_now()), height=console.height), refresh=True)
            if watch.is_complete:
                break
            if not more:
                time.sleep(interval)
    console.print(screen(watch.snapshot(_now(), events=0)))


def _lines(watch: StudyWatch, interval: float) -> None:
    """One line for each change; what happened before is summed up in the first."""
    watch.refresh(whole=True)
    told = watch.last_event
    snapshot = watch.snapshot(_now(), events=0)
    _print(state_line(snapshot))
    said_at = time.monotonic()
    while snapshot.state != "complete":
        time.sleep(interval)
        watch.refresh(whole=True)
        before, snapshot = snapshot, watch.snapshot(_now(), events=0)
        for event in watch.events_after(told):
            _print(event_line(event))
            told, said_at = event.number, time.monotonic()
        is_due = snapshot.state == "running" and time.monotonic() - said_at >= STATE_SECONDS
        if snapshot.state != before.state or is_due:
            _print(state_line(snapshot))
            said_at = time.monotonic()


def _print(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
