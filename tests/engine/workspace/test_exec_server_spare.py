"""The spares: forks of the exec server that wait to be the next commands."""

import os
import signal
from pathlib import Path

import pytest
import trio
from conformance.workspace_suite import running, sandbox_children, unique_sleep, wait_running

from engine.workspace import Backend, Limits, Workspace, WorkspaceLost, WorkspaceSpec, specification, tree
from engine.workspace.process import Unisolated
from engine.workspace.sandbox import Sandbox

_sandbox = Sandbox()


@pytest.fixture(params=["process", pytest.param("sandbox", marks=pytest.mark.sandbox)])
async def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "process":
        return Unisolated()
    report = await _sandbox.self_test()
    if report.missing:
        pytest.skip(f"no sandbox here: {report.text()}")
    return _sandbox


def _server(backend: Backend) -> int:
    (child,) = sandbox_children()
    return child if backend.name == "process" else tree.children(child)[0]


async def _spares(backend: Backend) -> list[int]:
    """The spares' process ids on the host, oldest first, once all wait and nothing else runs."""
    server = _server(backend)
    with trio.fail_after(20):
        while True:
            children = tree.children(server)
            if len(children) == 2 and all(tree.state(pid) == "S" for pid in children):
                return sorted(children)
            await trio.sleep(0.002)


def _descriptors(pid: int) -> set[str]:
    """What kinds of descriptors it has; only root may look, for the spare is closed to its own user."""
    return {str(each.readlink()).partition(":")[0] for each in Path(f"/proc/{pid}/fd").iterdir()}


def _pid_inside(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("NSpid")).split()[-1])


async def test_a_command_runs_in_the_process_that_waited_for_it(backend: Backend) -> None:
    async with backend.open(WorkspaceSpec()) as workspace:
        for _ in range(3):
            waiting = {_pid_inside(pid) for pid in await _spares(backend)}
            result = await workspace.run_shell("echo $$")

            assert int(result.stdout) in waiting


async def test_no_spare_is_made_while_a_command_runs(backend: Backend) -> None:
    token = unique_sleep()

    async with backend.open(WorkspaceSpec()) as workspace, trio.open_nursery() as nursery:
        await _spares(backend)
        nursery.start_soon(workspace.run, ["sleep", token])
        await wait_running(token)
        for _ in range(3):
            await workspace.run_shell("true")
        await trio.sleep(0.05)

        assert tree.children(_server(backend)) == running(token)
        nursery.cancel_scope.cancel()


async def test_spares_that_die_cost_no_command_and_are_replaced_after_the_next(backend: Backend) -> None:
    async with backend.open(WorkspaceSpec()) as workspace:
        killed = await _spares(backend)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        result = await workspace.run_shell("echo works")

        assert result.stdout == b"works\n"
        assert not set(await _spares(backend)) & set(killed)


