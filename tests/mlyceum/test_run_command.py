"""`mlyceum run` as a user meets it: documents, tables, exit statuses, teams that lack a role."""

from pathlib import Path

import pytest
from run_cases import FAST, assert_one_sentence, document, mlyceum, mlyceum_here

EPISODE_FIELDS = {
    "task",
    "seed",
    "team",
    "protocol",
    "feedback_score",
    "final_score",
    "standard_error",
    "held_out_score",
    "evaluations",
    "outcome",
    "reason",
    "folder",
}
TASK_FIELDS = {"task", "mean", "interval", "baseline", "best_published", "optimum", "n"}


def test_json_is_one_document_with_a_row_for_each_episode_and_each_task(tmp_path: Path) -> None:
    done = mlyceum("run", "planted", "--seeds", "2", "--budget", "3", "--json", *FAST, cwd=tmp_path)

    record = document(done)
    assert [(row["task"], row["seed"]) for row in record["episodes"]] == [("planted", 1), ("planted", 2)]
    assert all(row.keys() >= EPISODE_FIELDS for row in record["episodes"])
    (task,) = record["tasks"]
    assert task.keys() >= TASK_FIELDS
    assert task["n"] == 2
    scores = [row["final_score"] for row in record["episodes"]]
    assert task["mean"] == pytest.approx(sum(scores) / 2)
    assert task["interval"][0] <= task["mean"] <= task["interval"][1]
    assert (tmp_path / record["episodes"][0]["folder"] / "journal.jsonl").is_file()
    assert done.stderr == ""


def test_a_real_game_is_researched_and_its_figures_stand_beside_the_published_ones(tmp_path: Path) -> None:
    options = ("--budget", "2", "--feedback-size", "100", "--json")

    record = document(mlyceum("run", "battle-of-sexes", *options, *FAST, cwd=tmp_path))

    (episode,), (task,) = record["episodes"], record["tasks"]
    assert episode["outcome"] == "submitted"
    assert episode["evaluations"] == 2
    assert episode["standard_error"] < 0.001
    assert episode["held_out_score"] is not None
    assert (task["optimum"], task["best_published"]) == (1.44, pytest.approx(1.443, abs=0.001))
    assert task["interval"] is None


def test_the_table_names_the_controls_and_progress_goes_to_stderr(tmp_path: Path) -> None:
    options = ("--budget", "2", "--control", "random-search", "--workspace", "process-if-needed")

    done = mlyceum("run", "planted", *options, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "random-search" in done.stdout
    assert "planted" in done.stdout
    assert "limits: episodes" in done.stderr
    assert "2/2" in done.stderr
    assert (tmp_path / "runs" / "latest" / "study.json").is_file()


@pytest.mark.parametrize(
    ("removal", "patch"),
    [
        *(
            (f"{role}", f"remove {role} vacuous")
            for role in ("hypothesizer", "coder", "experimenter", "reviewer")
        ),
        ("hypothesizer=absorbed:coder", "remove hypothesizer absorbed:coder"),
        ("coder=absorbed:hypothesizer", "remove coder absorbed:hypothesizer"),
        ("experimenter=absorbed:coder", "remove experimenter absorbed:coder"),
        ("reviewer=absorbed:experimenter", "remove reviewer absorbed:experimenter"),
    ],
)
def test_a_team_without_a_role_is_scored_and_says_what_was_removed(
    removal: str,
    patch: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("run", "planted", "--without", removal, "--budget", "3", "--json", *FAST)

    done = mlyceum_here(*command, cwd=tmp_path, capture=capsys, patch=monkeypatch)

    (episode,) = document(done)["episodes"]
    assert episode["patches"] == [patch]
    assert episode["final_score"] is not None
    assert episode["evaluations"] == 3


def test_one_member_alone_is_a_team(tmp_path: Path) -> None:
    done = mlyceum("run", "planted", "--team", "solo", "--budget", "3", "--json", *FAST, cwd=tmp_path)

    (episode,) = document(done)["episodes"]
    assert (episode["team"], episode["outcome"]) == ("solo", "submitted")


def test_help_fits_a_screen_and_has_examples(tmp_path: Path) -> None:
    done = mlyceum("run", "--help", cwd=tmp_path)

    assert len(done.stdout.splitlines()) <= 45
    assert "\n    mlyceum run battle-of-sexes --seeds 3\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "battle-of-sex"), "did you mean 'battle-of-sexes'?"),
        (("run", "planted", "--team", "ful"), "did you mean 'full'?"),
        (("run", "planted", "--without", "reviewr"), "did you mean 'reviewer'?"),
        (("run", "planted", "--without", "reviewer=absorbed:reviewer"), "cannot absorb itself"),
        (("run", "planted", "--seeds", "0"), "--seeds: 0 is too small; give 1 or more"),
        (("run", "planted", "--jobs", "0"), "--jobs: 0 is too small"),
        (("run", "planted", "--model", "gpt"), "write it as provider/name"),
        (("run", "planted", "--model", "nobody/x"), "unknown model provider 'nobody'"),
        (("run", "planted", "--model", "openai/x"), "OPENAI_API_KEY"),
        (("run", "planted", "--feedback-size", "100"), "does not let its feedback be sized"),
        (("run", "planted", "--patch", "mute nothing"), "unknown topic 'nothing'"),
        (
            ("run", "planted", "--workspace", "process", "--model", "local/x"),
            "code that a model writes never does",
        ),
        (("rum",), "did you mean 'run'?"),
        (("run",), "TASK"),
    ],
)
def test_what_cannot_be_done_as_asked_is_said_in_one_sentence(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = mlyceum_here(*arguments, cwd=tmp_path, capture=capsys, patch=monkeypatch)

    assert_one_sentence(done, status=2, says=says)
