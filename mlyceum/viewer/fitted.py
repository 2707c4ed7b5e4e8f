"""Tables that fit a terminal: no figure is ever cut; what there is no room for is left out whole, and named."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
"""Columns between two columns."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: its head.
        right: whether it is aligned to the right, as figures are.
        optional: 0: always shown; else the one with the largest number is left out first.
    """

    name: str
    right: bool = False
    optional: int = 0


def print_fitted(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]]) -> None:
    """Print a table with as many columns as there is room for.

    Args:
        console: where to.
        columns: of the table, in their order.
        rows: a cell for each column.
    """
    shown = _that_fit(columns, rows, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for at in shown:
        # The first column names the row: where even it is too wide, it wraps.
        table.add_column(
            columns[at].name,
            justify="right" if columns[at].right else "left",
            no_wrap=at != 0,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[at] for at in shown))
    console.print(table)
    absent = [column.name for at, column in enumerate(columns) if at not in shown]
    if absent:
        console.print(Text(f"no room here for: {', '.join(absent)}", style="dim"), soft_wrap=True)


def _that_fit(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], room: int) -> list[int]:
    widths = [
        max(cell_len(column.name), *(cell_len(str(row[at])) for row in rows), 0) + GAP
        for at, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    droppable = sorted((at for at in shown if columns[at].optional), key=lambda at: -columns[at].optional)
    for at in droppable:
        if sum(widths[each] for each in shown) - GAP <= room:
            break
        shown.remove(at)
    return shown
