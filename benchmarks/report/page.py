"""A document as one HTML page: no script, nothing from elsewhere, pictures within, every text escaped.

There is no script at all, and the page's own policy forbids any: what agents wrote can do nothing there even if an escape
were forgotten, and the page reads the same in a mail, a browser without scripts and on paper.
"""

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
    Row,
    Section,
    Table,
)
from benchmarks.report.pictures import draw
from benchmarks.report.plain import for_html
from benchmarks.report.style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_html(document: Document) -> str:
    """The whole page.

    Raises:
        ExtraMissing: without vl-convert.
    """
    title, subtitle = for_html(document.title), for_html(document.subtitle)
    links = "".join(f'<li><a href="#{s.name}">{for_html(s.title)}</a></li>' for s in document.sections)
    sections = "\n".join(_section(section) for section in document.sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="mlyceum report">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">To the report</a>
<div class="frame">
<header><h1>{title}</h1><p>{subtitle}</p></header>
<div class="columns">
<nav aria-label="Sections"><ol>{links}</ol></nav>
<main id="main">
{sections}
</main>
</div>
</div>
</body>
</html>
"""


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return (
        f'<section id="{section.name}" aria-labelledby="{section.name}-title">\n'
        f'<h2 id="{section.name}-title">{for_html(section.title)}</h2>\n{blocks}\n</section>'
    )


def _block(block: Block) -> str:
    match block:
        case Paragraph(text=text):
            return f"<p>{for_html(text)}</p>"
        case Notice(text=text, kind=kind):
            return f'<p class="notice {kind}" role="note">{for_html(text)}</p>'
        case Listing(items=items):
            return f"<ul>{''.join(f'<li>{for_html(item)}</li>' for item in items)}</ul>"
        case Command(text=text):
            return f'<pre tabindex="0"><code>{for_html(text)}</code></pre>'
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col"{_class(c.is_number)}>{for_html(c.name)}</th>' for c in table.columns)
    body = "\n".join(_row(table, row) for row in table.rows)
    caption = for_html(table.caption)
    after = f'<p class="after">{for_html(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table>'
        f"<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>{after}"
    )


def _row(table: Table, row: Row) -> str:
    first, *others = row.cells
    cells = "".join(
        f"<td{_class(column.is_number)}><bdi>{for_html(cell)}</bdi></td>"
        for column, cell in zip(table.columns[1:], others, strict=True)
    )
    leading = ' class="leading"' if row.is_leading else ""
    return f'<tr{leading}><th scope="row"><bdi>{for_html(first)}</bdi></th>{cells}</tr>'


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _figure(figure: Figure) -> str:
    several = len(figure.panels) > 1
    pictures = "\n".join(part for panel in figure.panels for part in _panel(panel))
    table = ""
    if figure.table is not None:
        is_open = " open" if figure.is_table_open else ""
        table = f"<details{is_open}><summary>The same as a table</summary>{_table(figure.table)}</details>"
    return (
        f"<figure><h3>{for_html(figure.title)}</h3>"
        f'<div class="{"panels" if several else "single"}">{pictures}</div>'
        f"<figcaption>{for_html(figure.caption)}</figcaption></figure>{table}"
    )


def _panel(panel: Panel) -> Iterable[str]:
    alt = for_html(panel.alt)
    title = f'<p class="panel"><bdi>{for_html(panel.title)}</bdi></p>' if panel.title else ""
    if panel.narrow is None:
        yield f"<div>{title}{draw(panel.wide, name=panel.name, alt=alt)}</div>"
        return
    yield f'<div class="wide">{draw(panel.wide, name=panel.name, alt=alt)}</div>'
    yield f'<div class="narrow">{draw(panel.narrow, name=f"{panel.name}-narrow", alt=alt)}</div>'
