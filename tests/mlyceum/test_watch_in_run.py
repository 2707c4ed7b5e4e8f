"""`mlyceum run` on a terminal shows the screen of `mlyceum watch`, and its result below."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from run_cases import COMMAND, environment, read_terminal


@pytest.mark.slow
def test_a_run_on_a_terminal_shows_what_is_under_way_and_then_its_table(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    run = subprocess.Popen(
        [
            *(*COMMAND, "run", "planted", "--seeds", "3", "--budget", "20", "--jobs", "1"),
            *("--workspace", "process-if-needed", "--out", str(tmp_path / "study")),
        ],
        env=environment(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    text = read_terminal(ours).decode()

    assert run.wait(timeout=60) == 0
    assert "under way" in text
    assert "1 running" in text
    assert text.count("planted--full--seed-2  submitted") == 1
    assert "record: " in text[text.rindex("this team") :]
