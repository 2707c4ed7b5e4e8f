"""Where tests find the oracles and real data that are never part of the project."""

import os
from pathlib import Path

import pytest

_ROOT = Path(os.environ.get("MLYCEUM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared(*parts: str) -> Path:
    """The path of a shared file or folder; skips the calling test where it is absent."""
    path = _ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)} of the shared data (set MLYCEUM_SHARED to its folder)")
    return path
