"""Plain tables: Markdown for people, CSV for programs."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FIGURE = re.compile(r"\**[-+]?\d[\d.,]*(e[-+]?\d+)?%?\**( †| of \d+)?")
ABSENT = "-"
"""What stands where a figure is not defined."""


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals, or the sign for none."""
    return ABSENT if value is None else f"{value:.{digits}f}"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a column whose cells are all figures stands on the right."""
    body = [[_escaped(cell) for cell in row] for row in rows]
    right = [all(_is_figure(row[column]) for row in body) for column in range(len(titles))]
    rule = ["---:" if is_right and body else "---" for is_right in right]
    lines = [[_escaped(title) for title in titles], rule, *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def csv_text(titles: Sequence[str], rows: Iterable[Sequence[str | float | int | None]]) -> str:
    """A table as CSV (RFC 4180 with newlines of one character); an empty cell for what is not defined."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return buffer.getvalue()


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;")


def _is_figure(cell: str) -> bool:
    return cell == ABSENT or _FIGURE.fullmatch(cell) is not None
