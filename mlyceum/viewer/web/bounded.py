"""Values of any size, cut to what a page can hold; what was cut is said, with the way to the whole."""

from typing import cast

import msgspec

CUT_CHARACTERS = 20_000
"""Of one text, where it is looked at alone."""
ALL_CHARACTERS = 400_000
"""Of all texts of one document."""
LEAST_CHARACTERS = 200
MOST_ITEMS = 1_000
"""Of one list or table."""


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is not shown whole."""

    at: str
    """Where in the record: keys and numbers joined by ``/``."""
    characters: int
    """Of the whole text."""


class Bounded:
    """Cuts one value; afterwards `cuts` says what.

    Args:
        each: characters of one text.
        whole: characters of all texts together.
    """

    def __init__(self, *, each: int = CUT_CHARACTERS, whole: int = ALL_CHARACTERS) -> None:
        self.cuts: list[Cut] = []
        self.left_out = 0
        """Items of lists that were left out."""
        self._each, self._left = each, whole

    def cut(self, value: object, at: str = "") -> object:
        """The value with long texts and lists cut."""
        if isinstance(value, str):
            return self._text(value, at)
        if isinstance(value, dict):
            table = cast("dict[str, object]", value)  # decoded JSON
            kept = list(table.items())[:MOST_ITEMS]
            self.left_out += len(table) - len(kept)
            return {
                key[:LEAST_CHARACTERS]: self.cut(item, f"{at}/{key}" if at else key) for key, item in kept
            }
        if isinstance(value, list):
            items = cast("list[object]", value)
            self.left_out += max(0, len(items) - MOST_ITEMS)
            return [self.cut(item, f"{at}/{place}") for place, item in enumerate(items[:MOST_ITEMS])]
        return value

    def _text(self, text: str, at: str) -> str:
        room = max(LEAST_CHARACTERS, min(self._each, self._left))
        self._left -= min(len(text), room)
        if len(text) <= room:
            return text
        self.cuts.append(Cut(at=at, characters=len(text)))
        return text[:room]


def text_at(value: object, at: str) -> str | None:
    """The text at a place of decoded JSON; None where there is none.

    Args:
        value: decoded JSON.
        at: keys and numbers joined by ``/``. A key with a ``/`` in it is found too.
    """
    parts = at.split("/")
    if isinstance(value, str):
        return value if at == "" else None
    if isinstance(value, list):
        items = cast("list[object]", value)
        if not parts[0].isdecimal() or int(parts[0]) >= len(items):
            return None
        return text_at(items[int(parts[0])], "/".join(parts[1:]))
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        for length in range(1, len(parts) + 1):
            key = "/".join(parts[:length])
            if key in table and (found := text_at(table[key], "/".join(parts[length:]))) is not None:
                return found
    return None
