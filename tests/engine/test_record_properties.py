"""Whatever a team does and wherever it is stopped: the record ends the same, and nothing answered is done twice."""

import math
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bus import plain_lines
from trio.testing import MockClock

from engine.bus import Bus, InfrastructureFailed
from engine.effects import ClockReading, Reading
from engine.errors import Deadlock
from engine.interposers import Interposer, make_interposer
from engine.journal import Finished, Journal, Started, read_journal
from engine.messages import Answer, Dropped, Envelope, MemberId, Question, Queue, Topic
from engine.post import Address, Post
from engine.seeds import Seeds, runtime_stream
from engine.task import Measured
from engine.team import Interposition

NEWS = Topic("news")
LEAD = MemberId("lead")
QUEUES = (Queue("a"), Queue("b"))
Operation: TypeAlias = tuple[str, float]
Key: TypeAlias = tuple[str, int]

durations = st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0, 20.0])
worker_operations = st.lists(
    st.one_of(
        st.tuples(st.just("effect"), durations),
        st.tuples(st.just("effect"), durations),
        st.tuples(st.sampled_from(["news", "decide", "fail", "note", "leave"]), st.just(0.0)),
        st.tuples(st.just("ask"), st.sampled_from([0.0, 1.0])),
    ),
    max_size=4,
)
lead_operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ask", "note"]), st.sampled_from([0.0, 1.0])),
        st.tuples(st.just("effect"), durations),
        st.tuples(st.sampled_from(["news", "decide", "receive"]), st.just(0.0)),
    ),
    min_size=3,
    max_size=12,
)
interpositions = st.lists(
    st.builds(
        Interposition,
        kind=st.sampled_from(["drop", "delay", "shuffle", "mute"]),
        topic=st.just(NEWS),
        probability=st.just(0.5),
        messages=st.integers(0, 2),
    ),
    max_size=2,
)


@dataclass(frozen=True)
class Program:
    """A team: what its leader does in order, and what its workers do with each message that they take."""

    lead: list[Operation]
    workers: list[list[Operation]]
    failure: list[str]
    capacity: int
    interpositions: list[Interposition] = field(default_factory=list)


programs = st.builds(
    Program,
    lead=lead_operations,
    workers=st.lists(worker_operations, min_size=1, max_size=4),
    failure=st.lists(st.sampled_from(["restart", "continue"]), min_size=3, max_size=3),
    capacity=st.sampled_from([1, 2, 128]),
    interpositions=interpositions,
)


class Killed(Journal):
    """Loses what it had not written, as a process that is killed does."""

    def close(self) -> None:
        self._buffer.clear()
        super().close()


class Team:
    """One run of a program."""

    def __init__(self, program: Program, *, breaks_at: int | None = None) -> None:
        self.program, self.breaks_at = program, breaks_at
        self.performed: Counter[Key] = Counter()
        self.lives: Counter[str] = Counter()

    async def run(self, folder: Path, *, arrival_order: bool, journal: type[Journal] = Journal) -> None:
        log = journal(folder)
        seeds = Seeds(task=1, team=1, evaluation=1)
        interposers: list[Interposer] = [
            make_interposer(each, runtime_stream(seeds, f"{n}"))
            for n, each in enumerate(self.program.interpositions)
        ]
        try:
            bus = Bus(self.addresses(), log, interposers=interposers, arrival_order=arrival_order)
            await bus.run(self.behave)
        except (Deadlock, InfrastructureFailed):
            pass
        finally:
            log.close()

    def addresses(self) -> list[Address]:
        capacity, failure = self.program.capacity, self.program.failure
        served = [QUEUES[:1], QUEUES[:1], QUEUES[1:]]
        workers = [
            Address(
                id=MemberId(f"w{n}"),
                queues=queues,
                topics=(NEWS,),
                capacity=capacity,
                failure=failure[n],  # type: ignore[arg-type]
            )
            for n, queues in enumerate(served)
        ]
        return [Address(id=LEAD, leads=True, topics=(NEWS,), capacity=capacity), *workers]

    async def behave(self, post: Post) -> None:
        self.lives[post.address.id] += 1
        if post.address.leads:
            for operation in self.program.lead:
                try:
                    await self.do(post, operation, fuel=2)
                except Deadlock:
                    continue
            return
        handled = 0
        while True:
            message = await post.receive()
            script = self.program.workers[handled % len(self.program.workers)]
            handled += 1
            if not isinstance(message.body, Question):
                continue
            for operation in script:
                if operation[0] == "leave":
                    return
                if operation[0] == "fail" and self.lives[post.address.id] % 2:
                    raise ValueError(f"life {self.lives[post.address.id]}")
                await self.do(post, operation, fuel=len(message.body.text))
            if message.to is not None:
                await post.post(Answer(text=post.address.id), to=message.sender, cause=message.seq)

    async def do(self, post: Post, operation: Operation, *, fuel: int) -> None:
        kind, value = operation
        body, queue = Question(text="x" * (fuel - 1)), QUEUES[int(value) % 2]
        if kind == "effect":
            await post.perform(ClockReading(), self.outside(post, value), sync=value > 2)
        elif kind == "decide":
            post.decide("what", "this", rule="so", candidates={"this": fuel})
        elif kind == "news":
            await post.post(Answer(text="news"), topic=NEWS)
        elif kind == "receive":
            await post.receive()
        elif fuel > 0 and kind == "ask":
            answer: Envelope = await post.request(body, to=queue)
            assert isinstance(answer.body, Answer | Dropped)
        elif fuel > 0 and kind == "note":
            await post.post(body, to=queue)

    def outside(self, post: Post, seconds: float):  # type: ignore[no-untyped-def]
        async def perform() -> tuple[Reading, Measured]:
            key = (str(post.address.id), post._ordinal)
            self.performed[key] += 1
            is_broken = self.performed.total() == self.breaks_at
            await trio.sleep(seconds)
            if is_broken:
                raise OSError("the outside is down")
            return Reading(seconds=key[1] + len(key[0]) / 10), Measured(seconds=seconds)

        return perform


