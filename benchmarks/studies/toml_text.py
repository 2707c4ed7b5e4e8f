"""Plain values as TOML: what `tomllib` reads back as the same."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

TomlValue: TypeAlias = str | int | float | bool | Sequence["TomlValue"] | Mapping[str, "TomlValue"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDE = 100


def toml_text(document: Mapping[str, TomlValue]) -> str:
    """A document: plain fields first, then a table for each mapping and an array of tables for a list of them."""
    plain = {
        name: value for name, value in document.items() if not _is_table(value) and not _is_tables(value)
    }
    parts = [_fields(plain)]
    for name, value in document.items():
        if _is_table(value):
            parts.append(f"[{_key(name)}]\n{_fields(cast('Mapping[str, TomlValue]', value))}")
        elif _is_tables(value):
            tables = cast("Sequence[Mapping[str, TomlValue]]", value)
            parts += [f"[[{_key(name)}]]\n{_fields(table)}" for table in tables]
    return "\n".join(part for part in parts if part)


def _fields(fields: Mapping[str, TomlValue]) -> str:
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in fields.items())


def _value(value: TomlValue) -> str:  # noqa: PLR0911 - a case a type
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    items = [_value(each) for each in value]
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDE:
        return line
    return "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _is_table(value: TomlValue) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: TomlValue) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) > 0
        and all(isinstance(each, Mapping) for each in value)
    )
