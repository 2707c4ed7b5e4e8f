"""``mlyceum report``: files where they were asked for, sentences where they cannot be had."""

import json
import sys
from pathlib import Path

import pytest
from called import assert_sentence, call
from written_studies import cut_short, write_study

pytest.importorskip("vl_convert", reason="reports need the extra `study`")
pytest.importorskip("polars", reason="reports need the extra `study`")
pytest.importorskip("scipy", reason="reports need the extra `study`")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("report") / "study", seeds=2)


def test_the_report_lies_in_the_study_unless_asked_otherwise(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside, elsewhere = (
        call(capsys, "report", study),
        call(capsys, "report", study, "--out", tmp_path / "paper"),
    )

    assert inside.status == elsewhere.status == 0
    assert (study / "report" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "paper" / "report.md").is_file()
    assert (tmp_path / "paper" / "tables" / "episodes.parquet").is_file()


def test_json_names_every_file(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "report", study, "--out", tmp_path, "--json")

    document = json.loads(called.out)
    assert document["episodes"] == 2
    assert all(Path(path).is_file() for path in document["files"])


def test_an_unfinished_study_is_reported_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", seeds=2)
    cut_short(study, "battle-of-sexes--full--seed-2", lines=5)

    called = call(capsys, "report", study)

    assert called.status == 0
    assert "unfinished: 1 of 2 episodes" in called.out


def test_rescoring_makes_curves_of_finals(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = call(capsys, "report", study, "--out", tmp_path / "feedback")
    after = call(capsys, "report", study, "--rescore", "--out", tmp_path / "finals")

    assert before.status == after.status == 0, after
    assert "These curves are of feedback" in (tmp_path / "feedback" / "report.md").read_text(encoding="utf-8")
    assert "The normalised final score of what stood" in (tmp_path / "finals" / "report.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(("name", "says"), [("nowhere", "does not exist"), ("empty", "not a study's folder")])
def test_what_is_no_study_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    (tmp_path / "empty").mkdir()

    assert_sentence(call(capsys, "report", tmp_path / name), says=says)


@pytest.mark.parametrize("module", ["vl_convert", "polars", "scipy"])
def test_a_missing_extra_is_named(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert_sentence(call(capsys, "report", study), says="pip install 'mlyceum[study]'")
