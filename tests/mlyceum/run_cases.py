"""Helpers of the tests of `mlyceum run`: the command as a process, journals as compared, a model that researches."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from model_server import ChatRequest, Reply, completion

from engine.errors import IsolationUnavailable
from engine.journal import without_measured
from engine.workspace.backends import make_backend
from mlyceum.cli import main

COMMAND = (sys.executable, "-m", "mlyceum")
FAST = ("--workspace", "process-if-needed", "--quiet")
"""Options of runs whose code no model wrote: they run on any machine."""


def environment(**variables: str) -> dict[str, str]:
    """The environment of the command: without keys, with what a test adds."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, **variables}


def mlyceum(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def mlyceum_here(
    *arguments: str, cwd: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> subprocess.CompletedProcess[str]:
    """The command in this process: the same to a user, and without the second that starting one takes."""
    patch.chdir(cwd)
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        patch.delenv(name)
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capture.readouterr()
    status = ended.value.code if isinstance(ended.value.code, int) else 1
    return subprocess.CompletedProcess(arguments, status, said.out, said.err)


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON document that a command printed."""
    assert done.returncode in (0, 1), done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def assert_one_sentence(done: subprocess.CompletedProcess[str], *, status: int, says: str) -> None:
    """A user is told one sentence and no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == status, (done.returncode, done.stderr, done.stdout)
    said = [line for line in done.stderr.splitlines() if line.startswith("mlyceum: ")]
    assert len(said) == 1, done.stderr
    assert says in said[0], said[0]


def journals(folder: Path) -> dict[str, list[bytes]]:
    """Every episode's journal as comparisons see it."""
    return {
        path.parent.name: [without_measured(line) for line in path.read_bytes().splitlines()]
        for path in sorted(folder.glob("episodes/*/journal.jsonl"))
    }


def outcome(record: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What must be equal in two runs of one study: everything that no clock decides."""
    measured = {"seconds", "folder"}
    rows = [*record["episodes"], *record["tasks"]]
    return [tuple(sorted((k, json.dumps(v)) for k, v in row.items() if k not in measured)) for row in rows]


def needs_sandbox() -> None:
    """Skip the calling test where code that a model wrote cannot be run."""

    async def look() -> str:
        try:
            await make_backend("sandbox")
        except IsolationUnavailable as error:
            return str(error)
        return ""

    if why := trio.run(look):
        pytest.skip(why)


def researcher(request: ChatRequest) -> Reply:
    """A model that works on ``planted`` in any role, decently; what it says follows from what it was told alone."""
    tools = {tool["function"]["name"] for tool in request.body.get("tools", [])}
    messages = request.body["messages"]
    answered = sum(1 for message in messages if message["role"] == "tool")
    name, arguments = _move(tools, messages, answered)
    return completion(tool_calls=[(name, arguments)], ordinal=request.ordinal)


def _move(tools: set[str], messages: list[dict[str, Any]], answered: int) -> tuple[str, dict[str, Any]]:
    heat = (len(messages) * 37 % 100) / 100
    is_answered = messages[-1]["role"] == "tool"
    answer = {"mode": "steady", "guard": "on", "depth": answered % 10, "heat": heat, "flow": 0.5, "mix": 0.5}
    write: tuple[str, dict[str, Any]] = ("write_file", {"path": "answer.json", "content": json.dumps(answer)})
    if "propose" in tools:
        return "propose", {"claim": f"heat {heat} is better", "predicted": 0.5, "parameters": {"heat": heat}}
    if "review" in tools:
        return "review", {"verdict": "accept", "confidence": 0.5}
    if "submit" in tools:
        moves: tuple[Callable[[], tuple[str, dict[str, Any]]], ...] = (
            lambda: write,
            lambda: ("evaluate", {}),
            lambda: write,
            lambda: ("evaluate", {}),
        )
        return moves[answered]() if answered < len(moves) else ("submit", {"best": True})
    if "evaluate" in tools:
        return ("finish", {"comment": "enough"}) if is_answered else ("evaluate", {"times": 1})
    return ("finish", {"summary": "done"}) if is_answered else write


def read_terminal(ours: int, *, seconds: float = 240.0) -> bytes:
    """What a command writes to a terminal until it closes it; an assertion fails where that takes too long."""
    until, seen = time.monotonic() + seconds, b""
    while True:
        ready, _, _ = select.select([ours], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"the terminal is still open after {seconds:g} s; it ends in {seen[-400:]!r}"
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            piece = b""
        if not piece:
            os.close(ours)
            return seen
        seen += piece
