"""Text of unknown origin made visible: nothing in it may act on a browser, a terminal, a spreadsheet or a reader's eyes."""

import html
import re
import unicodedata

LONGEST = 2_000
"""Characters of one text that a report shows; the record has the rest."""
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, invisible and direction-changing characters, lone surrogates, private and unassigned ones, line separators."""
_MARKS = frozenset({"Mn", "Me"})
_MARKS_IN_A_ROW = 3
"""More combining marks than this on one letter climb over the lines around it."""
_MARKDOWN = re.compile(
    r"([\\`*_\[\]|~>$@]|^[#+=-](?=\s|$)|(?<=^\d)[.)](?=\s)|:(?=//)|(?<=www)\.)", re.IGNORECASE
)
"""What begins a mark or a list, and what makes an address a link."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str, *, longest: int = LONGEST) -> str:
    """The text on one line, with every character that would act on something written out as ``⟨U+202E⟩``.

    Args:
        text: as anyone may have written it.
        longest: characters kept; an ellipsis says that there were more.
    """
    cut = text[:longest]
    if not (cut.isascii() and cut.isprintable()):
        cut = _written_out(cut)
    return cut if len(text) <= longest else f"{cut}…"


def _written_out(text: str) -> str:
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if character in "\t\n\r":
            out.append(" ")
        elif category in _UNFIT or marks > _MARKS_IN_A_ROW:
            out.append(f"⟨U+{ord(character):04X}⟩")
        else:
            out.append(character)
    return "".join(out)


def for_html(text: str) -> str:
    """Fit for the text and the quoted attributes of an HTML page."""
    return html.escape(visible(text), quote=True)


def for_markdown(text: str) -> str:
    """Fit for a line or a table cell of Markdown: shown letter by letter, also where HTML would be let through."""
    escaped = _MARKDOWN.sub(r"\\\1", visible(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def for_sheet(text: str) -> str:
    """Fit for a cell of CSV: no spreadsheet takes it for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
