"""Tools that a model may call: what they answer, what they refuse, and who gets which."""

from pathlib import Path

import msgspec
import pytest
from laboratory import play
from test_model_roles import ANSWERS, GOOD, by_tool, calls, decisions, driven
from test_teamwork import bodies

from engine.budget import Budget
from engine.effects import ModelAnswer
from engine.errors import BadSpecification
from engine.journal import Finished, read_journal
from engine.models.errors import Rejected
from engine.models.interface import AssistantMessage, ToolMessage, UserMessage
from engine.models.scripted import Line, Request, Scripted
from mlyceum.reading import read_episode
from roles import named_team, parse_team
from roles.model.context import History
from roles.model.memory import Memory
from roles.model.prompts import parse_prompt
from roles.model.tools.asking import askable
from roles.model.tools.files import edit_use, search_use, view_use


async def test_an_edit_needs_a_unique_match() -> None:
    files = {"a.py": b"x = 1\ny = 1\n"}
    edit = edit_use(files)

    twice = await edit.call('{"path":"a.py","old":"= 1","new":"= 2"}')
    done = await edit.call('{"path":"a.py","old":"y = 1","new":"y = 2"}')
    none = await edit.call('{"path":"a.py","old":"z","new":""}')

    assert twice.is_wrong
    assert "lines 1, 2" in twice.text
    assert not done.is_wrong
    assert none.is_wrong
    assert files["a.py"] == b"x = 1\ny = 2\n"


async def test_a_window_has_line_numbers_and_says_what_is_around_it() -> None:
    files = {"a.py": b"\n".join(b"line %d" % n for n in range(1, 11))}

    seen = await view_use(lambda _: files).call('{"path":"a.py","first_line":"4","lines":2}')

    assert seen.text.splitlines() == ["(3 lines above)", "    4 line 4", "    5 line 5", "(5 lines below)"]


async def test_a_search_takes_no_pattern() -> None:
    found = await search_use(lambda _: {"a.py": b"a.*b\naxb"}).call('{"text":"A.*B"}')

    assert found.text == "a.py:1: a.*b"


def test_memory_finds_by_the_rarest_words() -> None:
    memory = Memory()
    memory.note("the score rose with depth", source="your note")
    memory.note("the score fell", source="your note")

    assert memory.recall("score depth", most=1) == ["[your note] the score rose with depth"]
    assert memory.recall("elephants", most=3) == []


def test_turns_are_dropped_whole_and_the_brief_stays() -> None:
    history = History(budget_tokens=100)
    history.introduction = "the brief"
    for number in range(5):
        history.begin(f"request {number}")
        history.add(calls(("view", {})))
        history.add(ToolMessage(call_id="c0", text="x" * 200))
    history.drop(100)

    _, first, answer, told = history.conversation("system")
    assert isinstance(first, UserMessage)
    assert first.text.startswith("the brief")
    assert "request 4" in first.text
    assert isinstance(answer, AssistantMessage)
    assert isinstance(told, ToolMessage)


@pytest.mark.parametrize("name", ["hypothesizer", "reviewer"])
def test_a_prompt_cannot_give_a_role_what_its_function_forbids(name: str) -> None:
    with pytest.raises(BadSpecification, match="no tool for it"):
        parse_prompt(name, '+++\ntools = ["write_file"]\n+++\nHello')


def test_a_team_brings_its_own_prompts(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "coder.md").write_text("Write code.")
    text = 'name = "t"\nprompts = "mine"\n[strategy]\nkind = "greedy"\n' + "".join(
        f'[[members]]\nrole = "{role}"\n' for role in ("hypothesizer", "coder", "experimenter", "reviewer")
    )

    team = parse_team(text, where="t.toml", folder=tmp_path)

    assert team.prompts == {"coder": "Write code."}


def test_nobody_can_wait_in_a_circle() -> None:
    team = driven("hypothesizer", "coder", "experimenter", "reviewer")

    assert askable(team, "hypothesizer") == ()
    assert askable(team, "reviewer") == ("hypothesizer", "coder", "experimenter")
    assert askable(named_team("full"), "reviewer") == ()


