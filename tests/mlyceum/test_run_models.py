"""Teams that a language model drives, against a real server on loopback."""

from pathlib import Path

import pytest
from model_server import ChatRequest, ModelServer, Reply, failure, open_model_server
from run_cases import needs_sandbox, researcher

from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.running import limits_for, run_plan
from benchmarks.studies.summary import Record
from engine.errors import UserError
from engine.workspace.backends import BackendName
from mlyceum.single_error import single_error


async def study(
    folder: Path, server: ModelServer, *, workspace: BackendName = "sandbox", **asked: object
) -> Record:
    request = Request(tasks=("planted",), evaluations=2, **asked)  # type: ignore[arg-type]  # the options of a test
    with single_error():
        return await run_plan(
            make_plan(request),
            folder=folder,
            limits=limits_for(None),
            reporter=Quiet(),
            workspace=workspace,
            base_url=server.base_url,
        )


@pytest.fixture
def _sandbox() -> None:
    needs_sandbox()


@pytest.mark.usefixtures("_sandbox")
async def test_a_model_drives_a_whole_team_and_the_record_says_which(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        record = await study(tmp_path, server, models=("local/any",))

    (episode,) = record.episodes
    assert episode.model == "local/any"
    assert episode.team == "full.model"
    assert episode.patches == ("a model drives what offline policies drove",)
    assert episode.final_score is not None
    assert episode.spending["tokens"] == 15 * len(server.requests)


@pytest.mark.usefixtures("_sandbox")
async def test_a_model_drives_one_role_of_an_offline_team(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        record = await study(tmp_path, server, models=("hypothesizer=local/any",))

    (episode,) = record.episodes
    assert episode.patches == ("replace hypothesizer model local/any",)
    assert episode.outcome == "submitted"
    offered = {tool["function"]["name"] for request in server.requests for tool in request.body["tools"]}
    assert "propose" in offered
    assert not offered & {"write_file", "edit", "evaluate", "review"}


@pytest.mark.usefixtures("_sandbox")
async def test_a_model_drives_a_member_that_works_alone(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        record = await study(tmp_path, server, team="solo", models=("local/any",))

    assert record.episodes[0].evaluations == 2
    assert server.failures == []


@pytest.mark.usefixtures("_sandbox")
async def test_a_role_can_be_taken_from_a_team_that_a_model_drives(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        record = await study(tmp_path, server, models=("local/any",), without=("reviewer",))

    assert record.episodes[0].patches[-1] == "remove reviewer vacuous"
    assert not any("review" in str(request.body["tools"]) for request in server.requests)


@pytest.mark.usefixtures("_sandbox")
async def test_an_endpoint_that_is_down_fails_the_episode_and_the_same_command_tries_again(
    tmp_path: Path,
) -> None:
    def down(_request: ChatRequest) -> Reply:
        return failure(503, "come back later", retry_after_ms="1")

    async with open_model_server(down) as server:
        record = await study(tmp_path, server, models=("local/any",))
    async with open_model_server(researcher) as server:
        again = await study(tmp_path, server, models=("local/any",))

    assert record.episodes[0].outcome == "failed"
    assert "come back later" in record.episodes[0].reason
    assert record.tasks[0].mean is None
    assert again.episodes[0].outcome == "submitted"


PRICE = '[[price]]\nmodel = "vllm/dear"\ninput = 1000.0\noutput = 1000.0\n'
"""15 tokens a call cost 0.015 USD."""


@pytest.mark.usefixtures("_sandbox")
async def test_a_cap_on_cost_ends_an_episode_which_is_scored_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.toml").write_text(PRICE)
    monkeypatch.setenv("MLYCEUM_PRICES", str(tmp_path / "prices.toml"))

    async with open_model_server(researcher) as server:
        record = await study(tmp_path / "study", server, models=("vllm/dear",), max_cost_usd=0.04, seeds=2)

    assert record.budget["cost_usd"] == 0.02
    assert [row.spending["cost_usd"] for row in record.episodes] == pytest.approx([0.03, 0.03])
    assert all(row.final_score is not None for row in record.episodes)


@pytest.mark.usefixtures("_sandbox")
async def test_a_cap_on_cost_is_refused_where_nobody_knows_the_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-for-tests")

    async with open_model_server(researcher) as server:
        with pytest.raises(UserError, match="nobody knows what openai/new costs"):
            await study(tmp_path, server, models=("openai/new",), max_cost_usd=1.0)

    assert server.requests == []


async def test_code_that_a_model_writes_never_runs_without_isolation(tmp_path: Path) -> None:
    async with open_model_server(researcher) as server:
        with pytest.raises(UserError, match="never does"):
            await study(tmp_path, server, workspace="process", models=("local/any",))

    assert server.requests == []
