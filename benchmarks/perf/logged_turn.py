"""What does one turn of an agent cost the engine?

Question: how much CPU, beside the model and the tool, does a turn take: the model is asked, calls one tool, the tool's
result is appended; everything recorded as in a real episode (each answer synced to the disk before it is used)?

Quantity: milliseconds a turn, CPU (user and system) and wall apart, of 100 episodes at once with 20 turns each (and a
last answer without a tool call), their start, final score and record included. The model is scripted, its answers are
paid for, and the tool adds two numbers. Medians with least and greatest. Seeds: the episode's number.
Beside: the same with the records in a memory file system, where a sync does nothing (the engine's own part); the same
loop without an engine, which writes each message as a line of JSON and syncs nothing (the limit); Inspect AI with its
own mock model, 100 samples of 20 turns, its log on (optional peer; it syncs once,
at the end).

Takes about 20 s, 6 minutes with the peer.
Last gave, on 2 cores at a load of 8: recorded 0.486 ms CPU (0.431 to 0.510) and 4.76 ms wall, without a disk to sync
0.070 ms, bare loop 0.023 ms; Inspect AI 9.28 ms. Whole table: docs/reference/performance.md.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from benchmarks.perf.options import Options, parse, peer_python, show
from benchmarks.perf.peers import PeerUnusable, run_peer
from benchmarks.perf.stand_ins import lead, open_stage
from benchmarks.perf.table import Report, headline, look_at_machine, ratios, row
from engine.member import Behaviour, Member
from engine.models import Request, Scripted
from engine.models.interface import (
    AssistantMessage,
    Completion,
    Conversation,
    Message,
    Model,
    Tool,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)

PEER_REPETITIONS = 3
MEMORY = Path("/dev/shm")
"""A file system without a disk behind it: what is left there is the engine's own part."""


class Sum(msgspec.Struct, frozen=True):
    """Arguments of the tool."""

    a: int
    b: int


ADD = Tool.from_struct(Sum, name="add", description="Add two numbers.")
TASK = UserMessage(text="Add numbers until told to stop.")


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv, repetitions=5)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show(measure(options, Path(folder)), options)


