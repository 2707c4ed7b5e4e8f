"""What does a logged message cost?

Question: how much CPU does a request and its answer take over the bus, both recorded in a journal on a real file,
against the same two messages over two raw trio memory channels? And a message published to 1, 10 and 100 subscribers,
for each delivery?

Quantity: CPU microseconds (user and system, of the one thread), medians with least and greatest over repetitions.
Both sides carry one frozen struct with a 40-character text, made anew for each message. No seeds: nothing is drawn.
Beside: raw trio memory channels (the limit: what two tasks pay to hand each other anything at all); autogen-core's
``send_message`` between two agents (optional peer).

Takes about 40 s, 3 minutes with the peer.
Last gave, on 2 cores at a load of 8: logged 18.0 µs (17.0 to 24.0), raw channels 16.0 µs (15.4 to 18.8), ratio 1.11
(0.98 to 1.49); autogen-core 160 µs. Whole table: docs/reference/performance.md.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import trio

from benchmarks.perf.options import Options, parse, peer_python, show
from benchmarks.perf.peers import PeerUnusable, run_peer
from benchmarks.perf.table import Headline, Report, Row, headline, look_at_machine, ratios, row
from engine.bus import Bus
from engine.journal import Journal
from engine.messages import Answer, MemberId, Question, Queue, Topic
from engine.post import Address, Post

TEXT = "forty characters of a question, or so ..."[:40]
CAPACITY = 128
ECHO = Queue("echo")
NEWS = Topic("news")
SUBSCRIBERS = (1, 10, 100)


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show(measure(options, Path(folder)), options)


def measure(options: Options, folder: Path) -> Report:
    before = look_at_machine()
    rows, headlines, notes = _round_trips(options, folder)
    more_rows, more_headlines = _publishing(options, folder)
    return Report(
        script="bus_round_trip",
        question="CPU of a request and its answer over the bus, both in the journal, against raw trio channels.",
        before=before,
        after=look_at_machine(),
        rows=(*rows, *more_rows),
        headlines=(*headlines, *more_headlines),
        notes=tuple(notes),
    )


def cpu_microseconds(main: Callable[[], object], count: int) -> float:
    """CPU time of a call, for each of the ``count`` things that it does."""
    began = time.process_time()
    main()
    return (time.process_time() - began) / count * 1e6


# -- round trips ----------------------------------------------------------------------------------------------------


def _round_trips(options: Options, folder: Path) -> tuple[list[Row], list[Headline], list[str]]:
    trips = options.size(20_000, 200)
    raw: list[float] = []
    eager: list[float] = []
    unlogged: list[float] = []
    logged: list[float] = []
    autogen: list[float] = []
    notes: list[str] = []
    python = peer_python(options, "autogen_core")
    if python is None:
        notes.append("autogen-core was not measured: name an interpreter that has it with --peer-python")
    for repetition in range(options.repetitions):
        raw.append(cpu_microseconds(partial(trio.run, _raw_trips, trips), trips))
        eager.append(cpu_microseconds(partial(trio.run, _raw_trips_without_checkpoint, trips), trips))
        unlogged.append(cpu_microseconds(partial(trio.run, _bus_trips, trips, None), trips))
        place = folder / f"trips-{repetition}"
        logged.append(cpu_microseconds(partial(trio.run, _bus_trips, trips, place), trips))
        if python is not None:
            try:
                autogen.append(run_peer(python, "autogen_bus.py", options.size(2_000, 20))["cpu_us"])
            except PeerUnusable as error:
                notes.append(str(error))
                python = None
    unit = "µs CPU"
    rows = [
        row("round trip on the bus, in the journal", unit, logged),
        row("round trip on the bus, no journal", unit, unlogged),
        row("round trip over two raw trio memory channels", unit, raw, is_ours=False),
        row("the same by send_nowait, which yields to nobody", unit, eager, is_ours=False),
    ]
    written = (folder / "trips-0" / "journal.jsonl").read_bytes().count(b"\n")
    notes.append(f"the journal of {trips} round trips holds {written} lines")
    headlines = [
        headline("logged round trip / raw trio memory channels", ratios(logged, raw), at_most=1.5),
        headline("unlogged round trip / raw trio memory channels", ratios(unlogged, raw)),
    ]
    if autogen and len(autogen) == len(logged):
        rows.append(row("round trip by autogen-core, not logged", unit, autogen, is_ours=False))
        headlines.append(headline("autogen-core / logged round trip", ratios(autogen, logged)))
    return rows, headlines, notes


async def _raw_trips(trips: int) -> None:
    ask, asked = trio.open_memory_channel[Question](CAPACITY)
    answer, answered = trio.open_memory_channel[Answer](CAPACITY)

    async def serve() -> None:
        async for _question in asked:
            await answer.send(Answer(text=TEXT))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        for _ in range(trips):
            await ask.send(Question(text=TEXT))
            await answered.receive()
        nursery.cancel_scope.cancel()


async def _raw_trips_without_checkpoint(trips: int) -> None:
    ask, asked = trio.open_memory_channel[Question](CAPACITY)
    answer, answered = trio.open_memory_channel[Answer](CAPACITY)

    async def serve() -> None:
        async for _question in asked:
            answer.send_nowait(Answer(text=TEXT))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        for _ in range(trips):
            ask.send_nowait(Question(text=TEXT))
            await answered.receive()
        nursery.cancel_scope.cancel()


async def _bus_trips(trips: int, folder: Path | None) -> None:
    async def ask(post: Post) -> None:
        for _ in range(trips):
            await post.request(Question(text=TEXT), to=ECHO)

    async def serve(post: Post) -> None:
        while True:
            envelope = await post.receive()
            await post.post(Answer(text=TEXT), to=envelope.sender, cause=envelope.seq)

    addresses = [Address(id=MemberId("asker"), leads=True), Address(id=MemberId("server"), queues=(ECHO,))]
    journal = Journal(folder)
    try:
        await Bus(addresses, journal).run(lambda post: ask(post) if post.address.leads else serve(post))
    finally:
        journal.close()


# -- publishing -----------------------------------------------------------------------------------------------------


def _publishing(options: Options, folder: Path) -> tuple[list[Row], list[Headline]]:
    ours: dict[int, list[float]] = {count: [] for count in SUBSCRIBERS}
    raw: dict[int, list[float]] = {count: [] for count in SUBSCRIBERS}
    for repetition in range(options.repetitions):
        for count in SUBSCRIBERS:
            messages = max(1, options.size(40_000, 400) // count)
            total = messages * count
            place = folder / f"news-{count}-{repetition}"
            raw[count].append(cpu_microseconds(partial(trio.run, _raw_news, messages, count), total))
            ours[count].append(cpu_microseconds(partial(trio.run, _bus_news, messages, count, place), total))
    rows: list[Row] = []
    headlines: list[Headline] = []
    for count in SUBSCRIBERS:
        rows.append(row(f"published to {count}, in the journal, a delivery", "µs CPU", ours[count]))
        rows.append(
            row(f"sent over {count} raw trio channels, a delivery", "µs CPU", raw[count], is_ours=False)
        )
        headlines.append(headline(f"logged delivery to {count} / raw trio", ratios(ours[count], raw[count])))
    return rows, headlines


async def _raw_news(messages: int, subscribers: int) -> None:
    channels = [trio.open_memory_channel[Question](CAPACITY) for _ in range(subscribers)]

    async def read(channel: trio.MemoryReceiveChannel[Question]) -> None:
        async for _news in channel:
            pass

    async with trio.open_nursery() as nursery:
        for _send, receive in channels:
            nursery.start_soon(read, receive)
        for _ in range(messages):
            body = Question(text=TEXT)
            for send, _receive in channels:
                await send.send(body)
        for send, _receive in channels:
            send.close()


async def _bus_news(messages: int, subscribers: int, folder: Path) -> None:
    async def publish(post: Post) -> None:
        for _ in range(messages):
            await post.post(Question(text=TEXT), topic=NEWS)
        for _ in range(subscribers):  # each says that it has read them all
            await post.receive()

    async def read(post: Post) -> None:
        for _ in range(messages):
            last = await post.receive()
        await post.post(Answer(text=TEXT), to=last.sender, cause=last.seq)

    addresses = [Address(id=MemberId("publisher"), leads=True)]
    addresses += [Address(id=MemberId(f"reader.{n}"), topics=(NEWS,)) for n in range(subscribers)]
    journal = Journal(folder)
    try:
        await Bus(addresses, journal).run(lambda post: publish(post) if post.address.leads else read(post))
    finally:
        journal.close()


if __name__ == "__main__":
    main()