def answered(folder: Path) -> set[Key]:
    """The effects whose outcome a rerun must find in what lies in a folder now."""
    found: set[Key] = set()
    for name in ("journal.jsonl", "early.jsonl"):
        if (folder / name).exists():
            begun: set[Key] = set()
            for record in read_journal(folder / name):
                if isinstance(record, Started):
                    begun.add((record.member, record.ordinal))
                if isinstance(record, Finished) and (record.member, record.ordinal) in begun:
                    found.add((record.member, record.ordinal))
    return found


@dataclass(frozen=True)
class Stop:
    """How one attempt ends, and what is left of its files."""

    after: float = math.inf
    breaks_at: int | None = None
    kill: bool = False
    journal: float = 1.0
    early: float = 1.0


shares = st.one_of(st.just(1.0), st.floats(0, 1))
stops = st.lists(
    st.builds(
        Stop,
        after=st.one_of(st.floats(0, 40), st.just(math.inf)),
        breaks_at=st.one_of(st.none(), st.integers(1, 8)),
        kill=st.booleans(),
        journal=shares,
        early=shares,
    ),
    max_size=4,
)


def attempt(program: Program, folder: Path, *, arrival_order: bool, stop: Stop | None = None) -> Team:
    """Run a program once under virtual time, from what is in the folder; nothing in there is done again."""
    stop = stop or Stop()
    known = answered(folder) if folder.exists() else set()
    team = Team(program, breaks_at=stop.breaks_at)

    async def main() -> None:
        with trio.fail_after(10_000), trio.move_on_after(stop.after):
            await team.run(folder, arrival_order=arrival_order, journal=Killed if stop.kill else Journal)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    cut(folder / "journal.jsonl", stop.journal)
    cut(folder / "early.jsonl", stop.early)
    assert not known & set(team.performed)
    assert all(count == 1 for count in team.performed.values())
    return team


def cut(path: Path, share: float) -> None:
    if path.exists():
        content = path.read_bytes()
        path.write_bytes(content[: round(len(content) * share)])


quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@quick
@given(program=programs, stops=stops)
def test_stopped_anywhere_any_number_of_times_the_record_becomes_the_same(
    tmp_path: Path, program: Program, stops: list[Stop]
) -> None:
    for name in ("whole", "stopped"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    attempt(program, tmp_path / "whole", arrival_order=False)

    for stop in stops:
        attempt(program, tmp_path / "stopped", arrival_order=False, stop=stop)
    attempt(program, tmp_path / "stopped", arrival_order=False)

    assert plain_lines(tmp_path / "stopped") == plain_lines(tmp_path / "whole")


@pytest.mark.parametrize("arrival_order", [False, True])
@quick
@given(program=programs, stops=stops)
def test_a_complete_record_is_reproduced_and_nothing_is_done_for_it(
    tmp_path: Path, program: Program, stops: list[Stop], arrival_order: bool
) -> None:
    shutil.rmtree(tmp_path / "e", ignore_errors=True)
    for stop in stops:
        attempt(program, tmp_path / "e", arrival_order=arrival_order, stop=stop)
    attempt(program, tmp_path / "e", arrival_order=arrival_order)
    before = (tmp_path / "e" / "journal.jsonl").read_bytes()

    again = attempt(program, tmp_path / "e", arrival_order=arrival_order)

    assert not again.performed
    assert (tmp_path / "e" / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "tail", [b"", b'{"type":"Posted","seq":9,"body":{"text":"\xe2\x82', b"\x00\x00", b"\n"]
)
@given(program=programs)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_crash_leaves_at_the_end_is_cut_off(tmp_path: Path, program: Program, tail: bytes) -> None:
    shutil.rmtree(tmp_path / "e", ignore_errors=True)
    attempt(program, tmp_path / "e", arrival_order=False)
    path = tmp_path / "e" / "journal.jsonl"
    before = path.read_bytes()
    path.write_bytes(before + tail)

    attempt(program, tmp_path / "e", arrival_order=False)

    assert path.read_bytes() == before