def measure(options: Options, folder: Path) -> Report:
    before = look_at_machine()
    episodes, turns = options.size(100, 3), options.size(20, 4)
    peer_episodes = options.size(100, 2)
    ours: list[tuple[float, float]] = []
    unlogged: list[tuple[float, float]] = []
    diskless: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    inspect: list[dict[str, float]] = []
    notes: list[str] = []
    python = peer_python(options, "inspect_ai")
    if python is None:
        notes.append("Inspect AI was not measured: name an interpreter that has it with --peer-python")
    count = episodes * turns
    for repetition in range(options.repetitions):
        place = folder / str(repetition)
        store = place / "store"
        bare.append(_timed(partial(trio.run, _bare, _made(place / "bare"), episodes, turns), count))
        unlogged.append(_timed(partial(trio.run, _ours, store, None, episodes, turns), count))
        ours.append(_timed(partial(trio.run, _ours, store, place, episodes, turns), count))
        if MEMORY.is_dir():
            with tempfile.TemporaryDirectory(dir=MEMORY) as memory:
                work = partial(trio.run, _ours, store, Path(memory), episodes, turns)
                diskless.append(_timed(work, count))
        if python is not None and repetition < PEER_REPETITIONS:
            try:
                inspect.append(run_peer(python, "inspect_turns.py", peer_episodes, turns, place / "inspect"))
            except PeerUnusable as error:
                notes.append(str(error))
                python = None
    written = sum(path.stat().st_size for path in (folder / "0").glob("trivial--*/journal.jsonl"))
    notes.append(f"the record takes {written / (episodes * turns):.0f} bytes a turn, not compressed")
    cpu = [figure[0] for figure in ours]
    rows = [
        row("a turn, recorded: CPU", "ms CPU", cpu),
        row("a turn, recorded: wall", "ms", [figure[1] for figure in ours]),
        row("a turn, no record: CPU", "ms CPU", [figure[0] for figure in unlogged]),
        row("a turn of the bare loop: CPU", "ms CPU", [figure[0] for figure in bare], is_ours=False),
    ]
    if diskless:
        rows.insert(
            2, row("a turn, recorded in memory (no disk to sync): CPU", "ms CPU", [f[0] for f in diskless])
        )
        rows.insert(
            3, row("a turn, recorded in memory (no disk to sync): wall", "ms", [f[1] for f in diskless])
        )
    headlines = [
        headline("CPU of a logged turn", cpu, unit="ms", at_most=0.5),
        headline("a logged turn / the bare loop", ratios(cpu, [figure[0] for figure in bare])),
    ]
    if inspect:
        theirs = [figure["cpu_ms"] for figure in inspect]
        rows.append(row("a turn by Inspect AI: CPU", "ms CPU", theirs, is_ours=False))
        rows.append(
            row("a turn by Inspect AI: wall", "ms", [figure["wall_ms"] for figure in inspect], is_ours=False)
        )
        headlines.append(headline("Inspect AI / a logged turn (CPU)", ratios(theirs, cpu[: len(theirs)])))
    return Report(
        script="logged_turn",
        question="CPU of one recorded turn: the model is asked, one tool call, its result is appended.",
        before=before,
        after=look_at_machine(),
        rows=tuple(rows),
        headlines=tuple(headlines),
        notes=tuple(notes),
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _timed(run: Callable[[], object], turns: int) -> tuple[float, float]:
    """CPU and wall milliseconds a turn."""
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return (time.process_time() - cpu) / turns * 1e3, (time.perf_counter() - wall) / turns * 1e3


def _script(turns: int) -> Callable[[Request], Completion]:
    """A model that calls the tool at each of its turns, and then says that it is done; its answers are paid for."""

    def answer(request: Request) -> Completion:
        done = len(request.conversation) // 2
        message = AssistantMessage(text="done")
        if done < turns:
            call = ToolCall(id=f"call-{done}", name="add", arguments=f'{{"a":{done},"b":1}}')
            message = AssistantMessage(text="I add one.", tool_calls=(call,))
        return Completion(
            message=message,
            stop_reason="tool_calls" if message.tool_calls else "stop",
            usage=Usage(input_tokens=10, output_tokens=10),
            cost_usd=0.0001,
            model="scripted/model",
        )

    return answer


def _use(call: ToolCall) -> ToolMessage:
    arguments = msgspec.json.decode(call.arguments, type=Sum)
    return ToolMessage(call_id=call.id, text=str(arguments.a + arguments.b))


# -- ours -----------------------------------------------------------------------------------------------------------


async def _ours(artefacts: Path, records: Path | None, episodes: int, turns: int) -> None:
    async with open_stage(artefacts, records) as stage, trio.open_nursery() as nursery:
        for number in range(episodes):
            nursery.start_soon(stage.run, number, [lead(_converse(turns), Scripted(_script(turns)))])


def _converse(turns: int) -> Behaviour:
    async def behave(member: Member) -> None:
        conversation: Conversation = (TASK,)
        asked = 0
        while True:
            completion = await member.generate(conversation, tools=(ADD,))
            calls = completion.message.tool_calls
            if not calls:
                break
            conversation = (*conversation, completion.message, *map(_use, calls))
            asked += 1
        assert asked == turns

    return behave


# -- the limit ------------------------------------------------------------------------------------------------------


async def _bare(folder: Path, episodes: int, turns: int) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(episodes):
            nursery.start_soon(_bare_loop, folder / f"{number}.jsonl", Scripted(_script(turns)))


async def _bare_loop(path: Path, model: Model) -> None:
    encoder = msgspec.json.Encoder()
    conversation: Conversation = (TASK,)
    with path.open("wb", buffering=0) as file:

        def write(message: Message) -> None:
            file.write(encoder.encode(message) + b"\n")

        write(TASK)
        while True:
            completion, _measured = await model.generate(conversation, tools=(ADD,))
            write(completion.message)
            if not completion.message.tool_calls:
                break
            results = tuple(map(_use, completion.message.tool_calls))
            for result in results:
                write(result)
            conversation = (*conversation, completion.message, *results)


if __name__ == "__main__":
    main()
