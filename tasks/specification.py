"""Strict reading of the small TOML files of a task, with faults told by file and line."""

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec
import msgspec.inspect

from engine.errors import BadSpecification

T = TypeVar("T")

_AT_PATH = re.compile(r"^(?P<fault>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"field `(?P<name>[^`]+)`")
_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)")
_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*[\"']?(?P<name>[A-Za-z0-9_-]+)[\"']?\s*=")


def read_toml(path: Path, kind: type[T]) -> T:
    """The file's content as a value of ``kind``; unknown keys and wrong types are refused.

    Raises:
        BadSpecification: one sentence with file, line, the fault and the field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else (error.strerror or str(error))
        raise BadSpecification(str(path), f"cannot be read: {why}; restore the task's folder") from error
    return decode_toml(text, kind, where=str(path))


def decode_toml(text: str, kind: type[T], *, where: str) -> T:
    """As `read_toml`, for text in hand; ``where`` names it in a fault."""
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = int(line.group(1)) if line else text.count("\n") + 1
        raise BadSpecification(f"{where}:{at}", f"not TOML: {str(error).split(' (at')[0]}") from error
    except msgspec.ValidationError as error:
        raise _located(str(error), text, where, kind) from error


def _located(message: str, text: str, where: str, kind: object) -> BadSpecification:
    parts = _AT_PATH.match(message)
    assert parts is not None  # the pattern matches every string
    path = _STEP.findall(parts["path"] or "")
    fault = parts["fault"].replace("Object contains", "has").replace("Object missing", "lacks")
    field = _FIELD.search(fault)
    line = line_of(text, [*path, field["name"]] if field else path) or line_of(text, path) or 1
    named = f"`{'.'.join(path)}`: " if path else ""
    allowed = _allowed(msgspec.inspect.type_info(kind), path)
    hint = f"; allowed: {', '.join(allowed)}" if allowed and ("unknown" in fault or "enum" in fault) else ""
    return BadSpecification(f"{where}:{line}", f"{named}{fault[:1].lower()}{fault[1:]}{hint}")


def _allowed(kind: msgspec.inspect.Type, path: list[str]) -> list[str]:
    """The fields of the table, or the values of the field, that a path leads to; none where it cannot be said."""
    match kind, path:
        case msgspec.inspect.UnionType(types=types), _:
            return [each for member in types for each in _allowed(member, path)]
        case msgspec.inspect.StructType(fields=fields), []:
            return [field.encode_name for field in fields]
        case msgspec.inspect.StructType(fields=fields), [step, *rest]:
            return [
                each for field in fields if field.encode_name == step for each in _allowed(field.type, rest)
            ]
        case msgspec.inspect.LiteralType(values=values), []:
            return [repr(value) for value in values]
        case _:
            return []


def line_of(text: str, path: list[str]) -> int | None:
    """The line (from 1) where a key or table of a TOML text stands; None where it does not."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = [part.strip(" \"'") for part in header["name"].split(".")]
            if table == path:
                return number
        elif (key := _KEY.match(line)) and [*table, key["name"]] == path:
            return number
    return None
