"""Text that agents wrote, made fit for a page: what acts on the reader without being seen is shown by its name.

A browser is given text and never markup, so tags do nothing. What is left are characters that reorder or hide others
(direction overrides, zero-width characters, tags), and controls; an audit wants to see them, so they are not removed.
"""

import re
from typing import cast

_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


def visible(text: str) -> str:
    """The text with every character that nobody would see replaced by its picture or code; tabs and line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < ord(" "):
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == _DELETE else f"\u27e8U+{code:04X}\u27e9"


def visible_all(value: object) -> object:
    """The same tree of builtins with every string in it, keys too, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        table = cast("dict[object, object]", value)  # builtins of any shape, encoded at once
        return {visible_all(key): visible_all(item) for key, item in table.items()}
    if isinstance(value, list | tuple):
        return [visible_all(item) for item in cast("list[object]", value)]
    return value
