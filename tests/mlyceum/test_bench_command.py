"""`mlyceum bench`: a team beside the published models, on the named tasks and never on more."""

import json
from pathlib import Path

import pytest
from called import assert_sentence, call
from written_studies import write_study

GAME, DILEMMA, BLOTTO = "battle-of-sexes", "prisoners-dilemma", "colonel-blotto"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "study"
    return write_study(folder, tasks=(GAME, BLOTTO, "3-sat"), seeds=4, evaluations=3, protocol="mlgym")


def bench(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:  # type: ignore[type-arg]  # JSON
    called = call(capsys, "bench", *arguments, "--json")
    assert called.status == 0, called.err
    return json.loads(called.out)


def test_a_team_gets_best_at_k_and_area_beside_the_fixed_pool(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = bench(capsys, "--from", study, "--tasks", f"{GAME},{BLOTTO}")

    assert told["tasks"] == [GAME, BLOTTO]
    assert told["runs"] == {GAME: 4, BLOTTO: 4}
    for kind in ("best_attempt", "best_submission"):
        placement = told["comparison"][kind]
        assert len(placement["before"]["aup"]) == 13
        assert set(placement["after"]["aup"]) == {*placement["before"]["aup"], "full"}
        assert set(placement["shift"]) == set(placement["before"]["aup"])
        assert set(placement["scores"]) == {GAME, BLOTTO}
    assert told["comparison"]["suite"] == {"type": "partial", "tasks": [GAME, BLOTTO], "left_out": []}


def test_the_pool_is_cut_to_the_named_tasks(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = bench(capsys, "--from", study, "--tasks", "battleOfSexes")
    two = bench(capsys, "--from", study, "--tasks", GAME, "--tasks", BLOTTO)

    assert list(one["comparison"]["best_attempt"]["after"]["scores"]) == [GAME]
    assert (
        one["comparison"]["best_attempt"]["before"]["aup"]
        != two["comparison"]["best_attempt"]["before"]["aup"]
    )


def test_what_deviates_from_the_published_setting_is_said(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = bench(capsys, "--from", study)
    shown = call(capsys, "bench", "--from", study)

    assert told["comparable"] is False
    assert [each["what"] for each in told["deviations"]] == ["agent", "budget", "tasks", "wall time"]
    assert any(mark["kind"] == "wall-time" for mark in told["comparison"]["marks"])
    assert "NOT COMPARABLE" in shown.out
    assert "3 of 13 tasks: 3-sat, battle-of-sexes, colonel-blotto" in shown.out


def test_verified_scores_are_marked_and_ratios_stay_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_study(tmp_path / "study", tasks=(GAME, "3-sat", "planted"), seeds=2, evaluations=2)

    told = bench(capsys, "--from", folder)

    assert told["tasks"] == [GAME]
    assert {each["task"] for each in told["left_out"]} == {"3-sat", "planted"}
    assert {mark["kind"] for mark in told["comparison"]["marks"]} >= {"protocol", "few-runs"}
    assert told["deviations"][0]["what"] == "scoring"


def test_what_cannot_be_compared_is_said_in_a_sentence(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hard = write_study(tmp_path / "hard", tasks=("battle-of-sexes-hard",), evaluations=2)
    both = write_study(
        write_study(tmp_path / "both", team="solo", evaluations=2), team="best-of-n", evaluations=2
    )
    cases = {
        ("--from", study, "--tasks", DILEMMA): "unknown task of this folder 'prisoners-dilemma'",
        ("--from", study, "--tasks", "battel-of-sexes"): "did you mean 'battle-of-sexes'",
        ("--from", study, "--team", "ful"): "did you mean 'full'",
        ("--from", study, "--model", "openai/x"): "runs nothing",
        ("--from", tmp_path): "is not a study's folder",
        ("--from", hard): "is not a task of MLGym-Bench",
        ("--from", both): "name one of them",
        ("--team", "nobody", "--out", tmp_path / "new"): "nobody",
    }
    for arguments, says in cases.items():
        assert_sentence(call(capsys, "bench", *arguments), says=says)


@pytest.mark.slow
@pytest.mark.sandbox
def test_a_team_is_run_and_compared_in_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ("--tasks", GAME, "--seeds", "2", "--budget", "2", "--quiet")

    told = bench(capsys, *options, "--out", out)
    read = bench(capsys, "--from", out)

    assert told["runs"] == {GAME: 2}
    assert told == read
