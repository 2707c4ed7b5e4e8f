"""The rooms and the arrows between them: which package may import which."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT: dict[str, frozenset[str]] = {
    "engine": frozenset(),
    "roles": frozenset({"engine"}),
    "arenas": frozenset({"engine"}),
    "tasks": frozenset({"engine", "arenas"}),
    "benchmarks": frozenset({"engine", "roles", "arenas", "tasks"}),
    "mlyceum": frozenset({"engine", "roles", "arenas", "tasks", "benchmarks"}),
}
ROOMS = frozenset(MAY_IMPORT)


def imported_rooms(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        yield from (name.split(".")[0] for name in names if name.split(".")[0] in ROOMS)


def sources(room: str) -> list[Path]:
    # What a task hands to agents is data of that task, not code of the room.
    return [path for path in (ROOT / room).rglob("*.py") if "starter" not in path.parts]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_its_arrows_allow(room: str) -> None:
    for path in sources(room):
        for other in imported_rooms(path):
            assert other == room or other in MAY_IMPORT[room], (
                f"{path.relative_to(ROOT)}: {room} must not import {other}"
            )


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_at_its_door_what_belongs_in_it(room: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or ""

    assert len(text.splitlines()) >= 3, f"{room}/__init__.py needs a docstring of a few lines"


def test_the_engine_knows_no_outside_library_of_a_later_floor() -> None:
    allowed = {"trio", "anyio", "httpx", "docker", "msgspec", "numpy"}
    import sys

    for path in sources("engine"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.split(".")[0]
                assert top in allowed | {"engine"} | sys.stdlib_module_names, (
                    f"{path.relative_to(ROOT)} imports {top}"
                )