async def test_a_question_is_answered_by_the_other_members_model(tmp_path: Path) -> None:
    ordinary = by_tool(**ANSWERS)

    def script(request: Request) -> Line:
        offered = [tool.name for tool in request.tools]
        last = request.conversation[-1]
        if "answer" in offered:
            return calls(("answer", {"text": "I meant the hill."}))
        if "finish" in offered and "write_file" in offered and isinstance(last, UserMessage):
            return calls(("ask", {"role": "hypothesizer", "question": "Which hill?"}))
        if isinstance(last, ToolMessage) and "I meant the hill" in last.text:
            return calls(
                ("remember", {"text": "It is the hill.", "team": True}),
                ("write_file", {"path": "answer.json", "content": GOOD}),
            )
        return ordinary(request)

    result = await play(
        driven("hypothesizer", "coder", "experimenter", "reviewer"),
        model=Scripted(script),
        evaluations=2,
        folder=tmp_path,
    )

    assert result.outcome == "submitted"
    assert bodies(tmp_path, "Question")
    assert bodies(tmp_path, "Answer")[0].text == "I meant the hill."  # type: ignore[attr-defined]
    assert bodies(tmp_path, "Note")[0].text == "It is the hill."  # type: ignore[attr-defined]


async def test_an_endpoint_without_tools_is_asked_for_json(tmp_path: Path) -> None:
    def script(request: Request) -> Line:
        if request.tools:
            return Rejected("this model does not support tools", model="scripted/model")
        assert request.settings.response_schema is not None
        call = {"tool": "propose", "arguments": ANSWERS["propose"]}
        return f"Here it is:\n```json\n{msgspec.json.encode({'call': call}).decode()}\n```"

    await play(driven("hypothesizer"), model=Scripted(script), evaluations=1, folder=tmp_path)

    assert not decisions(tmp_path, "fallback")
    assert bodies(tmp_path, "Hypothesis")[0].claim == "Go up the hill."  # type: ignore[attr-defined]


async def test_members_spending_adds_up_to_the_episodes_to_the_last_token(tmp_path: Path) -> None:
    team = driven("hypothesizer", "coder", "experimenter", "reviewer")
    result = await play(team, model=Scripted(by_tool(**ANSWERS)), evaluations=3, folder=tmp_path)

    view = read_episode(tmp_path)
    answers = [
        each.outcome.completion.usage
        for each in read_journal(tmp_path / "journal.jsonl")
        if isinstance(each, Finished) and isinstance(each.outcome, ModelAnswer)
    ]
    assert set(view.by_member) == {"hypothesizer", "coder", "experimenter", "reviewer"}
    total = sum(each.input_tokens + each.output_tokens for each in view.by_member.values())
    assert total == result.spending["tokens"] == sum(u.input_tokens + u.output_tokens for u in answers)


@pytest.mark.parametrize("kind", ["debate", "blackboard"])
async def test_a_model_gives_functions_their_voice(kind: str, tmp_path: Path) -> None:
    ordinary = by_tool(**ANSWERS)

    def script(request: Request) -> Line:
        offered = [tool.name for tool in request.tools]
        if "argue" in offered:
            return calls(("argue", {"claims": []}))
        if "vote" in offered:
            return calls(("vote", {"choice": None}))
        if "bid" in offered:
            return calls(("bid", {"operator": None, "why": "nothing to offer"}))
        return ordinary(request)

    team = named_team(kind)
    members = tuple(msgspec.structs.replace(each, policy="model") for each in team.members)
    team = msgspec.structs.replace(team, members=members)

    result = await play(team, model=Scripted(script), budget=Budget(evaluations=2), folder=tmp_path)

    assert result.outcome == "submitted"
    assert not [each for each in decisions(tmp_path, "fallback") if "opinion by rule" in each]
    assert bodies(tmp_path, "Vote" if kind == "debate" else "Bid")
