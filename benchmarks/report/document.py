"""What a report is made of, apart from any format: sections of text, tables, figures and commands.

Each format writes the same document, so that none can say more or less than another.
"""

from typing import Literal, TypeAlias

import msgspec

Spec: TypeAlias = dict[str, object]
"""A Vega-Lite specification, data within."""


class Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    """Prose."""

    text: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader must not overlook."""

    text: str
    kind: Literal["note", "warning"] = "note"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Short statements, one below the other."""

    items: tuple[str, ...]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something to type."""

    text: str


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table."""

    name: str
    is_number: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table; the first cell heads it."""

    cells: tuple[str, ...]
    is_leading: bool = False
    """Whether it is what the others are held against."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures as text."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a figure."""

    name: str
    """Fit for a file's name; unique in the report."""
    alt: str
    """What a reader without eyes for it is told."""
    wide: Spec
    """For a page; some 700 points across, or 250 where several stand side by side."""
    title: str = ""
    """Above it, where several stand side by side."""
    narrow: Spec | None = None
    """For a telephone, where ``wide`` does not fit one."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures that belong together, with their figures."""

    title: str
    caption: str
    panels: tuple[Panel, ...]
    table: Table | None = None
    """The same as figures."""
    is_table_open: bool = False
    """Whether the table matters as much as the picture."""


Block: TypeAlias = Paragraph | Notice | Listing | Command | Table | Figure


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A titled part of a report."""

    name: str
    """Of the link to it."""
    title: str
    blocks: tuple[Block, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def columns(*names: str, numbers: str = "") -> tuple[Column, ...]:
    """Columns by name; ``numbers`` holds a letter each, ``n`` for a number and anything else for text."""
    kinds = numbers.ljust(len(names), "t")
    return tuple(Column(name=name, is_number=kind == "n") for name, kind in zip(names, kinds, strict=False))
