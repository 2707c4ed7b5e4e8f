"""Frames as files: Parquet, CSV, JSON lines, or one SQLite database."""

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import msgspec

from mlyceum.frame_rows import Column, columns

if TYPE_CHECKING:
    import polars

FileFormat: TypeAlias = Literal["parquet", "csv", "jsonl", "sqlite"]
_FORMULA = re.compile(r"^\s*[=+\-@\t\r|]")
_SQL_TYPES = {"text": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER"}
_ROWS_AT_ONCE = 10_000


def write_frames(frames: "Mapping[str, polars.DataFrame]", out: Path, form: FileFormat) -> tuple[Path, ...]:
    """Write frames; the files that there are then.

    Args:
        frames: by name.
        out: a folder, which is made; for ``sqlite`` the database's file, which must not exist.
        form: which.

    Raises:
        OSError, sqlite3.Error: when something cannot be written.
    """
    if form == "sqlite":
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_sqlite(frames, out)
        return (out,)
    out.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for name, frame in frames.items():
        path = out / f"{name}.{form}"
        if form == "parquet":
            frame.write_parquet(path)
        elif form == "jsonl":
            frame.write_ndjson(path)
        else:
            _for_spreadsheets(name, frame).write_csv(path)
        paths.append(path)
    return tuple(paths)


def _for_spreadsheets(name: str, frame: "polars.DataFrame") -> "polars.DataFrame":
    """The frame as CSV can hold it: lists as JSON, and no text of an agent that a spreadsheet would run as a formula."""
    import polars as pl

    changed: list[pl.Series] = []
    for column in columns(name):
        values = cast("list[object]", frame[column.name].to_list())
        if column.kind in {"texts", "ints", "floats"}:
            cells: list[str | None] = [msgspec.json.encode(value).decode() for value in values]
        elif column.untrusted:
            cells = [_no_formula(cast("str | None", value)) for value in values]
        else:
            continue
        changed.append(pl.Series(column.name, cells, dtype=pl.String))
    return frame.with_columns(changed)


def _no_formula(text: str | None) -> str | None:
    return f"'{text}" if text is not None and _FORMULA.match(text) else text


def _write_sqlite(frames: "Mapping[str, polars.DataFrame]", path: Path) -> None:
    with path.open("xb"):
        pass
    connection = sqlite3.connect(path)
    try:
        with connection:
            for name, frame in frames.items():
                _write_table(connection, name, frame)
    finally:
        connection.close()


def _write_table(connection: sqlite3.Connection, name: str, frame: "polars.DataFrame") -> None:
    own = columns(name)
    declared = ", ".join(f'"{column.name}" {_sql_type(column)}' for column in own)
    connection.execute(f'CREATE TABLE "{name}" ({declared}) STRICT')
    places = ", ".join("?" * len(own))
    lists = [place for place, column in enumerate(own) if column.kind not in _SQL_TYPES]
    for begin in range(0, frame.height, _ROWS_AT_ONCE):
        rows = frame.slice(begin, _ROWS_AT_ONCE).rows()
        connection.executemany(
            f'INSERT INTO "{name}" VALUES ({places})',  # noqa: S608 - names of our own frames and columns
            [tuple(json.dumps(c) if p in lists else c for p, c in enumerate(row)) for row in rows],
        )
    connection.execute(f'CREATE INDEX "{name} by episode" ON "{name}" (episode)')


def _sql_type(column: Column) -> str:
    return f"{_SQL_TYPES.get(column.kind, 'TEXT')}{'' if column.optional else ' NOT NULL'}"
