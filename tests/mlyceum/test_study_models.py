"""A study of a team that a model drives: its controls are driven by it too, and an endpoint's faults are tried again."""

from pathlib import Path

import msgspec
import pytest
from model_server import ChatRequest, ModelServer, Reply, failure, open_model_server
from run_cases import needs_sandbox, researcher

from benchmarks.studies.arm_rows import StudySummary
from benchmarks.studies.arms import control_arms, reference_arms
from benchmarks.studies.conducting import conduct
from benchmarks.studies.design import ArmDesign, Design
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import limits_for
from benchmarks.studies.study import read_study
from engine.budget import Budget
from engine.index import open_index
from engine.seeds import Seeds

pytestmark = pytest.mark.sandbox
BASE = ArmDesign(name="full", model="local/researcher")


@pytest.fixture
def _sandbox() -> None:
    needs_sandbox()


def design_of(*arms: ArmDesign) -> Design:
    return Design(
        name="modelled",
        tasks=("planted",),
        arms=arms,
        seeds=(Seeds(task=1, team=1, evaluation=1),),
        budget=Budget(evaluations=3),
    )


async def run(design: Design, folder: Path, server: ModelServer, *, retries: int = 0) -> StudySummary:
    return await conduct(
        resolve(design),
        folder=folder,
        limits=limits_for(4),
        reporter=Quiet(),
        base_url=server.base_url,
        retries=retries,
    )


@pytest.mark.slow
@pytest.mark.usefixtures("_sandbox")
async def test_controls_of_a_model_are_driven_by_it_and_a_reference_asks_none(tmp_path: Path) -> None:
    arms = (BASE, *control_arms((BASE,), ("solo", "best-of-n", "random-search", "merge")))
    design = design_of(*arms, *reference_arms(arms, ("full",)))

    async with open_model_server(researcher) as server:
        summary = await run(design, tmp_path, server)

    with open_index(tmp_path / "index.sqlite", read_only=True) as index:
        tokens = {result.spec.team.name: result.spending.get("tokens", 0) for result in index.results()}
        outcomes = {result.spec.team.name: result.outcome for result in index.results()}
    assert summary.failed == {}
    assert all(spent > 0 for arm, spent in tokens.items() if arm != "full.offline"), tokens
    assert tokens["full.offline"] == 0
    assert set(outcomes.values()) <= {"submitted", "budget"}, outcomes


@pytest.mark.slow
@pytest.mark.usefixtures("_sandbox")
async def test_an_endpoint_that_comes_back_costs_no_episode_and_the_tries_are_on_record(
    tmp_path: Path,
) -> None:
    asked = 0

    def flaky(request: ChatRequest) -> Reply:
        nonlocal asked
        asked += 1
        return failure(503, "come back later", retry_after_ms="1") if asked <= 8 else researcher(request)

    async with open_model_server(flaky) as server:
        summary = await run(design_of(BASE), tmp_path, server, retries=4)

    assert summary.failed == {}
    assert list(summary.retried) == ["planted--full--seed-1"]
    assert read_study(tmp_path).runs[-1].retried == summary.retried


@pytest.mark.slow
@pytest.mark.usefixtures("_sandbox")
async def test_an_endpoint_that_stays_away_leaves_the_episode_missing_and_never_zero(tmp_path: Path) -> None:
    async with open_model_server(lambda _: failure(503, "come back later", retry_after_ms="1")) as server:
        down = await run(design_of(BASE), tmp_path, server, retries=1)
    async with open_model_server(researcher) as server:
        again = await run(design_of(BASE), tmp_path, server)

    assert (down.rows[0].points, down.rows[0].missing, down.complete_blocks) == ((), 1, 0)
    assert "come back later" in down.failed["planted--full--seed-1"]
    assert (len(again.rows[0].points), again.rows[0].missing, again.complete_blocks) == (1, 0, 1)
    assert msgspec.json.encode(again)
