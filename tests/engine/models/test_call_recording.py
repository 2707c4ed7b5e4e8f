"""Calls written down and answered again: by place, by what is asked, and never by another answer."""

import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trio
from conformance.model_suite import ASKED, MEASURE, ModelSuite
from hypothesis import given
from hypothesis import strategies as st
from model_server import completion, failure, open_model_server

from engine.errors import BadSpecification, Divergence, OutputUnusable, RecordDamaged
from engine.models import (
    AssistantMessage,
    Conversation,
    Model,
    Rejected,
    RetryPolicy,
    Scripted,
    Settings,
    SystemMessage,
    UserMessage,
    open_model,
)
from engine.models.call_site import CallSite
from engine.models.recording import CallRecorder, Recorded, open_recorder, read_calls, replaying_models
from engine.models.scripted import Line
from engine.models.secret import Secret

SITE = CallSite(episode="planted--full--seed-1", member="coder", ordinal=3)


def said(text: str) -> Conversation:
    return (UserMessage(text=text),)


class TestRecorded(ModelSuite):
    """A recorder changes nothing of what a model does."""

    @asynccontextmanager
    async def open(self, lines: Sequence[Line]):  # type: ignore[no-untyped-def]  # as the suite has it
        import tempfile

        with (
            tempfile.TemporaryDirectory() as folder,
            open_recorder(Path(folder) / "calls.jsonl") as recorder,
        ):
            yield Recorded(Scripted(lines), recorder)


async def ask_all(model: Model, conversations: Sequence[Conversation]) -> list[str]:
    outcomes: list[str] = []
    for conversation in conversations:
        try:
            answered, _ = await model.generate(conversation, tools=[MEASURE])
            outcomes.append(answered.message.text)
        except Rejected as error:
            outcomes.append(f"rejected: {error.message}")
    return outcomes


async def test_a_real_endpoint_is_replayed_after_it_has_gone(tmp_path: Path) -> None:
    asked = [said("one"), said("two"), said("one"), said("three")]
    lines = [completion("first"), failure(400, "no"), completion("third"), completion("fourth")]
    async with (
        open_model_server(lines) as server,
        open_model(
            "local/any",
            base_url=server.base_url,
            generator=np.random.default_rng(0),
            retries=RetryPolicy(max_attempts=1),
            environ={},
        ) as model,
    ):
        with open_recorder(tmp_path / "calls.jsonl") as recorder:
            before = await ask_all(Recorded(model, recorder), asked)

    after = await ask_all(replaying_models(tmp_path / "calls.jsonl")["local/any"], asked)

    assert after == before
    assert before[0] == "first"
    assert before[1].startswith("rejected: ")
    assert before[2] == "third"


async def test_by_its_place_a_call_finds_its_answer_whoever_asks_first(tmp_path: Path) -> None:
    places = [CallSite(episode="e", member=f"coder.{number}", ordinal=1) for number in range(20)]
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        model = Recorded(Scripted(lambda request: f"answer {request.ordinal}"), recorder)
        before = {place: (await model.at(place).generate(ASKED)).completion for place in places}
    replayed = replaying_models(tmp_path / "calls.jsonl")["scripted/model"]

    for place in reversed(places):
        assert (await replayed.at(place).generate(ASKED)).completion == before[place]


async def test_another_question_at_a_place_is_refused_with_what_differs(tmp_path: Path) -> None:
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        await Recorded(Scripted(["yes"]), recorder).at(SITE).generate(ASKED)
    replayed = replaying_models(tmp_path / "calls.jsonl")["scripted/model"].at(SITE)

    with pytest.raises(Divergence, match=r"call 1 .*coder, effect 3.*message 2 .*sun"):
        await replayed.generate((ASKED[0], UserMessage(text="how far is the sun?")))
    with pytest.raises(Divergence, match=r"2 messages.*1 messages"):
        await replayed.generate(ASKED[:1])
    with pytest.raises(Divergence, match=r"tools \[\].*tools \['measure'\]"):
        await replayed.generate(ASKED, tools=[MEASURE])
    with pytest.raises(Divergence, match=r"settings.*temperature"):
        await replayed.generate(ASKED, settings=Settings(temperature=1.0))


async def test_a_question_that_was_never_asked_has_no_answer(tmp_path: Path) -> None:
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        await Recorded(Scripted(["yes"]), recorder).generate(ASKED)
    replayed = replaying_models(tmp_path / "calls.jsonl")["scripted/model"]

    await replayed.generate(ASKED)

    with pytest.raises(Divergence, match="no such call"):
        await replayed.generate(ASKED)
    with pytest.raises(Divergence, match="no call of a model there"):
        await replayed.at(SITE).generate(ASKED)


async def test_a_conversation_is_written_once_however_long_it_grows(tmp_path: Path) -> None:
    long = "x" * 10_000
    conversation: Conversation = (SystemMessage(text=long),)
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        model = Recorded(Scripted(lambda _: "ok"), recorder)
        for turn in range(20):
            conversation = (*conversation, UserMessage(text=str(turn)))
            answered, _ = await model.generate(conversation, tools=[MEASURE])
            conversation = (*conversation, answered.message)

    (calls,) = read_calls(tmp_path / "calls.jsonl").values()
    assert calls[-1].conversation == conversation[:-1]
    assert calls[-1].tools == ("measure",)
    assert (tmp_path / "calls.jsonl").read_text().count(long) == 1


