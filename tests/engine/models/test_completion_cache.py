"""The cache of completions: what shares an answer and what never does, equal calls at once, files that lie."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from conformance.model_suite import ASKED, MEASURE

from engine.errors import BadSpecification, OutputUnusable
from engine.models import (
    AssistantMessage,
    BadResponse,
    Completion,
    Latency,
    Model,
    Rejected,
    Scripted,
    Settings,
    Transient,
    Usage,
    UserMessage,
)
from engine.models.cache import Cached, CompletionCache
from engine.models.cache_store import CACHE_FILE, CacheStore, open_cache_store
from engine.models.call_site import CallSite
from engine.models.interface import Image


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CacheStore]:
    with open_cache_store(tmp_path) as opened:
        yield opened


def dear(text: str) -> Completion:
    return Completion(
        message=AssistantMessage(text=text),
        stop_reason="stop",
        usage=Usage(input_tokens=100, output_tokens=20),
        cost_usd=0.25,
        model="m",
    )


def counting() -> Scripted:
    return Scripted(lambda request: dear(f"answer {request.ordinal}"))


def cached(model: Model, store: CacheStore, *, endpoint: str = "here", is_scoped: bool = False) -> Cached:
    return Cached(model, CompletionCache(store, is_scoped=is_scoped), endpoint=endpoint)


def site(**changed: object) -> CallSite:
    place = {"episode": "planted--full--seed-1", "member": "coder", "ordinal": 1, **changed}
    return CallSite(**place)  # type: ignore[arg-type]  # the fields of a test


async def test_an_equal_call_is_answered_from_the_cache_and_says_so(store: CacheStore) -> None:
    scripted = counting()
    cache = CompletionCache(store, is_scoped=False)
    model = Cached(scripted, cache, endpoint="here")

    first = await model.generate(ASKED, tools=[MEASURE])
    again = await model.generate(ASKED, tools=[MEASURE])

    assert again.completion == first.completion
    assert (first.measured.cached, first.measured.attempts) == (False, 1)
    assert (again.measured.cached, again.measured.attempts) == (True, 0)
    assert len(scripted.requests) == 1


async def test_a_hit_keeps_the_cost_it_had_and_the_tally_says_what_was_saved(store: CacheStore) -> None:
    cache = CompletionCache(store, is_scoped=False)
    model = Cached(counting(), cache, endpoint="here")

    for _ in range(3):
        completion, _measured = await model.generate(ASKED)

    assert completion.cost_usd == 0.25
    assert (cache.tally.hits, cache.tally.misses) == (2, 1)
    assert (cache.tally.saved_usd, cache.tally.saved_tokens) == (0.5, 240)


async def test_any_other_request_is_another_call(store: CacheStore) -> None:
    scripted = counting()
    model = cached(scripted, store)
    image = Image(media_type="image/png", data=b"one")

    await model.generate(ASKED)
    await model.generate(ASKED[:1])
    await model.generate(ASKED, tools=[MEASURE])
    await model.generate(ASKED, settings=Settings(temperature=0.0))
    await model.generate(ASKED, settings=Settings(seed=0))
    await model.generate((UserMessage(text="look", images=(image,)),))
    await model.generate((UserMessage(text="look", images=(Image(media_type="image/png", data=b"two"),)),))
    await cached(scripted, store, endpoint="there").generate(ASKED)
    await cached(Scripted(["other"], name="scripted/other"), store).generate(ASKED)

    assert len(scripted.requests) == 8
    assert len(store) == 9


async def test_in_a_study_nothing_is_shared_across_seeds_arms_members_or_calls(store: CacheStore) -> None:
    scripted = counting()
    model = cached(scripted, store, is_scoped=True)
    places = [
        site(),
        site(episode="planted--full--seed-2"),
        site(episode="planted--solo--seed-1"),
        site(member="reviewer"),
        site(ordinal=2),
    ]

    first = [await model.at(place).generate(ASKED) for place in places]
    again = [await model.at(place).generate(ASKED) for place in places]

    assert len({answer.completion.message.text for answer in first}) == len(places)
    assert [answer.completion for answer in again] == [answer.completion for answer in first]
    assert all(answer.measured.cached for answer in again)


async def test_without_a_scope_the_place_of_a_call_does_not_count(store: CacheStore) -> None:
    scripted = counting()
    model = cached(scripted, store)

    await model.at(site()).generate(ASKED)
    _, measured = await model.at(site(episode="planted--solo--seed-9")).generate(ASKED)

    assert measured.cached
    assert len(scripted.requests) == 1


async def test_equal_calls_at_once_are_one_call(store: CacheStore, autojump_clock: trio.abc.Clock) -> None:
    scripted = counting()
    model = cached(Latency(scripted, delay=lambda _: 5.0, generator=None), store)  # type: ignore[arg-type]  # draws nothing
    answers: list[str] = []

    async def ask() -> None:
        completion, _ = await model.generate(ASKED)
        answers.append(completion.message.text)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ask)

    assert answers == ["answer 0"] * 50
    assert len(scripted.requests) == 1
    assert trio.current_time() == pytest.approx(5.0)


async def test_where_the_first_one_fails_another_takes_over(
    store: CacheStore, autojump_clock: trio.abc.Clock
) -> None:
    scripted = Scripted([Transient("gone", model="m"), dear("better")])
    model = cached(Latency(scripted, delay=lambda _: 1.0, generator=None), store)  # type: ignore[arg-type]  # draws nothing
    outcomes: list[str] = []

    async def ask() -> None:
        try:
            completion, _ = await model.generate(ASKED)
            outcomes.append(completion.message.text)
        except Transient:
            outcomes.append("failed")

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask)

    assert sorted(outcomes) == ["better", "better", "better", "failed"]
    assert len(scripted.requests) == 2


async def test_where_the_first_one_is_cancelled_another_takes_over(
    store: CacheStore, autojump_clock: trio.abc.Clock
) -> None:
    scripted = counting()
    model = cached(Latency(scripted, delay=lambda _: 1.0, generator=None), store)  # type: ignore[arg-type]  # draws nothing
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()

        async def ask_first() -> None:
            with first:
                await model.generate(ASKED)

        nursery.start_soon(ask_first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(model.generate, ASKED)
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()

    assert first.cancelled_caught
    assert len(store) == 1


async def test_a_refusal_for_good_is_shared_by_those_who_wait(
    store: CacheStore, autojump_clock: trio.abc.Clock
) -> None:
    scripted = Scripted(lambda _: Rejected("no such model", model="m"))
    model = cached(Latency(scripted, delay=lambda _: 1.0, generator=None), store)  # type: ignore[arg-type]  # draws nothing
    failed = 0

    async def ask() -> None:
        nonlocal failed
        with pytest.raises(Rejected, match="no such model"):
            await model.generate(ASKED)
        failed += 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)

    assert failed == 10
    assert len(scripted.requests) == 1


async def test_nobody_waits_for_a_queue_of_failures(
    store: CacheStore, autojump_clock: trio.abc.Clock
) -> None:
    scripted = Scripted(lambda _: BadResponse("rubbish", model="m"))
    model = cached(Latency(scripted, delay=lambda _: 1.0, generator=None), store)  # type: ignore[arg-type]  # draws nothing
    failed = 0

    async def ask() -> None:
        nonlocal failed
        with pytest.raises(BadResponse):
            await model.generate(ASKED)
        failed += 1

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)

    assert failed == 100
    assert trio.current_time() <= 2.0


async def test_failures_are_not_kept(store: CacheStore) -> None:
    model = cached(Scripted([Rejected("no", model="m"), dear("yes")]), store)

    with pytest.raises(Rejected):
        await model.generate(ASKED)
    completion, measured = await model.generate(ASKED)

    assert completion.message.text == "yes"
    assert not measured.cached


async def test_another_process_finds_what_one_has_kept(tmp_path: Path) -> None:
    with open_cache_store(tmp_path) as one, open_cache_store(tmp_path) as other:
        await cached(counting(), one).generate(ASKED)
        _, measured = await cached(counting(), other).generate(ASKED)

    assert measured.cached


async def test_a_damaged_row_counts_as_never_kept_and_is_mended(tmp_path: Path) -> None:
    with open_cache_store(tmp_path) as store:
        await cached(counting(), store).generate(ASKED)
    with sqlite3.connect(tmp_path / CACHE_FILE) as connection:
        connection.execute("UPDATE completions SET completion = substr(completion, 1, 20)")
    connection.close()

    with open_cache_store(tmp_path) as store:
        model = cached(counting(), store)
        torn = await model.generate(ASKED)
        mended = await model.generate(ASKED)

    assert (torn.measured.cached, mended.measured.cached) == (False, True)


async def test_a_torn_log_loses_the_last_completions_at_most(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    torn.mkdir()
    with open_cache_store(whole) as store:
        model = cached(counting(), store)
        for number in range(20):
            await model.generate((UserMessage(text=str(number)),))
        for name in (CACHE_FILE, f"{CACHE_FILE}-wal"):  # as a killed process leaves it, and half of the log
            content = (whole / name).read_bytes()
            (torn / name).write_bytes(content if name == CACHE_FILE else content[: len(content) * 2 // 3])

    with open_cache_store(torn) as store:
        assert 0 < len(store) < 20
        await cached(counting(), store).generate(ASKED)


def test_a_file_that_is_no_cache_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / CACHE_FILE).write_bytes(b"something else entirely" * 100)

    with pytest.raises(OutputUnusable, match="remove it"), open_cache_store(tmp_path):
        pass


def test_a_cache_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSpecification, match="no size"), open_cache_store(tmp_path, max_bytes=0):
        pass


async def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    asked = [(UserMessage(text=str(number)),) for number in range(10)]
    with open_cache_store(tmp_path) as store:
        for conversation in asked:
            await cached(counting(), store).generate(conversation)
        size = store.size()
    with open_cache_store(tmp_path) as store:
        await cached(counting(), store).generate(asked[0])

    with open_cache_store(tmp_path, max_bytes=size // 2) as store:
        assert store.prune(size // 2) > 0
        _, oldest = await cached(counting(), store).generate(asked[0])
        _, unused = await cached(counting(), store).generate(asked[1])

    assert oldest.cached
    assert not unused.cached
    assert store is not None


async def test_neither_questions_nor_keys_are_on_the_disk(tmp_path: Path) -> None:
    with open_cache_store(tmp_path) as store:
        await cached(counting(), store).generate((UserMessage(text="my key is sk-secret"),))

    kept = [path.read_bytes() for path in tmp_path.iterdir()]  # noqa: ASYNC240 - small files of a test
    assert all(b"sk-secret" not in content for content in kept)
