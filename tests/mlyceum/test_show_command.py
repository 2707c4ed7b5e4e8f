"""`mlyceum show`: an episode in a terminal, also while it is written, and whatever its members wrote."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from called import assert_sentence, call
from run_cases import assert_one_sentence, document, mlyceum
from written_studies import cut_short, episode_spec, write_study

from engine.messages import CODE, EXPERIMENT, HYPOTHESIZE
from engine.team import MemberSpec, StrategySpec, TeamSpec
from mlyceum.reading import EpisodeView
from mlyceum.viewer.header import drivers

EPISODE = "battle-of-sexes--full--seed-1"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066evil\r\x00\x7f\ud7ff"
FREE_TEXT = {
    "claim", "diff", "problem", "text", "rule", "failure", "reason", "what", "chosen", "detail", "stdout",
    "stderr", "message", "family", "metric", "why",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("show") / "study", seeds=2, evaluations=8)


@pytest.mark.parametrize("between", ["", "episodes"])
def test_an_episode_is_addressed_with_and_without_its_folder(
    study: Path, between: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = call(capsys, "show", study / between / EPISODE)

    assert shown.status == 0
    for words in (
        "battle-of-sexes, Score (max)",
        "full, strategy",
        "Research tree",
        "handed in",
        "+++ handed-in",
    ):
        assert words in shown.out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_of_tree_messages_or_scores_is_wider_than_the_terminal(
    study: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = call(capsys, "show", study / EPISODE, "--tree", "--messages", "--scores")

    assert max(map(len, shown.out.splitlines())) <= max(columns, 72)
    assert "↺" not in shown.out


def test_the_json_document_holds_messages_tree_decisions_and_scores(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    view = json.loads(call(capsys, "show", study / EPISODE, "--json").out)

    assert view["episode"] == EPISODE
    assert view["state"] == "ended"
    assert view["spec"]["team"]["name"] == "full"
    assert [sent["seq"] for sent in view["messages"]] == list(range(1, len(view["messages"]) + 1))
    asked = next(sent for sent in view["messages"] if sent["body"]["type"] == "IdeaRequest")
    assert (asked["to"], asked["receiver"]) == ("hypothesize", "hypothesizer")
    assert len(view["feedback"]) == view["spending"]["evaluations"]
    assert view["finals"][0]["score"]["value"] == view["result"]["final"]["value"]
    assert any(node.get("handed_in") for node in view["nodes"])
    assert view["decisions"]


def test_sections_keep_their_part_of_the_document(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    view = json.loads(call(capsys, "show", study / EPISODE, "--scores", "--json").out)

    assert "feedback" in view
    assert "messages" not in view
    assert "nodes" not in view


def test_one_node_is_shown_with_claim_code_and_the_messages_about_it(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = json.loads(call(capsys, "show", study / EPISODE, "--json").out)["nodes"]
    node = next(each for each in nodes if each.get("handed_in"))

    shown = call(capsys, "show", study / EPISODE, "--node", node["id"])

    assert node["hypothesis"]["claim"].split(",")[0][:30] in shown.out
    assert "--- a/" in shown.out
    assert f"Hypothesis #{node['id']} " in shown.out


def test_an_unknown_node_names_those_that_there_are(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_sentence(call(capsys, "show", study / EPISODE, "--node", "99"), says="unknown node '99'")


def test_a_folder_lists_its_episodes(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = call(capsys, "show", study)
    told = json.loads(call(capsys, "show", study / "episodes", "--json").out)

    assert [each["episode"] for each in told["episodes"]] == [EPISODE, EPISODE.replace("seed-1", "seed-2")]
    assert EPISODE in listed.out
    assert "submitted" in listed.out


def test_an_unfinished_episode_is_shown_as_far_as_it_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study", evaluations=6)
    folder = cut_short(study, EPISODE, lines=25)
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"type":"Posted","seq":999')  # being written at this moment

    shown = call(capsys, "show", folder)
    view = json.loads(call(capsys, "show", folder, "--json").out)

    assert "not ended" in shown.out
    assert "no final score yet" in shown.out
    assert view["state"] == "unfinished"
    assert view["spec"]["team"]["name"] == "full", "study.json says what it is"
    assert view["result"] is None


def test_an_episode_of_which_nothing_is_written_yet_has_not_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study" / "episodes" / "x--full--seed-1").mkdir(parents=True)

    shown = call(capsys, "show", tmp_path / "study" / "x--full--seed-1")

    assert shown.status == 0
    assert "not begun" in shown.out


def _poison(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        told = {name: _poison(item, name) for name, item in value.items()}
        return {f"{name}{HOSTILE}": item for name, item in told.items()} if key == "candidates" else told
    if isinstance(value, list):
        return [_poison(item, key) for item in value]
    return f"{value} {HOSTILE}" if isinstance(value, str) and key in FREE_TEXT else value


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--messages",),
        ("--tree",),
        ("--diffs",),
        ("--scores",),
        ("--decisions",),
        ("--node", "1"),
        ("--json",),
    ],
)
def test_nothing_that_a_member_wrote_reaches_the_terminal_as_more_than_text(
    tmp_path: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study", evaluations=4)
    journal = study / "episodes" / EPISODE / "journal.jsonl"
    lines = [json.dumps(_poison(json.loads(line))) for line in journal.read_text().splitlines()]
    journal.write_text("\n".join(lines) + "\n")

    shown = call(capsys, "show", study / EPISODE, *options)

    assert shown.status == 0, shown.err
    unfit = {c for c in shown.out if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert not unfit
    assert options == ("--json",) or "owned" not in shown.out


def test_an_unknown_episode_says_which_was_meant(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", study / "battle-of-sexes--full--seed-3")

    assert_sentence(shown, says="did you mean 'battle-of-sexes--full--seed-")


@pytest.mark.parametrize(
    ("path", "says"),
    [("nowhere", "does not exist"), (".", "is not a study's folder"), ("file", "is no folder")],
)
def test_what_is_no_study_is_said_in_a_sentence(
    tmp_path: Path, path: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")

    assert_sentence(call(capsys, "show", tmp_path / path), says=says)


def test_a_damaged_journal_names_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", evaluations=3)
    journal = study / "episodes" / EPISODE / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b'{"type":"Rubbish"}\n', *lines[6:]]))

    shown = call(capsys, "show", study / EPISODE)

    assert_sentence(shown, says="journal.jsonl, line 6", status=1)


def test_a_damaged_index_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", evaluations=3)
    (study / "index.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 50)

    assert_sentence(call(capsys, "show", study), says="index.sqlite cannot be read", status=1)
    assert_sentence(call(capsys, "score", study), says="index.sqlite cannot be read", status=1)


def test_the_command_as_a_process(study: Path) -> None:
    shown = mlyceum("show", str(study / EPISODE), "--json", cwd=study)
    unknown = mlyceum("show", str(study / "nobody"), cwd=study)

    assert document(shown)["episode"] == EPISODE
    assert_one_sentence(unknown, status=2, says="unknown episode 'nobody'")


def test_a_closed_pipe_ends_in_silence(study: Path) -> None:
    import subprocess
    import sys

    command = f"{sys.executable} -m mlyceum show {study / EPISODE} --messages --diffs | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.startswith("episode")
    assert "Traceback" not in done.stderr


def test_the_head_says_who_drove_each_role() -> None:
    team = TeamSpec(
        name="mixed",
        strategy=StrategySpec(kind="greedy"),
        members=(
            MemberSpec(role="hypothesizer", functions=(HYPOTHESIZE,), policy="model", model="local/small"),
            MemberSpec(role="coder", functions=(CODE,), replicas=2),
            MemberSpec(role="experimenter", functions=(EXPERIMENT,), policy="vacuous"),
        ),
    )
    view = EpisodeView(
        episode="e", folder="f", state="unfinished", spec=episode_spec("planted", team, 1, evaluations=2)
    )

    told = drivers(view)

    assert told == "model local/small (hypothesizer); offline policy (2 coders); vacuous form (experimenter)"
