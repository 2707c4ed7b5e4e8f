"""What a user or a machine does wrong: one clear sentence each, no traceback, and nothing else is harmed."""

import os
import resource
import subprocess
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import pytest
from run_cases import (
    COMMAND,
    FAST,
    assert_one_sentence,
    document,
    environment,
    mlyceum,
    mlyceum_here,
    outcome,
)

from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.study import open_study, read_study
from engine.seeds import Seeds, evaluation_seed
from engine.task import Measured, Score
from engine.workspace.interface import Backend
from mlyceum.cli import main
from tasks.artefacts import ArtefactUnusable, artefact_from_path
from tasks.evaluation import Evaluation
from tasks.planted.scorer import PlantedScorer
from tasks.registry import open_task

RUN = ("run", "planted", "--budget", "2", "--json", *FAST)

TEAM = """\
name = "mine"

[strategy]
kind = "greedy"

[[members]]
role = "hypothesizer"
{line}
"""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            'polcy = "offline"',
            "team.toml, line 8: members[0].polcy: there is no such field; allowed: role, functions",
        ),
        ('policy = "online"', "allowed: offline, vacuous, model"),
        ("replicas = 0", "team.toml, line 8: members[0].replicas: 0; allowed are 1 to 64"),
        ('mailbox = "big"', "line 8"),
        ("replicas = ", "team.toml, line 8"),
    ],
)
def test_a_broken_team_file_is_told_by_line_field_and_what_is_allowed(
    line: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team.toml").write_text(TEAM.format(line=line))

    done = mlyceum_here(*RUN, "--team", "./team.toml", cwd=tmp_path, capture=capsys, patch=monkeypatch)

    assert_one_sentence(done, status=2, says=says)
    assert not (tmp_path / "runs").exists()


def test_an_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    done = mlyceum(*RUN, "--out", "taken/study", cwd=tmp_path)

    assert_one_sentence(done, status=2, says="choose another folder with --out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)

    done = mlyceum(*RUN, "--out", str(tmp_path / "study"), cwd=Path("/"))

    assert_one_sentence(done, status=2, says="Permission denied")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")

    done = mlyceum(*RUN, "--out", ".", cwd=tmp_path)

    assert_one_sentence(done, status=2, says="thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    plan = make_plan(Request(tasks=("planted",), evaluations=2))

    with open_study(tmp_path / "study", plan.specs):
        done = mlyceum(*RUN, "--out", "study", cwd=tmp_path)

    assert_one_sentence(done, status=2, says="another run is working in study")


def test_another_study_in_one_folder(tmp_path: Path) -> None:
    document(mlyceum(*RUN, "--out", "study", cwd=tmp_path))

    done = mlyceum(*RUN, "--budget", "3", "--out", "study", cwd=tmp_path)

    assert_one_sentence(done, status=2, says="planted--full--seed-1 has another budget")


def test_a_record_that_was_changed(tmp_path: Path) -> None:
    document(mlyceum(*RUN, "--out", "study", cwd=tmp_path))
    (tmp_path / "study" / "study.json").write_text("{")

    done = mlyceum(*RUN, "--out", "study", cwd=tmp_path)

    assert_one_sentence(done, status=1, says="study.json cannot be read")


# -- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of 100 KB; skips where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("cannot mount a small disk here (needs root)")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_ends_the_run_in_a_sentence_and_a_larger_one_lets_it_go_on(
    small_disk: Path, tmp_path: Path
) -> None:
    study = ("run", "planted", "--seeds", "3", "--budget", "8", "--json", *FAST)
    whole = document(mlyceum(*study, "--out", "whole", cwd=tmp_path))

    full = mlyceum(*study, "--out", str(small_disk / "study"), cwd=tmp_path)
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    resumed = document(mlyceum(*study, "--out", str(small_disk / "study"), cwd=tmp_path))

    assert_one_sentence(full, status=2, says="No space left on device; free some space")
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize("kilobytes", [2, 8, 16, 24])
def test_a_file_that_may_not_grow_ends_the_run_in_a_sentence(kilobytes: int, tmp_path: Path) -> None:
    """Where no disk can be mounted, and in other places: the first file that reaches the limit is hit."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    done = subprocess.run(
        [*COMMAND, *RUN, "--out", "study"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )

    assert_one_sentence(done, status=2, says="cannot")


# -- a scorer that breaks ---------------------------------------------------------------------------------------------


def breaking(seeds: frozenset[int]) -> Callable[..., object]:
    """A scorer that crashes on some seeds."""
    real = PlantedScorer.score

    async def score(self: PlantedScorer, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        if evaluation.seed in seeds:
            raise ZeroDivisionError("division by zero")
        return await real(self, evaluation, backend)

    return score


def test_a_crashing_scorer_fails_its_episode_alone_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluation_seed(Seeds(task=1, team=1, evaluation=1), split="feedback", ordinal=1)
    command = ["run", "planted", "--seeds", "2", "--budget", "2", "--out", str(tmp_path / "study"), *FAST]
    with monkeypatch.context() as patch:
        patch.setattr(PlantedScorer, "score", breaking(frozenset({first})))
        with pytest.raises(SystemExit) as ended:
            main(command)
    said = capsys.readouterr()
    failed = read_study(tmp_path / "study").runs[-1].failed
    with pytest.raises(SystemExit) as again:
        main(command)

    assert ended.value.code == 1
    assert "the scorer of planted broke: ZeroDivisionError: division by zero" in said.err
    assert "Traceback" not in said.err
    assert "1 failed, 1 submitted" in said.out
    assert list(failed) == ["planted--full--seed-1"]
    assert again.value.code == 0
    assert "2 submitted" in capsys.readouterr().out
    assert read_study(tmp_path / "study").runs[-1].failed == {}


# -- artefacts from outside -------------------------------------------------------------------------------------------


def symbolic_link(path: Path) -> None:
    (path.parent / "elsewhere.py").write_text("def row_strategy(history):\n    return 0\n")
    path.symlink_to(path.parent / "elsewhere.py")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (symbolic_link, "is a symbolic link"),
        (Path.mkdir, "a folder stands in its place"),
        (huge, "10737418240 bytes, at most"),
        (lambda path: path.write_bytes(b"\x7fELF\0\0\xff"), "is not UTF-8 text"),
        (lambda path: path.write_bytes(b"x = 1\0"), "binary: it holds a zero byte"),
        (os.mkfifo, "is a pipe"),
        (lambda path: None, "has no file strategy.py"),
    ],
)
def test_an_artefact_that_is_none_is_refused_before_it_is_read(
    make: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    make(tmp_path / "strategy.py")

    with pytest.raises(ArtefactUnusable) as refused:
        artefact_from_path(tmp_path, open_task("battle-of-sexes").rules)

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
