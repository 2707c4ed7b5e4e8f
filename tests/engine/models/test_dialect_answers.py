"""What every dialect gives and takes, whole and streamed, against a real server on loopback."""

import json
from dataclasses import replace

import msgspec
import pytest
import trio
from dialect_spelling import USAGE, Spelling, spell_event
from dialect_suite import ASKED, each_dialect, either_way, open_asked
from fault_server import Wire

from engine.errors import BadSpecification
from engine.models import (
    AssistantMessage,
    Completion,
    Image,
    NamedTool,
    Reasoning,
    Settings,
    StopReason,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)

TOOL = Tool(name="run", description="run code")
TWO_CALLS = AssistantMessage(
    text="two at once",
    tool_calls=(
        ToolCall(id="c1", name="run", arguments='{"x":1}'),
        ToolCall(id="c2", name="look", arguments='{"at":"é\\n"}'),
    ),
)


def answered(spelling: Spelling, message: AssistantMessage | str, *, streams: bool) -> Wire:
    stop: StopReason = (
        "tool_calls" if isinstance(message, AssistantMessage) and message.tool_calls else "stop"
    )
    return (spelling.stream if streams else spelling.answer)(message, stop)


@either_way
@each_dialect
async def test_a_text_comes_with_why_it_ended_and_what_it_took(spelling: Spelling, streams: bool) -> None:
    wire = answered(spelling, "héllo wörld", streams=streams)

    async with open_asked(spelling, [wire], streams=streams) as (model, _):
        answer, measured = await model.generate(ASKED)

    assert answer.message.text == "héllo wörld"
    assert answer.stop_reason == "stop"
    assert answer.usage == USAGE
    assert answer.cost_usd == pytest.approx((60 * 1.0 + 40 * 0.5 + 50 * 2.0) / 1e6)
    assert measured.attempts == 1


@either_way
@each_dialect
async def test_parallel_calls_come_in_order_each_with_its_own_arguments(
    spelling: Spelling, streams: bool
) -> None:
    wire = answered(spelling, TWO_CALLS, streams=streams)

    async with open_asked(spelling, [wire], streams=streams) as (model, _):
        answer, _ = await model.generate(ASKED, tools=[TOOL])

    assert answer.stop_reason == "tool_calls"
    assert answer.message.text == "two at once"
    assert [(call.name, json.loads(call.arguments)) for call in answer.message.tool_calls] == [
        ("run", {"x": 1}),
        ("look", {"at": "é\n"}),
    ]
    assert len({call.id for call in answer.message.tool_calls}) == 2


@either_way
@each_dialect
async def test_an_answer_cut_by_its_length_says_so(spelling: Spelling, streams: bool) -> None:
    wire = (spelling.stream if streams else spelling.answer)("half an ans", "length")

    async with open_asked(spelling, [wire], streams=streams) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert (answer.message.text, answer.stop_reason) == ("half an ans", "length")


@either_way
@each_dialect
async def test_reasoning_stands_apart_and_survives_the_record(spelling: Spelling, streams: bool) -> None:
    wire = answered(
        spelling, AssistantMessage(text="42", reasoning=(Reasoning(text="6 x 7"),)), streams=streams
    )

    async with open_asked(spelling, [wire], streams=streams) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "42"
    assert "".join(thought.text for thought in answer.message.reasoning) == "6 x 7"
    assert {thought.provider for thought in answer.message.reasoning} == {"asked"}
    assert msgspec.json.decode(msgspec.json.encode(answer), type=Completion) == answer


@either_way
@each_dialect
async def test_an_answer_can_be_said_back_with_what_its_tools_answered(
    spelling: Spelling, streams: bool
) -> None:
    called = msgspec.structs.replace(TWO_CALLS, reasoning=(Reasoning(text="why"),))
    script = [answered(spelling, called, streams=streams), answered(spelling, "done", streams=streams)]

    async with open_asked(spelling, script, streams=streams) as (model, server):
        first, _ = await model.generate(ASKED, tools=[TOOL])
        results = tuple(
            ToolMessage(call_id=call.id, text=f"result of {call.id}") for call in first.message.tool_calls
        )
        second, _ = await model.generate((*ASKED, first.message, *results), tools=[TOOL])

    body = server.requests[1].body.decode()
    assert second.message.text == "done"
    assert all(result.text in body for result in results)


@each_dialect
async def test_a_whole_answer_to_a_request_for_a_stream_is_read(spelling: Spelling) -> None:
    async with open_asked(spelling, [spelling.answer("whole")], streams=True) as (model, _):
        answer, measured = await model.generate(ASKED)

    assert (answer.message.text, measured.attempts) == ("whole", 1)


