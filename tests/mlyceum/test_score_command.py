"""`mlyceum score`: a study's folder from its index, and the published runs to three decimals."""

import json
from pathlib import Path

import pytest
from called import assert_sentence, call
from run_cases import document, mlyceum
from shared_data import shared
from written_studies import cut_short, write_study

from benchmarks.records import load_aup_table

GAME, BLOTTO = "battle-of-sexes", "colonel-blotto"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, three seeds; one episode earns no score, one was cut off."""
    folder = tmp_path_factory.mktemp("score") / "study"
    write_study(folder, tasks=(GAME, BLOTTO), seeds=3, evaluations=4, broken_seeds=(2,))
    cut_short(folder, f"{BLOTTO}--full--seed-3", lines=20)
    return folder


def test_a_task_has_mean_interval_normalised_score_failures_and_best_at_k(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = json.loads(call(capsys, "score", study, "--json").out)

    row = next(each for each in scores["tasks"] if each["task"] == GAME)
    known = [value for value in row["finals"] if value is not None]
    counted = [row["baseline"] if value is None else value for value in row["finals"]]
    assert (row["k"], row["seeds"], row["protocol"]) == (3, [1, 2, 3], "verified")
    assert row["failure_rate"] == pytest.approx(1 / 3)
    assert row["mean"]["mean"] == pytest.approx(sum(counted) / 3), "a failure counts as the baseline"
    assert row["mean"]["low"] < row["mean"]["mean"] < row["mean"]["high"]
    assert row["best_submission"] == max(known)
    assert row["best_attempt"] >= row["best_submission"]
    expected = (row["mean"]["mean"] - row["baseline"]) / (row["optimum"] - row["baseline"])
    assert row["normalised_mean"] == pytest.approx(expected)


def test_unfinished_episodes_are_named_and_not_scored(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = json.loads(call(capsys, "score", study, "--json").out)
    shown = call(capsys, "score", study)

    row = next(each for each in scores["tasks"] if each["task"] == BLOTTO)
    assert row["seeds"] == [1, 2]
    assert [each["episode"] for each in scores["unfinished"]] == [f"{BLOTTO}--full--seed-3"]
    assert f"not scored: {BLOTTO}--full--seed-3 (not ended)" in shown.out


def test_an_arm_is_summed_up_over_its_tasks_with_intervals(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = json.loads(call(capsys, "score", study, "--json").out)
    again = json.loads(call(capsys, "score", study, "--json").out)

    (arm,) = first["arms"]
    mean = arm["headline"]["mean"]["full"]
    assert arm["headline"]["tasks"] == [GAME, BLOTTO]
    assert mean["low"] <= mean["estimate"] <= mean["high"]
    assert first == again, "the bootstrap draws the same for the same scores"


def test_teams_of_one_folder_are_scored_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_study(tmp_path / "study", team="full", evaluations=3)
    write_study(folder, team="solo", evaluations=3)

    scores = json.loads(call(capsys, "score", folder, "--json").out)

    assert [row["arm"] for row in scores["tasks"]] == ["full", "solo"]
    assert {arm["arm"] for arm in scores["arms"]} == {"full", "solo"}


def test_under_mlgym_every_validation_is_an_attempt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_study(tmp_path / "study", seeds=1, evaluations=5, protocol="mlgym")
    view = json.loads(call(capsys, "show", folder / f"{GAME}--full--seed-1", "--json").out)

    (row,) = json.loads(call(capsys, "score", folder, "--json").out)["tasks"]

    values = [each["score"]["value"] for each in view["feedback"]]
    assert row["best_attempt"] == max(*values, row["best_submission"])


@pytest.mark.parametrize(("method", "compatible"), [("best_attempt", True), ("best_submission", True)])
def test_the_published_areas_come_out_to_three_decimals(
    method: str, compatible: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared("mlgym-results")
    published = load_aup_table(folder / "aup_scores_aggregate_results.csv")

    scores = json.loads(call(capsys, "score", "--published", folder, "--json").out)

    assert scores["mlgym_compatible"] is compatible
    assert len(published) == 13
    assert scores[method]["aup"] == {name: getattr(row, method) for name, row in published.items()}


def test_the_published_document_holds_scores_ranks_and_our_own_view(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = json.loads(call(capsys, "score", "--published", shared("mlgym-results"), "--json").out)

    for kind in ("best_attempt", "best_submission"):
        board = scores[kind]
        assert len(board["scores"]) == len(board["ranks"]) == 13
        assert {"borda", "plackett_luce", "mlgym_mean_rank"} <= set(board)
    own = scores["valid_only"]
    assert own["mlgym_compatible"] is False
    assert own["suite"]["type"] == "partial"
    assert "coco-captions" not in own["best_attempt"]["scores"]


def test_the_published_page_says_on_which_tasks_each_figure_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = call(capsys, "score", "--published", shared("mlgym-results"))

    assert "As published (all 13 tasks)" in shown.out
    assert "Valid scores only (12 of 13 tasks" in shown.out
    assert "the run had rewritten the opponent's file" in shown.out


def test_what_cannot_be_scored_is_said_in_a_sentence(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty" / "episodes").mkdir(parents=True)
    cases = {
        (): "name a study's folder, or --published",
        (study, "--published", study): "name a study's folder, or --published",
        (tmp_path,): "is not a study's folder",
        (tmp_path / "empty",): "holds no episode yet",
        (study / f"{GAME}--full--seed-1",): "is one episode",
        ("--published", tmp_path): "results.jsonl.gz",
    }
    for arguments, says in cases.items():
        assert_sentence(call(capsys, "score", *arguments), says=says)


def test_the_command_as_a_process(study: Path) -> None:
    assert document(mlyceum("score", str(study), "--json", cwd=study))["folder"] == str(study)
