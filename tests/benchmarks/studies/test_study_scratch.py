"""Working on a node's own disk: the folder on the network is held by a lease, and is always one to go on with."""

import os
import time
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from benchmarks.studies import lease as leases
from benchmarks.studies.lease import LEASE, LEASE_SECONDS, RENEW_SECONDS, Lease, take_lease
from benchmarks.studies.looks import read_looks, record_look
from benchmarks.studies.scratch import open_scratch
from benchmarks.studies.study import open_study
from engine.budget import Budget
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import OutputUnusable
from engine.index import open_index
from engine.messages import ArtefactHash
from engine.seeds import Seeds
from engine.task import Score
from roles.team import named_team


def spec_of(seed: int) -> EpisodeSpec:
    return EpisodeSpec(
        task="planted",
        team=named_team("solo"),
        seeds=Seeds(task=seed, team=seed, evaluation=seed),
        budget=Budget(evaluations=2),
    )


SPECS = tuple(spec_of(seed) for seed in (1, 2))


def ended(spec: EpisodeSpec) -> EpisodeResult:
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome="submitted",
        selected=ArtefactHash("a" * 64),
        final=Score(value=0.5),
    )


def age(folder: Path, seconds: float) -> None:
    state = (folder / LEASE).stat()
    os.utime(folder / LEASE, (state.st_atime, state.st_mtime - seconds))


def done(folder: Path) -> list[str]:
    with open_index(folder / "index.sqlite", read_only=True) as index:
        return [result.episode for result in index.results()]


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    lease = take_lease(tmp_path)

    with pytest.raises(OutputUnusable, match="is working in"):
        take_lease(tmp_path)
    lease.release()

    take_lease(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_the_lease_of_a_run_that_is_gone_is_taken_over_and_lost_to_it(tmp_path: Path) -> None:
    gone = take_lease(tmp_path)
    age(tmp_path, LEASE_SECONDS + 1)

    taken = take_lease(tmp_path)

    taken.renew()
    with pytest.raises(OutputUnusable, match="did not renew its lease"):
        gone.renew()
    gone.release()
    taken.renew()


def test_a_renewed_lease_is_not_taken_over(tmp_path: Path) -> None:
    lease = take_lease(tmp_path)
    age(tmp_path, LEASE_SECONDS + 1)
    lease.renew()

    with pytest.raises(OutputUnusable):
        take_lease(tmp_path)


def test_a_file_system_without_hard_links_holds_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(leases.os, "link", refuse)
    take_lease(tmp_path)

    with pytest.raises(OutputUnusable):
        take_lease(tmp_path)


async def test_what_was_done_on_the_scratch_stands_on_the_network_at_the_end(tmp_path: Path) -> None:
    network, node = tmp_path / "network" / "study", tmp_path / "node"

    async with open_scratch(network, node) as work:
        with open_study(work, SPECS) as study:
            (work / "episodes" / SPECS[0].id).mkdir(parents=True)
            (work / "episodes" / SPECS[0].id / "journal.jsonl").write_text("1\n")
            study.store.put({"a": b"b"})
            study.index.commit(ended(SPECS[0]))
            assert study.secret()

    assert done(network) == [SPECS[0].id]
    assert (network / "episodes" / SPECS[0].id / "journal.jsonl").read_text() == "1\n"
    assert sorted(path.name for path in network.iterdir()) == [
        "artefacts",
        "episodes",
        "index.sqlite",
        "secret",
        "study.json",
    ]
    assert (network / "secret").stat().st_mode & 0o077 == 0
    assert list(node.iterdir()) == []


async def test_what_is_on_the_network_meanwhile_can_be_gone_on_with(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    """A node that is taken away without a word loses half a minute; another one goes on once its lease has ended."""
    network = tmp_path / "network"

    async def stop_too_long() -> None:
        async with open_scratch(network, tmp_path / "first") as work:
            with open_study(work, SPECS) as study:
                study.index.commit(ended(SPECS[0]))
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(RENEW_SECONDS)
                await trio.to_thread.run_sync(wait_for, network / "index.sqlite")
                study.index.commit(ended(SPECS[1]))
                age(network, LEASE_SECONDS + 1)
                others.append(take_lease(network))

    others: list[Lease] = []
    with pytest.raises(OutputUnusable, match="is held by"):
        await stop_too_long()

    assert done(network) == [SPECS[0].id]
    others[0].renew()


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


async def test_cancelled_it_is_brought_up_to_date(tmp_path: Path) -> None:
    network = tmp_path / "network"
    with trio.CancelScope() as scope:
        async with open_scratch(network, tmp_path / "node") as work:
            with open_study(work, SPECS) as study:
                study.index.commit(ended(SPECS[0]))
            scope.cancel()
            await trio.sleep_forever()

    assert scope.cancelled_caught
    assert done(network) == [SPECS[0].id]
    assert not (network / LEASE).exists()


async def test_early_answers_that_the_journal_holds_by_now_are_removed(tmp_path: Path) -> None:
    network = tmp_path / "network"
    async with open_scratch(network, tmp_path / "node") as work:
        episode = work / "episodes" / "one"
        episode.mkdir(parents=True)
        (episode / "journal.jsonl").write_text("1\n")
        (episode / "early.jsonl").write_text("2\n")
    async with open_scratch(network, tmp_path / "node") as work:
        episode = work / "episodes" / "one"
        assert (episode / "early.jsonl").read_text() == "2\n"
        (episode / "journal.jsonl").write_text("1\n2\n")
        (episode / "early.jsonl").unlink()

    assert (network / "episodes" / "one" / "journal.jsonl").read_text() == "1\n2\n"
    assert not (network / "episodes" / "one" / "early.jsonl").exists()


async def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")

    with pytest.raises(OutputUnusable, match="holds other files"):
        async with open_scratch(tmp_path / "mine", tmp_path / "node"):
            pass

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


async def test_work_in_the_folder_and_on_a_copy_of_it_keep_out_of_each_others_way(tmp_path: Path) -> None:
    folder = tmp_path / "study"

    async def work_on_a_copy() -> None:
        async with open_scratch(folder, tmp_path / "node"):
            with pytest.raises(OutputUnusable, match="is working in"), open_study(folder, SPECS):
                pass

    await work_on_a_copy()
    with open_study(folder, SPECS), pytest.raises(OutputUnusable, match="another run is working in"):
        await work_on_a_copy()


async def test_looks_taken_at_the_folder_meanwhile_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "study"

    async with open_scratch(folder, tmp_path / "node") as work:
        record_look(folder, by="report", complete_blocks=1, blocks=2)
        record_look(work, by="study", complete_blocks=2, blocks=2)

    assert [look.by for look in read_looks(folder)] == ["report", "study"]
