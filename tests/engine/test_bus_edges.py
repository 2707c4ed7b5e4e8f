"""The bus where things go wrong: lost wake-ups, ends, refusals, what is on its way when an episode stops."""

import math
from pathlib import Path

import pytest
import trio
from test_bus import ASK, ECHO, LEAD, NEWS, answer_all, plain_lines, question, reading, run_bus, text_of
from trio.testing import MockClock

from engine.bus import InfrastructureFailed
from engine.effects import ClockReading, Reading
from engine.errors import BadSpecification, Deadlock, EngineDefect, EngineError, MemberFailed
from engine.journal import Decided, Posted, read_journal
from engine.messages import Answer, Dropped, Envelope, Evidence, Failed, MemberId, Queue, RunResult
from engine.post import Address, Post
from engine.task import Measured

ONE, TWO = MemberId("one"), MemberId("two")


class Down(EngineError):
    """Raised when the outside is down."""


async def test_every_sender_that_waits_for_room_is_woken_when_the_receiver_goes_idle() -> None:
    heard: list[str] = []

    async def lead(post: Post) -> None:
        await post.receive()

    async def one(post: Post) -> None:
        await post.post(question("fills the mailbox"), to=ECHO)
        await post.post(question("is handed to the idle receiver"), to=ECHO)

    async def two(post: Post) -> None:
        await post.post(question("waits behind it"), to=ECHO)

    async def echo(post: Post) -> None:
        for _ in range(3):
            heard.append(text_of(await post.receive()))
        await post.post(question("all"), to=LEAD)

    addresses = [Address(id=ONE), Address(id=TWO), Address(id=ECHO, capacity=1), Address(id=LEAD, leads=True)]
    await run_bus({"lead": lead, "one": one, "two": two, "echo": echo}, addresses)

    assert heard == ["fills the mailbox", "is handed to the idle receiver", "waits behind it"]


async def test_a_leader_that_handled_a_deadlock_is_not_woken_by_what_it_waited_for(
    autojump_clock: MockClock,
) -> None:
    outcomes: list[object] = []

    async def lead(post: Post) -> None:
        with pytest.raises(Deadlock):
            await post.request(question("?"), to=ONE)
        await post.post(question("go on"), to=ONE)
        await post.perform(ClockReading(), reading(0))
        # Done after a second, and behind the other's effect in order: its turn comes later than the answer below.
        await post.perform(ClockReading(), reading(0, after=1))
        outcomes.extend([text_of(await post.receive()), text_of(await post.receive())])

    async def one(post: Post) -> None:
        asked = await post.receive()
        await post.receive()
        await post.perform(ClockReading(), reading(0, after=3))
        await post.post(Answer(text="an answer"), to=LEAD, cause=asked.seq)
        await post.perform(ClockReading(), reading(0, after=3))
        await post.post(Answer(text="a message"), to=LEAD)

    await run_bus({"lead": lead, "one": one}, [Address(id=LEAD, leads=True), Address(id=ONE)])

    assert outcomes == ["an answer", "a message"]


async def test_a_leader_told_of_a_deadlock_while_it_waits_for_room_waits_for_room_no_more(
    autojump_clock: MockClock,
) -> None:
    async def lead(post: Post) -> None:
        await post.post(question("1"), to=ONE)
        with pytest.raises(Deadlock):
            await post.post(question("2"), to=ONE)
        await post.post(Answer(text="go"), to=ONE, cause=1)
        assert text_of(await post.receive()) == "done"

    async def one(post: Post) -> None:
        await post.request(question("may I?"), to=TWO)
        await post.receive()
        await post.perform(ClockReading(), reading(0, after=1))
        await post.post(question("done"), to=LEAD)

    async def two(post: Post) -> None:
        await post.receive()
        await post.receive()

    addresses = [Address(id=ONE, capacity=1), Address(id=TWO), Address(id=LEAD, leads=True)]
    await run_bus({"lead": lead, "one": one, "two": two}, addresses)


@pytest.mark.parametrize("failure", ["continue", "restart"])
async def test_who_waits_on_a_member_that_fails_for_good_is_told(failure: str) -> None:
    answers: list[Envelope] = []

    async def lead(post: Post) -> None:
        while len(answers) < 2:
            await post.receive()

    async def asker(post: Post) -> None:
        answers.append(await post.request(question(post.address.id), to=ASK))
        await post.post(question("told"), to=LEAD)

    async def broken(post: Post) -> None:
        await post.receive()
        await post.receive()
        raise ValueError("both of them")

    addresses = [
        Address(id=ONE),
        Address(id=TWO),
        Address(id=ECHO, queues=(ASK,), failure=failure),  # type: ignore[arg-type]  # by parameter
        Address(id=LEAD, leads=True),
    ]
    await run_bus({"lead": lead, "one": asker, "two": asker, "echo": broken}, addresses)

    assert [answer.body for answer in answers] == [
        Dropped(seq=answer.cause, reason="echo failed") for answer in answers
    ]


