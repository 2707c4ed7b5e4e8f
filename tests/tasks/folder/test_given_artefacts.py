"""What a user names as an artefact: read with care, refused in one sentence."""

import os
import socket
from pathlib import Path

import pytest

from tasks.artefacts import ArtefactUnusable, artefact_from_path, refusal
from tasks.package import ArtefactRules

RULES = ArtefactRules(required=("strategy.py",))


def test_a_folder_and_its_one_file_are_the_same_artefact(tmp_path: Path) -> None:
    (tmp_path / "strategy.py").write_text("x = 1\n")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "strategy.pyc").write_bytes(b"\0")

    assert artefact_from_path(tmp_path, RULES) == {"strategy.py": b"x = 1\n"}
    assert artefact_from_path(tmp_path / "strategy.py", RULES) == {"strategy.py": b"x = 1\n"}


def link(path: Path) -> None:
    (path / "real.py").write_text("x = 1\n")
    (path / "strategy.py").symlink_to("real.py")


def folder_in_place(path: Path) -> None:
    (path / "strategy.py").mkdir()


def ten_gigabytes(path: Path) -> None:
    with (path / "strategy.py").open("wb") as file:
        file.truncate(10 << 30)  # sparse: it takes no room, and would take ten gigabytes to read


def binary(path: Path) -> None:
    (path / "strategy.py").write_bytes(b"\x7fELF\0\0")


def not_utf8(path: Path) -> None:
    (path / "strategy.py").write_bytes(b"x = '\xff'")


def pipe(path: Path) -> None:
    os.mkfifo(path / "strategy.py")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path / "strategy.py"))


def nothing(path: Path) -> None:
    """An empty folder."""


def crowd(path: Path) -> None:
    for number in range(100):
        (path / f"{number}.py").write_text("")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (link, "is a symbolic link"),
        (folder_in_place, "a folder stands in its place"),
        (ten_gigabytes, "10737418240 bytes, at most 262144"),
        (binary, "binary"),
        (not_utf8, "not UTF-8"),
        (pipe, "is a pipe"),
        (listening, "is a socket"),
        (nothing, "has no file strategy.py"),
        (crowd, "more than 64 files"),
    ],
)
def test_what_is_no_artefact_is_refused_in_one_sentence(make, said: str, tmp_path: Path) -> None:
    make(tmp_path)

    with pytest.raises(ArtefactUnusable, match=said) as caught:
        artefact_from_path(tmp_path, RULES)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [("/dev/null", "is a device"), ("/no/such/place", "does not exist"), ("a\0b", "is not a path")],
)
def test_a_place_that_is_no_artefact_is_refused(path: str, said: str) -> None:
    with pytest.raises(ArtefactUnusable, match=said):
        artefact_from_path(Path(path), RULES)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "strategy.py").write_text("x = 1\n")
    (tmp_path / "strategy.py").chmod(0)

    with pytest.raises(ArtefactUnusable, match="cannot be read"):
        artefact_from_path(tmp_path, RULES)


def test_a_link_to_a_whole_artefact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "strategy.py").write_text("x = 1\n")
    (tmp_path / "link").symlink_to("real")

    with pytest.raises(ArtefactUnusable, match="is a symbolic link"):
        artefact_from_path(tmp_path / "link", RULES)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "strategy.py is missing"),
        ({"strategy.py": b"\xff"}, "not UTF-8"),
        ({"strategy.py": b"a\0"}, "binary"),
        ({"strategy.py": b" " * 300_000}, "300000 bytes"),
        ({f"{number}.py": b"" for number in range(65)}, "65 files"),
        ({f"{number}.py": b" " * 200_000 for number in range(6)}, "1200000 bytes"),
    ],
)
def test_what_a_team_hands_in_is_refused_by_a_reason(files: dict[str, bytes], said: str) -> None:
    assert said in refusal(files, RULES)


def test_a_plain_artefact_is_not_refused() -> None:
    assert refusal({"strategy.py": b"x = 1\n", "notes.bin": b"\0"}, RULES) == ""
