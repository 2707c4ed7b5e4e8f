"""Going on after whatever has happened: the wall clock, disks, other specifications, other versions, other episodes."""

import errno
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
import trio
from engine_fakes import FakeBackend, NoisyJudge, run_count, seat, spec
from test_bus import LEAD, question, reading, run_bus
from test_episode import lines, pair
from trio.testing import MockClock

from engine import clock
from engine.effects import ClockReading
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, Divergence, OutputUnusable, RecordDamaged, WorkspaceError
from engine.index import open_index
from engine.journal import Fired, Journal, NewerRecord, Opened, read_journal
from engine.member import Member
from engine.messages import ArtefactHash
from engine.post import Address, Post
from engine.scheduler import make_limits, run_episodes
from engine.shared_workspace import open_pool
from engine.store import ArtefactStore
from engine.task import Measured, Score, Split
from engine.workspace.errors import WorkspaceFull
from engine.workspace.interface import Workspace, WorkspaceSpec


def judge_of(tmp_path: Path, seconds: float = 0.0) -> NoisyJudge:
    return NoisyJudge(ArtefactStore(tmp_path / "artefacts"), seconds=seconds)


@pytest.mark.parametrize("kept", [1, 5, 9, -3, -2, -1, None])
@pytest.mark.parametrize("seconds", [1.0, 10.0, 50.0])
async def test_out_of_wall_time_and_stopped_an_episode_goes_on_to_the_same_end(
    tmp_path: Path, autojump_clock: MockClock, kept: int | None, seconds: float
) -> None:
    """Whether scoring is faster or slower the second time: what the clock decided is on the record."""
    episode = spec(wall=35)
    first = await run_count(pair(), tmp_path / "e", episode=episode, judge=judge_of(tmp_path, 10.0))  # type: ignore[arg-type]
    path = tmp_path / "e" / "journal.jsonl"
    head = path.read_bytes().splitlines(keepends=True)[:kept]
    path.write_bytes(b"".join(head))

    again = await run_count(pair(), tmp_path / "e", episode=episode, judge=judge_of(tmp_path, seconds))  # type: ignore[arg-type]

    assert again.outcome == "budget" or seconds == 1.0
    assert path.read_bytes().startswith(b"".join(head))
    if kept is None or kept < 0:
        assert (again.outcome, again.reason, again.final, again.feedback) == (
            first.outcome,
            first.reason,
            first.final,
            first.feedback,
        )
        assert sum(isinstance(record, Fired) for record in read_journal(path)) == 1


async def test_the_wall_time_of_all_attempts_counts(tmp_path: Path, autojump_clock: MockClock) -> None:
    episode = spec(wall=60, evaluations=50)
    began = trio.current_time()
    for _ in range(2):
        with trio.move_on_after(25):
            await run_count(pair(), tmp_path / "e", episode=episode, judge=judge_of(tmp_path, 4.0))  # type: ignore[arg-type]

    result = await run_count(pair(), tmp_path / "e", episode=episode, judge=judge_of(tmp_path, 4.0))  # type: ignore[arg-type]

    assert result.outcome == "budget"
    assert trio.current_time() - began < 60 + 4 * 4  # what was under way when it stopped is done again
    times = [
        r.measured.at for r in read_journal(tmp_path / "e" / "journal.jsonl") if r.measured and r.measured.at
    ]
    assert times == sorted(times)


async def test_a_member_reads_one_clock_through_all_attempts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    readings: list[float] = []

    async def slow(member: Member) -> None:
        readings.clear()
        for _ in range(4):
            readings.append(await member.now())
            await member.evaluate(member.store.put({"number.txt": b"1"}))

    for stop in (25, 1000):
        with trio.move_on_after(stop):
            await run_count(
                [seat("strategy", slow, leads=True)], tmp_path / "e", judge=judge_of(tmp_path, 10.0)
            )

    assert readings == sorted(readings)
    assert readings[-1] >= 30


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (spec(evaluations=11), "budget.evaluations 10.*budget.evaluations 11"),
        (spec(seed=2), "seeds.evaluation 1.*seeds.evaluation 2"),
        (msgspec.structs.replace(spec(), model="x/y"), "model left out.*model .*x/y"),
    ],
)
async def test_the_record_of_another_specification_is_refused_and_says_what_differs(
    tmp_path: Path, other: EpisodeSpec, named: str
) -> None:
    await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]

    with pytest.raises(Divergence, match=named):
        await run_count(pair(), tmp_path / "e", episode=other)  # type: ignore[arg-type]


async def test_the_head_holds_the_specification_that_it_is_the_digest_of(tmp_path: Path) -> None:
    await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]

    head = next(iter(read_journal(tmp_path / "e" / "journal.jsonl")))

    assert isinstance(head, Opened)
    assert msgspec.json.decode(bytes(head.specification), type=EpisodeSpec).digest() == head.spec


