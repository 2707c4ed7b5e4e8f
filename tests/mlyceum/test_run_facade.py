"""`mlyceum.run` from Python: a record comes back, also where an event loop is running."""

import asyncio
from pathlib import Path

import msgspec
import pytest

import mlyceum
from engine.errors import UnknownName


def test_a_study_comes_back_as_a_record(tmp_path: Path) -> None:
    record = mlyceum.run(
        "planted",
        seeds=2,
        budget=3,
        out=tmp_path / "study",
        workspace="process-if-needed",
        without="reviewer",
    )

    assert [row.seed for row in record.episodes] == [1, 2]
    assert record.tasks[0].n == 2
    assert record.folder == str(tmp_path / "study")
    assert record.patches == ("remove reviewer vacuous",)
    assert msgspec.json.decode(msgspec.json.encode(record), type=mlyceum.Record) == record


def test_it_works_where_a_loop_is_running_already(tmp_path: Path) -> None:
    async def cell() -> mlyceum.Record:
        return mlyceum.run("planted", budget=1, out=tmp_path / "study", workspace="process-if-needed")

    record = asyncio.run(cell())

    assert record.episodes[0].outcome == "submitted"


def test_a_mistake_is_raised_as_itself(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'planted'"):
        mlyceum.run("plantd", out=tmp_path / "study")
    assert not (tmp_path / "study").exists()
