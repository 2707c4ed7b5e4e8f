"""Who is told how a study gets on."""

from pathlib import Path
from typing import Protocol

from engine.scheduler import Progress


class Reporter(Protocol):
    """Told what happens while a study runs; never raises."""

    def note(self, line: str) -> None:
        """Something that a user should know."""
        ...

    def begin(self, episodes: int, evaluations: int, folder: Path) -> None:
        """A study begins.

        Args:
            episodes: in all.
            evaluations: that all of them may spend; 0 where no budget says.
            folder: where its record is written.
        """
        ...

    def episode(self, event: Progress) -> None:
        """An episode has begun or ended."""
        ...

    def evaluated(self, episode: str) -> None:
        """A feedback evaluation of an episode has ended."""
        ...


class Quiet:
    """Says nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def begin(self, episodes: int, evaluations: int, folder: Path) -> None:
        """Nothing."""

    def episode(self, event: Progress) -> None:
        """Nothing."""

    def evaluated(self, episode: str) -> None:
        """Nothing."""
