"""Text that agents wrote, made fit for a terminal: nothing in it can move the cursor, colour or hide anything.

A journal's strings are untrusted. Escape sequences are removed whole, other control and format characters (bells,
C1 controls, direction overrides, zero-width characters, lone surrogates) one by one; tabs and line breaks stay.
"""

import re
import unicodedata
from typing import TypeVar, cast

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_SEQUENCES = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]                  # control sequences: colours, cursor
  | (?: \x1b[PX\]^_] | [\x90\x98\x9d-\x9f] )                 # strings: titles, links, clipboard
    [^\x07\x1b\x9c]* (?: \x07 | \x1b\\ | \x9c | \Z )
  | \x1b [ -/]* [0-~]                                        # two-character escapes
    """,
    re.VERBOSE,
)
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """The text without escape sequences and without characters that a terminal acts on; CR LF becomes LF."""
    if text.isascii() and text.isprintable():
        return text
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _UNFIT)


def one_line(text: str, width: int | None = None) -> str:
    """The text as one plain line, cut to a width with an ellipsis."""
    line = _SPACE.sub(" ", plain(text)).strip()
    return line if width is None or len(line) <= width else line[: max(0, width - 1)].rstrip() + "…"


def plain_struct(value: T) -> T:
    """The same value with every string in it made plain, so that no view can forget one."""
    return msgspec.convert(_plain_all(msgspec.to_builtins(value)), type(value))


def _plain_all(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)  # builtins of any shape, converted back at once
        return {_plain_all(key): _plain_all(item) for key, item in table.items()}
    if isinstance(value, list | tuple):
        return [_plain_all(item) for item in cast("list[object]", value)]
    return value
