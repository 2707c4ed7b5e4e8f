"""How commands print: one JSON document, or tables for people; progress on stderr."""

import sys

import click
import msgspec
from rich.console import Console
from rich.table import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def print_json(document: object) -> None:
    """One JSON document on stdout, indented, with a newline at its end."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.write(text.decode() + "\n")


def stdout_console() -> Console:
    """Where tables go. Without a terminal they are not cut to a width."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, emoji=False, markup=False)


def stderr_console() -> Console:
    """Where progress and notes go."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def make_table(*columns: str, title: str | None = None, numbers: frozenset[str] = frozenset()) -> Table:
    """A table without ornaments, with the named columns right-aligned."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=True)
    return table
