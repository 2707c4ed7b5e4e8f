"""``mlyceum view``: the record of studies in a browser, live or finished."""

from pathlib import Path

import click

from engine.errors import UserError
from mlyceum.folders import NotAStudy
from mlyceum.single_error import single_error

PORT = 8421


@click.command("view", short_help="look at studies in a browser, live or finished")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Elsewhere, a token is asked for.")
@click.option(
    "--allow-host", "names", multiple=True, metavar="NAME", help="A further name it is asked for by."
)
@click.option("--token", is_flag=True, help="Ask for one on this machine too (others log in here).")
def command(folder: Path, *, port: int, host: str, names: tuple[str, ...], token: bool) -> None:
    """Look at the study in DIR, or at all studies below it, in a browser. Only reads; Ctrl-C ends it.

    Needs the extra: pip install 'mlyceum[view]'.

    \b
    Examples:
      mlyceum view
      mlyceum view runs/latest --port 0
      ssh -L 8421:localhost:8421 cluster mlyceum view runs --token
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    if not folder.is_dir():
        raise NotAStudy(f"{folder} is no folder; name a study's folder, or one with studies below it")
    try:
        from mlyceum.viewer.web.serving import serve_until_signal
    except ModuleNotFoundError as error:
        raise UserError(f"the viewer needs {error.name}: run pip install 'mlyceum[view]'") from error

    def announce(address: str) -> None:
        click.echo(f"viewing {folder} at {address} (Ctrl-C ends it)")

    with single_error():
        serve_until_signal(folder, host=host, port=port, names=names, token=token, announce=announce)
