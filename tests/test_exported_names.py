"""What a room offers is what its ``__all__`` says, and all of it is there. (Their order is held by ruff, RUF022.)"""

import importlib

import pytest

ROOMS = ("engine", "roles", "arenas", "tasks", "benchmarks", "mlyceum")


@pytest.mark.parametrize("room", ROOMS)
def test_exported_names_are_real_and_documented(room: str) -> None:
    module = importlib.import_module(room)
    names: list[str] = list(module.__all__)

    assert names
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(module, name) is not None
        assert getattr(module, name).__doc__ or isinstance(getattr(module, name), str | tuple | frozenset), (
            name
        )
