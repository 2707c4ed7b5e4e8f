"""`mlyceum study`, `ablate`, `merge`, and the study file that `run` implies, as a user meets them."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from called import Called, assert_sentence, call
from run_cases import COMMAND, environment, journals

import mlyceum
from benchmarks.studies.design import read_lock
from benchmarks.studies.looks import read_looks
from benchmarks.studies.study_file import load_study
from engine.errors import UserError

FAST = ("--workspace", "process-if-needed", "--quiet")
STUDY = """\
version = 1
name = "tiny"
tasks = ["planted"]
controls = ["solo"]

[budget]
evaluations = 2

[seeds]
count = 2
"""

Run = Callable[..., Called]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, in an empty folder that holds one study file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(STUDY)
    return lambda *arguments: call(capsys, *arguments)


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_study_runs_into_a_folder_of_its_name_and_sums_up(run: Run, tmp_path: Path) -> None:
    first = run("study", "tiny.toml", "--json", *FAST)
    again = run("study", "tiny.toml", *FAST)

    document: dict[str, Any] = json.loads(first.out)
    assert (first.status, document["complete_blocks"], document["blocks"]) == (0, 2, 2)
    assert [(row["arm"], len(row["points"])) for row in document["rows"]] == [("full", 2), ("solo", 2)]
    assert "tiny: 2 of 2 blocks complete" in again.out
    assert len(read_looks(tmp_path / "runs" / "tiny")) == 2


@pytest.mark.parametrize("option", ["--dry-run", "--print-resolved"])
def test_what_only_tells_writes_nothing(option: str, run: Run, tmp_path: Path) -> None:
    told = run("study", "tiny.toml", option)

    assert told.status == 0, told
    assert made(tmp_path) == ["tiny.toml"]


def test_a_dry_run_counts_and_prices(run: Run) -> None:
    (document,) = (
        json.loads(run("study", "tiny.toml", "--dry-run", "--json", "--set", "seeds.count=5").out),
    )

    assert (document["episodes"], document["blocks"], document["evaluations_at_most"]) == (10, 5, 20)
    assert document["per_arm"] == {"full": 5, "solo": 5}
    assert (document["wall_seconds"], document["cost_usd_at_most"]) == (None, 0.0)


def test_the_resolved_study_is_a_study_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "resolved.toml").write_text(run("study", "tiny.toml", "--print-resolved").out)

    again = run("study", "resolved.toml", "--print-resolved")

    assert again.out == (tmp_path / "resolved.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("tiny.toml", "--set", "seeds.cont=1"),
            "--set seeds.cont=1: seeds.cont: there is no such field; did you mean",
        ),
        (("tny",), "unknown study 'tny'"),
        (("nosuch.toml",), "nosuch.toml: cannot be read: No such file"),
        (("tiny.toml", "--shard", "3/2"), "--shard: '3/2' is no shard"),
        (("tiny.toml", "--retries", "-1"), "--retries: -1 is too small"),
        (("tiny.toml", "--jobs", "0"), "--jobs: 0 is too small"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    arguments: tuple[str, ...], says: str, run: Run, tmp_path: Path
) -> None:
    done = run("study", *arguments, "--quiet")

    assert_sentence(done, says=says)
    assert made(tmp_path) == ["tiny.toml"]


def test_a_changed_study_does_not_go_into_the_same_folder(run: Run) -> None:
    run("study", "tiny.toml", *FAST)

    done = run("study", "tiny.toml", "--set", "budget.evaluations=3", *FAST)

    assert_sentence(done, says="runs/tiny: holds a study with another budget; name another folder with --out")


def test_shards_are_run_and_merged_where_they_lie(run: Run, tmp_path: Path) -> None:
    for shard in ("1/2", "2/2"):
        assert run("study", "tiny.toml", "--shard", shard, *FAST).status == 0

    merged = run("merge", "runs/tiny", "--json")

    assert (json.loads(merged.out)["done"], json.loads(merged.out)["episodes"]) == (4, 4)
    assert "2 of 2 blocks complete" in run("study", "tiny.toml", *FAST).out
    assert made(tmp_path / "runs" / "tiny.shards") == ["1-of-2", "2-of-2"]


def test_merging_what_is_not_all_there_is_told(run: Run, tmp_path: Path) -> None:
    run("study", "tiny.toml", "--shard", "1/2", *FAST)

    assert_sentence(run("merge", "runs/tiny"), says="SHARD: 2/2 missing; name them too, or give --partial")
    assert_sentence(run("merge", "runs/other"), says="none is named")
    assert not (tmp_path / "runs" / "tiny").exists()


def test_an_ablation_keeps_the_study_file_that_it_implies(run: Run, tmp_path: Path) -> None:
    done = run(
        "ablate", "planted", "--drop", "reviewer", "--control", "solo", "--seeds", "1", "--budget", "2", *FAST
    )
    folder = tmp_path / "runs" / "ablate-full-planted"

    assert done.status == 0, done
    assert load_study(folder / "study.toml").design == read_lock(folder)
    before = journals(folder)
    again = run("study", folder / "study.toml", "--out", folder, "--json", *FAST)
    assert [row["arm"] for row in json.loads(again.out)["rows"]] == [
        "full",
        "no-reviewer.vacuous",
        "no-reviewer.absorbed",
        "solo",
    ]
    assert journals(folder) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("planted", "--drop", "reviewr"),
            "--drop: unknown role of full 'reviewr'; did you mean 'reviewer'?",
        ),
        (("plantd",), "unknown task 'plantd'"),
        (("planted", "--team", "ful"), "unknown team 'ful'"),
        (("planted", "--seeds", "0"), "--seeds: there are none"),
        (("planted", "--model", "gpt"), "--model: 'gpt' is no model"),
        (("planted", "--budget", "0"), "--budget: 0 is too small"),
        (("planted", "--feedback-size", "4"), "--feedback-size: planted does not let"),
    ],
)
def test_an_ablation_that_cannot_be_is_told_by_its_option(
    arguments: tuple[str, ...], says: str, run: Run, tmp_path: Path
) -> None:
    assert_sentence(run("ablate", *arguments, "--quiet"), says=says)
    assert made(tmp_path) == ["tiny.toml"]


def test_a_run_keeps_the_study_file_that_it_implies_and_a_study_goes_on_with_it(
    run: Run, tmp_path: Path
) -> None:
    run("run", "planted", "--seeds", "2", "--budget", "2", "--control", "solo", "--out", "r", *FAST)
    before = journals(tmp_path / "r")

    done = run("study", "r/study.toml", "--out", "r", "--set", "seeds.count=3", "--json", *FAST)

    document = json.loads(done.out)
    assert (document["episodes"], document["complete_blocks"]) == (6, 3)
    assert {name: lines for name, lines in journals(tmp_path / "r").items() if name in before} == before


def test_a_design_is_run_from_python(tmp_path: Path) -> None:
    design = mlyceum.Design(
        name="mine",
        tasks=("planted",),
        arms=(mlyceum.ArmDesign(name="a", team="random-search"),),
        seeds=load_study(write(tmp_path)).design.seeds,
    )

    summary = mlyceum.run_study(design, tmp_path / "study", workspace="process")

    assert isinstance(summary, mlyceum.StudySummary)
    assert [(row.arm, len(row.points)) for row in summary.rows] == [("a", 2)]
    with pytest.raises(UserError, match="overrides change the fields of a file"):
        mlyceum.run_study(design, overrides=("seeds.count=1",))


def write(folder: Path) -> Path:
    path = folder / "tiny.toml"
    path.write_text(STUDY)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("where", [(), ("--scratch", "node")])
def test_sigterm_ends_a_shard_like_ctrl_c_and_the_same_command_goes_on(
    where: tuple[str, ...], tmp_path: Path
) -> None:
    """What Slurm sends before it takes a node away, and what it starts again after a requeue."""
    write(tmp_path)
    command = [
        *COMMAND,
        "study",
        "tiny.toml",
        "--shard",
        "1/2",
        "--set",
        "budget.evaluations=20",
        *FAST,
        *where,
    ]
    started = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    while not any(tmp_path.glob("**/journal.jsonl")) and started.poll() is None:
        time.sleep(0.02)
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=120)
    folder = tmp_path / "runs" / "tiny.shards" / "1-of-2"

    assert (started.returncode, "the same command goes on from here" in said) == (130, True)
    assert any(folder.glob("episodes/*/journal.jsonl"))
    assert not (folder / ".lease").exists()
    again = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert "1 of 1 blocks complete" in again.stdout, again
