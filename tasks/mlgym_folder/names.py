"""How a task of a checkout is called beside our own: ``mlgym-`` and the name of its configuration file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

PREFIX: Final = "mlgym-"


def is_folder_name(name: str) -> bool:
    """Whether a task's name means one of a checkout."""
    return name.startswith(PREFIX)


def checkout_names(names: Sequence[str], root: Path | None) -> tuple[str, ...]:
    """The names as a command takes them: beside ``--mlgym-root``, what the checkout knows is the checkout's.

    Args:
        names: as given; MLGym's own ids among them.
        root: of the checkout that the command names; None: the names as they are.
    """
    if root is None:
        return tuple(names)
    from tasks.mlgym_folder.checkout import open_checkout

    checkout = open_checkout(root)
    return tuple(f"{PREFIX}{name}" if checkout.knows(name.partition("@")[0]) else name for name in names)
