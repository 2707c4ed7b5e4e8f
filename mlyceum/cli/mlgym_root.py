"""``--mlgym-root``: where the user's checkout of MLGym lies, for every command that opens tasks."""

import os
from pathlib import Path

import click

from tasks.mlgym_folder.checkout import ROOT_VARIABLE, open_checkout
from tasks.mlgym_folder.names import checkout_names


def _put(ctx: click.Context, _parameter: click.Parameter, root: Path | None) -> Path | None:
    """What is opened while the command runs finds the checkout by the variable; afterwards it is as it was."""
    if root is None:
        return None
    before = os.environ.get(ROOT_VARIABLE)
    os.environ[ROOT_VARIABLE] = str(open_checkout(root).root)

    def restore() -> None:
        if before is None:
            os.environ.pop(ROOT_VARIABLE, None)
        else:
            os.environ[ROOT_VARIABLE] = before

    ctx.call_on_close(restore)
    return root


mlgym_root_option = click.option(
    "--mlgym-root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    callback=_put,
    help="A checkout of MLGym: TASK is one of its own.  [default: MLYCEUM_MLGYM, for mlgym-TASK]",
)


def named_task(task: str, root: Path | None) -> str:
    """The task that a command means beside its ``--mlgym-root``."""
    return checkout_names((task,), root)[0]