async def test_keys_are_not_written_and_the_call_is_still_recognised(tmp_path: Path) -> None:
    key = Secret("sk-a-key-of-some-length", source="A_KEY")
    leaking = (UserMessage(text=f"my key is {key.reveal()}"),)
    with open_recorder(tmp_path / "calls.jsonl", secrets=[key]) as recorder:
        await Recorded(Scripted([f"I see {key.reveal()}"]), recorder).generate(leaking)

    replayed = replaying_models(tmp_path / "calls.jsonl")["scripted/model"]
    answered, _ = await replayed.generate(leaking)

    assert key.reveal() not in (tmp_path / "calls.jsonl").read_text()
    assert answered.message.text == "I see [key]"


async def test_a_request_is_on_record_before_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"

    def look(_: object) -> str:
        assert path.read_text().count('"Asked"') == 1
        return "seen"

    with open_recorder(path) as recorder:
        await Recorded(Scripted(look), recorder).generate(ASKED)


async def test_a_cancelled_call_stays_without_an_outcome_and_the_next_try_answers(tmp_path: Path) -> None:
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        with trio.CancelScope() as scope:
            scope.cancel()
            await Recorded(Scripted(["never"]), recorder).generate(ASKED)
        await Recorded(Scripted(["at last"]), recorder).generate(ASKED)

    (calls,) = read_calls(tmp_path / "calls.jsonl").values()
    answered, _ = await replaying_models(tmp_path / "calls.jsonl")["scripted/model"].generate(ASKED)

    assert [call.outcome is None for call in calls] == [True, False]
    assert answered.message.text == "at last"


async def test_a_recording_is_bounded_and_calls_go_on(tmp_path: Path) -> None:
    with open_recorder(tmp_path / "calls.jsonl", max_bytes=2000) as recorder:
        model = Recorded(Scripted(lambda _: "x" * 300), recorder)
        for number in range(10):
            await model.generate(said(str(number)))

    (calls,) = read_calls(tmp_path / "calls.jsonl").values()
    assert recorder.is_full
    assert 1 < len(calls) < 10
    assert (tmp_path / "calls.jsonl").stat().st_size < 2100


async def test_a_torn_last_line_counts_as_never_written(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with open_recorder(path) as recorder:
        await ask_all(Recorded(Scripted(["one", "two"]), recorder), [said("1"), said("2")])
    path.write_bytes(path.read_bytes()[:-10])

    (calls,) = read_calls(path).values()

    assert [call.outcome is not None for call in calls] == [True, False]


@pytest.mark.parametrize(
    "content", [b"hello\n", b'{"type":"Full"}\n', b'{"type":"Begun","version":99}\n', b"\xff\xfe\n"]
)
def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "calls.jsonl").write_bytes(content)

    with pytest.raises(RecordDamaged, match=r"calls\.jsonl"):
        read_calls(tmp_path / "calls.jsonl")


def test_an_outcome_of_a_call_that_was_never_made_is_damage(tmp_path: Path) -> None:
    lines = [{"type": "Begun", "version": 1}, {"type": "CallFailed", "number": 7, "measured": {}}]
    lines[1]["failure"] = {"kind": "Rejected", "message": "no", "model": "m"}
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    with pytest.raises(RecordDamaged, match="never made"):
        read_calls(tmp_path / "calls.jsonl")


def test_nothing_is_written_over_and_no_bound_is_no_size(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").write_text("dear to somebody")

    with pytest.raises(OutputUnusable, match="there already"), open_recorder(tmp_path / "calls.jsonl"):
        pass
    with pytest.raises(BadSpecification), open_recorder(tmp_path / "other.jsonl", max_bytes=0):
        pass


async def test_a_file_that_cannot_grow_loses_no_answer_and_stops_the_next_call(tmp_path: Path) -> None:
    import os

    full = os.open("/dev/full", os.O_WRONLY)
    with open_recorder(tmp_path / "calls.jsonl") as recorder:
        scripted = Scripted(lambda _: fill(recorder, full))
        model = Recorded(scripted, recorder)

        answered, _ = await model.generate(ASKED)
        with pytest.raises(OutputUnusable, match="No space left"):
            await model.generate(ASKED)

    os.close(full)
    assert answered.message.text == "paid for"
    assert len(scripted.requests) == 1


def fill(recorder: CallRecorder, full: int) -> str:
    recorder._file = full
    return "paid for"


_words = st.text(max_size=20)
_talk = st.lists(
    st.one_of(
        st.builds(UserMessage, text=_words),
        st.builds(AssistantMessage, text=_words),
        st.builds(SystemMessage, text=_words),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(st.lists(_talk, min_size=1, max_size=6))
def test_whatever_was_asked_is_read_back(talks: list[Conversation]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.jsonl"

        async def ask() -> None:
            with open_recorder(path) as recorder:
                model = Recorded(Scripted(lambda request: f"{request.ordinal}"), recorder)
                for talk in talks:
                    await model.generate(talk)

        trio.run(ask)
        (calls,) = read_calls(path).values()

    assert [call.conversation for call in calls] == talks
