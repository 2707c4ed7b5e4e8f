"""A task as a folder: what it must hold, and the value that is made of it.

::

    task.toml         facts and scoring settings of the published variant
    task-hard.toml    the same of the harder variant, an id of its own
    brief.md          what a team is asked (brief-hard.md where the harder variant asks something else)
    card.md           the fact card, for people
    starter/          the files a team starts from
    check.py          the self-check that a coder runs beside an artefact
    moves.py          `SPACES`: name to declared moves; "default" is among them
    environment.toml  Python packages that an artefact may import
    scorer.py         `make_scorer(settings)`
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.errors import BadSpecification, UnknownName
from engine.messages import Value
from engine.task import Files, Moves, TaskCard
from tasks.specification import read_toml

Settings = Mapping[str, Value]


class ArtefactRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artefact must be before it is looked at."""

    required: tuple[str, ...]
    """UTF-8 text files that must be there."""
    largest_file_bytes: int = 256 << 10
    most_bytes: int = 1 << 20
    most_files: int = 64


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``environment.toml``."""

    requirements: tuple[str, ...] = ()


class TaskFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``task.toml``."""

    card: TaskCard
    artefact: ArtefactRules
    scoring: dict[str, Value] = {}
    """Settings of the task's own scorer, which checks them."""


class TaskPackage:
    """One variant of a task with one of its move spaces; an `engine.task.Task`.

    Attributes:
        name: as it was asked for: the card's id, and ``@space`` where that is not the default.
        rules: what its artefacts must be.
        environment: the Python packages that an artefact may import.
        folder: where it was read from.
        settings: of its scorer.
    """

    def __init__(self, folder: Path, *, file: str, spaces: Mapping[str, Moves], space: str) -> None:
        content = read_toml(folder / file, TaskFile)
        if space not in spaces:
            raise UnknownName(f"move space of {content.card.id}", space, spaces)
        self.folder = folder
        self.name = content.card.id if space == "default" else f"{content.card.id}@{space}"
        self.rules, self.settings = content.artefact, content.scoring
        self.environment = read_toml(folder / "environment.toml", EnvironmentFile).requirements
        self._card, self._moves = content.card, spaces[space]
        own = folder / file.replace("task", "brief").replace(".toml", ".md")
        self._brief = _read_text(own if own.exists() else folder / "brief.md")
        self._starter = read_folder(folder / "starter")

    @property
    def card(self) -> TaskCard:
        """Its facts."""
        return self._card

    @property
    def brief(self) -> str:
        """What is asked."""
        return self._brief

    @property
    def starter(self) -> Files:
        """The files a team starts from."""
        return self._starter

    @property
    def check(self) -> str:
        """Source of the self-check."""
        return _read_text(self.folder / "check.py")

    @property
    def fact_card(self) -> str:
        """The card for people, in Markdown."""
        return _read_text(self.folder / "card.md")

    @property
    def moves(self) -> Moves:
        """The declared move space."""
        return self._moves

    @property
    def scorer_module(self) -> str:
        """The module whose ``make_scorer`` makes its scorer from `settings`."""
        return f"tasks.{self.folder.name}.scorer"

    def audited(self, files: Files) -> Files:
        """The files of an artefact whose source the audit reads: all."""
        return files


def read_folder(folder: Path) -> dict[str, bytes]:
    """The plain files below one of our own folders, in path order, caches left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise BadSpecification(str(path), f"cannot be read: {why}; restore the task's folder") from error
