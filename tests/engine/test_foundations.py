"""Store, budgets, seeds, clock and the pool of workspaces."""

from pathlib import Path

import numpy as np
import pytest
import trio
from engine_fakes import FakeBackend
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from engine.budget import Budget, Scope
from engine.clock import run
from engine.errors import BadSpecification, BudgetExceeded, RecordDamaged, UserError
from engine.seeds import Seeds, evaluation_seed, member_stream
from engine.shared_workspace import open_pool
from engine.store import ArtefactStore, artefact_hash
from engine.workspace.interface import WorkspaceSpec

SEEDS = Seeds(task=1, team=2, evaluation=3)


@given(st.dictionaries(st.sampled_from(["a.py", "b/c.txt", "d"]), st.binary(max_size=200), max_size=3))
def test_what_was_kept_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    store = ArtefactStore(tmp_path_factory.mktemp("store"))

    artefact = store.put(files)

    assert store.get(artefact) == files
    assert store.put(dict(reversed(files.items()))) == artefact == artefact_hash(files)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../b", "", "a//b", "nul\0", "a\nb", "./a", "x" * 300]
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadSpecification, match="plain relative path"):
        ArtefactStore(tmp_path).put({path: b""})


def test_a_changed_content_is_noticed(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    artefact = store.put({"a": b"honest"})
    for place in tmp_path.rglob("*"):
        if place.is_file() and place.read_bytes() == b"honest":
            place.write_bytes(b"forged")

    with pytest.raises(RecordDamaged, match="was changed"):
        store.get(artefact)


def test_a_charge_goes_to_every_scope_around_or_to_none() -> None:
    study = Scope("study", Budget(evaluations=3))
    episode = Scope("episode", Budget(evaluations=10), parent=study)
    for _ in range(3):
        episode.charge("evaluations", 1)

    with pytest.raises(BudgetExceeded, match="study: 1 evaluations asked for, 3 of 3 spent"):
        episode.charge("evaluations", 1)

    assert episode.spent("evaluations") == study.spent("evaluations") == 3
    assert episode.left("evaluations") == 0
    assert episode.left("tokens") == float("inf")


def test_what_was_paid_is_put_down_past_the_cap() -> None:
    scope = Scope("episode", Budget(cost_usd=1.0))

    scope.record("cost_usd", 1.5)

    assert scope.spending() == {"cost_usd": 1.5}
    with pytest.raises(BudgetExceeded):
        scope.require("cost_usd", 0.01)


def test_streams_differ_by_role_replica_and_decision_and_repeat_by_key() -> None:
    keys = [("coder", 1, 1), ("coder", 1, 2), ("coder", 2, 1), ("reviewer", 1, 1)]

    draws = [member_stream(SEEDS, role=r, replica=n, ordinal=o).random() for r, n, o in keys]

    assert len(set(draws)) == len(keys)
    assert draws == [member_stream(SEEDS, role=r, replica=n, ordinal=o).random() for r, n, o in keys]


def test_evaluation_draws_depend_on_neither_team_nor_split_of_another() -> None:
    other_team = Seeds(task=1, team=99, evaluation=3)

    assert evaluation_seed(SEEDS, split="feedback", ordinal=5) == evaluation_seed(
        other_team, split="feedback", ordinal=5
    )
    seeds = {evaluation_seed(SEEDS, split=s, ordinal=n) for s in ("feedback", "final") for n in range(50)}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert np.random.default_rng(max(seeds)).random() < 1


def test_a_thousand_hours_pass_at_once_in_virtual_time() -> None:
    async def wait() -> float:
        began = trio.current_time()
        await trio.sleep(3_600_000)  # noqa: ASYNC116 - a long wait is what is tested
        return trio.current_time() - began

    assert run(wait, clock="virtual") == 3_600_000


def test_virtual_time_refuses_what_waits_on_the_world() -> None:
    class Endpoint:
        outside = True

    async def nothing() -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(UserError, match="virtual time cannot wait for Endpoint"):
        run(nothing, clock="virtual", ports=(Endpoint(),))


async def test_workspaces_open_at_the_first_command_and_never_more_than_the_limit(
    autojump_clock: MockClock,
) -> None:
    backend = FakeBackend()

    async def episode(name: str) -> None:
        async with pool.share(WorkspaceSpec(name=name)) as shared:
            for _ in range(4):
                await shared.run("coder", "x", language="python", files={"f": name.encode()}, wall_seconds=1)
                await trio.sleep(1)

    async with open_pool(backend, places=2) as pool:  # type: ignore[arg-type]
        async with pool.share(WorkspaceSpec()):
            assert backend.opened == 0
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(episode, str(number))

    assert backend.most_open == 2
    assert backend.open_now == 0


async def test_a_parked_workspace_comes_back_with_its_files(autojump_clock: MockClock) -> None:
    backend = FakeBackend()
    async with open_pool(backend, places=1) as pool:  # type: ignore[arg-type]  # noqa: SIM117 - one names the other
        async with pool.share(WorkspaceSpec()) as one, pool.share(WorkspaceSpec()) as two:
            await one.run("coder", "x", language="python", files={"f": b"kept"}, wall_seconds=1)
            await two.run("coder", "x", language="python", files={"f": b"other"}, wall_seconds=1)
            await one.run("coder", "x", language="python", files=None, wall_seconds=1)

            assert one._open is not None
            assert one._open.workspace.files == {"coder/f": b"kept"}  # type: ignore[attr-defined]
    assert backend.opened == 3
