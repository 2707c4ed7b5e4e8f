"""Roles that a model drives: what they make of good, broken and missing answers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conformance.role_suite import NAMES, check_conversation
from laboratory import HillTask, play
from model_server import ChatRequest, Reply, completion, open_model_server
from test_teamwork import bodies, record

from engine.budget import Budget
from engine.journal import Decided, read_journal
from engine.models.errors import ContextOverflow
from engine.models.interface import AssistantMessage, Completion, ToolCall, ToolMessage, Usage
from engine.models.opening import open_model
from engine.models.scripted import Line, Request, Scripted
from engine.team import TeamSpec
from roles import apply, named_team, parse_patch, prompt_digests
from roles.model.context import BYTES_PER_TOKEN, CONTEXT_TOKENS

GOOD = '{"plan":"hill","x":1.0,"y":0.0,"steps":10,"kind":"b","guard":"yes"}'
BROKEN = GOOD.replace("yes", "no")


def calls(*made: tuple[str, object]) -> AssistantMessage:
    return AssistantMessage(
        tool_calls=tuple(
            ToolCall(id=f"c{number}", name=name, arguments=msgspec.json.encode(arguments).decode())
            for number, (name, arguments) in enumerate(made)
        )
    )


def by_tool(**answers: object) -> Callable[[Request], Line]:
    """A model that calls the last of the tools offered, with these arguments; a coder writes first."""

    def script(request: Request) -> Line:
        offered = [tool.name for tool in request.tools]
        if not offered:
            return "What was tried, in short."
        if "write_file" in offered and not isinstance(request.conversation[-1], ToolMessage):
            return calls(("write_file", {"path": "answer.json", "content": answers.get("content", GOOD)}))
        name = (
            "evaluate"
            if "evaluate" in offered and not isinstance(request.conversation[-1], ToolMessage)
            else offered[-1]
        )
        return calls((name, answers.get(name, {})))

    return script


ANSWERS: dict[str, object] = {
    "propose": {
        "claim": "Go up the hill.",
        "family": "hill",
        "predicted": 0.8,
        "parameters": {"plan": "hill", "x": 1, "y": 0},
    },
    "review": {"verdict": "accept", "confidence": 0.7},
    "evaluate": {"times": 1},
}


def driven(*roles: str) -> TeamSpec:
    team = named_team("full")
    for role in roles:
        team = apply(team, parse_patch(f"replace {role} model"))
    return team


def decisions(folder: Path, what: str) -> list[str]:
    records = [each for path in folder.rglob("*.jsonl") for each in read_journal(path)]
    return [each.rule for each in records if isinstance(each, Decided) and each.what == what]


@pytest.mark.parametrize("roles", [(name,) for name in NAMES] + [NAMES], ids="+".join)
async def test_a_model_drives_any_role_or_all(roles: tuple[str, ...], tmp_path: Path) -> None:
    model = Scripted(by_tool(**ANSWERS))
    result = await play(driven(*roles), model=model, evaluations=5, folder=tmp_path)

    assert result.outcome == "submitted"
    check_conversation(*record(tmp_path), evaluations=5)
    assert model.requests
    assert not decisions(tmp_path, "fallback")


async def test_a_model_solo_writes_measures_and_submits(tmp_path: Path) -> None:
    script = [
        calls(("write_file", {"path": "answer.json", "content": GOOD}), ("evaluate", {})),
        calls(("run_python", {"source": "print(1)"})),
        calls(("submit", {"best": True})),
    ]
    team = apply(named_team("solo"), parse_patch("replace solo model"))

    result = await play(team, model=Scripted(script), folder=tmp_path)

    assert result.final.value == pytest.approx(0.8)
    assert result.evaluations == 1
    assert bodies(tmp_path, "Selection")[-1].final  # type: ignore[attr-defined]


async def test_a_model_solo_that_says_nothing_useful_hands_in_the_starter(tmp_path: Path) -> None:
    team = apply(named_team("solo"), parse_patch("replace solo model"))

    result = await play(team, model=Scripted(lambda _: "I would rather not."), folder=tmp_path)

    assert (result.outcome, result.evaluations) == ("submitted", 0)
    assert decisions(tmp_path, "fallback") == ["the best mean score is handed in, since no valid tool call"]


@pytest.mark.parametrize(
    "line",
    [
        "just words",
        calls(("nonsense", {})),
        calls(("propose", {"claim": 3})),
        calls(("propose", {"claim": " "})),
    ],
    ids=["no call", "unknown tool", "wrong type", "empty claim"],
)
async def test_a_hypothesizer_gets_two_tries_more_and_then_a_uniform_draw(line: Line, tmp_path: Path) -> None:
    model = Scripted(lambda _: line)
    await play(driven("hypothesizer"), model=model, evaluations=1, folder=tmp_path)

    assert len(model.requests) == 3
    assert decisions(tmp_path, "fallback") == ["a uniform draw, since no valid tool call"]
    assert bodies(tmp_path, "Hypothesis")[0].point  # type: ignore[attr-defined]


async def test_a_wrong_call_can_be_mended(tmp_path: Path) -> None:
    script = [calls(("propose", {"family": "x"})), calls(("propose", ANSWERS["propose"]))]
    model = Scripted(script)
    await play(driven("hypothesizer"), model=model, evaluations=1, folder=tmp_path)

    told = model.requests[1].conversation[-1]
    assert isinstance(told, ToolMessage)
    assert "missing required field `claim`" in told.text
    assert not decisions(tmp_path, "fallback")


async def test_proposed_parameters_are_brought_into_the_space(tmp_path: Path) -> None:
    idea = {"claim": "Up.", "parameters": {"plan": "hill", "x": 7, "colour": "red"}}
    await play(driven("hypothesizer"), model=Scripted(by_tool(propose=idea)), evaluations=1, folder=tmp_path)

    [hypothesis] = bodies(tmp_path, "Hypothesis")
    assert hypothesis.point["x"] == 1.0  # type: ignore[attr-defined]
    assert "colour" not in hypothesis.point  # type: ignore[attr-defined]


async def test_a_refusal_is_not_argued_with(tmp_path: Path) -> None:
    refusal = Completion(
        message=AssistantMessage(text="No."),
        stop_reason="refusal",
        usage=Usage(),
        cost_usd=0.0,
        model="scripted/model",
    )
    model = Scripted(lambda _: refusal)
    await play(driven("reviewer"), model=model, evaluations=1, folder=tmp_path)

    assert len(model.requests) == 1
    assert decisions(tmp_path, "fallback") == ["what looks better is accepted, since the model declined"]


async def test_a_cut_answer_is_not_acted_on(tmp_path: Path) -> None:
    cut = Completion(
        message=calls(("review", {"verdict": "accept"})),
        stop_reason="length",
        usage=Usage(),
        cost_usd=0.0,
        model="m",
    )
    model = Scripted(
        lambda request: cut if request.ordinal == 0 else calls(("review", {"verdict": "reject"}))
    )
    await play(driven("reviewer"), model=model, evaluations=1, folder=tmp_path)

    assert [each.verdict for each in bodies(tmp_path, "Review")] == ["reject"]  # type: ignore[attr-defined]


async def test_a_conversation_too_long_for_the_model_is_cut_once(tmp_path: Path) -> None:
    def script(request: Request) -> Line:
        if len(request.conversation) > 4:
            return ContextOverflow("too long", model="scripted/model")
        return calls(("propose", ANSWERS["propose"]))

    await play(driven("hypothesizer"), model=Scripted(script), evaluations=6, folder=tmp_path)

    assert not decisions(tmp_path, "fallback")


async def test_a_conversation_stays_within_its_bound(tmp_path: Path) -> None:
    idea = {"claim": "word " * 1500, "parameters": {"plan": "hill", "x": 0.5}}
    model = Scripted(by_tool(propose=idea))
    await play(driven("hypothesizer"), model=model, evaluations=25, folder=tmp_path)

    sizes = [
        sum(len(msgspec.json.encode(message)) for message in each.conversation) for each in model.requests
    ]
    assert max(sizes) < 1.5 * BYTES_PER_TOKEN * CONTEXT_TOKENS
    assert all(
        "Find the top." in msgspec.json.encode(each.conversation).decode()
        for each in model.requests
        if each.tools
    )


async def test_a_coder_is_told_what_the_check_says_and_may_mend_it(tmp_path: Path) -> None:
    def script(request: Request) -> Line:
        last = request.conversation[-1]
        if isinstance(last, ToolMessage) and "guard" in last.text:
            return calls(("write_file", {"path": "answer.json", "content": GOOD}), ("finish", {}))
        return calls(("write_file", {"path": "answer.json", "content": BROKEN}), ("finish", {}))

    result = await play(driven("coder"), model=Scripted(script), evaluations=1, folder=tmp_path)

    [patch] = bodies(tmp_path, "Patch")
    assert patch.checked  # type: ignore[attr-defined]
    assert patch.artefact is not None  # type: ignore[attr-defined]
    assert '"guard":"yes"' in patch.diff  # type: ignore[attr-defined]
    assert result.final.value == pytest.approx(0.8)


async def test_a_coder_that_never_passes_the_check_hands_back_its_problem(tmp_path: Path) -> None:
    await play(driven("coder"), model=Scripted(by_tool(content=BROKEN)), evaluations=1, folder=tmp_path)

    assert {each.artefact for each in bodies(tmp_path, "Patch")} == {None}  # type: ignore[attr-defined]
    assert all("guard is missing" in each.problem for each in bodies(tmp_path, "Patch"))  # type: ignore[attr-defined]
    assert not bodies(tmp_path, "RunResult")


@pytest.mark.parametrize("path", ["../answer.json", "/etc/passwd", "a//b", ""])
async def test_a_coder_cannot_write_outside_its_folder(path: str) -> None:
    model = Scripted(lambda _: calls(("write_file", {"path": path, "content": "x"})))
    result = await play(driven("coder"), model=model, evaluations=1)

    assert result.outcome == "submitted"
    told = model.requests[1].conversation[-1]
    assert isinstance(told, ToolMessage)
    assert told.text.startswith("Not written")


async def test_an_experimenter_cannot_spend_more_than_the_request_allows(tmp_path: Path) -> None:
    model = Scripted(by_tool(evaluate={"times": 1000}))
    result = await play(driven("experimenter"), model=model, evaluations=7, folder=tmp_path)

    assert result.evaluations == 7
    check_conversation(*record(tmp_path), evaluations=7)


async def test_an_experimenter_that_runs_nothing_has_one_run_made(tmp_path: Path) -> None:
    result = await play(
        driven("experimenter"), model=Scripted(lambda _: "hm"), evaluations=1, folder=tmp_path
    )

    assert result.evaluations == 1
    assert decisions(tmp_path, "fallback") == ["one run, since no valid tool call"]


async def test_a_merged_member_has_one_conversation_for_all_its_functions() -> None:
    team = driven(*NAMES)
    for role in NAMES[1:]:
        team = apply(team, parse_patch(f"merge {role} into hypothesizer"))
    model = Scripted(by_tool(**ANSWERS))

    result = await play(team, model=model, evaluations=3)

    assert result.outcome == "submitted"
    first, later = model.requests[0].conversation, model.requests[-1].conversation
    assert later[: len(first)] == first


async def test_a_team_out_of_money_ends_with_what_it_has() -> None:
    model = Scripted(by_tool(**ANSWERS))
    result = await play(driven(*NAMES), model=model, budget=Budget(evaluations=20, steps=6))

    assert result.outcome == "submitted"
    assert result.final.value is not None


async def test_roles_may_have_models_of_their_own() -> None:
    models = {name: Scripted(by_tool(**ANSWERS), name=f"local/{name}") for name in ("big", "small")}
    team = apply(named_team("full"), parse_patch("replace hypothesizer model local/big"))
    team = apply(team, parse_patch("replace coder model local/small"))

    by_name: Mapping[str, Scripted] = {model.name: model for model in models.values()}
    await play(team, model=by_name, evaluations=2)

    offered = {
        name: {tool.name for request in model.requests for tool in request.tools}
        for name, model in models.items()
    }
    assert "propose" in offered["big"]
    assert not offered["big"] & {"write_file", "edit", "finish"}
    assert {"write_file", "edit", "shell", "finish"} <= offered["small"]
    assert "propose" not in offered["small"]


async def test_a_task_without_moves_is_worked_on_by_a_model() -> None:
    model = Scripted(by_tool(**ANSWERS))

    result = await play(
        driven("hypothesizer", "coder"), task=HillTask(moves=False), model=model, evaluations=3
    )

    assert result.final.value == pytest.approx(0.8)


async def test_a_real_server_drives_a_whole_team() -> None:
    def reply(request: ChatRequest) -> Reply:
        names = [tool["function"]["name"] for tool in request.body["tools"]]
        is_new = request.body["messages"][-1]["role"] == "user"
        if "write_file" in names and is_new:
            name, arguments = "write_file", {"path": "answer.json", "content": GOOD}
        else:
            name = "evaluate" if "evaluate" in names and is_new else names[-1]
            arguments = ANSWERS.get(name, {})  # type: ignore[assignment]  # plain JSON either way
        return completion(tool_calls=[(name, msgspec.json.encode(arguments).decode())])

    async with (
        open_model_server(reply) as server,
        open_model(
            "openai/test",
            generator=np.random.default_rng(1),
            base_url=server.base_url,
            environ={"OPENAI_API_KEY": "none"},
        ) as model,
    ):
        result = await play(driven(*NAMES), model=model, evaluations=3)

    assert result.outcome == "submitted"
    assert result.final.value == pytest.approx(0.8)


def test_every_prompt_is_named_by_its_hash() -> None:
    digests = prompt_digests()

    assert set(digests) == {"team", "solo", "summary", "json", *NAMES}
    assert all(len(digest) == 64 for digest in digests.values())
