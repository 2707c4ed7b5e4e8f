"""Progress on stderr: the screen of `mlyceum watch` on a terminal, plain lines elsewhere, nothing where it is not wanted."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import trio
from rich.console import Console
from rich.live import Live
from rich.text import Text

from benchmarks.studies.reporter import Quiet, Reporter
from engine.errors import EngineError
from engine.scheduler import Progress
from mlyceum.plain_text import one_line
from mlyceum.watch_view import screen
from mlyceum.watching import StudyWatch

LINE_SECONDS = 15.0
"""Between two plain lines that only say how far it is."""
SCREEN_SECONDS = 0.5
"""Between two screens."""


class Lines:
    """Plain lines: each end of an episode, and how far it is every quarter of a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._episodes = self._ended = self._evaluations = self._evaluated = 0
        self._said_at = 0.0

    def note(self, line: str) -> None:
        """See `Reporter`."""
        self._console.print(line, soft_wrap=True)

    def begin(self, episodes: int, evaluations: int, folder: Path) -> None:  # noqa: ARG002 - the seam's shape
        """See `Reporter`."""
        self._episodes, self._evaluations = episodes, evaluations
        self._said_at = trio.current_time()

    def episode(self, event: Progress) -> None:
        """See `Reporter`."""
        if event.event != "started":
            self._ended += 1
            self.note(f"{self._ended}/{self._episodes}  {describe(event)}")
            self._said_at = trio.current_time()

    def evaluated(self, episode: str) -> None:  # noqa: ARG002 - the seam's shape
        """See `Reporter`."""
        self._evaluated += 1
        now = trio.current_time()
        if now - self._said_at >= LINE_SECONDS:
            self._said_at = now
            self.note(f"{self._ended}/{self._episodes} episodes done, {self._evaluated} evaluations so far")


class Terminal:
    """The study's screen, redrawn from its record as `mlyceum watch` does it; what must be kept is printed above.

    A context manager. Reading and drawing are a thread's work, so that neither holds up the loop that runs the study; it
    has ended when the block is left.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._watch: StudyWatch | None = None
        self._live = Live(
            Text("preparing …", style="dim"), console=console, auto_refresh=False, transient=True
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="display", daemon=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._live.stop()

    def _draw(self) -> None:
        while not self._over.wait(SCREEN_SECONDS):
            watch = self._watch
            if watch is None:
                continue
            try:
                watch.refresh()
                snapshot = watch.snapshot(datetime.now(UTC).timestamp(), events=0)
            except (EngineError, OSError):
                continue  # a display never ends a study; the run itself says what is wrong with its folder
            self._live.update(screen(snapshot, height=max(8, self._console.height // 2)), refresh=True)

    def note(self, line: str) -> None:
        """See `Reporter`."""
        self._console.print(line, soft_wrap=True)

    def begin(self, episodes: int, evaluations: int, folder: Path) -> None:  # noqa: ARG002 - the seam's shape
        """See `Reporter`."""
        self._watch = StudyWatch(folder)

    def episode(self, event: Progress) -> None:
        """See `Reporter`."""
        if event.event not in {"started", "known"}:
            self.note(describe(event))

    def evaluated(self, episode: str) -> None:
        """See `Reporter`."""


def describe(event: Progress) -> str:
    """One plain line on an episode's end."""
    result = event.result
    if result is None:
        return one_line(f"{event.episode}  FAILED: {event.reason}")
    score = "no score" if result.final.value is None else f"{result.final.value:.4f}"
    how = "done before" if event.event == "known" else f"{result.measured.seconds:.1f} s"
    reason = f"  ({one_line(result.reason)})" if result.reason else ""
    return f"{event.episode}  {result.outcome}  {score}  {result.evaluations} evaluations, {how}{reason}"


@contextmanager
def open_reporter(*, quiet: bool = False) -> Generator[Reporter]:
    """The reporter that fits stderr."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if quiet:
        yield Quiet()
    elif sys.stderr.isatty():
        with Terminal(console) as terminal:
            yield terminal
    else:
        yield Lines(console)
