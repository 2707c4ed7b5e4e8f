"""The OpenAI-compatible client against a real server on loopback."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
from model_server import (
    ModelServer,
    Reply,
    Script,
    completion,
    cut_off,
    echo,
    empty_choices,
    failure,
    malformed_json,
    open_model_server,
    oversize,
    rate_limited,
    raw_json,
    server_error,
    wrong_content_type,
)

from engine.errors import BadSpecification
from engine.models import (
    AssistantMessage,
    BadResponse,
    ContextOverflow,
    Endpoint,
    FixedLimiter,
    Model,
    ModelCallError,
    NamedTool,
    RateLimited,
    Rejected,
    RetryPolicy,
    Settings,
    Timeouts,
    Tool,
    ToolCall,
    ToolMessage,
    Transient,
    Usage,
    UserMessage,
    open_model,
)

ASKED = (UserMessage(text="hello"),)
TOOL = Tool(name="run", description="run code")
ONCE = RetryPolicy(max_attempts=1)
QUICK = RetryPolicy(max_attempts=4, base_seconds=0.001)


@asynccontextmanager
async def open_pair(
    script: Script, *, name: str = "local/m", **options: Any
) -> AsyncIterator[tuple[Model, ModelServer]]:
    """A server and a model that asks it."""
    options = {"retries": ONCE, "environ": {}, "generator": np.random.default_rng(0), **options}
    async with (
        open_model_server(script) as server,
        open_model(name, base_url=server.base_url, **options) as model,
    ):
        yield model, server


async def failure_against(reply: Reply, **options: Any) -> ModelCallError:
    """The error that one reply leads to."""
    async with open_pair([reply], **options) as (model, _):
        with pytest.raises(ModelCallError) as caught:
            await model.generate(ASKED)
    return caught.value


async def test_the_request_says_what_was_asked() -> None:
    settings = Settings(temperature=0.0, top_p=0.5, max_tokens=7, seed=3, stop=("END",))
    call = ToolCall(id="c1", name="run", arguments='{"x":1}')
    asked = (*ASKED, AssistantMessage(tool_calls=(call,)), ToolMessage(call_id="c1", text="1"))

    async with open_pair(echo) as (model, server):
        await model.generate(asked, tools=[TOOL], settings=settings)

    body = server.requests[0].body
    assert body["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "run", "arguments": '{"x":1}'}}],
    }
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "c1", "content": "1"}
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert {name: body[name] for name in ("temperature", "top_p", "max_tokens", "seed", "stop")} == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 7,
        "seed": 3,
        "stop": ["END"],
    }


async def test_nothing_is_sent_that_was_left_to_the_endpoint() -> None:
    async with open_pair(echo) as (model, server):
        await model.generate(ASKED)

    assert server.requests[0].body.keys() == {"model", "messages"}
    assert "authorization" not in server.requests[0].headers


async def test_quirks_of_an_endpoint_are_data() -> None:
    quirky = Endpoint(
        name="quirky",
        base_url="http://unused",
        max_tokens_field="max_completion_tokens",
        sends_seed=False,
        extra_body='{"usage":{"include":true}}',
    )

    async with open_pair(echo, name="quirky/a/b", endpoints=[quirky]) as (model, server):
        await model.generate(ASKED, settings=Settings(max_tokens=5, seed=1))

    body = server.requests[0].body
    assert body["model"] == "a/b"
    assert body["max_completion_tokens"] == 5
    assert body["usage"] == {"include": True}
    assert "seed" not in body


async def test_one_tool_can_be_made_the_choice() -> None:
    async with open_pair(echo) as (model, server):
        await model.generate(ASKED, tools=[TOOL], settings=Settings(tool_choice=NamedTool(name="run")))

    assert server.requests[0].body["tool_choice"] == {"type": "function", "function": {"name": "run"}}


async def test_a_call_that_the_model_garbled_is_sent_back_in_a_form_that_servers_parse() -> None:
    garbled = AssistantMessage(tool_calls=(ToolCall(id="c", name="no such tool!", arguments="{oops"),))

    async with open_pair(echo) as (model, server):
        await model.generate((*ASKED, garbled, ToolMessage(call_id="c", text="not JSON")), tools=[TOOL])

    function = server.requests[0].body["messages"][1]["tool_calls"][0]["function"]
    assert function["name"] == "no_such_tool_"
    assert json.loads(function["arguments"]) == {"malformed_arguments": "{oops"}


async def test_a_tool_whose_schema_is_not_json_is_named() -> None:
    async with open_pair(echo) as (model, _):
        with pytest.raises(BadSpecification, match="tool bad"):
            await model.generate(ASKED, tools=[Tool(name="bad", description="", parameters="[")])


async def test_half_a_surrogate_pair_is_refused_before_it_is_sent() -> None:
    async with open_pair(echo) as (model, server):
        with pytest.raises(Rejected, match="surrogate"):
            await model.generate((UserMessage(text="\ud800"),))

    assert server.requests == []


async def test_calls_share_one_connection() -> None:
    async with open_pair(echo) as (model, server):
        for _ in range(5):
            await model.generate(ASKED)

    assert {request.connection for request in server.requests} == {0}


async def test_usage_is_read_with_its_details() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }

    async with open_pair([completion("x", usage=usage)]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.usage == Usage(input_tokens=100, output_tokens=50, reasoning_tokens=30, cached_tokens=40)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": "x"}])
async def test_usage_that_is_missing_or_absurd_is_estimated(usage: dict[str, Any]) -> None:
    async with open_pair([completion("twelve chars", usage=usage)]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.usage == Usage(input_tokens=2, output_tokens=3, is_estimate=True)


async def test_cost_comes_from_the_endpoint_first() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.25}

    async with open_pair([completion("x", usage=usage)], name="openai/gpt-4o") as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.cost_usd == 0.25


async def test_cost_comes_from_the_price_table_and_cached_input_is_cheaper() -> None:
    million = {
        "prompt_tokens": 2_000_000,
        "completion_tokens": 1_000_000,
        "prompt_tokens_details": {"cached_tokens": 1_000_000},
    }

    async with open_pair([completion("x", usage=million)], name="openai/gpt-4o-2024-08-06") as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.cost_usd == pytest.approx(2.5 + 1.25 + 10.0)


async def test_cost_of_a_model_without_a_price_is_unknown() -> None:
    async with open_pair(echo, name="openrouter/some/model") as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.cost_usd is None


async def test_a_server_on_this_machine_is_free() -> None:
    async with open_pair(echo, name="vllm/any") as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.cost_usd == 0.0


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (completion("x", finish_reason="length"), "length"),
        (completion("x", finish_reason="content_filter"), "content_filter"),
        (completion(None, refusal="I will not"), "refusal"),
        (completion("x", finish_reason="abort"), "other"),
        (completion(tool_calls=[("run", {})], finish_reason="stop"), "tool_calls"),
    ],
)
async def test_why_it_stopped(reply: Reply, reason: str) -> None:
    async with open_pair([reply]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.stop_reason == reason


async def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    reply = raw_json({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]})

    async with open_pair([reply]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "ab"


async def test_tool_calls_of_sloppy_servers_get_ids_and_text_arguments() -> None:
    calls = [
        {"function": {"name": "run", "arguments": {"x": 1}}},
        {"id": "same", "function": {"name": "run", "arguments": "{}"}},
        {"id": "same", "function": {"name": "run", "arguments": None}},
    ]
    reply = raw_json({"choices": [{"message": {"tool_calls": calls}}]})

    async with open_pair([reply]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert [call.id for call in answer.message.tool_calls] == ["call_0", "same", "call_2"]
    assert [call.arguments for call in answer.message.tool_calls] == ['{"x": 1}', "{}", "null"]


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (failure(400, "bad field"), Rejected, "bad field"),
        (failure(401, "no such key"), Rejected, "check the key"),
        (failure(404, "no such model"), Rejected, "check the model's name"),
        (failure(429, "pay", code="insufficient_quota"), Rejected, "top up"),
        (failure(302, location="http://elsewhere/"), Rejected, "redirects are not followed"),
        (failure(400, "x", code="context_length_exceeded"), ContextOverflow, "shorten"),
        (failure(400, "This model's maximum context length is 10"), ContextOverflow, "shorten"),
        (failure(413), ContextOverflow, "shorten"),
        (raw_json({"error": "too many tokens"}, status=400), ContextOverflow, "too many tokens"),
        (raw_json({"detail": "nope"}, status=422), Rejected, "nope"),
        (rate_limited(), RateLimited, "slow down"),
        (server_error(), Transient, "HTTP 500"),
        (failure(503), Transient, "HTTP 503"),
        (failure(501), Rejected, "HTTP 501"),
        (cut_off(), Transient, "connection failed"),
        (malformed_json(), BadResponse, "not a Chat Completion"),
        (wrong_content_type(), BadResponse, "text/html"),
        (empty_choices(), BadResponse, "no choices"),
        (raw_json({"choices": [{}]}), BadResponse, "no choices"),
        (raw_json([1, 2]), BadResponse, "not a Chat Completion"),
        (Reply(body=b"[" * 100_000), BadResponse, "not a Chat Completion"),
        (Reply(body=b'{"x":' * 100_000), BadResponse, "not a Chat Completion"),
        (Reply(body=b"\xff\xfe"), BadResponse, "not a Chat Completion"),
        (raw_json({"error": {"message": "upstream", "code": 429}}), RateLimited, "upstream"),
        (raw_json({"error": {"message": "upstream"}}), Transient, "upstream"),
    ],
)
async def test_each_failure_is_named_for_what_can_be_done(
    reply: Reply, kind: type[ModelCallError], says: str
) -> None:
    error = await failure_against(reply)

    assert type(error) is kind
    assert says in str(error)
    assert error.model == "local/m"


async def test_an_answer_beyond_the_cap_is_refused_by_its_announced_length() -> None:
    error = await failure_against(oversize(100_000), max_body_bytes=10_000)

    assert type(error) is BadResponse
    assert "larger than 10000 bytes" in str(error)


async def test_an_answer_that_hides_its_length_is_cut_at_the_cap() -> None:
    hiding = replace(oversize(3_000_000), says_length=False)

    error = await failure_against(hiding, max_body_bytes=10_000)

    assert type(error) is BadResponse
    assert "larger than 10000 bytes" in str(error)


async def test_an_answer_without_a_length_is_read_to_its_end() -> None:
    async with open_pair([replace(completion("x" * 9_000), says_length=False)]) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert len(answer.message.text) == 9_000


async def test_an_answer_packed_unasked_is_unpacked() -> None:
    plain = completion("packed")

    async with open_pair(
        [replace(plain, body=gzip.compress(plain.body), headers={"content-encoding": "gzip"})]
    ) as (model, _):
        answer, _ = await model.generate(ASKED)

    assert answer.message.text == "packed"


async def test_a_packed_bomb_unfolds_no_further_than_the_cap() -> None:
    bomb = Reply(body=gzip.compress(b" " * 20_000_000), headers={"content-encoding": "gzip"})

    error = await failure_against(bomb, max_body_bytes=50_000)

    assert "larger than 50000 bytes" in str(error)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_an_encoding_that_cannot_be_unpacked_is_a_bad_response(encoding: str) -> None:
    error = await failure_against(replace(completion("x"), headers={"content-encoding": encoding}))

    assert type(error) is BadResponse
    assert "cannot be unpacked" in str(error)


async def test_an_error_page_of_any_size_is_an_error_of_few_words() -> None:
    error = await failure_against(Reply(status=500, body=b"x" * 3_000_000, content_type="text/html"))

    assert type(error) is Transient
    assert len(str(error)) < 600


async def test_what_an_endpoint_says_is_cut_and_cleaned() -> None:
    error = await failure_against(failure(400, "\x1b[31m" + "a\n" * 5_000))

    assert len(str(error)) < 600
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)


async def test_passing_failures_are_asked_again() -> None:
    script = [rate_limited(retry_after_ms="1"), server_error(), cut_off(), completion("at last")]

    async with open_pair(script, retries=QUICK) as (model, server):
        answer, measured = await model.generate(ASKED)

    assert answer.message.text == "at last"
    assert measured.attempts == 4
    assert measured.backoff_seconds > 0
    assert [request.body for request in server.requests[1:]] == [server.requests[0].body] * 3


async def test_lasting_failures_are_asked_once() -> None:
    async with open_pair(lambda _: failure(400), retries=QUICK) as (model, server):
        with pytest.raises(Rejected):
            await model.generate(ASKED)

    assert len(server.requests) == 1


async def test_asking_again_ends_at_the_count() -> None:
    async with open_pair(lambda _: server_error(), retries=QUICK) as (model, server):
        with pytest.raises(Transient, match="after 4 attempts") as caught:
            await model.generate(ASKED)

    assert len(server.requests) == 4
    assert caught.value.measured.attempts == 4


async def test_a_server_that_does_not_listen_is_named() -> None:
    async with open_model_server([]) as server:
        gone = server.base_url

    async with open_model(
        "local/m", base_url=gone, generator=np.random.default_rng(0), retries=ONCE, environ={}
    ) as model:
        with pytest.raises(Transient, match=f"cannot connect to {gone}"):
            await model.generate(ASKED)


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(attempt=0.05)])
async def test_a_server_that_does_not_answer_in_time_is_a_passing_failure(timeouts: Timeouts) -> None:
    error = await failure_against(completion("late").after(30.0), timeouts=timeouts)

    assert type(error) is Transient


async def test_a_server_that_drips_meets_the_limit_of_the_attempt() -> None:
    dripping = replace(completion("slow"), drip_seconds=0.02)

    error = await failure_against(dripping, timeouts=Timeouts(read=10.0, attempt=0.1))

    assert "no whole answer within 0.1 s" in str(error)


async def test_cancelling_a_call_leaves_nothing_behind() -> None:
    limiter = FixedLimiter(1)
    script = [completion("late").after(60.0), completion("next")]

    async with open_pair(script, limiter=limiter) as (model, server):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(model.generate, ASKED)
            await server.wait_until_asked()
            nursery.cancel_scope.cancel()
        in_flight = limiter.in_flight
        answer, _ = await model.generate(ASKED)

    assert in_flight == 0
    assert answer.message.text == "next"
    assert server.requests[1].connection != server.requests[0].connection


async def test_leaving_the_block_closes_the_connections() -> None:
    async with open_model_server(echo) as server:
        async with open_model(
            "local/m", base_url=server.base_url, generator=np.random.default_rng(0), environ={}
        ) as model:
            await model.generate(ASKED)
            before = server.open_connections
        with trio.fail_after(5):
            await server.wait_until_left()

    assert before == 1


async def test_calls_beyond_the_limit_wait_and_say_how_long() -> None:
    waits: list[float] = []

    async def ask(model: Model) -> None:
        _, measured = await model.generate(ASKED)
        waits.append(measured.waited_seconds)

    limiter = FixedLimiter(1)
    async with (
        open_pair(lambda r: echo(r).after(0.02), limiter=limiter) as (model, server),
        trio.open_nursery() as n,
    ):
        for _ in range(3):
            n.start_soon(ask, model)

    assert waits == sorted(waits)
    assert waits[0] < 0.02 <= waits[1] < waits[2]
    assert {request.connection for request in server.requests} == {0}


async def test_a_struct_is_a_tool_and_reads_its_calls() -> None:
    class Inner(msgspec.Struct):
        y: int

    class Arguments(msgspec.Struct):
        x: float
        inner: Inner

    tool = Tool.from_struct(Arguments, name="run", description="run")
    reply = completion(tool_calls=[("run", {"x": 1.5, "inner": {"y": 2}})])

    async with open_pair([reply]) as (model, server):
        answer, _ = await model.generate(ASKED, tools=[tool])

    schema = server.requests[0].body["tools"][0]["function"]["parameters"]
    assert schema["type"] == "object"
    assert schema["required"] == ["x", "inner"]
    read = msgspec.json.decode(answer.message.tool_calls[0].arguments, type=Arguments)
    assert (read.x, read.inner.y) == (1.5, 2)
