"""What the judge asks of a task's scorer."""

from pathlib import Path
from typing import Protocol

import msgspec

from engine.task import Files, Measured, Score, ScoringProtocol, Split
from engine.workspace.interface import Backend


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One artefact to be scored once."""

    files: Files
    digest: str
    """The artefact's hash."""
    protocol: ScoringProtocol
    split: Split
    seed: int
    secret: bytes = b""
    """Mixed into the opponents' draws; never enters a workspace."""
    data: Path | None = None
    """Folder for formulas that are made once; None: a temporary one."""


class Scorer(Protocol):
    """A task's own part of the judge."""

    @property
    def version(self) -> int:
        """Raised when scores stop being comparable."""
        ...

    @property
    def outside(self) -> bool:
        """Whether it waits on processes of its own."""
        ...

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """The score; everything that hostile code can do ends in one.

        Raises:
            EngineError: when it could not be scored, through no fault of the artefact.
        """
        ...
