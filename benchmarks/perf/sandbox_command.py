"""What does it cost a team to run a command in isolation?

Question: how long does ``bash -c true`` take through the exec server of an open sandbox, against the same as a plain
subprocess without isolation, and against the way of MLGym's environment (write the command to a running shell, sleep
0.1 s, read what is there)? Also: Python in a fork of the warm interpreter, opening a workspace, and opening a one-shot
process whose Python has said its first word. Each on the machine as it is, and with a process that only computes on
every core.

Quantity: wall milliseconds a command, its median over the commands of a repetition; medians of these with least and
greatest over repetitions. The ways take turns command by command. No seeds: nothing is drawn.
Beside: ``trio.run_process`` (the limit: no isolation), and the sleeping shell, written here from its description.

Takes about 90 s.
Last gave, on 2 cores at a load of 7: sandbox 5.7 ms, plain 2.5 ms, sleeping shell 101 ms, ratio 17.5 (15.2 to 18.3);
with busy cores besides 16 ms, 5.1 ms, 105 ms, ratio 6.7 (4.3 to 9.1). Whole table: docs/reference/performance.md.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager

import trio

from benchmarks.perf.options import Options, parse, show
from benchmarks.perf.table import Headline, Report, Row, headline, look_at_machine, ratios, row
from engine.errors import IsolationUnavailable
from engine.workspace import Backend, Workspace, WorkspaceSpec, make_backend

SLEEP_SECONDS = 0.1
"""Between writing a command to the shell and reading its output."""
MARK = b"--done--"

Way = Callable[[], Awaitable[object]]


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(__doc__, argv, repetitions=5)
    show(trio.run(measure, options), options)


async def measure(options: Options) -> Report:
    before = look_at_machine()
    notes: list[str] = []
    rows: list[Row] = []
    headlines: list[Headline] = []
    chosen = await make_backend("process-if-needed")
    if chosen.fallback_reason:
        notes.append(
            f"the sandbox could not be had, so these are figures without isolation: {chosen.fallback_reason}"
        )
    for name, load in (("as it is", 0), ("every core busy", len(os.sched_getaffinity(0)))):
        with busy(load):
            figures = await _repeat(options, chosen.backend)
        rows += [
            row(f"{way}, machine {name}", "ms", values, is_ours=way not in BESIDE)
            for way, values in figures.items()
        ]
        headlines += [
            headline(
                f"the sleeping shell / bash -c in the sandbox, machine {name}",
                ratios(figures[SHELL], figures[BASH]),
                at_least=10.0 if load else 25.0,
            ),
            headline(
                f"bash -c in the sandbox / plain subprocess, machine {name}",
                ratios(figures[BASH], figures[PLAIN]),
            ),
        ]
    return Report(
        script="sandbox_command",
        question="Wall time of `bash -c true` in an open sandbox, against no isolation and against a sleeping shell.",
        before=before,
        after=look_at_machine(),
        rows=tuple(rows),
        headlines=tuple(headlines),
        notes=tuple(notes),
    )


BASH = "bash -c true in the sandbox"
FORKED = "forked warm python in the sandbox"
OPEN = "open a workspace, first command, close"
PROCESS = "open_process, python's first word, close"
PLAIN = "bash -c true as a plain subprocess"
SHELL = "true by a shell and a sleep of 0.1 s"
BESIDE = (PLAIN, SHELL)


async def _repeat(options: Options, backend: Backend) -> dict[str, list[float]]:
    """Milliseconds of each way, one value per repetition."""
    figures: dict[str, list[float]] = {}
    async with backend.open(WorkspaceSpec(name="measured")) as workspace, sleeping_shell() as ask_shell:
        ways = _ways(backend, workspace, ask_shell)
        for way in ways.values():
            await way()
        for _ in range(options.repetitions):
            for name, value in (await _take_turns(ways, options)).items():
                figures.setdefault(name, []).append(value)
    return figures


def _ways(backend: Backend, workspace: Workspace, ask_shell: Way) -> dict[str, Way]:
    async def bash() -> None:
        assert (await workspace.run_shell("true")).ok

    async def forked() -> None:
        assert (await workspace.run_python("pass")).ok

    async def opened() -> None:
        async with backend.open(WorkspaceSpec(name="opened")) as other:
            assert (await other.run_shell("true")).ok

    async def process() -> None:
        source = "print('ready', flush=True); input()"
        async with backend.open_process(WorkspaceSpec(name="one-shot"), ["python", "-c", source]) as running:
            assert await running.receive_exactly(6) == b"ready\n"

    async def plain() -> None:
        await trio.run_process(["bash", "-c", "true"])

    return {BASH: bash, PLAIN: plain, FORKED: forked, SHELL: ask_shell, OPEN: opened, PROCESS: process}


async def _take_turns(ways: dict[str, Way], options: Options) -> dict[str, float]:
    """Median milliseconds of each way; the ways that take long are asked less often."""
    often, seldom = options.size(30, 2), options.size(6, 1)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(often):
        for name, way in ways.items():
            if number < seldom or name not in (OPEN, PROCESS, SHELL):
                began = time.perf_counter()
                await way()
                taken[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(values) for name, values in taken.items()}


@asynccontextmanager
async def sleeping_shell() -> AsyncGenerator[Way]:
    """A running shell that is asked by writing, sleeping and reading; no isolation."""
    shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # noqa: ASYNC220 - its pipes are polled, which is the point
    assert shell.stdin is not None
    assert shell.stdout is not None
    writer, reader = shell.stdin.fileno(), shell.stdout.fileno()
    os.set_blocking(reader, False)

    async def ask() -> None:
        os.write(writer, b"true; echo " + MARK + b"\n")
        said = b""
        while MARK not in said:
            await trio.sleep(SLEEP_SECONDS)
            try:
                said += os.read(reader, 4096)
            except BlockingIOError:
                continue

    try:
        yield ask
    finally:
        shell.kill()
        shell.communicate()


@contextmanager
def busy(processes: int) -> Generator[None]:
    """So many processes that only compute, until the block is left."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


if __name__ == "__main__":
    try:
        main()
    except IsolationUnavailable as error:
        sys.exit(str(error))
