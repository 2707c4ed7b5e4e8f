"""Killed at any point (SIGKILL) and run again: the same table, no paid call twice, nothing recorded lost."""

import contextlib
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from model_server import ChatRequest, Reply, open_model_server
from run_cases import COMMAND, environment, needs_sandbox, outcome, researcher

from engine.effects import ModelAnswer
from engine.journal import Finished, read_journal

STUDY = (
    "run",
    "planted",
    "--seeds",
    "2",
    "--budget",
    "4",
    "--model",
    "local/researcher",
    "--json",
    "--quiet",
)
EPISODES = 2


def answer_slowly(request: ChatRequest) -> Reply:
    """Long enough for a kill to find calls on their way."""
    return researcher(request).after(0.02)


async def run_study(folder: Path, base_url: str, *, kill_at: int | None = None) -> dict[str, Any] | None:
    """The study's record; None where it was killed, once the journals were so long."""
    arguments = [*COMMAND, *STUDY, "--out", str(folder), "--base-url", base_url]
    process = await trio.lowlevel.open_process(
        arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if kill_at is not None:
        while process.poll() is None and recorded(folder) < kill_at:  # noqa: ASYNC110 - another process writes
            await trio.sleep(0.002)
        process.kill()
    said = b"".join([piece async for piece in process.stdout])
    complaints = b"".join([piece async for piece in process.stderr])
    if await process.wait() < 0:
        return None
    assert process.returncode == 0, complaints.decode()
    record: dict[str, Any] = json.loads(said)
    return record


def recorded(folder: Path) -> int:
    total = 0
    for path in folder.glob("episodes/*/*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # what was early is gone once the episode has begun
            total += path.stat().st_size
    return total


def outcomes_on_record(folder: Path) -> dict[Path, list[Finished]]:
    return {
        path: [record for record in read_journal(path) if isinstance(record, Finished)]
        for path in sorted(folder.glob("episodes/*/journal.jsonl"))
    }


def answers(folder: Path) -> Counter[str]:
    """How often each answer of the server is on record, by its id."""
    return Counter(
        str(finished.outcome.completion.request_id)
        for outcomes in outcomes_on_record(folder).values()
        for finished in outcomes
        if isinstance(finished.outcome, ModelAnswer)
    )


def share_secret(first: Path, second: Path) -> None:
    """Two studies draw the same noise only where they share their secret."""
    second.mkdir()
    (second / "secret").write_bytes((first / "secret").read_bytes())


async def kill_often(tmp_path: Path, *, kills: int, seed: int) -> None:
    async with open_model_server(answer_slowly) as server:
        whole = await run_study(tmp_path / "whole", server.base_url)
        assert whole is not None
        needed, size = len(server.requests), recorded(tmp_path / "whole")
        study = tmp_path / "study"
        share_secret(tmp_path / "whole", study)
        places = np.sort(np.random.default_rng(seed).integers(1, size, kills))
        killed = 0
        for place in places:
            record = await run_study(study, server.base_url, kill_at=int(place))
            killed += record is None
            before = outcomes_on_record(study)
            if record is not None:
                break
        record = await run_study(study, server.base_url)
        assert record is not None

        assert killed >= kills // 2
        assert outcome(record) == outcome(whole)
        for path, finished in outcomes_on_record(study).items():
            # With their meters: an effect done again would have others.
            assert finished[: len(before.get(path, []))] == before.get(path, [])
        paid = answers(study)
        assert set(paid.values()) == {1}
        assert len(paid) == needed
        # Whatever was asked in vain was on its way when the process died: one call of each episode at most.
        assert len(server.requests) - 2 * needed <= killed * EPISODES


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    needs_sandbox()


@pytest.mark.slow
async def test_killed_three_times_a_study_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    await kill_often(tmp_path, kills=3, seed=1)


@pytest.mark.slow
async def test_killed_at_twenty_points_a_study_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    await kill_often(tmp_path, kills=20, seed=2)