@pytest.mark.parametrize("field", ["version", "messages"])
async def test_a_record_of_a_later_version_is_refused_with_a_sentence(tmp_path: Path, field: str) -> None:
    (tmp_path / "e").mkdir()
    head = {"type": "Opened", field: 99, "episode": "e", "something": "new"}
    (tmp_path / "e" / "journal.jsonl").write_bytes(msgspec.json.encode(head) + b"\n")

    with pytest.raises(NewerRecord, match=r"version 99 of .* reads up to 1; use the later program"):
        await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line", [b"garbage\n", b'{"type":"Decided","member":"\xc3","what":"a"}\n', b"[[[[\n"]
)
def test_a_bad_line_is_damage_in_the_middle_and_a_torn_tail_at_the_end(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    good = b'{"type":"Fired","seq":1}\n'
    path.write_bytes(good + line)
    assert len(list(read_journal(path))) == 1
    Journal(tmp_path).close()
    assert path.read_bytes() == good

    path.write_bytes(good + line + good)

    with pytest.raises(RecordDamaged, match="line 2"):
        Journal(tmp_path)


@pytest.mark.parametrize("name", ["journal.jsonl", "early.jsonl"])
async def test_empty_files_are_the_beginning_of_a_record(tmp_path: Path, name: str) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / name).touch()

    result = await run_count(pair(), tmp_path / "e")  # type: ignore[arg-type]

    assert result.outcome == "submitted"


@pytest.mark.parametrize("space", range(600, 1000, 25))
async def test_a_disk_that_fills_up_in_the_middle_of_a_line_leaves_a_record_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: int
) -> None:
    written, full, write = 0, space, os.write

    def small(file: int, data: bytearray) -> int:
        nonlocal written, full
        room = full - written
        if room <= 0:
            full = 10**9  # and a moment later there is space again
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += len(data[:room])
        return write(file, bytes(data[:room]))

    async def lead(post: Post) -> None:
        for number in range(6):
            await post.perform(ClockReading(), reading(number))
            await post.post(question("x" * 50), to=LEAD)
            await post.receive()

    monkeypatch.setattr(os, "write", small)
    with pytest.raises(OutputUnusable, match="free some space"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    assert len(list(read_journal(tmp_path / "journal.jsonl"))) == 18


async def test_a_member_called_like_the_judge_is_refused(tmp_path: Path) -> None:
    async def lead(_member: Member) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(BadSpecification, match="judge"):
        await run_count([seat("judge", lead, leads=True)], tmp_path / "e")


async def test_what_hostile_code_left_in_its_folder_is_an_outcome_and_no_fault_of_the_outside(
    tmp_path: Path,
) -> None:
    class Blocked(FakeBackend):
        @asynccontextmanager
        async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
            async with super().open(spec) as workspace:

                async def refuse(*_: object, **__: object) -> None:
                    raise WorkspaceFull("no room left in the workspace")

                workspace.write = refuse  # type: ignore[method-assign]
                yield workspace

    async def lead(member: Member) -> None:
        outcome = await member.run("print(1)", artefact=member.store.put({"f": b""}))
        assert (outcome.exit_code, outcome.stderr) == (126, "no room left in the workspace")

    result = await run_count([seat("lead", lead, leads=True)], tmp_path / "e", backend=Blocked())

    assert result.outcome == "submitted"


# -- study ----------------------------------------------------------------------------------------------------------


async def run_specs(
    folder: Path, specs: list[EpisodeSpec], run_one: Callable[[EpisodeSpec, Path], Awaitable[EpisodeResult]]
) -> dict[str, str]:
    with open_index(folder / "index.sqlite") as index:
        ran = await run_episodes(
            specs,
            run_one,
            folder=folder,
            index=index,
            limits=make_limits(episodes=2),
            report=lambda _: None,
        )
    return ran.failed


async def run_pair(episode: EpisodeSpec, place: Path) -> EpisodeResult:
    return await run_count(pair(), place, episode=episode)  # type: ignore[arg-type]


async def test_an_episode_that_ended_with_another_specification_is_not_run_over(tmp_path: Path) -> None:
    await run_specs(tmp_path, [spec()], run_pair)

    with pytest.raises(BadSpecification, match="another specification; name another folder"):
        await run_specs(tmp_path, [spec(evaluations=3)], run_pair)

    result = await run_count(pair(), tmp_path / "elsewhere", episode=spec(evaluations=3))  # type: ignore[arg-type]
    with open_index(tmp_path / "index.sqlite") as index, pytest.raises(BadSpecification):
        index.commit(result)


async def test_two_episodes_of_one_name_are_refused_before_either_begins(tmp_path: Path) -> None:
    with pytest.raises(BadSpecification, match="would share a record"):
        await run_specs(tmp_path, [spec(), spec(evaluations=3)], run_pair)

    assert not (tmp_path / "episodes").exists()


async def test_a_defect_in_one_episode_leaves_the_others_unharmed(tmp_path: Path) -> None:
    async def run_one(episode: EpisodeSpec, place: Path) -> EpisodeResult:
        if episode.seeds.task == 2:
            raise KeyError("a defect")
        return await run_pair(episode, place)

    failed = await run_specs(tmp_path, [spec(seed=seed) for seed in (1, 2, 3)], run_one)

    assert failed == {spec(seed=2).id: "KeyError: 'a defect'"}


async def test_two_full_disks_at_once_are_one_sentence_also_while_another_waits_for_its_place(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def run_one(_episode: EpisodeSpec, _place: Path) -> EpisodeResult:
        await trio.sleep(1)
        raise OutputUnusable("no space left")

    with pytest.raises(OutputUnusable, match="no space left"):
        await run_specs(tmp_path, [spec(seed=seed) for seed in range(5)], run_one)


def test_an_index_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"not a database at all" * 100)

    with pytest.raises(OutputUnusable, match="cannot open"), open_index(tmp_path / "index.sqlite"):
        pass


def test_an_index_that_loses_its_table_is_a_sentence(tmp_path: Path) -> None:
    with open_index(tmp_path / "index.sqlite") as index:
        with sqlite3.connect(tmp_path / "index.sqlite") as other:
            other.execute("DROP TABLE episodes")
        other.close()

        with pytest.raises(RecordDamaged, match="makes it again from the journals"):
            index.done("e", "x")


# -- workspaces -----------------------------------------------------------------------------------------------------


class Fragile(FakeBackend):
    """Takes its time to open and to close, and fails where it is told to."""

    def __init__(
        self, *, fail_open: frozenset[str] = frozenset(), fail_close: frozenset[str] = frozenset()
    ) -> None:
        super().__init__()
        self.fail_open, self.fail_close = fail_open, fail_close

    @asynccontextmanager
    async def open(self, spec: WorkspaceSpec) -> AsyncGenerator[Workspace]:
        await trio.sleep(0.3)
        if spec.name in self.fail_open:
            raise WorkspaceError("cannot open")
        async with super().open(spec) as workspace:
            yield workspace
            with trio.move_on_after(1, shield=True):
                await trio.sleep(0.2)
            if spec.name in self.fail_close:
                raise OSError("cannot unmount")


async def use(pool: object, name: str, times: int = 3) -> None:
    async with pool.share(WorkspaceSpec(name=name)) as shared:  # type: ignore[attr-defined]
        for _ in range(times):
            await shared.run("coder", "x", language="python", files={"f": b"1"}, wall_seconds=1)
            await trio.sleep(0.5)


async def test_cancelled_at_any_moment_no_place_is_lost(autojump_clock: MockClock) -> None:
    for hundredths in range(0, 300, 7):
        backend = Fragile(fail_open=frozenset({"bad"}))
        async with open_pool(backend, places=2) as pool:  # type: ignore[arg-type]
            async with trio.open_nursery() as nursery:
                for name in "abcde":
                    nursery.start_soon(use, pool, name)
                await trio.sleep(hundredths / 100)
                nursery.cancel_scope.cancel()
            with pytest.raises(WorkspaceError, match="cannot open"):
                await use(pool, "bad")
            with trio.fail_after(20):
                await use(pool, "after")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(use, pool, "one")
                    nursery.start_soon(use, pool, "two")
            assert pool._free == 2
        assert backend.open_now == 0
        assert backend.most_open <= 2


async def test_many_more_episodes_than_places_all_come_to_their_end(autojump_clock: MockClock) -> None:
    backend = Fragile()
    async with open_pool(backend, places=2) as pool, trio.open_nursery() as nursery:  # type: ignore[arg-type]
        for number in range(30):
            nursery.start_soon(use, pool, f"{number}")

    assert backend.most_open == 2


async def test_a_workspace_that_fails_to_close_is_the_fault_of_its_own_episode_only(
    autojump_clock: MockClock,
) -> None:
    ended: list[str] = []

    async def episode(pool: object, name: str) -> None:
        try:
            await use(pool, name)
        except WorkspaceError as error:
            name = f"{name}: {error}"
        ended.append(name)

    backend = Fragile(fail_close=frozenset({"bad"}))
    async with open_pool(backend, places=1) as pool, trio.open_nursery() as nursery:  # type: ignore[arg-type]
        for name in ("bad", "good"):
            nursery.start_soon(episode, pool, name)

    assert sorted(ended) == [
        "bad: a workspace did not close cleanly (cannot unmount); look for what is left of it, then run again",
        "good",
    ]


# -- virtual time ---------------------------------------------------------------------------------------------------


class SlowJudge(NoisyJudge):
    """Takes as long as a draw says, a heavy-tailed one."""

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        await trio.sleep(float(np.random.default_rng([seed, 7]).lognormal(3, 1.5)))
        return await super().score(artefact, split=split, seed=seed)


@pytest.mark.parametrize("wall", [None, 200.0])
def test_a_whole_episode_with_drawn_latencies_repeats_under_virtual_time(
    tmp_path: Path, wall: float | None
) -> None:
    judge = SlowJudge(ArtefactStore(tmp_path / "artefacts"))

    def once(name: str) -> EpisodeResult:
        async def main() -> EpisodeResult:
            return await run_count(pair(), tmp_path / name, episode=spec(wall=wall), judge=judge)  # type: ignore[arg-type]

        return clock.run(main, clock="virtual", ports=(judge,))

    first, second = once("a"), once("b")

    assert lines(tmp_path / "a") == lines(tmp_path / "b")
    assert first == second  # the measured seconds too: virtual ones
    assert first.measured.seconds > 100
