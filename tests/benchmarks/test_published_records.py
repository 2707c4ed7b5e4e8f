"""Damaged or foreign input ends in one sentence with file and line."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.records import (
    load_aup_table,
    load_published_runs,
    load_rank_table,
    load_score_table,
)
from engine.errors import BadSpecification


def line(**changes: object) -> str:
    record: dict[str, object] = {
        "model": "gpt-o1",
        "task": "blotto",
        "run": 0,
        "metric": "Score",
        "direction": "max",
        "agent": [{"Score": 0.1}, {"Other": 1.0}],
        "baseline": {"Score": -0.248},
        "exit_status": "submitted",
    }
    return json.dumps({**record, **changes})


def write(folder: Path, *lines: str) -> Path:
    (folder / "results.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def test_a_record_becomes_the_runs_of_a_method_on_a_task(tmp_path: Path) -> None:
    published = load_published_runs(write(tmp_path, line(run=1), line()))

    (task,) = published.runs
    assert (task.method, task.task, [run.index for run in task.runs]) == ("gpt-o1", "colonel-blotto", [0, 1])
    assert task.runs[0].entries == (0.1, None)
    assert published.baselines == {"colonel-blotto": -0.248}


def test_a_run_known_to_be_invalid_is_marked_with_the_reason(tmp_path: Path) -> None:
    published = load_published_runs(
        write(tmp_path, line(model="claude-35-sonnet-new"), line(model="claude-35-sonnet-new", run=1))
    )

    rewritten, honest = published.runs[0].runs
    assert (rewritten.valid, honest.valid) == (False, True)
    assert "opponent" in rewritten.reason


@pytest.mark.parametrize(
    "broken, sentence",
    [
        ("{", "line 2: is not a run's record"),
        (line(run="three"), r"line 2: .*\$\.run"),
        (line(agent=[{"Score": "high"}]), r"line 2: .*\$\.agent"),
        (line(direction="up"), "line 2: .*up"),
        (line(task="bloto"), "line 2: .*did you mean"),
        (line(metric="Reward Mean"), "line 2: has metric 'Reward Mean'.*scored by 'Score'"),
        (line(), "line 2: run 0 of gpt-o1 on blotto is there twice"),
        ('{"model": "\\ud800"}', "line 2: "),
        ('{"extra": ' + "[" * 100_000, "line 2: is not a run's record"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, broken: str, sentence: str) -> None:
    write(tmp_path, line(), broken)

    with pytest.raises(BadSpecification, match=sentence) as raised:
        load_published_runs(tmp_path)
    assert "results.jsonl.gz" in str(raised.value)


def test_a_torn_file_is_named_with_the_line_it_ends_in(tmp_path: Path) -> None:
    write(tmp_path, *(line(run=run) for run in range(200)))
    path = tmp_path / "results.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(BadSpecification, match=r"line \d+: cannot be read"):
        load_published_runs(tmp_path)


def test_a_file_that_is_not_compressed_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl.gz").write_text(line())

    with pytest.raises(BadSpecification, match="line 1: cannot be read"):
        load_published_runs(tmp_path)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    write(tmp_path, line(), " " * 5_000_000)

    with pytest.raises(BadSpecification, match="line 2: is longer than"):
        load_published_runs(tmp_path)


def test_an_absent_and_an_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSpecification, match="is not there"):
        load_published_runs(tmp_path)
    with pytest.raises(BadSpecification, match="holds no run"):
        load_published_runs(write(tmp_path))


def test_a_score_table_names_the_faulty_row(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"

    table.write_text("Task,baseline,a\nBlotto,-0.248,\n")
    assert load_score_table(table)[0].scores == {"baseline": -0.248, "a": None}

    for row, sentence in (
        ("Blotto,1", "line 3: has 2 cells"),
        ("Blotto,x,1", "line 3: 'x' is not"),
        ("Chess,1,2", "line 3: unknown"),
    ):
        table.write_text(f"Task,baseline,a\nBlotto,-0.248,\n{row}\n")
        with pytest.raises(BadSpecification, match=sentence):
            load_score_table(table)


def test_other_tables_name_their_faults(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"

    table.write_text("Model,AUP\na,1\n")
    with pytest.raises(BadSpecification, match="line 1: expected the columns"):
        load_aup_table(table)
    table.write_text("")
    with pytest.raises(BadSpecification, match="is empty"):
        load_rank_table(table)
    with pytest.raises(BadSpecification, match="is not there"):
        load_rank_table(tmp_path / "none.csv")
