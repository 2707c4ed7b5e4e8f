"""``mlyceum doctor``: what this machine can isolate and run, and how to mend what is missing."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from mlyceum.cli.output import json_option, make_table, print_json, stdout_console
from mlyceum.machine import Check, Diagnosis, diagnose, self_test

_STYLES = {"ok": "green", "note": "yellow", "missing": "bold red"}


@click.command("doctor")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where studies go.",
)
@json_option
def command(out: Path, *, as_json: bool) -> int:
    """Say what this machine can isolate and run, with the remedy for what is missing.

    Runs the sandbox's self-test: real attacks, about a second. Exit status 0: `mlyceum run` can work sandboxed here;
    1: it cannot, and the remedy is said. Of model keys it looks at the variables' names only.

    \b
    Example:
      mlyceum doctor --json
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    diagnosis = diagnose(self_test(), output=out)
    print_json(diagnosis) if as_json else _print(diagnosis)
    return 0 if diagnosis.can_run else 1


def _print(diagnosis: Diagnosis) -> None:
    console = stdout_console()
    for check in diagnosis.checks:
        _line(console, check)
    console.print()
    console.print(Text(diagnosis.isolation.text()), soft_wrap=True)
    console.print()
    table = make_table("model key", "endpoint", "")
    for key in diagnosis.model_keys:
        state = "set" if key.present else "not set" if key.needed else "not set (optional)"
        table.add_row(key.variable, key.endpoint, Text(state, style="green" if key.present else "dim"))
    console.print(table)
    console.print()
    if diagnosis.can_run:
        console.print(Text("mlyceum run works sandboxed here", style="bold green"))
        return
    missing = [check for check in diagnosis.checks if check.standing == "missing"]
    remedies = "; ".join(f"{check.name}: {check.remedy}" for check in missing)
    console.print(
        Text(f"mlyceum run cannot work sandboxed here; {remedies}", style="bold red"), soft_wrap=True
    )


def _line(console: Console, check: Check) -> None:
    line = Text.assemble((f"{check.standing:8}", _STYLES[check.standing]), f"{check.name:16} ", check.found)
    console.print(line, soft_wrap=True)
    if check.remedy:
        console.print(Text(f"{'':25}{check.remedy}", style="dim"), soft_wrap=True)
