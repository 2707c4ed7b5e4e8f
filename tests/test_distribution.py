"""What a user installs: every room with its data, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: git says which files belong to the project")
    source = tmp_path_factory.mktemp("source")
    out = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    for name in filter(None, (raw.decode() for raw in tracked)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_every_room_is_in_the_wheel_with_its_type_marker(wheel: list[str]) -> None:
    for room in ("engine", "roles", "arenas", "tasks", "benchmarks", "mlyceum"):
        assert f"{room}/__init__.py" in wheel
        assert f"{room}/py.typed" in wheel


def test_every_data_file_of_a_room_is_in_the_wheel(wheel: list[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\n")
    rooms = ("engine/", "roles/", "arenas/", "tasks/", "benchmarks/", "mlyceum/")

    missing = [
        name for name in tracked if name.startswith(rooms) and name not in wheel and (ROOT / name).is_file()
    ]

    assert missing == []


def test_neither_tests_nor_docs_are_shipped(wheel: list[str]) -> None:
    assert [name for name in wheel if name.startswith(("tests", "docs", "scripts", ".ci"))] == []
