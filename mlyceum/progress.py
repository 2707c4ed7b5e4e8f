"""Progress on stderr: bars on a terminal, plain lines elsewhere, nothing where it is not wanted."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from benchmarks.studies.reporter import Quiet, Reporter
from engine.scheduler import Progress

LINE_SECONDS = 15.0
"""Between two plain lines that only say how far it is."""


class Lines:
    """Plain lines: each end of an episode, and how far it is every quarter of a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._episodes = self._ended = self._evaluations = self._evaluated = 0
        self._said_at = 0.0

    def note(self, line: str) -> None:
        """See `Reporter`."""
        self._console.print(line, soft_wrap=True)

    def begin(self, episodes: int, evaluations: int) -> None:
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
    """Bars that redraw: one for episodes, one for evaluations; what must be kept is printed above them."""

    def __init__(self, console: Console) -> None:
        self.bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._episodes = self.bars.add_task("episodes", total=None)
        self._evaluations = self.bars.add_task("evaluations", total=None)

    def note(self, line: str) -> None:
        """See `Reporter`."""
        self.bars.console.print(line, soft_wrap=True)

    def begin(self, episodes: int, evaluations: int) -> None:
        """See `Reporter`."""
        self.bars.update(self._episodes, total=episodes)
        self.bars.update(self._evaluations, total=evaluations or None)

    def episode(self, event: Progress) -> None:
        """See `Reporter`."""
        if event.event == "started":
            return
        self.bars.advance(self._episodes)
        if event.event == "known" and event.result is not None:
            self.bars.advance(self._evaluations, event.result.evaluations)
        self.note(describe(event))

    def evaluated(self, episode: str) -> None:  # noqa: ARG002 - the seam's shape
        """See `Reporter`."""
        self.bars.advance(self._evaluations)


def describe(event: Progress) -> str:
    """One line on an episode's end."""
    result = event.result
    if result is None:
        return f"{event.episode}  FAILED: {event.reason}"
    score = "no score" if result.final.value is None else f"{result.final.value:.4f}"
    how = "done before" if event.event == "known" else f"{result.measured.seconds:.1f} s"
    reason = f"  ({result.reason})" if result.reason else ""
    return f"{event.episode}  {result.outcome}  {score}  {result.evaluations} evaluations, {how}{reason}"


@contextmanager
def open_reporter(*, quiet: bool = False) -> Generator[Reporter]:
    """The reporter that fits stderr."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if quiet:
        yield Quiet()
    elif sys.stderr.isatty():
        terminal = Terminal(console)
        with terminal.bars:
            yield terminal
    else:
        yield Lines(console)