@each_dialect
async def test_a_stream_that_nobody_asked_for_is_read(spelling: Spelling) -> None:
    async with open_asked(spelling, [spelling.stream("in pieces")]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "in pieces"


@each_dialect
async def test_where_streams_are_refused_the_call_is_repeated_whole_and_counted(spelling: Spelling) -> None:
    refusal = spelling.failure(400, "your organization must be verified to stream this model")
    script = [refusal, spelling.answer("whole"), spelling.answer("again")]

    async with open_asked(spelling, script, streams=True) as (model, server):
        _, first = await model.generate(ASKED)
        _, second = await model.generate(ASKED)

    assert (first.attempts, second.attempts, len(server.requests)) == (2, 1, 3)


@pytest.mark.parametrize("size", [11, 100, 1000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@each_dialect
async def test_a_stream_may_be_cut_into_pieces_anywhere(
    spelling: Spelling, size: int, line_end: bytes
) -> None:
    body = spelling.stream(TWO_CALLS, "tool_calls").body.replace(b"\n", line_end)
    pieces = tuple(body[at : at + size] for at in range(0, len(body), size))
    wire = replace(spelling.stream(""), pieces=pieces)

    async with open_asked(spelling, [wire], streams=True) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert [call.name for call in answer.message.tool_calls] == ["run", "look"]


@each_dialect
async def test_comments_and_empty_events_between_events_say_nothing(spelling: Spelling) -> None:
    stream = spelling.stream("quiet")
    pieces = [part for piece in stream.pieces for part in (b": still here\n\n", b"event: ping\n\n", piece)]

    async with open_asked(spelling, [replace(stream, pieces=tuple(pieces))], streams=True) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "quiet"


@either_way
@each_dialect
async def test_calls_one_after_another_share_one_connection(spelling: Spelling, streams: bool) -> None:
    wire = answered(spelling, "again", streams=streams)

    async with open_asked(spelling, [wire], streams=streams) as (model, server):
        for _ in range(5):
            await model.generate(ASKED)

    assert (len(server.requests), server.connections) == (5, 1)


@each_dialect
async def test_settings_tools_and_system_text_reach_the_endpoint(spelling: Spelling) -> None:
    settings = Settings(
        temperature=0.25,
        top_p=0.5,
        max_tokens=777,
        seed=3,
        stop=("END",),
        tool_choice=NamedTool(name="run"),
        reasoning_effort="low",
        logprobs=2,
    )
    asked = (SystemMessage(text="be brief"), *ASKED)

    async with open_asked(spelling, [spelling.answer("ok")]) as (model, server):
        await model.generate(asked, tools=[TOOL], settings=settings)

    body = server.requests[0].body.decode()
    assert json.loads(body)
    for said in ("be brief", "hello", "0.25", "0.5", "777", '"run"', "run code", "low"):
        assert said in body


@each_dialect
async def test_an_image_goes_along_as_base64_with_its_type(spelling: Spelling) -> None:
    asked = (UserMessage(text="what is this?", images=(Image(media_type="image/png", data=b"\x89PNG!"),)),)

    async with open_asked(spelling, [spelling.answer("a picture")]) as (model, server):
        await model.generate(asked)

    body = server.requests[0].body.decode()
    assert "iVBORyE=" in body
    assert "image/png" in body


@each_dialect
async def test_a_schema_for_the_answer_reaches_the_endpoint(spelling: Spelling) -> None:
    schema = '{"type":"object","properties":{"guess":{"type":"number"}},"required":["guess"]}'

    async with open_asked(spelling, [spelling.answer('{"guess":3}')]) as (model, server):
        answer, _ = await model.generate(ASKED, settings=Settings(response_schema=schema))

    assert "guess" in server.requests[0].body.decode()
    assert json.loads(answer.message.text) == {"guess": 3}


@pytest.mark.parametrize(
    ("tools", "settings"),
    [([Tool(name="bad", description="", parameters="[")], Settings()), ([], Settings(response_schema="3"))],
    ids=["tool", "answer"],
)
@each_dialect
async def test_a_schema_that_is_no_object_is_named(
    spelling: Spelling, tools: list[Tool], settings: Settings
) -> None:
    async with open_asked(spelling, [spelling.answer("never")]) as (model, server):
        with pytest.raises(BadSpecification, match="not a JSON object"):
            await model.generate(ASKED, tools=tools, settings=settings)

    assert server.requests == []


@each_dialect
async def test_what_follows_the_end_of_a_stream_is_not_waited_for(spelling: Spelling) -> None:
    if not spelling.is_done_by_event:
        pytest.skip("in this dialect only the stream's end tells that it is over")
    lasting = replace(spelling.stream("soon"), ending="hang")

    async with open_asked(spelling, [lasting], streams=True) as (model, _):
        with trio.fail_after(5):
            answer, measured = await model.generate(ASKED)

    assert (answer.message.text, measured.attempts) == ("soon", 1)


@each_dialect
async def test_what_breaks_after_the_end_of_a_stream_does_not_undo_it(spelling: Spelling) -> None:
    if not spelling.is_done_by_event:
        pytest.skip("in this dialect only the stream's end tells that it is over")
    broken = replace(spelling.stream("whole"), ending="reset")

    async with open_asked(spelling, [broken], streams=True) as (model, _):
        answer, measured = await model.generate(ASKED)

    assert (answer.message.text, measured.attempts) == ("whole", 1)


def test_an_event_is_spelt_as_the_standard_says() -> None:
    assert spell_event(("ping", {"a": 1})) == b'event: ping\ndata: {"a": 1}\n\n'
