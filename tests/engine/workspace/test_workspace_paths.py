"""Which paths may enter a workspace."""

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.workspace import InvalidPath, WorkspaceFull, checked_files, checked_path
from engine.workspace.paths import MAX_DEPTH, MAX_FILES, is_below, parents


@given(st.text(alphabet=st.sampled_from("ab./\0é\\~ "), max_size=30))
@example("a/../../b")
def test_an_accepted_path_stays_below_its_root(path: str) -> None:
    try:
        accepted = checked_path(path)
    except InvalidPath:
        return

    parts = PurePosixPath("/root", accepted).parts
    assert parts[:2] == ("/", "root")
    assert ".." not in parts
    assert len(parts) == 2 + path.count("/") + 1


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "..", "a/..", "./a", "a/", "a//b", "a\0", "\ud800", "x" * 256, "a/" * MAX_DEPTH + "a"],
)
def test_paths_that_are_not_plain_are_named_in_the_refusal(path: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        checked_path(path)

    assert caught.value.path == path
    assert caught.value.why in str(caught.value)


def test_files_come_back_in_path_order() -> None:
    assert list(checked_files({"b": b"", "a/c": b"", "a.txt": b""})) == ["a.txt", "a/c", "b"]


def test_too_many_files_or_bytes_are_refused() -> None:
    with pytest.raises(WorkspaceFull, match="4001 files"):
        checked_files({f"f{n}": b"" for n in range(MAX_FILES + 1)})
    with pytest.raises(WorkspaceFull, match="11 bytes"):
        checked_files({"a": bytes(11)}, limit_bytes=10)


def test_folders_above_and_below() -> None:
    assert parents("a/b/c") == ("a", "a/b")
    assert is_below("a/b", ["a"])
    assert is_below("a", ["a"])
    assert not is_below("ab", ["a"])
