"""`mlyceum tasks`: list, show, score an artefact that a user names (in the sandbox or not at all), and baselines."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from called import assert_sentence, call
from run_cases import assert_one_sentence, document, mlyceum, needs_sandbox

from engine.errors import IsolationUnavailable
from tasks.registry import open_task, task_names

GAME = "battle-of-sexes"


def always_zero(folder: Path) -> Path:
    folder.mkdir()
    (folder / "strategy.py").write_text("def row_strategy(history):\n    return 0\n")
    return folder


def test_every_task_is_listed_with_facts_and_move_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(call(capsys, "tasks", "--json").out)["tasks"]
    shown = call(capsys, "tasks").out

    assert [each["id"] for each in told] == list(task_names())
    blotto = next(each for each in told if each["id"] == "colonel-blotto")
    assert blotto["aliases"] == ["blotto"]
    assert (blotto["card"]["optimum"], blotto["card"]["direction"]) == (0.248, "max")
    assert [space["name"] for space in blotto["spaces"]] == ["default", "templates"]
    assert all(name in shown for name in task_names())


def test_a_task_is_shown_with_its_brief_and_card(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "tasks", "show", "battleOfSexes")
    told = json.loads(call(capsys, "tasks", "show", GAME, "--json").out)

    assert "row_strategy" in shown.out
    assert "Fact card" in shown.out
    assert told["brief"] == open_task(GAME).brief
    assert list(told["starter"]) == ["strategy.py"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("tasks", "show", "battel-of-sexes"),
        ("tasks", "baseline", "battel-of-sexes"),
        ("tasks", "score", "battel-of-sexes", "x"),
    ],
)
def test_an_unknown_task_says_which_was_meant(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert_sentence(call(capsys, *arguments), says="did you mean 'battle-of-sexes'")


@pytest.mark.sandbox
def test_an_artefact_is_scored_with_what_the_audit_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_sandbox()
    folder = always_zero(tmp_path / "artefact")
    (folder / "strategy.py").write_text("import os\n\ndef row_strategy(history):\n    return 0\n")

    told = json.loads(call(capsys, "tasks", "score", GAME, folder, "--json").out)

    assert told["score"]["value"] == pytest.approx(1.44, abs=0.005)
    assert told["workspace"] == "sandbox"
    assert [finding["kind"] for finding in told["score"]["findings"]] == ["source"]
    assert all(fact["enforced"] for fact in told["isolation"]["facts"])


@pytest.mark.sandbox
def test_an_artefact_without_a_score_ends_with_status_1_and_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_sandbox()
    folder = always_zero(tmp_path / "artefact")
    (folder / "strategy.py").write_text("import os\nos._exit(0)\n")

    shown = call(capsys, "tasks", "score", GAME, folder, "--split", "feedback")

    assert shown.status == 1
    assert "none: " in shown.out
    assert "early-exit" in shown.out


@pytest.mark.sandbox
def test_the_same_seed_gives_the_same_score_and_another_one_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_sandbox()
    score = ("tasks", "baseline", GAME, "--split", "feedback", "--json", "--seed")

    values = [json.loads(call(capsys, *score, seed).out)["score"]["value"] for seed in (1, 1, 2)]

    assert values[0] == values[1] != values[2]


@pytest.mark.sandbox
@pytest.mark.parametrize("task", [GAME, "prisoners-dilemma", "colonel-blotto", "planted"])
def test_a_baseline_lies_where_its_card_says(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    needs_sandbox()
    told = json.loads(call(capsys, "tasks", "baseline", task, "--json").out)

    score = told["score"]
    assert score["value"] == pytest.approx(told["baseline"], abs=4 * score.get("standard_error", 0.0) + 1e-9)


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_unmodified_heuristic_makes_exactly_the_published_decisions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs_sandbox()
    told = json.loads(call(capsys, "tasks", "baseline", "3-sat", "--protocol", "mlgym", "--json").out)

    assert told["score"]["metrics"]["Decisions"] == 86097
    assert told["metric"] == "Time"


def _symlink(folder: Path) -> Path:
    (folder / "strategy.py").symlink_to("/etc/passwd")
    return folder


def _linked_folder(folder: Path) -> Path:
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


def _directory(folder: Path) -> Path:
    (folder / "strategy.py").mkdir()
    return folder


def _sparse(folder: Path) -> Path:
    with (folder / "strategy.py").open("wb") as file:
        file.truncate(10 << 30)
    return folder


def _binary(folder: Path) -> Path:
    (folder / "strategy.py").write_bytes(bytes(range(256)))
    return folder


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "strategy.py")
    return folder


def _device(_: Path) -> Path:
    return Path("/dev/zero")


def _nothing(folder: Path) -> Path:
    return folder / "nowhere"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_symlink, "is a symbolic link"),
        (_linked_folder, "is a symbolic link"),
        (_directory, "a folder stands in its place"),
        (_sparse, "10737418240 bytes"),
        (_binary, "is not UTF-8 text"),
        (_pipe, "is a pipe"),
        (_device, "is a device"),
        (_nothing, "does not exist"),
    ],
)
def test_what_can_be_no_artefact_is_refused_in_a_sentence_before_it_is_read(
    tmp_path: Path, make: Callable[[Path], Path], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "artefact"
    folder.mkdir()

    path = make(folder)

    assert_sentence(call(capsys, "tasks", "score", GAME, path), says=says)


def test_without_isolation_nothing_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def refuse(name: str) -> None:
        asked.append(name)
        raise IsolationUnavailable(("file",), "install bubblewrap")

    monkeypatch.setattr("mlyceum.task_scoring.make_backend", refuse)

    called = call(capsys, "tasks", "score", GAME, always_zero(tmp_path / "artefact"))

    assert_sentence(called, says="install bubblewrap")
    assert asked == ["sandbox"], "never a weaker backend"


def test_no_option_takes_the_isolation_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = always_zero(tmp_path / "artefact")

    called = call(capsys, "tasks", "score", GAME, folder, "--workspace", "process")

    assert_sentence(called, says="--workspace")


def test_a_task_without_other_opponents_has_no_such_split(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "tasks", "baseline", "planted", "--split", "held-out")

    assert_sentence(called, says="has no split held-out")


def test_the_command_as_a_process(tmp_path: Path) -> None:
    listed = mlyceum("tasks", "--json", cwd=tmp_path)
    refused = mlyceum("tasks", "score", GAME, "/etc", cwd=tmp_path)

    assert document(listed)["tasks"]
    assert_one_sentence(refused, status=2, says="/etc")
