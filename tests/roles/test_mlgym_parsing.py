"""Reading an answer, on samples of our own; and all published ones, where a checkout of MLGym is at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.published.parsing import compare, kind_of, main, make_report
from roles.mlgym.parsing import Answer, FormatError, parse_answer
from roles.mlgym.runs import open_source
from roles.mlgym.trajectory import HistoryMessage, Trajectory

CHECKOUT = os.environ.get("MLYCEUM_MLGYM")


@pytest.mark.parametrize(
    ("text", "thought", "action"),
    [
        ("I look.\n```\nls\n```", "I look.\n", "ls\n"),
        ("```bash\nls -l\npwd\n```\nDone.", "Done.", "ls -l\npwd\n"),
        ("A.\n\n```  \nls\n```  \n\n\nB.", "A.\n\nB.", "ls\n"),
        ("A `code` and ``` in a line.\n```\nls\n```\n", "A `code` and ``` in a line.\n", "ls\n"),
        ("```\nls\n```\n```\nnever closed", "```\nnever closed", "ls\n"),
        (
            "```\nedit 1:1\n```python\nx\n```\nend_of_edit\n```",
            "",
            "edit 1:1\n```python\nx\n```\nend_of_edit\n",
        ),
        ("  ```\nnot a fence\n```\nls\n```", "  ```\nnot a fence\n", "ls\n"),
        ("```\n```", "", ""),
    ],
    ids=["plain", "tag", "blanks", "inline", "open", "nested", "indented", "empty"],
)
def test_one_block_is_the_action_and_the_rest_the_thought(text: str, thought: str, action: str) -> None:
    assert parse_answer(text) == Answer(thought=thought, action=action)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no block"),
        ("just words", "no block"),
        ("```\nls", "no block"),
        ("```ls```", "no block"),
        ("```\nls\n```\nand\n```\npwd\n```", "several blocks"),
    ],
)
def test_an_answer_without_exactly_one_block_is_of_bad_form(text: str, problem: str) -> None:
    assert parse_answer(text) == FormatError(problem=problem)  # type: ignore[arg-type]  # a test's word


@given(st.text(alphabet="`\n ab", max_size=60))
def test_nothing_of_an_answer_is_made_up(text: str) -> None:
    parsed = parse_answer(text)

    if isinstance(parsed, Answer):
        assert parsed.action in text
        assert len(parsed.thought) + len(parsed.action) <= len(text)


@pytest.mark.parametrize(
    ("content", "action", "kind"),
    [
        ("```\nls\n```", "ls\n", "same action"),
        ("```\nls\n```", "pwd\n", "another action"),
        ("words", "ls\n", "no action here"),
        ("words", "exit_format", "no action on either side"),
        ("```\nls\n```", "exit_format", "thrown away"),
        ("Out of room.", "exit_context", "no answer"),
        ("words", None, "not recorded"),
    ],
)
def test_what_came_of_an_answer(content: str, action: str | None, kind: str) -> None:
    assert kind_of(HistoryMessage(role="assistant", content=content, action=action)) == kind


def test_a_share_is_of_what_models_wrote() -> None:
    history = tuple(
        HistoryMessage(role="assistant", content=content, action=action, thought="")
        for content, action in (
            ("```\nls\n```", "ls\n"),
            ("x", "exit_format"),
            ("y", "exit_cost"),
            ("z", "ls\n"),
        )
    )
    report = compare([Trajectory(trajectory=(), history=history)])

    assert (report.answers, report.thoughts) == (3, 1)
    assert report.share == pytest.approx(2 / 3)


def test_a_path_without_runs_is_answered_by_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert "0 trajectories" in capsys.readouterr().out


@pytest.mark.skipif(not CHECKOUT, reason="MLYCEUM_MLGYM names no checkout of MLGym")
def test_published_answers_are_read_as_mlgym_read_them() -> None:
    source = open_source(Path(CHECKOUT or ""))
    report = make_report(source)
    source.close()

    assert report.share is not None
    assert report.share >= 0.995
    assert not {"another action", "no action here"} & set(report.kinds)