async def test_nobody_is_told_that_an_answered_message_was_dropped() -> None:
    heard: list[str] = []

    async def lead(post: Post) -> None:
        await post.post(question("?"), to=ASK)
        for _ in range(2):
            heard.append(type((await post.receive()).body).__name__)
        with pytest.raises(Deadlock):
            await post.receive()

    async def broken(post: Post) -> None:
        asked = await post.receive()
        await post.post(Answer(text="here"), to=asked.sender, cause=asked.seq)
        raise ValueError("after the answer")

    await run_bus(
        {"lead": lead, "echo": broken},
        [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,), failure="continue")],
    )

    assert heard == ["Answer", "Failed"]


async def test_a_member_that_fails_before_its_first_message_is_restarted_without_posting_again() -> None:
    lives = 0

    async def lead(post: Post) -> None:
        texts = [
            text_of(message) for _ in range(2) if isinstance((message := await post.receive()).body, Answer)
        ]
        assert texts == ["only once"]

    async def early(post: Post) -> None:
        nonlocal lives
        lives += 1
        await post.post(Answer(text="only once"), to=LEAD)
        if lives == 1:
            raise ValueError("before any message")
        await post.receive()

    await run_bus(
        {"lead": lead, "echo": early}, [Address(id=LEAD, leads=True), Address(id=ECHO, failure="restart")]
    )

    assert lives == 2


async def test_a_member_that_fails_again_on_its_way_back_still_gets_the_message_at_which_it_failed() -> None:
    lives = 0
    heard: list[str] = []

    async def lead(post: Post) -> None:
        for text in ("a", "b"):
            await post.post(question(text), to=ECHO)
        while len(heard) < 2:
            message = await post.receive()
            if isinstance(message.body, Answer):
                heard.append(message.body.text)

    async def fragile(post: Post) -> None:
        nonlocal lives
        lives += 1
        for _ in range(2):
            asked = await post.receive()
            if (lives, text_of(asked)) in {(1, "b"), (2, "a")}:
                raise ValueError("twice")
            await post.post(Answer(text=text_of(asked)), to=LEAD, cause=asked.seq)

    await run_bus(
        {"lead": lead, "echo": fragile}, [Address(id=LEAD, leads=True), Address(id=ECHO, failure="restart")]
    )

    assert heard == ["a", "b"]


async def test_a_failure_outside_leaves_nothing_on_the_record_that_a_rerun_would_not_do(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    is_down = True

    async def perform() -> tuple[Reading, Measured]:
        await trio.sleep(1)
        if is_down:
            raise Down("no route")
        return Reading(seconds=0), Measured()

    async def lead(post: Post) -> None:
        await post.post(question("1"), to=ECHO)
        await post.post(question("2"), to=ECHO)  # waits in a mailbox when its reader fails
        await post.perform(ClockReading(), reading(0, after=5))

    async def echo(post: Post) -> None:
        await post.receive()
        await post.perform(ClockReading(), perform)
        await post.receive()

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO)]
    with pytest.raises(InfrastructureFailed):
        await run_bus({"lead": lead, "echo": echo}, addresses, tmp_path)
    is_down = False

    await run_bus({"lead": lead, "echo": echo}, addresses, tmp_path)

    assert not any(b"Dropped" in line for line in plain_lines(tmp_path))


async def test_a_member_cannot_go_on_after_the_outside_failed(autojump_clock: MockClock) -> None:
    went_on = False

    async def perform() -> tuple[Reading, Measured]:
        await trio.sleep(1)
        raise Down("no route")

    async def lead(post: Post) -> None:
        nonlocal went_on
        try:
            await post.perform(ClockReading(), perform)
        except EngineError:
            went_on = True

    with pytest.raises(InfrastructureFailed, match="no route"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])

    assert not went_on


async def test_what_a_member_posts_while_it_is_cancelled_is_no_part_of_the_record(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def lead(post: Post) -> None:
        try:
            await post.perform(ClockReading(), reading(0, after=10))
        finally:
            post.decide("leave", "now", rule="on the way out", candidates={})
            await post.post(question("farewell"), to=LEAD)

    async def echo(post: Post) -> None:
        try:
            await post.receive()
        finally:
            raise ValueError("a clean-up that fails")

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO)]
    with trio.move_on_after(5) as scope:
        await run_bus({"lead": lead, "echo": echo}, addresses, tmp_path)
    assert scope.cancelled_caught
    assert [line for line in plain_lines(tmp_path) if b"Started" not in line] == []

    await run_bus({"lead": lead, "echo": echo}, addresses, tmp_path)


