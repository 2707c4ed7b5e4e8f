"""``mlyceum fork``: on the real task `planted`, from the command line to the record."""

import shutil
from pathlib import Path

import pytest
from called import assert_sentence, call
from run_cases import FAST, document, journals, mlyceum

from engine.journal import Decided, Posted, read_journal, without_measured

RUN = ("run", "planted", "--budget", "6", "--json", *FAST)
ORIGIN = "planted--full--seed-1"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forked") / "study"
    document(mlyceum(*RUN, "--out", str(folder), cwd=folder.parent))
    return folder


def lines(folder: Path) -> list[bytes]:
    return [without_measured(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


@pytest.mark.slow
def test_without_a_patch_the_rest_of_the_record_is_the_same(study: Path, tmp_path: Path) -> None:
    document(mlyceum("fork", str(study / ORIGIN), "--at", "14", "--out", "f", "--json", *FAST, cwd=tmp_path))
    [fork] = (tmp_path / "f" / "episodes").iterdir()

    assert lines(fork)[1:] == lines(study / "episodes" / ORIGIN)[1:]


@pytest.mark.slow
def test_continuations_with_and_without_the_patch_share_their_beginning(study: Path, tmp_path: Path) -> None:
    record = document(
        mlyceum(
            *("fork", str(study / ORIGIN), "--at", "14", "--patch", "remove reviewer vacuous"),
            *("--seed", "7", "--seeds", "2", "--control", "--out", "f", "--json", *FAST),
            cwd=tmp_path,
        )
    )
    beginnings = {
        tuple(r.envelope().body for r in read_journal(path) if isinstance(r, Posted))[:14].__repr__()
        for path in (tmp_path / "f" / "episodes").glob("*/journal.jsonl")
    }

    assert sorted({row["team"] for row in record["episodes"]}) == ["full", "full.reviewer-vacuous"]
    assert len(record["episodes"]) == 4
    assert len(beginnings) == 1
    assert "forked from planted--full--seed-1 after message 14" in record["notes"][0]


@pytest.mark.slow
def test_the_same_command_again_does_nothing_again(study: Path, tmp_path: Path) -> None:
    command = (
        "fork",
        str(study / ORIGIN),
        "--at",
        "14",
        "--patch",
        "strategy random",
        "--out",
        "f",
        "--json",
        *FAST,
    )
    document(mlyceum(*command, cwd=tmp_path))
    before = journals(tmp_path / "f")
    document(mlyceum(*command, cwd=tmp_path))

    assert journals(tmp_path / "f") == before


@pytest.mark.slow
def test_killed_the_same_command_goes_on_to_the_same_end(study: Path, tmp_path: Path) -> None:
    command = (
        "fork",
        str(study / ORIGIN),
        "--at",
        "14",
        "--patch",
        "merge reviewer into coder",
        "--json",
        *FAST,
    )
    document(mlyceum(*command, "--out", "whole", cwd=tmp_path))
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    (tmp_path / "killed" / "index.sqlite").unlink()
    [path] = (tmp_path / "killed" / "episodes").glob("*/journal.jsonl")
    path.write_bytes(path.read_bytes()[:-2000])  # as a kill leaves it: a torn line, and nothing after it

    document(mlyceum(*command, "--out", "killed", cwd=tmp_path))

    assert journals(tmp_path / "killed") == journals(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--at", "999"), "999 is no message of planted--full--seed-1; its messages are 1 to"),
        (("--at", "3", "--patch", "remove reviewr vacuous"), "did you mean 'reviewer'"),
        (("--at", "3", "--patch", "model coder a/b"), "no model drives the coder"),
        (("--at", "3", "--patch", "replace coder model"), "write 'replace coder model PROVIDER/NAME'"),
        (("--at", "3", "--patch", "strategy solo"), "leads exactly one member"),
        (("--at", "3", "--seeds", "2"), "give --seed too"),
        (("--at", "3", "--seed", "-1"), "give 0 or more"),
    ],
)
def test_what_cannot_be_forked_is_said_in_a_sentence(
    study: Path, arguments: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_sentence(call(capsys, "fork", study / ORIGIN, *arguments, "--out", tmp_path / "f"), says=says)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"moves":"', b'"moves":"0', "its head holds another specification than it says"),
        (b'{"type":"Opened"', b'{"type":"Fired","seq":1', "its first line is no head"),
        (b'"version":1', b'"version":99', "use the later program"),
        (b'"type":"Posted","seq":3,', b'"type":"Posted","seq":"x",', "restore it"),
    ],
)
def test_a_record_that_was_changed_is_refused(
    study: Path, old: bytes, new: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study, tmp_path / "study")
    path = tmp_path / "study" / "episodes" / ORIGIN / "journal.jsonl"
    raw = path.read_bytes()
    if old not in raw:  # what is left out at its default
        old, new = b'{"type":"Opened",', b'{"type":"Opened","version":99,'
    path.write_bytes(raw.replace(old, new, 1))

    called = call(capsys, "fork", tmp_path / "study" / ORIGIN, "--at", "5", "--out", tmp_path / "f")

    assert called.status in (1, 2)
    assert called.err.count("\n") == 1
    assert says in called.err


def test_another_version_of_the_task_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.studies.plan._digest", lambda *_: "another")

    called = call(capsys, "fork", study / ORIGIN, "--at", "5", "--out", tmp_path / "f")

    assert_sentence(called, says="was run with another version of planted")


def test_a_study_or_a_fork_cannot_be_forked(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_sentence(call(capsys, "fork", study, "--at", "5"), says="name one of its episodes")
    document(mlyceum("fork", str(study / ORIGIN), "--at", "5", "--out", "f", "--json", *FAST, cwd=tmp_path))
    [fork] = (tmp_path / "f" / "episodes").iterdir()

    assert_sentence(call(capsys, "fork", fork, "--at", "3"), says=f"fork its origin, {ORIGIN}")


def test_a_placebo_reads_another_episode_and_the_study_keeps_what_it_said(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLYCEUM_CACHE", str(tmp_path / "cache"))
    patch = f"placebo results from {study / ORIGIN}"
    command = (
        "run",
        "planted",
        "--budget",
        "5",
        "--seed",
        "2",
        "--patch",
        patch,
        "--out",
        "p",
        "--json",
        *FAST,
    )
    record = document(mlyceum(*command, cwd=tmp_path))
    [path] = (tmp_path / "p" / "episodes").glob("*/journal.jsonl")
    told = [r for r in read_journal(path) if isinstance(r, Decided) and r.what == "interposition"]
    donor = record["patches"][0].split()[-1]

    assert told[0].candidates["changed"] == told[0].candidates["copies"] > 0
    assert (tmp_path / "p" / "artefacts" / donor[:2] / donor).is_file()
