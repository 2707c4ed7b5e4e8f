"""A document as Markdown with its pictures as SVG files beside: the same content, for a repository or a paper's source."""

from collections.abc import Iterable

from benchmarks.report.document import (
    Block,
    Command,
    Document,
    Figure,
    Listing,
    Notice,
    Panel,
    Paragraph,
    Table,
)
from benchmarks.report.pictures import draw, stand_alone
from benchmarks.report.plain import for_html, for_markdown, visible

FIGURES = "figures"
"""The folder of pictures, beside the Markdown."""


def to_markdown(document: Document) -> str:
    """The whole document, GitHub's dialect (tables)."""
    parts = [f"# {for_markdown(document.title)}", for_markdown(document.subtitle)]
    for section in document.sections:
        parts.append(f"## {for_markdown(section.title)}")
        parts += [part for block in section.blocks for part in _block(block)]
    return "\n\n".join(parts) + "\n"


def pictures_of(document: Document) -> Iterable[Panel]:
    """Every picture, in order."""
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield from block.panels


def to_svg(panel: Panel) -> str:
    """A picture as a file of its own.

    Raises:
        ExtraMissing: without vl-convert.
    """
    return stand_alone(draw(panel.wide, name=panel.name, alt=for_html(panel.alt)))


def _block(block: Block) -> Iterable[str]:
    match block:
        case Paragraph(text=text):
            yield for_markdown(text)
        case Notice(text=text, kind=kind):
            yield f"> **{'Warning' if kind == 'warning' else 'Note'}:** {for_markdown(text)}"
        case Listing(items=items):
            yield "\n".join(f"- {for_markdown(item)}" for item in items)
        case Command(text=text):
            yield _code(text)
        case Table():
            yield from _table(block)
        case Figure(title=title, caption=caption, panels=panels, table=table):
            yield f"### {for_markdown(title)}"
            for panel in panels:
                if panel.title:
                    yield f"**{for_markdown(panel.title)}**"
                yield f"![{for_markdown(panel.alt)}]({FIGURES}/{panel.name}.svg)"
            yield for_markdown(caption)
            if table is not None:
                yield from _table(table)


def _code(text: str) -> str:
    """Indented, since no text can end an indented block."""
    return "\n".join(f"    {visible(line)}" for line in text.splitlines())


def _table(table: Table) -> Iterable[str]:
    yield f"*{for_markdown(table.caption)}*"
    head = "| " + " | ".join(for_markdown(column.name) for column in table.columns) + " |"
    rule = "|" + "|".join("--:" if column.is_number else "---" for column in table.columns) + "|"
    rows = [
        "| " + " | ".join(_strong(for_markdown(cell), is_strong=row.is_leading) for cell in row.cells) + " |"
        for row in table.rows
    ]
    yield "\n".join([head, rule, *rows])
    if table.note:
        yield for_markdown(table.note)


def _strong(cell: str, *, is_strong: bool) -> str:
    return f"**{cell}**" if is_strong and cell.strip() else cell
