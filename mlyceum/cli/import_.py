"""``mlyceum import``: records of other programs as a study's folder."""

from pathlib import Path

import click
from rich.text import Text

from engine.errors import UnknownName
from mlyceum.cli.output import json_option, print_json, stdout_console
from mlyceum.importing import Imported, import_mlgym
from mlyceum.plain_text import plain_struct

FORMS = ("mlgym",)
_SHOWN_PROBLEMS = 20


@click.command("import")
@click.argument("form", metavar="FORM")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="The study's folder."
)
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this; MLGym's id or ours.")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Only this, as the folders' names say."
)
@json_option
def command(
    form: str, path: Path, *, out: Path, tasks: tuple[str, ...], models: tuple[str, ...], as_json: bool
) -> None:
    """Read the runs of another program below PATH into the study's folder DIR; FORM is mlgym.

    PATH is a folder of MLGym's runs (.traj, results.json), or a bare git repository of MLGym. Each run becomes an
    episode: its model the arm, its scores as published. `show`, `view`, `score`, `report` and `export` read DIR. A bad
    file is told of in a sentence, the rest is imported.

    \b
    Examples:
      mlyceum import mlgym MLGym/trajectories --out runs/published
      mlyceum import mlgym MLGym/trajectories --task blotto --out runs/blotto
      mlyceum show runs/blotto
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    if form not in FORMS:
        raise UnknownName("form of records", form, FORMS)
    imported = import_mlgym(path, out, tasks=tasks, models=models)
    if as_json:
        print_json(imported)
        return
    _print(plain_struct(imported))


def _print(imported: Imported) -> None:
    console = stdout_console()
    scores_only = f", of {imported.without_trajectory} only the scores" if imported.without_trajectory else ""
    lines = [
        f"{imported.episodes} runs of {len(imported.models)} models on {len(imported.tasks)} tasks{scores_only}",
        *(f"left out: {problem}" for problem in imported.problems[:_SHOWN_PROBLEMS]),
    ]
    if len(imported.problems) > _SHOWN_PROBLEMS:
        lines.append(f"left out: {len(imported.problems) - _SHOWN_PROBLEMS} more; --json names them")
    for line in (*lines, f"read them: mlyceum show {imported.folder}"):
        console.print(Text(line), soft_wrap=True)
