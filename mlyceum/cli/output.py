"""How commands print: one JSON document, or tables for people; progress on stderr."""

import io
import os
import re
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from engine.errors import OutputUnusable

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


_ACTED_ON = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What a terminal may act on and JSON leaves as it is: C1 controls, direction overrides, invisible characters."""


_FONT_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*|<!-- Generated.*?-->\s*", re.DOTALL)


def print_json(document: object) -> None:
    """One JSON document on stdout, indented, with a newline at its end; harmless to a terminal, and the same values."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    sys.stdout.write(_ACTED_ON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def stdout_console() -> Console:
    """Where tables go. Without a terminal they are not cut to a width, unless COLUMNS names one."""
    is_sized = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_sized else 200, highlight=False, emoji=False, markup=False)


def picture_console() -> Console:
    """Where output goes that is kept as a picture: nowhere else, 110 characters wide."""
    return Console(
        record=True,
        width=110,
        file=io.StringIO(),
        force_terminal=True,
        highlight=False,
        emoji=False,
        markup=False,
    )


def keep_picture(console: Console, path: Path, *, title: str) -> None:
    """Keep what a picture console was told as an SVG file.

    Raises:
        OutputUnusable: when it cannot be written.
    """
    svg = console.export_svg(title=title, theme=DEFAULT_TERMINAL_THEME, unique_id="mlyceum")
    # Whoever looks at a picture must not be made to ask another server for its letters.
    svg = _FONT_FROM_ELSEWHERE.sub("", svg).replace("Fira Code", "monospace")
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(f"cannot write {path}: {error.strerror or error}; name another file") from error


def stderr_console() -> Console:
    """Where progress and notes go."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def make_table(*columns: str, title: str | None = None, numbers: frozenset[str] = frozenset()) -> Table:
    """A table without ornaments, with the named columns right-aligned."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=True)
    return table
