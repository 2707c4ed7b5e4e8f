"""The line of a field in a TOML text, for messages to whoever wrote it."""

import re
from collections.abc import Sequence
from typing import TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""``("arm", 2, "patches", 0)``: names of tables and fields, places in arrays."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]\[]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=""")


def field_lines(text: str) -> dict[FieldPath, int]:
    """Where each table and field begins, by its path; lines count from 1.

    Fields within inline tables and arrays have no line of their own: whoever asks takes that of what holds them.
    """
    lines: dict[FieldPath, int] = {(): 1}
    table: FieldPath = ()
    counts: dict[FieldPath, int] = {}
    quoted = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not quoted and (header := _HEADER.match(line)):
            table = _entered(_names(header[2]), counts, is_array=header[1] == "[[")
            lines.setdefault(table, number)
        elif not quoted and (key := _KEY.match(line)):
            lines.setdefault((*table, *_names(key[1])), number)
        # A text over several lines may hold anything; what looks like a field in it is none.
        quoted ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return lines


def find_line(text: str, path: Sequence[str | int]) -> tuple[int, int]:
    """The line of a field, or of the nearest thing around it that has one, and how many parts of the path it is."""
    lines = field_lines(text)
    for depth in range(len(path), 0, -1):
        if tuple(path[:depth]) in lines:
            return lines[tuple(path[:depth])], depth
    return 1, 0


def dotted(path: Sequence[str | int]) -> str:
    """``arm[2].patches[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _names(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.split(".")]


def _entered(names: Sequence[str], counts: dict[FieldPath, int], *, is_array: bool) -> FieldPath:
    """The path of a header; each part that is an array stands with the place of its last table."""
    path: FieldPath = ()
    for depth, name in enumerate(names):
        path = (*path, name)
        if is_array and depth == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
