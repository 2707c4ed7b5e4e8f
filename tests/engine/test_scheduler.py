"""Many episodes on one loop: limits, failures, going on."""

from pathlib import Path

import pytest
import trio
from engine_fakes import NoisyJudge, run_count, seat, spec
from test_episode import lines, pair
from trio.testing import MockClock

from engine.bus import InfrastructureFailed
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import EngineError, OutputUnusable
from engine.index import open_index
from engine.member import Member
from engine.scheduler import Progress, Ran, make_limits, run_episodes
from engine.store import ArtefactStore


async def run_all(
    folder: Path, specs: list[EpisodeSpec], *, jobs: int = 2, fail: str = "", events: list[str] | None = None
) -> Ran:
    judge = NoisyJudge(ArtefactStore(folder / "artefacts"))

    async def run_one(episode: EpisodeSpec, place: Path) -> EpisodeResult:
        if episode.id == fail:
            raise InfrastructureFailed(EngineError("the lights went out"))
        return await run_count(pair(), place, episode=episode, judge=judge)  # type: ignore[arg-type]

    def report(progress: Progress) -> None:
        if events is not None:
            events.append(f"{progress.event} {progress.episode}")

    with open_index(folder / "index.sqlite") as index:
        return await run_episodes(
            specs, run_one, folder=folder, index=index, limits=make_limits(episodes=jobs), report=report
        )


async def test_one_episode_let_down_by_the_outside_leaves_the_others_unharmed(tmp_path: Path) -> None:
    specs = [spec(seed=seed) for seed in (1, 2, 3)]

    ran = await run_all(tmp_path, specs, fail=specs[1].id)

    assert [result.episode for result in ran.results] == [specs[0].id, specs[2].id]
    assert ran.failed == {specs[1].id: "EngineError: the lights went out"}


async def test_called_again_only_what_is_missing_is_run(tmp_path: Path) -> None:
    specs = [spec(seed=seed) for seed in (1, 2, 3)]
    await run_all(tmp_path, specs, fail=specs[1].id)
    events: list[str] = []

    ran = await run_all(tmp_path, specs, events=events)

    assert len(ran.results) == 3
    assert sorted(events) == sorted(
        [f"known {specs[0].id}", f"started {specs[1].id}", f"done {specs[1].id}", f"known {specs[2].id}"]
    )


async def test_one_at_a_time_and_eight_at_a_time_leave_equal_records(tmp_path: Path) -> None:
    specs = [spec(seed=seed) for seed in range(6)]

    one = await run_all(tmp_path / "1", specs, jobs=1) if (tmp_path / "1").mkdir() is None else None
    eight = await run_all(tmp_path / "8", specs, jobs=8) if (tmp_path / "8").mkdir() is None else None

    assert one is not None
    assert eight is not None
    assert [result.final for result in one.results] == [result.final for result in eight.results]
    for episode in specs:
        place = Path("episodes") / episode.id
        assert lines(tmp_path / "1" / place) == lines(tmp_path / "8" / place)


async def test_never_more_episodes_at_once_than_the_limit(tmp_path: Path, autojump_clock: MockClock) -> None:
    now = most = 0

    async def run_one(episode: EpisodeSpec, place: Path) -> EpisodeResult:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await trio.sleep(1)
        now -= 1
        return await run_count(pair(), place, episode=episode)  # type: ignore[arg-type]

    with open_index(tmp_path / "index.sqlite") as index:
        await run_episodes(
            [spec(seed=seed) for seed in range(7)],
            run_one,
            folder=tmp_path,
            index=index,
            limits=make_limits(episodes=3),
            report=lambda _: None,
        )

    assert most == 3


async def test_a_full_disk_stops_the_run_with_one_sentence(tmp_path: Path) -> None:
    async def run_one(_episode: EpisodeSpec, _place: Path) -> EpisodeResult:
        await trio.lowlevel.checkpoint()
        raise OutputUnusable("cannot write: no space left")

    with open_index(tmp_path / "index.sqlite") as index, pytest.raises(OutputUnusable, match="no space left"):
        await run_episodes(
            [spec(seed=seed) for seed in range(3)],
            run_one,
            folder=tmp_path,
            index=index,
            limits=make_limits(),
            report=lambda _: None,
        )


async def test_a_failed_member_is_an_outcome_of_its_episode_and_no_error_of_the_run(tmp_path: Path) -> None:
    async def broken(_member: Member) -> None:
        raise ValueError("oh")

    result = await run_count([seat("strategy", broken, leads=True)], tmp_path / "e")

    assert result.outcome == "error"
    assert "ValueError: oh" in result.reason
    assert result.final.value == 0


def test_limits_say_where_they_come_from() -> None:
    line = make_limits(episodes=3).line()

    assert "episodes 3 (asked)" in line
    assert "model_calls 16 (default)" in line
