"""Importing runs of MLGym: small ones of our own making, bad files, and all published ones where they are at hand."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import best_attempt_at_k, best_submission_at_k
from benchmarks.reference import facts_of, published_methods, published_score
from engine.effects import Command, CommandOutcome, Evaluation, ModelAnswer, ModelCall
from engine.errors import UserError
from engine.journal import Decided
from mlyceum.cli.import_ import command
from mlyceum.cli.score import command as score
from mlyceum.cli.show import command as show
from mlyceum.importing import import_mlgym
from mlyceum.reading import EpisodeView, read_episode, read_records, read_results
from mlyceum.study_scores import entries_of, score_study

CHECKOUT = os.environ.get("MLYCEUM_MLGYM")
NAME = "metagen-some-model__{task}__default__t-0.00__p-0.95__c-4.00__install-0__parallel_agents_run_{run}"


def step(
    action: str, observation: str, *, response: str | None = None, seconds: float = 1.5
) -> dict[str, Any]:
    return {
        "action": action,
        "observation": observation,
        "response": response if response is not None else f"Because.\n```\n{action}```",
        "thought": "Because.\n",
        "state": "{}",
        "execution_time": seconds,
    }


def trajectory(
    *steps: dict[str, Any], score: list[dict[str, float]], status: str = "submitted"
) -> dict[str, Any]:
    history = [{"role": "system", "content": "Be good.", "agent": "a"}]
    seen = "Win the game."
    for each in steps:
        history.append({"role": "user", "content": seen, "agent": "a"})
        history.append(
            {"role": "assistant", "content": each["response"], "thought": "", "action": each["action"]}
        )
        seen = each["observation"]
    stats = {"task_cost": 0.25, "tokens_sent": 100, "tokens_received": 20, "api_calls": len(steps)}
    info = {"model_stats": stats, "exit_status": status, "submission": None, "score": score}
    return {"environment": "e", "trajectory": list(steps), "history": history, "info": info}


VALIDATED = step("validate\n", "Good.\nEvaluation Score: {'Score': 1.2}")
SUBMITTED = step("submit\n", "Exited (submit)")


def keep(root: Path, run: int, document: dict[str, Any] | None, *, task: str = "battleOfSexes") -> Path:
    folder = root / NAME.format(task=task, run=run)
    folder.mkdir(parents=True)
    if document is not None:
        (folder / f"{task}.traj").write_text(json.dumps(document))
    scores = document["info"]["score"] if document is not None else [{"Score": 1.0}, {"Score": 0.9}]
    (folder / "results.json").write_text(json.dumps({"agent": scores, "baseline": {"Score": 1.02}}))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "trajectories"
    keep(
        root,
        0,
        trajectory(step("ls\n", "strategy.py"), VALIDATED, SUBMITTED, score=[{"Score": 1.2}, {"Score": 1.1}]),
    )
    limit = step("exit_cost", "", response="Out of money")
    keep(
        root,
        1,
        trajectory(
            VALIDATED, limit, score=[{"Score": 1.2}, {"Score": 0.7}], status="autosubmission (exit_cost)"
        ),
    )
    keep(root, 2, trajectory(step("ls\n", "x"), score=[], status="evaluation_format_error (max_steps)"))
    keep(root, 3, None)
    return root


def episode(study: Path, run: int) -> EpisodeView:
    return read_episode(study / "episodes" / f"battle-of-sexes--some-model--seed-{run}")


def test_a_run_becomes_an_episode_of_its_model_on_our_task(runs: Path, tmp_path: Path) -> None:
    imported = import_mlgym(runs, tmp_path / "study")

    assert (imported.episodes, imported.without_trajectory, imported.problems) == (4, 1, ())
    view = episode(tmp_path / "study", 0)
    assert view.brief is not None
    assert (view.brief.text, view.brief.baseline) == ("Win the game.", 1.02)
    assert view.result is not None
    assert (view.result.outcome, view.result.final.value) == ("submitted", 1.1)
    assert view.result.spending == {"steps": 3.0, "tokens": 120.0, "cost_usd": 0.25}
    assert [each.score.value for each in view.feedback] == [1.2]


def test_its_journal_holds_answers_commands_and_scores_in_order(runs: Path, tmp_path: Path) -> None:
    import_mlgym(runs, tmp_path / "study")
    effects = [act for act in episode(tmp_path / "study", 0).effects if act.member == "solo"]

    kinds = [type(act.effect) for act in effects]
    assert kinds == [ModelCall, Command, ModelCall, Command, Evaluation, ModelCall, Command]
    call, answer = effects[2].effect, effects[2].outcome
    assert isinstance(call, ModelCall)
    assert isinstance(answer, ModelAnswer)
    assert (call.model, call.offset, [message.text for message in call.new]) == (
        "published/some-model", 3, ["strategy.py"],
    )  # fmt: skip
    assert answer.completion.message.text == "Because.\n```\nvalidate\n```"
    assert answer.completion.cost_usd is None
    ran = effects[1].outcome
    assert isinstance(ran, CommandOutcome)
    assert (ran.stdout, ran.exit_code) == ("strategy.py", None)


@pytest.mark.parametrize(
    ("run", "outcome", "final", "feedback"),
    [
        (0, "submitted", 1.1, [1.2]),
        (1, "budget", 0.7, [1.2]),
        (2, "budget", None, []),
        (3, "error", 0.9, [1.0]),
    ],
)
def test_scores_and_ends_are_as_they_were(
    run: int, outcome: str, final: float | None, feedback: list[float], runs: Path, tmp_path: Path
) -> None:
    import_mlgym(runs, tmp_path / "study")
    result = {each.spec.seeds.team: each for each in read_results(tmp_path / "study")}[run]

    assert (result.outcome, result.final.value) == (outcome, final)
    assert [each.value for each in result.feedback] == feedback
    assert not result.deterministic


def test_what_a_limit_put_in_the_place_of_an_answer_is_no_answer(runs: Path, tmp_path: Path) -> None:
    import_mlgym(runs, tmp_path / "study")
    folder = tmp_path / "study" / "episodes" / "battle-of-sexes--some-model--seed-1"

    exits = [each for each in read_records(folder) if isinstance(each, Decided) and each.what == "exit"]
    assert [(each.chosen, each.rule) for each in exits] == [("exit_cost", "Out of money")]
    assert sum(isinstance(act.effect, ModelCall) for act in read_episode(folder).effects) == 1


def test_records_say_that_they_are_imported_and_which_scores_report_themselves(tmp_path: Path) -> None:
    keep(tmp_path / "in", 0, trajectory(SUBMITTED, score=[{"BLEU Score": 0.4}]), task="imageCaptioningCOCO")
    import_mlgym(tmp_path / "in", tmp_path / "study")
    [result] = read_results(tmp_path / "study")
    records = read_records(tmp_path / "study" / "episodes" / result.episode)

    said = [(each.what, each.chosen) for each in records if isinstance(each, Decided)]
    assert said == [("import", "mlgym"), ("scores", "self_reported")]
    assert result.spec.hashes["imported"] == "mlgym"


def test_bad_files_are_told_of_in_a_sentence_each_and_the_rest_is_imported(
    runs: Path, tmp_path: Path
) -> None:
    (keep(runs, 4, trajectory(SUBMITTED, score=[])) / "battleOfSexes.traj").write_bytes(b'{"trajectory": 3}')
    bad = keep(runs, 5, None)
    (bad / "results.json").write_bytes(b"\xff\xfe")

    imported = import_mlgym(runs, tmp_path / "study")

    assert imported.episodes == 5  # of the fourth its results
    assert len(imported.problems) == 2
    assert all(problem.count("\n") == 0 for problem in imported.problems)


def test_importing_again_changes_nothing_and_filters_choose(runs: Path, tmp_path: Path) -> None:
    keep(runs, 0, trajectory(SUBMITTED, score=[]), task="blotto")
    only = import_mlgym(runs, tmp_path / "blotto", tasks=["colonel-blotto"])
    first = import_mlgym(runs, tmp_path / "study")
    journal = next((tmp_path / "study" / "episodes").rglob("journal.jsonl")).read_bytes()

    assert import_mlgym(runs, tmp_path / "study") == first
    assert next((tmp_path / "study" / "episodes").rglob("journal.jsonl")).read_bytes() == journal
    assert (only.episodes, only.tasks) == (1, ("colonel-blotto",))
    with pytest.raises(UserError, match="battle-of-sexes"):
        import_mlgym(runs, tmp_path / "none", tasks=["battleofsexes"])


def test_a_task_of_somebody_elses_is_imported_under_its_own_name_and_not_scored(tmp_path: Path) -> None:
    keep(tmp_path / "in", 0, trajectory(SUBMITTED, score=[{"gold": 3.0}]), task="mining")
    import_mlgym(tmp_path / "in", tmp_path / "study")

    [result] = read_results(tmp_path / "study")
    assert (result.spec.task, result.final.value) == ("mining", 3.0)
    assert "not scored, for the task is not here: mining" in score_study(tmp_path / "study").notes


def test_a_bare_repository_is_read_as_a_folder_is(runs: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(runs)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "runs"]):
        subprocess.run([*git, *arguments], check=True)

    bare = import_mlgym(runs / ".git", tmp_path / "bare")

    assert bare.episodes == 4
    plain = import_mlgym(runs, tmp_path / "plain")
    assert plain.episodes == 4
    assert read_results(tmp_path / "bare") == read_results(tmp_path / "plain")


def test_the_commands_of_a_study_open_it(runs: Path, tmp_path: Path) -> None:
    study = str(tmp_path / "study")
    imported = CliRunner().invoke(command, ["mlgym", str(runs), "--out", study])

    assert "4 runs of 1 models on 1 tasks, of 1 only the scores" in imported.output
    assert "some-model" in CliRunner().invoke(show, [study]).output
    assert (
        "Win the game"
        in CliRunner().invoke(show, [f"{study}/battle-of-sexes--some-model--seed-0", "--json"]).output
    )
    assert "scores are MLGym's own" in CliRunner().invoke(score, [study]).output


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOUT, reason="MLYCEUM_MLGYM names no checkout of MLGym")
def test_published_runs_give_every_published_best_score(tmp_path: Path) -> None:
    import_mlgym(Path(CHECKOUT or ""), tmp_path / "study")
    results = read_results(tmp_path / "study")

    assert len(results) == 676
    for task, method in {(each.spec.task, each.spec.team.name) for each in results}:
        entries = [
            entries_of(each) for each in results if (each.spec.task, each.spec.team.name) == (task, method)
        ]
        direction = facts_of(task).direction
        if method in published_methods(in_tables_only=False):
            for kind, found in (
                ("attempt", best_attempt_at_k(entries, direction)),
                ("submission", best_submission_at_k(entries, direction)),
            ):
                published = published_score(task, method, kind, valid_only=False)  # type: ignore[arg-type]  # one of two
                assert (found is None) == (published is None)
                assert found is None or found == pytest.approx(published, rel=1e-5, abs=1e-5)
