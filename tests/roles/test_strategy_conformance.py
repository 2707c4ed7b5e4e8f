"""Every strategy, those that come included, goes through the same battery: see `conformance.strategy_suite`."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
import trio
from conformance.strategy_suite import (
    bodies,
    check_episode,
    led_by,
    lines,
    most_in_flight,
    read,
    teams_of,
)
from laboratory import HillMoves, HillTask, NoisyJudge, play, truth
from trio.testing import MockClock

from engine.messages import ArtefactHash, Failed, Point, Review
from engine.store import ArtefactStore
from engine.task import Finding, Measured, Score, Split
from engine.team import TeamSpec
from roles import STRATEGIES, apply, make_rule, parse_patch

EVERY = sorted(STRATEGIES)
WITHOUT_ROLES = [(name, team) for name in EVERY for team in teams_of(name)]
DISTURBED = ["mute results", "drop patches 0.5", "delay reviews 2", "shuffle selections", "mute hypotheses"]


class Sleepy(NoisyJudge):
    """Takes as long as its own generator says, so that later runs finish earlier."""

    def __init__(self, store: ArtefactStore, seed: int) -> None:
        super().__init__(store, truth, error=0.02)
        self._latency = np.random.default_rng(seed)

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        await trio.sleep(float(self._latency.exponential(5.0)))
        return await super().score(artefact, split=split, seed=seed)


class Fragile(HillMoves):
    """Code whose author breaks down over all but one kind of plan."""

    def write(self, point: Point) -> dict[str, bytes]:
        if point["kind"] != "a":
            raise RuntimeError("the author gave up")
        return super().write(point)


def fragile() -> HillTask:
    task = HillTask()
    task.moves = Fragile()
    return task


@pytest.mark.parametrize("evaluations", [1, 2, 9])
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("strategy", EVERY)
async def test_the_budget_is_kept_and_something_is_handed_in(
    strategy: str, in_flight: int, evaluations: int, tmp_path: Path
) -> None:
    team = led_by(strategy, in_flight=in_flight)

    result = await play(team, evaluations=evaluations, folder=tmp_path)

    check_episode(tmp_path, result, evaluations=evaluations, in_flight=in_flight)


@pytest.mark.parametrize("strategy", EVERY)
async def test_the_declared_number_of_nodes_is_in_progress(strategy: str, tmp_path: Path) -> None:
    await play(led_by(strategy, in_flight=3), evaluations=14, folder=tmp_path)

    assert most_in_flight(read(tmp_path)[0]) == 3


@pytest.mark.parametrize(("strategy", "team"), WITHOUT_ROLES, ids=[team.name for _, team in WITHOUT_ROLES])
async def test_a_role_may_be_missing_in_either_sense(strategy: str, team: TeamSpec, tmp_path: Path) -> None:
    assert team.strategy.kind == strategy

    result = await play(team, evaluations=6, folder=tmp_path)

    check_episode(tmp_path, result, evaluations=6)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", EVERY)
async def test_any_subset_of_roles_may_be_missing_in_either_sense(strategy: str, tmp_path: Path) -> None:
    for number, team in enumerate(teams_of(strategy, at_once=4)):
        result = await play(team, evaluations=6, folder=tmp_path / str(number))

        check_episode(tmp_path / str(number), result, evaluations=6)


@pytest.mark.slow
@pytest.mark.parametrize("patch", [*DISTURBED, "mute arguments", "shuffle arguments"])
@pytest.mark.parametrize("strategy", EVERY)
async def test_disturbed_messages_do_not_stop_it(strategy: str, patch: str, tmp_path: Path) -> None:
    team = apply(led_by(strategy, in_flight=2), parse_patch(patch))

    result = await play(team, evaluations=6, folder=tmp_path)

    check_episode(tmp_path, result, evaluations=6, in_flight=2)


@pytest.mark.parametrize("strategy", EVERY)
async def test_one_seed_is_one_episode(strategy: str, tmp_path: Path) -> None:
    team = led_by(strategy, in_flight=4)
    for place in ("1", "2"):
        await play(team, seed=3, evaluations=10, folder=tmp_path / place)
    await play(team, seed=4, evaluations=10, folder=tmp_path / "other")

    assert lines(tmp_path / "1") == lines(tmp_path / "2")
    assert lines(tmp_path / "1") != lines(tmp_path / "other")


@pytest.mark.parametrize("strategy", EVERY)
async def test_how_long_runs_take_changes_nothing(
    strategy: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    team = led_by(strategy, in_flight=4)
    for seed in (1, 2):
        await play(
            team,
            evaluations=10,
            folder=tmp_path / str(seed),
            judge=lambda store, seed=seed: Sleepy(store, seed),  # type: ignore[misc]  # bound now, not later
        )

    assert lines(tmp_path / "1") == lines(tmp_path / "2")


@pytest.mark.parametrize("strategy", EVERY)
async def test_a_rerun_from_any_point_of_the_record_ends_alike(strategy: str, tmp_path: Path) -> None:
    team = led_by(strategy, in_flight=3)
    await play(team, evaluations=8, folder=tmp_path / "whole")
    [journal] = (tmp_path / "whole").rglob("journal.jsonl")
    whole = journal.read_bytes().splitlines(keepends=True)
    for part in (3, 2):
        folder = tmp_path / f"part-{part}"
        shutil.copytree(tmp_path / "whole", folder)
        cut = folder / journal.relative_to(tmp_path / "whole")
        cut.write_bytes(b"".join(whole[: len(whole) * (part - 1) // part]))

        await play(team, evaluations=8, folder=folder)

        assert lines(folder) == lines(tmp_path / "whole")


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("strategy", EVERY)
async def test_where_nothing_earns_a_score_the_starter_is_handed_in(
    strategy: str, in_flight: int, tmp_path: Path
) -> None:
    def all_broken(_: Mapping[str, bytes]) -> None:
        return None

    result = await play(
        led_by(strategy, in_flight=in_flight),
        evaluations=7,
        folder=tmp_path,
        judge=lambda store: NoisyJudge(store, all_broken, error=0.02),
    )

    assert (result.outcome, result.selected) == ("submitted", read(tmp_path)[0][0].body.starter)  # type: ignore[union-attr]  # the brief
    assert result.evaluations <= 7


@pytest.mark.parametrize("failure", ["restart", "continue"])
@pytest.mark.parametrize("strategy", EVERY)
async def test_a_member_that_breaks_down_is_gone_and_the_episode_ends(
    strategy: str, failure: str, tmp_path: Path
) -> None:
    """What is asked of it afterwards comes back as dropped; nobody waits for it for ever."""
    team = apply(led_by(strategy, in_flight=2), parse_patch("remove hypothesizer vacuous"))  # that it is fast
    members = tuple(msgspec.structs.replace(m, failure=failure, replicas=1) for m in team.members)
    team = msgspec.structs.replace(team, members=members)

    result = await play(team, task=fragile(), evaluations=12, folder=tmp_path)

    assert bodies(tmp_path, Failed), "the scenario did not come about"
    assert (result.outcome, result.reason) == ("submitted", "")
    assert result.evaluations <= 12


@pytest.mark.parametrize("strategy", EVERY)
async def test_where_less_is_better_it_searches_downwards(strategy: str) -> None:
    result = await play(led_by(strategy), task=HillTask(direction="min"), evaluations=25)

    assert result.final.value is not None
    assert result.final.value < -0.2  # the starter's


@pytest.mark.parametrize("strategy", [name for name in EVERY if make_rule(led_by(name).strategy).reviews])
async def test_what_crossed_the_boundary_never_stands(strategy: str, tmp_path: Path) -> None:
    finding = Finding(kind="denied-call", detail="socket")

    result = await play(
        led_by(strategy),
        evaluations=6,
        folder=tmp_path,
        judge=lambda store: NoisyJudge(store, truth, error=0.02, findings=(finding,)),
    )

    assert {each.objections[0].kind for each in bodies(tmp_path, Review)} == {"leak"}  # type: ignore[union-attr]  # reviews
    assert result.final.value == pytest.approx(0.2)  # the starter stands