async def test_an_effect_that_the_record_knows_no_answer_to_waits_until_the_record_is_over(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    begun: list[str] = []

    def slow(name: str, seconds: float):
        async def perform() -> tuple[Reading, Measured]:
            begun.append(name)
            await trio.sleep(seconds)
            return Reading(seconds=seconds), Measured()

        async def behave(post: Post) -> None:
            await post.perform(ClockReading(), perform)
            await post.post(question(name), to=LEAD)

        return behave

    async def lead(post: Post) -> None:
        await post.receive()  # ends without waiting for the slow one, which is never paid for again

    addresses = [Address(id=MemberId("a")), Address(id=MemberId("b")), Address(id=LEAD, leads=True)]
    behaviours = {"lead": lead, "a": slow("a", 1), "b": slow("b", 100)}
    await run_bus(behaviours, addresses, tmp_path)
    assert sorted(begun) == ["a", "b"]

    await run_bus(behaviours, addresses, tmp_path)

    assert sorted(begun) == ["a", "b"]


async def test_members_that_never_wait_do_not_hold_the_loop(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        while True:
            await post.request(question("?"), to=Queue("nowhere"))

    async def echo(post: Post) -> None:
        while True:
            await post.post(question("!"), to=ECHO)
            await post.receive()

    with trio.move_on_after(0) as scope:
        await run_bus({"lead": lead, "echo": echo}, [Address(id=ECHO), Address(id=LEAD, leads=True)])

    assert scope.cancelled_caught


async def test_a_leader_that_waits_again_after_every_deadlock_does_not_hold_the_loop() -> None:
    async def lead(post: Post) -> None:
        while True:
            with pytest.raises(Deadlock):
                await post.receive()

    with trio.move_on_after(0) as scope:
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])

    assert scope.cancelled_caught


async def test_a_member_that_awaits_something_of_its_own_is_a_defect_and_no_hang(
    autojump_clock: MockClock,
) -> None:
    async def lead(post: Post) -> None:
        with trio.move_on_after(1):
            await post.receive()
        await post.receive()

    async def busy(post: Post) -> None:
        await post.perform(ClockReading(), reading(0, after=10))

    with pytest.raises(EngineDefect, match="lead awaited something else"):
        await run_bus({"lead": lead, "echo": busy}, [Address(id=LEAD, leads=True), Address(id=ECHO)])


