"""`mlyceum watch` beside a study that really runs in another process."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_cases import COMMAND, environment, read_terminal

RUN = ("run", "planted", "--seeds", "4", "--budget", "10", "--control", "random-search", "--jobs", "1")
EPISODES = 8


@pytest.fixture
def study(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A study that has just begun."""
    folder = tmp_path / "study"
    options = ("--workspace", "process-if-needed", "--quiet", "--out", str(folder))
    run = subprocess.Popen(
        [*COMMAND, *RUN, *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(folder.glob("episodes/*/journal.jsonl")) and time.monotonic() < until:
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    yield folder, run
    if run.poll() is None:
        run.kill()
    run.communicate()


def watch(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "watch", str(folder), "--interval", "0.1"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_piped_it_tells_each_end_and_ends_with_the_study(study: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, run = study

    out, complaints = watch(folder).communicate(timeout=120)
    lines = out.splitlines()

    assert not complaints
    assert f"of {EPISODES} episodes ended" in lines[0]
    assert lines[-1] == f"{folder}: complete, {EPISODES} of {EPISODES} episodes ended, 0 running, 0 waiting"
    told = sum("  submitted " in line for line in lines)
    assert told == EPISODES - int(lines[0].split(", ")[1].split(" ")[0])
    assert run.wait(timeout=60) == 0


@pytest.mark.slow
def test_ctrl_c_ends_the_watching_and_not_the_study(study: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, run = study
    run.send_signal(signal.SIGSTOP)  # else it may have ended before the watcher has begun
    watcher = watch(folder)
    assert watcher.stdout is not None
    assert "running" in watcher.stdout.readline()

    watcher.send_signal(signal.SIGINT)
    _, complaints = watcher.communicate(timeout=60)
    run.send_signal(signal.SIGCONT)

    assert watcher.returncode == 130
    assert complaints == "mlyceum: no longer watching; the study is untouched\n"
    assert run.wait(timeout=120) == 0


@pytest.mark.slow
def test_on_a_terminal_it_redraws_and_leaves_the_end_standing(
    study: tuple[Path, subprocess.Popen[str]],
) -> None:
    folder, _ = study
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    watcher = subprocess.Popen(
        [*COMMAND, "watch", str(folder), "--interval", "0.1"],
        env=environment(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    seen = read_terminal(ours)

    assert watcher.wait(timeout=60) == 0
    text = seen.decode()
    assert "time left" in text
    assert "under way" in text
    assert text.count("\x1b[2K") > 10  # rich redraws line by line
    assert f"{EPISODES} of {EPISODES} episodes ended" in " ".join(text[text.rindex("complete") :].split())
