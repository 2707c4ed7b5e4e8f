"""Which tasks there are, by their names and by MLGym's; ``mlgym-NAME`` is a task of the user's checkout of MLGym."""

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from engine.errors import UnknownName, UserError
from engine.task import Moves, TaskCard
from tasks.mlgym_folder.names import PREFIX, is_folder_name
from tasks.package import TaskFile, TaskPackage
from tasks.specification import read_toml

_HERE = Path(__file__).parent


def task_names() -> tuple[str, ...]:
    """Every task's id: published variants first, then the harder ones, each in the order of their folders."""
    places = _places()
    return tuple(sorted(places, key=lambda name: (places[name][1] != "task.toml", places[name][0].name)))


def aliases() -> dict[str, str]:
    """MLGym's ids to ours."""
    return {card.mlgym_id: card.id for card in _cards() if card.mlgym_id and card.variant == "published"}


def task_id(name: str) -> str:
    """The id behind a name, an alias, or either with ``@space``.

    Raises:
        UnknownName: carrying what was probably meant.
    """
    base = name.partition("@")[0]
    if is_folder_name(base):
        from tasks.mlgym_folder.checkout import open_checkout  # most runs have no checkout

        return PREFIX + open_checkout().name_of(base.removeprefix(PREFIX))
    names = {**{each: each for each in task_names()}, **aliases()}
    if base not in names:
        raise UnknownName("task", base, names)
    return names[base]


def is_known_task(name: str) -> bool:
    """Whether a task of this name can be opened here; records may be of others."""
    try:
        task_id(name)
    except UserError:
        return False
    return True


def open_task(name: str) -> TaskPackage:
    """The task of this name (``id``, ``id@space`` for another of its move spaces, or MLGym's id).

    Raises:
        UnknownName: for the task or the move space.
        BadSpecification: when the task's own folder is damaged.
        UserError: for a task of a checkout, when there is no checkout or something is missing for it here.
    """
    if is_folder_name(name):
        from tasks.mlgym_folder.package import open_folder_task  # most runs have no checkout

        return open_folder_task(name)
    folder, file = _places()[task_id(name)]
    module = importlib.import_module(f"tasks.{folder.name}.moves")
    # What a module defines is not typed from outside; the conformance suite holds every task to it.
    spaces = cast("Mapping[str, Moves]", module.SPACES)
    return TaskPackage(folder, file=file, spaces=spaces, space=name.partition("@")[2] or "default")


@cache
def _places() -> dict[str, tuple[Path, str]]:
    return {
        read_toml(path, TaskFile).card.id: (path.parent, path.name)
        for path in sorted(_HERE.glob("*/task*.toml"))
    }


def _cards() -> list[TaskCard]:
    return [read_toml(folder / file, TaskFile).card for folder, file in _places().values()]
