"""What every `Model` promises. Subclass `ModelSuite` in a test file and say how to open a scripted model."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest
import trio

from engine.errors import ModelError
from engine.models import (
    AssistantMessage,
    BadResponse,
    CallMeasured,
    Completion,
    ContextOverflow,
    Model,
    RateLimited,
    Rejected,
    Settings,
    SystemMessage,
    Tool,
    ToolCall,
    ToolMessage,
    Transient,
    UserMessage,
)
from engine.models.scripted import Line

ASKED = (SystemMessage(text="be brief"), UserMessage(text="how far is the moon?"))
MEASURE = Tool(name="measure", description="measure a distance")
TWO_CALLS = AssistantMessage(
    tool_calls=(
        ToolCall(id="call_0_0", name="measure", arguments='{"to":"moon"}'),
        ToolCall(id="call_0_1", name="measure", arguments="{not json"),
    )
)


class ModelSuite:
    """A battery over one implementation."""

    def open(self, lines: Sequence[Line]) -> AbstractAsyncContextManager[Model]:
        """A model that gives these answers in order and never asks again after a failure."""
        raise NotImplementedError

    async def test_a_text_is_answered_with_why_it_ended_and_what_it_took(self) -> None:
        async with self.open(["384,400 km"]) as model:
            completion, measured = await model.generate(ASKED)

        assert completion.message == AssistantMessage(text="384,400 km")
        assert completion.stop_reason == "stop"
        assert completion.usage.input_tokens > 0
        assert completion.usage.output_tokens > 0
        assert measured.attempts == 1

    async def test_its_name_is_provider_slash_name(self) -> None:
        async with self.open([]) as model:
            provider, slash, name = model.name.partition("/")

        assert provider
        assert slash
        assert name

    async def test_parallel_tool_calls_arrive_in_order_and_unparsed(self) -> None:
        async with self.open([TWO_CALLS]) as model:
            completion, _ = await model.generate(ASKED, tools=[MEASURE])

        assert completion.stop_reason == "tool_calls"
        assert [call.arguments for call in completion.message.tool_calls] == ['{"to":"moon"}', "{not json"]
        assert len({call.id for call in completion.message.tool_calls}) == 2

    async def test_a_conversation_goes_on_after_tools_have_answered(self) -> None:
        results = tuple(ToolMessage(call_id=call.id, text="far") for call in TWO_CALLS.tool_calls)

        async with self.open(["far"]) as model:
            completion, _ = await model.generate((*ASKED, TWO_CALLS, *results), tools=[MEASURE])

        assert completion.message.text == "far"

    async def test_settings_are_accepted(self) -> None:
        settings = Settings(
            temperature=0.5, top_p=0.9, max_tokens=10, seed=1, stop=("\n",), tool_choice="none"
        )

        async with self.open(["ok"]) as model:
            completion, _ = await model.generate(ASKED, tools=[MEASURE], settings=settings)

        assert completion.message.text == "ok"

    async def test_a_completion_survives_its_record(self) -> None:
        async with self.open([TWO_CALLS]) as model:
            completion, measured = await model.generate(ASKED, tools=[MEASURE])

        assert msgspec.json.decode(msgspec.json.encode(completion), type=Completion) == completion
        assert msgspec.json.decode(msgspec.json.encode(measured), type=CallMeasured) == measured

    @pytest.mark.parametrize("kind", [RateLimited, Transient, Rejected, ContextOverflow, BadResponse])
    async def test_a_failure_has_its_name_and_the_next_call_is_unharmed(
        self, kind: type[RateLimited | Transient | Rejected | ContextOverflow | BadResponse]
    ) -> None:
        async with self.open([kind("as scripted", model="scripted/model"), "better"]) as model:
            with pytest.raises(ModelError) as caught:
                await model.generate(ASKED)
            completion, _ = await model.generate(ASKED)

        assert type(caught.value) is kind
        assert caught.value.measured.attempts == 1
        assert completion.message.text == "better"

    async def test_many_tasks_may_ask_at_once(self) -> None:
        answers: list[str] = []

        async def ask(model: Model) -> None:
            completion, _ = await model.generate(ASKED)
            answers.append(completion.message.text)

        async with self.open([str(number) for number in range(20)]) as model, trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask, model)

        assert sorted(answers, key=int) == [str(number) for number in range(20)]

    async def test_a_call_is_a_checkpoint(self) -> None:
        async with self.open(["never"]) as model:
            with trio.CancelScope() as scope:
                scope.cancel()
                await model.generate(ASKED)

        assert scope.cancelled_caught