async def test_an_answer_published_to_nobody_does_not_lift_the_deadline(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        answer = await post.request(question("?"), to=ECHO, deadline_seconds=30)
        assert type(answer.body).__name__ == "Expired"

    async def echo(post: Post) -> None:
        asked = await post.receive()
        await post.post(Answer(text="I am at it"), topic=NEWS, cause=asked.seq)
        await post.receive()

    await run_bus({"lead": lead, "echo": echo}, [Address(id=LEAD, leads=True), Address(id=ECHO)])


async def test_a_reply_after_expiry_is_a_message_like_any_other(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        expired = await post.request(question("?"), to=ECHO, deadline_seconds=1)
        second = await post.request(question("again?"), to=ECHO, deadline_seconds=100)
        late = await post.receive()
        assert [type(each.body).__name__ for each in (expired, second, late)] == [
            "Expired",
            "Answer",
            "Answer",
        ]
        assert (text_of(second), text_of(late)) == ("AGAIN?", "?")

    async def slow(post: Post) -> None:
        while True:
            asked = await post.receive()
            await post.perform(ClockReading(), reading(0, after=10))
            await post.post(Answer(text=text_of(asked).upper()), to=asked.sender, cause=asked.seq)

    await run_bus({"lead": lead, "echo": slow}, [Address(id=LEAD, leads=True), Address(id=ECHO)])


async def test_a_deadline_of_a_member_that_has_ended_hides_no_deadlock(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        await post.receive()

    async def one(post: Post) -> None:
        await post.post(question("?"), to=LEAD if post.address.id == TWO else TWO, deadline_seconds=1e6)

    async def two(post: Post) -> None:
        await post.receive()
        await post.receive()

    began = trio.current_time()
    with pytest.raises(Deadlock):
        await run_bus(
            {"lead": lead, "one": one, "two": two},
            [Address(id=LEAD, leads=True), Address(id=ONE), Address(id=TWO)],
        )
    assert trio.current_time() == began


@pytest.mark.parametrize("seconds", [math.inf, math.nan, -1.0])
async def test_a_deadline_that_no_clock_can_reach_is_refused(seconds: float) -> None:
    async def lead(post: Post) -> None:
        await post.request(question("?"), to=ECHO, deadline_seconds=seconds)

    with pytest.raises(MemberFailed, match="None for no deadline"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])


@pytest.mark.parametrize(
    "addresses",
    [
        [Address(id=ECHO), Address(id=ECHO)],
        [Address(id=ECHO, queues=(Queue("echo"),))],
        [Address(id=MemberId("runtime"))],
        [Address(id=ECHO, capacity=0)],
    ],
)
async def test_members_that_cannot_be_told_apart_or_reached_are_refused(addresses: list[Address]) -> None:
    with pytest.raises(BadSpecification):
        await run_bus({}, [Address(id=LEAD, leads=True), *addresses])


async def test_an_infinite_worth_leaves_the_record_readable(tmp_path: Path) -> None:
    worths = {"new": math.inf, "bad": -math.inf, "unknown": math.nan, "known": 0.5}

    async def lead(post: Post) -> None:
        post.decide("arm", "new", rule="upper bound", candidates=worths)

    for _ in range(2):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    (decided,) = read_journal(tmp_path / "journal.jsonl")
    assert isinstance(decided, Decided)
    assert decided.candidates == {"new": 1.7976931348623157e308, "bad": -1.7976931348623157e308, "known": 0.5}


def result(mean: float, values: tuple[float, ...] | list[float] = (1.0,)) -> RunResult:
    evidence = Evidence(node=1, artefact="a", values=values, mean=mean, standard_error=0.0)  # type: ignore[arg-type]
    return RunResult(node=1, evidence=evidence, evaluations=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [result(math.nan), question("\udc80")])
async def test_what_no_record_can_hold_is_the_senders_failure_and_again_in_a_rerun(
    tmp_path: Path, body: RunResult
) -> None:
    reasons: list[str] = []

    async def lead(post: Post) -> None:
        failed = (await post.receive()).body
        assert isinstance(failed, Failed)
        reasons.append(failed.reason)

    async def echo(post: Post) -> None:
        await post.post(body, to=LEAD)

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO, failure="continue")]
    for _ in range(2):
        await run_bus({"lead": lead, "echo": echo}, addresses, tmp_path)

    assert len(reasons) == 2
    assert reasons[0] == reasons[1]


async def test_a_list_where_a_tuple_is_meant_is_no_divergence(tmp_path: Path) -> None:
    async def lead(post: Post) -> None:
        await post.post(result(1, [1, 2]), to=ECHO)

    for _ in range(2):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    assert len(list(read_journal(tmp_path / "journal.jsonl"))) == 2


async def test_the_reason_of_a_failure_is_the_same_in_every_run(tmp_path: Path) -> None:
    async def lead(post: Post) -> None:
        raise KeyError(object(), "\udcff")

    reasons: set[str] = set()
    for _ in range(2):
        with pytest.raises(MemberFailed) as caught:
            await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)
        reasons.add(caught.value.reason)

    assert len(reasons) == 1


async def test_an_answer_is_not_dropped_for_a_newer_message() -> None:
    heard: list[str] = []

    async def lead(post: Post) -> None:
        await post.post(question("to be answered"), to=ECHO)
        await post.perform(ClockReading(), reading(0))
        heard.append(text_of(await post.receive()))
        heard.append(text_of(await post.receive()))

    async def echo(post: Post) -> None:
        asked = await post.receive()
        await post.post(Answer(text="the answer"), to=LEAD, cause=asked.seq)
        for number in range(3):
            await post.post(question(f"{number}"), topic=NEWS)

    leader = Address(id=LEAD, leads=True, topics=(NEWS,), capacity=1, policies={NEWS: "drop-oldest"})
    await run_bus({"lead": lead, "echo": echo}, [leader, Address(id=ECHO)])

    assert heard == ["the answer", "2"]


async def test_members_take_turns_with_the_loop_and_the_record_stays_the_same(tmp_path: Path) -> None:
    async def lead(post: Post) -> None:
        for number in range(700):
            await post.request(question(f"{number}"), to=ASK)

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,))]
    for name in ("a", "b"):
        await run_bus({"lead": lead, "echo": answer_all}, addresses, tmp_path / name)

    assert plain_lines(tmp_path / "a") == plain_lines(tmp_path / "b")
    assert (
        sum(isinstance(record, Posted) for record in read_journal(tmp_path / "a" / "journal.jsonl")) == 1400
    )
