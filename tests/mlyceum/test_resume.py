"""Stopped at any point, the same command goes on and ends as if nothing had been."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from run_cases import COMMAND, FAST, document, environment, journals, mlyceum, outcome

STUDY = ("run", "planted", "--seeds", "3", "--budget", "4", "--json", *FAST)


def start(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def recorded(folder: Path) -> int:
    """Bytes of all journals so far."""
    return sum(path.stat().st_size for path in folder.glob("episodes/*/journal.jsonl"))


def stop_at(process: subprocess.Popen[bytes], folder: Path, size: int, number: int) -> bool:
    """Send a signal once the journals are so long; whether the process was still there."""
    deadline = time.monotonic() + 120
    while process.poll() is None and recorded(folder) < size and time.monotonic() < deadline:
        time.sleep(0.002)
    if process.poll() is not None:
        return False
    process.send_signal(number)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_the_same_command_goes_on(number: int, tmp_path: Path) -> None:
    whole = document(mlyceum(*STUDY, "--out", "whole", cwd=tmp_path))
    size = recorded(tmp_path / "whole")

    process = start(*STUDY, "--out", "stopped", cwd=tmp_path)
    assert stop_at(process, tmp_path / "stopped", size // 2, number)
    _, said = process.communicate(timeout=60)
    resumed = document(mlyceum(*STUDY, "--out", "stopped", cwd=tmp_path))

    assert process.returncode == 130
    assert said.decode() == "mlyceum: interrupted; the same command goes on from here (stopped)\n"
    assert outcome(resumed) == outcome(whole)
    assert journals(tmp_path / "stopped") == journals(tmp_path / "whole")


@pytest.mark.slow
def test_without_out_the_same_command_finds_the_unfinished_run(tmp_path: Path) -> None:
    process = start(*STUDY, cwd=tmp_path)
    stop_at(process, tmp_path / "runs" / "latest", 4000, signal.SIGINT)
    process.communicate(timeout=60)
    resumed = document(mlyceum(*STUDY, cwd=tmp_path))
    anew = document(mlyceum(*STUDY, cwd=tmp_path))

    assert resumed["folder"] != anew["folder"]
    assert len(list((tmp_path / "runs").glob("20*"))) == 2
    assert outcome(resumed) == outcome(anew)


@pytest.mark.slow
def test_done_episodes_are_not_run_again(tmp_path: Path) -> None:
    document(mlyceum(*STUDY, "--out", "study", cwd=tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/episodes/*/journal.jsonl")}

    again = document(mlyceum(*STUDY, "--out", "study", cwd=tmp_path))

    assert len(again["episodes"]) == 3
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.glob("study/episodes/*/journal.jsonl")
    } == before
    runs = json.loads((tmp_path / "study" / "study.json").read_text())["runs"]
    assert len(runs) == 2
    assert {limit["name"] for limit in runs[0]["limits"]} >= {"episodes", "scorings", "workspaces"}
