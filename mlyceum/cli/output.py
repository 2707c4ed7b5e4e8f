"""How commands print: one JSON document, or tables for people; progress on stderr."""

import os
import re
import sys

import click
import msgspec
from rich.console import Console
from rich.table import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


_ACTED_ON = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What a terminal may act on and JSON leaves as it is: C1 controls, direction overrides, invisible characters."""


def print_json(document: object) -> None:
    """One JSON document on stdout, indented, with a newline at its end; harmless to a terminal, and the same values."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    sys.stdout.write(_ACTED_ON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def stdout_console() -> Console:
    """Where tables go. Without a terminal they are not cut to a width, unless COLUMNS names one."""
    is_sized = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_sized else 200, highlight=False, emoji=False, markup=False)


def stderr_console() -> Console:
    """Where progress and notes go."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def make_table(*columns: str, title: str | None = None, numbers: frozenset[str] = frozenset()) -> Table:
    """A table without ornaments, with the named columns right-aligned."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=True)
    return table