async def test_a_command_is_begun_anew_when_its_spare_is_killed_before_it_could_begin(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is changed to stop the spare at the moment when it would let a stopped one go on."""
    source = specification.server_source().replace(b"signal.SIGCONT", b"signal.SIGSTOP")
    monkeypatch.setattr(f"engine.workspace.{backend.name}.server_source", lambda: source)
    results: list[bytes] = []

    async def ask(workspace: Workspace) -> None:
        results.append((await workspace.run(["cat"], stdin=b"works" * 50_000)).stdout)

    async with backend.open(WorkspaceSpec()) as workspace:
        spare, _ = await _spares(backend)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, workspace)
                while tree.state(spare) != "T":  # noqa: ASYNC110 - another process tells nobody
                    await trio.sleep(0.002)
                await trio.sleep(0.05)  # the request is in its pipe now
                os.kill(spare, signal.SIGKILL)

    assert results == [b"works" * 50_000]


@pytest.mark.sandbox
@pytest.mark.parametrize("name", ["KILL", "STOP", "TERM", "HUP"])
async def test_signals_to_everything_do_not_reach_the_next_command(name: str) -> None:
    if (await _sandbox.self_test()).missing:
        pytest.skip("no sandbox here")
    async with _sandbox.open(WorkspaceSpec()) as workspace:
        await _spares(_sandbox)
        for _ in range(4):
            await workspace.run_shell(f"kill -{name} -1", limits=Limits(wall_seconds=1))

            assert (await workspace.run_shell("echo alive")).stdout == b"alive\n"
        await _spares(_sandbox)


async def test_a_spare_has_nothing_of_other_commands(backend: Backend) -> None:
    look = "import os; print(len(os.listdir('/proc/self/fd')), os.environ.get('ONLY_THERE'), input())"

    async with backend.open(WorkspaceSpec()) as workspace:
        await _spares(backend)
        await workspace.run_shell("cat >/dev/null", env={"ONLY_THERE": "secret"}, stdin=b"secret" * 99_999)
        spare, _ = await _spares(backend)
        kinds = _descriptors(spare) if os.geteuid() == 0 else {"pipe"}
        python = await workspace.run_python(look, stdin=b"mine\n")
        await _spares(backend)
        shell = await workspace.run_shell("ls /proc/self/fd | wc -l; echo ${ONLY_THERE-None}; env | wc -l")
        plain = await workspace.run_shell("env | wc -l")

    assert kinds == {"pipe"}
    assert python.stdout == b"4 None mine\n"
    assert shell.stdout == b"4\nNone\n" + plain.stdout


async def test_more_commands_at_once_than_spares_are_all_answered(backend: Backend) -> None:
    answers: dict[int, bytes] = {}

    async def ask(workspace: Workspace, number: int) -> None:
        answers[number] = (await workspace.run(["cat"], stdin=str(number).encode())).stdout

    async with backend.open(WorkspaceSpec()) as workspace:
        await _spares(backend)
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, workspace, number)
        await _spares(backend)

    assert answers == {number: str(number).encode() for number in range(20)}


async def test_a_request_that_does_not_fit_the_spares_pipe_is_run_all_the_same(backend: Backend) -> None:
    async with backend.open(WorkspaceSpec()) as workspace:
        await _spares(backend)
        python = await workspace.run_python(f"print(len('{'x' * 300_000}'))")
        await _spares(backend)
        shell = await workspace.run(["printf", "%s", "y" * 100_000])

    assert python.stdout == b"300000\n"
    assert shell.stdout_bytes == 100_000


async def test_a_command_cancelled_while_it_is_handed_over_leaves_nothing(backend: Backend) -> None:
    token = unique_sleep()

    async with backend.open(WorkspaceSpec()) as workspace:
        for number in range(16):
            await _spares(backend)
            with trio.move_on_after(number / 4000):
                await workspace.run(["sleep", token])
            assert not running(token)

        assert (await workspace.run_shell("echo works")).stdout == b"works\n"
        await _spares(backend)


async def test_the_spare_dies_with_its_server(backend: Backend) -> None:
    async with backend.open(WorkspaceSpec()) as workspace:
        spare, _ = await _spares(backend)
        os.kill(_server(backend), signal.SIGKILL)
        with pytest.raises(WorkspaceLost):
            await workspace.run(["true"])

        with trio.fail_after(10):
            while tree.state(spare) not in "XZ":  # noqa: ASYNC110 - another process tells nobody
                await trio.sleep(0.002)


@pytest.mark.sandbox
async def test_a_command_beside_a_fork_bomb_is_answered(backend: Backend) -> None:
    """It runs, or is told that no process can be made; afterwards there is a spare again."""
    if backend.name != "sandbox":
        pytest.skip("without a sandbox a fork bomb is not contained")
    spec, bomb_is_over = WorkspaceSpec(limits=Limits(processes=32)), trio.Event()

    async def bomb(workspace: Workspace) -> None:
        await workspace.run_shell(":(){ :|:& };:; sleep 30", limits=Limits(processes=32, wall_seconds=1.0))
        bomb_is_over.set()

    async with backend.open(spec) as workspace, trio.open_nursery() as nursery:
        await _spares(backend)
        nursery.start_soon(bomb, workspace)
        with trio.fail_after(20):
            await trio.sleep(0.2)
            beside = await workspace.run_shell("exit 7")
        with trio.fail_after(20):
            await bomb_is_over.wait()
            await _spares(backend)
            after = await workspace.run_shell("echo alive")

    assert beside.exit_code in (7, 126)
    assert after.stdout == b"alive\n"
