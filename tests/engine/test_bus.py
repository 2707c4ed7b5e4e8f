"""The bus: order, mailboxes, deadlines, deadlock, failures, and reruns from the record."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import trio
from trio.testing import MockClock

from engine.bus import Bus, InfrastructureFailed
from engine.effects import ClockReading, Reading
from engine.errors import Deadlock, Divergence, EngineError, MemberFailed, OutputUnusable
from engine.interposers import Delay, Drop, Mute, Shuffle
from engine.journal import Decided, Finished, Journal, Posted, Started, read_journal, without_measured
from engine.messages import (
    Answer,
    Dropped,
    Envelope,
    Expired,
    Failed,
    MemberId,
    Question,
    Queue,
    Review,
    Topic,
)
from engine.post import Address, Post
from engine.seeds import Seeds, runtime_stream
from engine.task import Measured

LEAD, ECHO = MemberId("lead"), MemberId("echo")
ASK, NEWS = Queue("ask"), Topic("news")
Behaviour = Callable[[Post], Awaitable[None]]


def question(text: str) -> Question:
    return Question(text=text)


def text_of(envelope: Envelope) -> str:
    assert isinstance(envelope.body, Question | Answer)
    return envelope.body.text


async def answer_all(post: Post) -> None:
    while True:
        asked = await post.receive()
        await post.post(Answer(text=text_of(asked).upper()), to=asked.sender, cause=asked.seq)


async def run_bus(
    behaviours: dict[str, Behaviour], addresses: list[Address], folder: Path | None = None, **options: object
) -> Bus:
    journal = Journal(folder)
    bus = Bus(addresses, journal, **options)  # type: ignore[arg-type]  # options of the bus, as they come
    try:
        await bus.run(lambda post: behaviours[post.address.id](post))
    finally:
        journal.close()
    return bus


def reading(seconds: float, *, after: float = 0.0) -> Callable[[], Awaitable[tuple[Reading, Measured]]]:
    async def perform() -> tuple[Reading, Measured]:
        await trio.sleep(after)
        return Reading(seconds=seconds), Measured(seconds=after)

    return perform


def plain_lines(folder: Path) -> list[bytes]:
    return [without_measured(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


async def test_a_request_is_answered_by_the_member_that_serves_the_queue() -> None:
    answers: list[str] = []

    async def lead(post: Post) -> None:
        answers.append(text_of(await post.request(question("hello"), to=ASK)))

    await run_bus(
        {"lead": lead, "echo": answer_all}, [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,))]
    )

    assert answers == ["HELLO"]


async def test_messages_of_one_sender_arrive_in_the_order_they_were_posted() -> None:
    heard: list[str] = []

    async def lead(post: Post) -> None:
        for number in range(5):
            await post.post(question(str(number)), to=ECHO)
        await post.request(question("done"), to=ECHO)

    async def echo(post: Post) -> None:
        while True:
            message = await post.receive()
            heard.append(text_of(message))
            await post.post(Answer(text=""), to=message.sender, cause=message.seq)

    await run_bus({"lead": lead, "echo": echo}, [Address(id=LEAD, leads=True), Address(id=ECHO)])

    assert heard == ["0", "1", "2", "3", "4", "done"]


async def test_competing_members_share_a_queue_and_none_gets_what_another_got() -> None:
    taken: list[tuple[str, str]] = []

    async def lead(post: Post) -> None:
        for number in range(6):
            await post.post(question(str(number)), to=ASK)
        for _ in range(6):
            await post.receive()

    async def worker(post: Post) -> None:
        while True:
            asked = await post.receive()
            taken.append((post.address.id, text_of(asked)))
            await post.perform(ClockReading(), reading(0))
            await post.post(Answer(text=""), to=LEAD, cause=asked.seq)

    workers = [Address(id=MemberId(f"w{n}"), queues=(ASK,)) for n in (1, 2)]
    await run_bus({"lead": lead, "w1": worker, "w2": worker}, [Address(id=LEAD, leads=True), *workers])

    assert sorted(text for _, text in taken) == list("012345")
    assert {name for name, _ in taken} == {"w1", "w2"}


async def test_a_sender_waits_while_a_blocking_mailbox_is_full() -> None:
    heard: list[str] = []

    async def lead(post: Post) -> None:
        for number in range(10):
            await post.post(question(str(number)), to=ECHO)
        while len(heard) < 10:
            await post.request(question("?"), to=ECHO)

    async def echo(post: Post) -> None:
        while True:
            message = await post.receive()
            if text_of(message) == "?":
                await post.post(Answer(text=""), to=LEAD, cause=message.seq)
            else:
                heard.append(text_of(message))

    await run_bus({"lead": lead, "echo": echo}, [Address(id=LEAD, leads=True), Address(id=ECHO, capacity=2)])

    assert heard == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [
        ("reject", ["0", "1"], ["2", "3"]),
        ("drop-oldest", ["2", "3"], ["0", "1"]),
        ("latest", ["3"], ["0", "1", "2"]),
    ],
)
async def test_a_full_mailbox_does_what_its_policy_says(
    policy: str, kept: list[str], dropped: list[str]
) -> None:
    heard: list[str] = []
    lost: list[int] = []
    numbers: dict[int, str] = {}

    async def lead(post: Post) -> None:
        # The listener gets the baton first and is busy outside while these are posted.
        for number in range(4):
            numbers[await post.post(question(str(number)), topic=NEWS)] = str(number)
        for _ in dropped:
            body = (await post.receive()).body
            assert isinstance(body, Dropped)
            lost.append(body.seq)
        while len(heard) < len(kept):
            await post.perform(ClockReading(), reading(0))

    async def busy(post: Post) -> None:
        await post.perform(ClockReading(), reading(0))
        while True:
            heard.append(text_of(await post.receive()))

    capacity = 1 if policy == "latest" else 2
    listener = Address(id=ECHO, topics=(NEWS,), capacity=capacity, policies={NEWS: policy})  # type: ignore[dict-item]
    await run_bus({"lead": lead, "echo": busy}, [listener, Address(id=LEAD, leads=True)])

    assert heard == kept
    assert [numbers[seq] for seq in lost] == dropped


async def test_a_message_to_nobody_is_dropped_and_its_sender_is_told() -> None:
    async def lead(post: Post) -> None:
        answer = await post.request(question("anyone?"), to=Queue("nowhere"))
        assert isinstance(answer.body, Dropped)
        assert answer.body.reason == "nobody is at nowhere"

    await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])


async def test_a_request_that_nobody_answers_in_time_expires(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        answer = await post.request(question("?"), to=ECHO, deadline_seconds=30)
        assert isinstance(answer.body, Expired)
        assert trio.current_time() - started == pytest.approx(30)

    async def deaf(post: Post) -> None:
        while True:
            await post.receive()

    started = trio.current_time()
    bus = await run_bus({"lead": lead, "echo": deaf}, [Address(id=LEAD, leads=True), Address(id=ECHO)])

    assert not bus.journal.deterministic


async def test_an_expiry_is_replayed_from_the_record_without_waiting(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def lead(post: Post) -> None:
        await post.request(question("?"), to=ECHO, deadline_seconds=3600)
        await post.request(question("?"), to=ECHO, deadline_seconds=7200)

    async def deaf(post: Post) -> None:
        while True:
            await post.receive()

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO)]
    await run_bus({"lead": lead, "echo": deaf}, addresses, tmp_path)
    lines = plain_lines(tmp_path)
    started = trio.current_time()

    await run_bus({"lead": lead, "echo": deaf}, addresses, tmp_path)

    assert trio.current_time() == started
    assert plain_lines(tmp_path) == lines


async def test_a_deadlock_is_told_to_the_leader_with_the_wait_graph() -> None:
    async def lead(post: Post) -> None:
        with pytest.raises(Deadlock) as caught:
            await post.request(question("?"), to=ECHO)
        assert caught.value.waits == {"lead": "an answer from echo", "echo": "a message"}

    async def deaf(post: Post) -> None:
        while True:
            await post.receive()

    await run_bus({"lead": lead, "echo": deaf}, [Address(id=LEAD, leads=True), Address(id=ECHO)])


async def test_a_cycle_of_blocking_senders_is_a_deadlock_and_not_a_hang() -> None:
    async def flood(post: Post) -> None:
        other = ECHO if post.address.id == LEAD else LEAD
        while True:
            await post.post(question("!"), to=other)

    with pytest.raises(Deadlock, match="room in the mailbox"):
        await run_bus(
            {"lead": flood, "echo": flood},
            [Address(id=LEAD, leads=True, capacity=2), Address(id=ECHO, capacity=2)],
        )


async def test_results_are_released_in_the_order_they_were_asked_for(autojump_clock: MockClock) -> None:
    order: list[str] = []

    async def lead(post: Post) -> None:
        for _ in range(3):
            order.append(text_of(await post.receive()))

    def slow(seconds: float) -> Behaviour:
        async def behave(post: Post) -> None:
            await post.perform(ClockReading(), reading(seconds, after=seconds))
            await post.post(question(post.address.id), to=LEAD)

        return behave

    names = {"a": 9.0, "b": 1.0, "c": 5.0}
    addresses = [Address(id=LEAD, leads=True), *(Address(id=MemberId(name)) for name in names)]
    behaviours = {"lead": lead, **{name: slow(seconds) for name, seconds in names.items()}}
    await run_bus(behaviours, addresses)
    assert order == ["a", "b", "c"]
    order.clear()

    await run_bus(behaviours, addresses, arrival_order=True)

    assert order == ["b", "c", "a"]


async def test_outside_work_of_several_members_overlaps(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        for _ in range(3):
            await post.receive()

    async def slow(post: Post) -> None:
        await post.perform(ClockReading(), reading(0, after=10))
        await post.post(question(""), to=LEAD)

    started = trio.current_time()
    addresses = [Address(id=LEAD, leads=True), *(Address(id=MemberId(name)) for name in "abc")]
    await run_bus({"lead": lead, "a": slow, "b": slow, "c": slow}, addresses)

    assert trio.current_time() - started == 10


async def test_a_rerun_is_answered_from_the_record_and_appends_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    async def lead(post: Post) -> None:
        for number in range(3):
            outcome = await post.perform(ClockReading(), count(number))
            assert outcome == Reading(seconds=number)
            post.decide("go on", "yes", rule="always", candidates={"yes": 1.0})

    def count(number: int) -> Callable[[], Awaitable[tuple[Reading, Measured]]]:
        async def perform() -> tuple[Reading, Measured]:
            await trio.lowlevel.checkpoint()
            calls.append(number)
            return Reading(seconds=number), Measured(seconds=0.5)

        return perform

    await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)
    before = (tmp_path / "journal.jsonl").read_bytes()

    await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    assert calls == [0, 1, 2]
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    kinds = [type(record) for record in read_journal(tmp_path / "journal.jsonl")]
    assert kinds == [Started, Finished, Decided] * 3


@pytest.mark.parametrize("cut", [0, 1, 40, 120, 200, 300, 301, 450, 600])
async def test_cut_anywhere_the_record_is_completed_to_the_same_lines(tmp_path: Path, cut: int) -> None:
    async def lead(post: Post) -> None:
        for number in range(3):
            await post.perform(ClockReading(), reading(number))
            await post.request(question(f"{number}"), to=ASK)

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,))]
    await run_bus({"lead": lead, "echo": answer_all}, addresses, tmp_path)
    whole = plain_lines(tmp_path)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:cut])

    await run_bus({"lead": lead, "echo": answer_all}, addresses, tmp_path)

    assert plain_lines(tmp_path) == whole


async def test_an_answer_that_came_before_its_turn_is_not_asked_for_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    calls: list[str] = []

    def slow(name: str, seconds: float) -> Behaviour:
        async def perform() -> tuple[Reading, Measured]:
            calls.append(name)
            await trio.sleep(seconds)
            return Reading(seconds=seconds), Measured()

        async def behave(post: Post) -> None:
            await post.perform(ClockReading(), perform, sync=True)
            await post.post(question(name), to=LEAD)

        return behave

    async def lead(post: Post) -> None:
        await post.receive()
        await post.receive()

    addresses = [Address(id=LEAD, leads=True), Address(id=MemberId("a")), Address(id=MemberId("b"))]
    behaviours = {"lead": lead, "a": slow("a", 100), "b": slow("b", 1)}
    with trio.move_on_after(50):
        await run_bus(behaviours, addresses, tmp_path)

    await run_bus(behaviours, addresses, tmp_path)

    assert calls in (["a", "b", "a"], ["b", "a", "a"])


async def test_a_rerun_that_does_something_else_is_refused(tmp_path: Path) -> None:
    def says(text: str) -> Behaviour:
        async def lead(post: Post) -> None:
            await post.post(question(text), topic=NEWS)

        return lead

    await run_bus({"lead": says("one")}, [Address(id=LEAD, leads=True)], tmp_path)

    with pytest.raises(Divergence, match="start a new folder"):
        await run_bus({"lead": says("two")}, [Address(id=LEAD, leads=True)], tmp_path)


async def test_a_failing_member_ends_the_episode_where_its_policy_is_to_fail() -> None:
    async def lead(post: Post) -> None:
        await post.request(question("?"), to=ASK)

    async def broken(post: Post) -> None:
        await post.receive()
        raise ZeroDivisionError("oh")

    with pytest.raises(MemberFailed, match="member echo failed: ZeroDivisionError: oh"):
        await run_bus(
            {"lead": lead, "echo": broken}, [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,))]
        )


async def test_a_restarted_member_keeps_its_context_and_gets_the_message_again() -> None:
    attempts: list[list[str]] = []
    answers: list[str] = []
    performed: list[int] = []

    async def lead(post: Post) -> None:
        for text in ("one", "two", "three"):
            await post.post(question(text), to=ASK)
        while len(answers) < 3:
            envelope = await post.receive()
            if isinstance(envelope.body, Answer):
                answers.append(envelope.body.text)

    async def fragile(post: Post) -> None:
        context: list[str] = []
        attempts.append(context)
        while True:
            asked = await post.receive()

            async def perform() -> tuple[Reading, Measured]:
                await trio.lowlevel.checkpoint()
                performed.append(asked.seq)
                return Reading(seconds=0), Measured()

            await post.perform(ClockReading(), perform)
            if text_of(asked) == "two" and len(attempts) == 1:
                raise ValueError("once")
            context.append(text_of(asked))
            await post.post(Answer(text=" ".join(context)), to=LEAD, cause=asked.seq)

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,), failure="restart")]
    await run_bus({"lead": lead, "echo": fragile}, addresses)

    assert answers == ["one", "one two", "one two three"]
    assert attempts == [["one"], ["one", "two", "three"]]
    assert len(performed) == 4  # the first message's effect was not done again


async def test_after_two_restarts_the_episode_goes_on_without_the_member() -> None:
    actions: list[str] = []

    async def lead(post: Post) -> None:
        await post.post(question("?"), to=ASK)
        while True:
            body = (await post.receive()).body
            if isinstance(body, Failed):
                actions.append(body.action)
            if isinstance(body, Dropped):
                return

    async def broken(post: Post) -> None:
        await post.receive()
        raise ValueError("always")

    await run_bus(
        {"lead": lead, "echo": broken},
        [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,), failure="restart")],
    )

    assert actions == ["restart", "restart", "continue"]


async def test_what_the_outside_fails_at_is_not_put_on_the_record(tmp_path: Path) -> None:
    class Down(EngineError):
        """Raised when the outside is down."""

    async def perform() -> tuple[Reading, Measured]:
        await trio.lowlevel.checkpoint()
        raise Down("no route")

    async def lead(post: Post) -> None:
        await post.perform(ClockReading(), perform)

    with pytest.raises(InfrastructureFailed, match="no route"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    assert [type(record) for record in read_journal(tmp_path / "journal.jsonl")] == [Started]


async def test_a_decision_may_weigh_its_candidates_with_numbers_out_of_numpy(tmp_path: Path) -> None:
    async def lead(post: Post) -> None:
        post.decide(
            "go on", "yes", rule="the larger", candidates={"yes": np.float64(0.75), "no": np.float32(0)}
        )

    await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)], tmp_path)

    (decided,) = read_journal(tmp_path / "journal.jsonl")
    assert isinstance(decided, Decided)
    assert decided.candidates == {"yes": 0.75, "no": 0.0}


async def test_a_full_disk_beyond_the_record_ends_the_whole_run() -> None:
    async def perform() -> tuple[Reading, Measured]:
        await trio.lowlevel.checkpoint()
        raise OutputUnusable("no space left for scores")

    async def lead(post: Post) -> None:
        await post.perform(ClockReading(), perform)

    with pytest.raises(OutputUnusable, match="no space left"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])


async def test_a_defect_in_what_does_an_effect_is_not_held_against_the_member() -> None:
    async def perform() -> tuple[Reading, Measured]:
        await trio.lowlevel.checkpoint()
        raise OSError("too many open files")

    async def lead(post: Post) -> None:
        await post.perform(ClockReading(), perform)

    with pytest.raises(InfrastructureFailed, match="too many open files"):
        await run_bus({"lead": lead}, [Address(id=LEAD, leads=True)])


def review(node: int, confidence: float) -> Review:
    return Review(node=node, verdict="accept", confidence=confidence)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("interposer", "expected"),
    [
        (lambda _: Mute(NEWS), []),
        (lambda rng: Drop(NEWS, 1.0, rng), []),
        (lambda rng: Drop(NEWS, 0.0, rng), [(1, 0.1), (2, 0.2), (3, 0.3)]),
        (lambda _: Delay(NEWS, 1), [(1, 0.1), (2, 0.2)]),
    ],
)
async def test_interposers_change_what_subscribers_hear_and_nothing_else(
    interposer: Callable[[object], Mute], expected: list[tuple[int, float]]
) -> None:
    heard: list[tuple[int, float]] = []

    async def lead(post: Post) -> None:
        for node in (1, 2, 3):
            await post.post(review(node, node / 10), topic=NEWS, to=MemberId("direct"))
        for _ in range(3):
            await post.request(question("?"), to=MemberId("direct"))

    async def direct(post: Post) -> None:
        while True:
            message = await post.receive()
            if isinstance(message.body, Question):
                await post.post(Answer(text=""), to=LEAD, cause=message.seq)

    async def listener(post: Post) -> None:
        while True:
            body = (await post.receive()).body
            assert isinstance(body, Review)
            heard.append((int(body.node), body.confidence))

    rng = runtime_stream(Seeds(task=1, team=1, evaluation=1), "test")
    addresses = [
        Address(id=LEAD, leads=True),
        Address(id=MemberId("direct")),
        Address(id=ECHO, topics=(NEWS,)),
    ]
    await run_bus(
        {"lead": lead, "direct": direct, "echo": listener}, addresses, interposers=[interposer(rng)]
    )

    assert heard == expected


def test_shuffled_messages_keep_their_node_and_say_what_another_said() -> None:
    shuffle = Shuffle(NEWS, runtime_stream(Seeds(task=1, team=1, evaluation=1), "test"))

    out = [
        shuffle.pass_on(Envelope(seq=n, sender=LEAD, topic=NEWS, body=review(n, n / 100)), ECHO)[0].body
        for n in range(1, 21)
    ]

    assert [int(body.node) for body in out if isinstance(body, Review)] == list(range(1, 21))
    said = [round(body.confidence * 100) for body in out if isinstance(body, Review)]
    assert said != list(range(1, 21))
    assert all(value <= node for node, value in enumerate(said, start=1))


async def test_cancelled_at_any_point_nothing_is_left_running(autojump_clock: MockClock) -> None:
    async def lead(post: Post) -> None:
        for _ in range(5):
            await post.request(question("?"), to=ASK, deadline_seconds=50)
            await post.perform(ClockReading(), reading(0, after=1))

    async def echo(post: Post) -> None:
        while True:
            asked = await post.receive()
            await post.perform(ClockReading(), reading(0, after=1))
            await post.post(Answer(text=""), to=asked.sender, cause=asked.seq)

    addresses = [Address(id=LEAD, leads=True), Address(id=ECHO, queues=(ASK,))]
    living = trio.lowlevel.current_statistics().tasks_living
    for tenths in range(0, 105, 5):
        with trio.move_on_after(tenths / 10):
            await run_bus({"lead": lead, "echo": echo}, addresses)
        assert trio.lowlevel.current_statistics().tasks_living == living


async def test_the_same_members_publish_the_same_messages_whatever_trio_does(tmp_path: Path) -> None:
    async def lead(post: Post) -> None:
        for number in range(8):
            await post.post(question(f"{number}"), to=ASK)
        for _ in range(8):
            await post.receive()

    async def worker(post: Post) -> None:
        while True:
            asked = await post.receive()
            await post.perform(ClockReading(), reading(1, after=0.0005 * (asked.seq % 3)))
            await post.post(Answer(text=post.address.id), to=LEAD, cause=asked.seq)

    addresses = [Address(id=LEAD, leads=True), *(Address(id=MemberId(n), queues=(ASK,)) for n in "abc")]
    behaviours = {"lead": lead, **dict.fromkeys("abc", worker)}
    records: set[tuple[bytes, ...]] = set()
    for number in range(10):
        await run_bus(behaviours, addresses, tmp_path / str(number))
        records.add(tuple(plain_lines(tmp_path / str(number))))

    assert len(records) == 1
    assert sum(b'"Posted"' in line for line in records.pop()) == 16


def test_records_are_read_while_they_are_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.put(Posted(seq=1, sender=LEAD, body=question("x")))
    journal.flush()
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"type":"Posted","seq":2,"sen')

    assert [
        record.seq for record in read_journal(tmp_path / "journal.jsonl") if isinstance(record, Posted)
    ] == [1]

    journal.close()
