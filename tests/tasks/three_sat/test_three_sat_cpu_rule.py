"""The baseline on our side, recorded positions, and the CPU allowance over a process with a scripted meter."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from engine.workspace.interface import Limits
from tasks.three_sat.cpu_rule import CpuRule
from tasks.three_sat.heuristics import BASELINE, NULL
from tasks.three_sat.instances import hard_instances, verified_instances
from tasks.three_sat.recording import RecordingBook
from tasks.three_sat.reference import choose, solve_by_baseline

BOOK = RecordingBook(verified_instances, 20)


class Metered:
    """A process that answers anything, at so many seconds a frame by its meter, with jitter."""

    def __init__(self, seconds: float, jitter: float = 0.0, seed: int = 0) -> None:
        self._seconds, self._jitter, self._cpu = seconds, jitter, 0.0
        self._draws = random.Random(seed)

    async def send_frame(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._reply = b"A" if data else b"R"
        # A busy machine only ever adds.
        self._cpu += self._seconds * (1 + self._jitter * self._draws.expovariate(1.0)) * bool(data)

    async def receive_frame(self, limit_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._reply

    async def cpu_seconds(self) -> float:
        return self._cpu


class Rule(CpuRule):
    """Opens metered processes: answering costs 1, the baseline 1 more."""

    @asynccontextmanager
    async def _open(self, source: str) -> AsyncGenerator[Metered, None]:
        yield Metered({NULL: 1.0, BASELINE: 2.0}[source], jitter=0.2, seed=len(source))


def rule() -> Rule:
    return Rule(None, Limits(), BOOK)  # type: ignore[arg-type]  # its processes need no backend


@pytest.mark.parametrize(("own", "allowed"), [(1.2, True), (1.8, False), (2.5, False)])
async def test_a_run_that_seemed_too_slow_is_asked_again_and_the_turns_decide(
    own: float, allowed: bool
) -> None:
    process = Metered(1.0 + own, jitter=0.2, seed=9)

    within, ratio = await rule().is_within(4.0, process, calls=100, baseline_calls=100)  # type: ignore[arg-type]

    assert within is allowed
    assert ratio == pytest.approx(own, rel=0.25)


async def test_fewer_calls_earn_time_for_each() -> None:
    within, ratio = await rule().is_within(
        1.9, Metered(3.0, jitter=0.2, seed=9), calls=60, baseline_calls=100
    )  # type: ignore[arg-type]

    assert within
    assert ratio == pytest.approx(1.2, rel=0.2)


@pytest.mark.parametrize(("first", "allowed"), [(0.5, True), (1.5, True), (9.0, False)])
async def test_far_from_the_limit_one_measurement_decides(first: float, allowed: bool) -> None:
    assert await rule().is_within(first, None, calls=1, baseline_calls=1) == (allowed, first)  # type: ignore[arg-type]


def test_the_baseline_on_our_side_chooses_as_its_file_does() -> None:
    namespace: dict = {}
    exec(BASELINE, namespace)
    state = random.getstate()
    try:
        for instance in hard_instances(3, 20):
            clauses = [list(clause) for clause in instance.clauses]
            assignments = dict.fromkeys(range(1, instance.variables, 3), True)
            theirs = namespace["heuristic"](clauses, assignments, {}, [], 0)
            assert theirs == choose(clauses, assignments)
    finally:
        random.setstate(state)


async def test_a_recording_holds_the_questions_that_the_baseline_was_asked() -> None:
    book = RecordingBook(verified_instances, 40)

    recording = await book.recording(1)

    reference = await solve_by_baseline(verified_instances(4_711, 40, first=40))
    assert recording.calls == sum(reference.decisions)
    assert (await RecordingBook(verified_instances, 40).recording(1)).requests == recording.requests
