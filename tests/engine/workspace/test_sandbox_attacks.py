"""Attacks on the sandbox, from inside: every row of the measurements in the notes, and what they left open."""

import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import trio
from conformance.workspace_suite import PYTHON, control_groups, running, unique_sleep, wait_running

from engine.errors import IsolationUnavailable
from engine.workspace import (
    CommandResult,
    IsolationReport,
    Limits,
    WorkspaceLost,
    WorkspaceSpec,
    cgroup,
    guard,
    make_backend,
    profile,
)
from engine.workspace.sandbox import Sandbox

pytestmark = pytest.mark.sandbox
_sandbox = Sandbox()
_ROOT = Path(__file__).parents[3]


@pytest.fixture
async def report() -> IsolationReport:
    report = await _sandbox.self_test()
    if report.missing:
        pytest.skip(f"no sandbox here: {report.text()}")
    return report


async def _shell(script: str, spec: WorkspaceSpec | None = None, **limits: float) -> CommandResult:
    async with _sandbox.open(spec or WorkspaceSpec()) as workspace:
        return await workspace.run_shell(script, limits=Limits(**limits) if limits else None)


async def _python(source: str, spec: WorkspaceSpec | None = None) -> CommandResult:
    async with _sandbox.open(spec or WorkspaceSpec()) as workspace:
        return await workspace.run_python(textwrap.dedent(source))


async def test_every_required_isolation_is_enforced_and_says_by_what(report: IsolationReport) -> None:
    assert report.missing == ()
    assert all(fact.by for fact in report.facts)
    assert report.disk == "hard"
    assert "enforced" in report.text()


async def test_the_self_test_sees_a_hole_when_there_is_one(
    report: IsolationReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Walls without the network namespace, and with the host's /etc, must not pass."""
    whole = profile.walls

    def leaky(*args: object, **named: object) -> list[str]:
        arguments = whole(*args, **named)  # type: ignore[arg-type]
        return ["--ro-bind", "/tmp", "/host-tmp", arguments[0], "--share-net", *arguments[1:]]

    monkeypatch.setattr(profile, "walls", leaky)

    found = await Sandbox().self_test()

    assert "network" in found.missing
    assert "host's loopback SUCCEEDED" in next(fact.by for fact in found.facts if fact.name == "network")


async def test_without_bubblewrap_the_sandbox_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profile, "bubblewrap", lambda: None)

    with pytest.raises(IsolationUnavailable, match="apt-get install bubblewrap"):
        await make_backend("sandbox")
    chosen = await make_backend("process-if-needed")

    assert chosen.backend.name == "process"
    assert "apt-get install bubblewrap" in (chosen.fallback_reason or "")


# --- secrets and the host's files ---


async def test_nothing_of_the_host_is_there_to_be_read(report: IsolationReport) -> None:
    result = await _shell("cat /etc/shadow /etc/hostname; ls /sys /run /home /var /work /boot; ls /root 2>&1")

    seen = result.stdout.decode().split()
    assert set(seen) <= {"ls:", "cannot", "access", "'/root':", "No", "such", "file", "or", "directory"}


async def test_the_first_process_has_no_secrets_in_its_environment_or_descriptors(
    report: IsolationReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "very secret")
    result = await _shell(
        "cat /proc/*/environ; ls /proc/1/fd /proc/1/cwd/ 2>&1; ls -l /proc/self/fd | tail -n +2"
    )

    assert b"very secret" not in result.stdout
    assert b"Permission denied" in result.stdout
    assert result.stdout.count(b"pipe:[") == 3


async def test_the_servers_memory_and_pipes_are_out_of_reach(report: IsolationReport) -> None:
    result = await _python(
        """
        import os
        for path in ("/proc/1/mem", "/proc/1/fd/3", "/proc/1/fd/4", "/proc/1/environ", "/proc/1/maps"):
            try:
                os.close(os.open(path, os.O_RDWR if path.endswith("mem") else os.O_RDONLY))
                print("opened", path)
            except OSError as error:
                pass
        """
    )

    assert result.stdout == b""
    assert result.ok


# --- protected files ---


@pytest.mark.parametrize(
    "attack",
    [
        "echo x >data/in.csv",
        "rm -f data/in.csv",
        "mv data/in.csv data/other",
        "mv data elsewhere && mkdir data && echo x >data/in.csv",
        "ln -sf /tmp/x data/in.csv",
        "cp /bin/true data/in.csv",
        "chmod 777 data/in.csv && echo x >data/in.csv",
        "rm -rf data judge",
        "echo x >judge/new",
        "rm judge/score.py",
        "mv judge judge2 && mkdir judge",
        "truncate -s 0 top.py",
        "mv top.py t; echo x >top.py",
    ],
)
async def test_protected_files_stay_as_they_are(report: IsolationReport, attack: str) -> None:
    files = {"data/in.csv": b"in", "judge/score.py": b"score", "top.py": b"top"}
    spec = WorkspaceSpec(files=files, read_only=("data/in.csv", "judge", "top.py"))

    async with _sandbox.open(spec) as workspace:
        await workspace.run_shell(attack)
        await workspace.run_shell("mkdir -p data/more && echo allowed >data/more/beside")
        after = await workspace.collect()

    assert {path: after.get(path) for path in files} == files
    assert set(after) - set(files) <= {"data/more/beside"}


async def test_protected_files_are_protected_in_a_one_shot_process(report: IsolationReport) -> None:
    spec = WorkspaceSpec(files={"d/a": b"1", "b": b"2"}, read_only=("d/a",))

    async with _sandbox.open_process(
        spec, ["bash", "-c", "echo x >d/a; mv d e; rm -f d/a; cat d/a b"]
    ) as process:
        result = await process.wait()

    assert result.stdout == b"12"


# --- the server and the answers ---


@pytest.mark.parametrize("name", ["KILL", "STOP", "TERM", "SEGV", "INT"])
async def test_no_signal_from_inside_reaches_the_server(report: IsolationReport, name: str) -> None:
    async with _sandbox.open(WorkspaceSpec()) as workspace:
        await workspace.run_shell(f"kill -{name} 1; kill -{name} -1")

        assert (await workspace.run_shell("echo alive")).stdout == b"alive\n"


async def test_a_command_that_renounces_its_daemons_does_not_save_them(report: IsolationReport) -> None:
    token = unique_sleep()
    source = f"""
        import ctypes, os, time
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execvp("sleep", ["sleep", "{token}"])
                os._exit(0)
        time.sleep(0.2)
    """

    async with _sandbox.open(WorkspaceSpec()) as workspace:
        await workspace.run_python(textwrap.dedent(source))

        assert not running(token)


async def test_a_fork_bomb_is_contained_and_the_workspace_survives(report: IsolationReport) -> None:
    spec = WorkspaceSpec(limits=Limits(processes=32))

    async with _sandbox.open(spec) as workspace:
        bomb = await workspace.run_shell(
            ":(){ :|:& };:; sleep 30", limits=Limits(processes=32, wall_seconds=0.5)
        )
        after = await workspace.run_shell("ls /proc | grep -c '^[0-9]'")

    assert bomb.timed_out or not bomb.ok
    assert int(after.stdout) <= 5  # the server, a spare, bash, ls and grep


async def test_processes_are_counted_for_each_sandbox(report: IsolationReport) -> None:
    source = """
        import os
        made = 0
        try:
            while made < 200:
                if os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('signal').pause()
                made += 1
        except OSError: pass
        print(made)
    """
    limits = Limits(processes=20)

    first = await _python(source, WorkspaceSpec(limits=limits))
    second = await _python(source, WorkspaceSpec(limits=limits))

    assert first.stdout == second.stdout
    assert 10 <= int(first.stdout) <= 24


# --- memory, disk, time ---


async def test_memory_beyond_the_limit_ends_the_command_and_not_the_workspace(
    report: IsolationReport,
) -> None:
    spec = WorkspaceSpec(limits=Limits(memory_bytes=64 << 20, disk_bytes=1 << 20))

    async with _sandbox.open(spec) as workspace:
        eater = await workspace.run_python("x = []\nwhile True: x.append(bytearray(b'x') * (8 << 20))")
        after = await workspace.run_shell("echo alive")

    assert not eater.ok
    assert after.stdout == b"alive\n"
    if report.memory == "hard":
        assert (eater.out_of_memory, eater.limit) == (True, "memory")


@pytest.mark.parametrize("place", ["/workspace", "/workspace/kept", "/tmp", "/dev/shm"])
async def test_no_place_can_be_filled_beyond_its_size(report: IsolationReport, place: str) -> None:
    spec = WorkspaceSpec(
        files={"kept/x": b""}, read_only=("kept/x",), limits=Limits(disk_bytes=2 << 20, file_bytes=1 << 30)
    )

    result = await _shell(f"head -c 200M /dev/zero >{place}/fill; stat -c %s {place}/fill", spec)

    assert b"No space left" in result.stderr
    assert int(result.stdout) <= 64 << 20


async def test_many_small_files_fill_the_same_space(report: IsolationReport) -> None:
    spec = WorkspaceSpec(limits=Limits(disk_bytes=1 << 20))
    source = "import os\nfor n in range(5000): os.write(os.open(f'f{n % 900}', 65), b'x' * 4000)"

    async with _sandbox.open(spec) as workspace:
        result = await workspace.run_python(source)
        files = await workspace.collect()

    assert b"No space left" in result.stderr
    assert sum(map(len, files.values())) <= 1 << 20


async def test_a_flood_of_empty_files_loses_the_workspace(
    report: IsolationReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take no space that a size would limit, but memory of the kernel."""
    monkeypatch.setattr(guard, "MOST_FILES", 2000)

    async with _sandbox.open(WorkspaceSpec()) as workspace:
        with pytest.raises(WorkspaceLost, match="2000 files"):
            await workspace.run_python("n = 0\nwhile True: open(f'f{n}', 'w').close(); n += 1")


@pytest.mark.parametrize("place", ["/", "/dev", "/usr", "/proc", "/etc", "/.tools"])
async def test_nothing_else_can_be_written(report: IsolationReport, place: str) -> None:
    result = await _shell(f"echo x >{place}/new")

    assert result.exit_code == 1
    assert result.stderr


# --- the host's end ---


async def test_open_sandboxes_have_their_own_users(report: IsolationReport) -> None:
    async with _sandbox.open(WorkspaceSpec()) as one, _sandbox.open(WorkspaceSpec()) as two:
        users = {(await each.run(["id", "-u"])).stdout for each in (one, two)}

    assert len(users) == (2 if os.geteuid() == 0 else 1)
    assert b"0\n" not in users


async def test_a_killed_server_is_reported_as_lost(report: IsolationReport) -> None:
    async with _sandbox.open(WorkspaceSpec()) as workspace:
        token = unique_sleep()
        async with trio.open_nursery() as nursery:

            async def lose() -> None:
                with pytest.raises(WorkspaceLost):
                    await workspace.run(["sleep", token])

            nursery.start_soon(lose)
            await wait_running(token)
            _kill_parent_of(running(token)[0])

        with pytest.raises(WorkspaceLost):
            await workspace.run(["true"])
        assert not running(token)


def _kill_parent_of(pid: int) -> None:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    os.kill(int(fields[1]), signal.SIGKILL)


_HOST = """
import sys, trio
from engine.workspace import make_backend, WorkspaceSpec
async def main():
    backend = (await make_backend(sys.argv[1])).backend
    report = await backend.self_test()
    async with backend.open(WorkspaceSpec(files={"a": b"1", "p": b"2"}, read_only=("p",))) as workspace:
        result = await workspace.run_shell("id -u; cat a; echo x >p")
        async with backend.open_process(WorkspaceSpec(), ["python", "-I", "-S", "-c", "print('run')"]) as process:
            done = await process.wait()
        print(report.missing, result.stdout, await workspace.collect(), done.stdout, flush=True)
        if len(sys.argv) > 2:
            await workspace.run(["sleep", sys.argv[2]])
trio.run(main)
"""


async def test_when_we_are_killed_the_sandboxes_die_too(report: IsolationReport) -> None:
    token = unique_sleep()
    command = [sys.executable, "-c", _HOST, "sandbox", token]
    run = partial(trio.run_process, command, cwd=_ROOT, stdout=subprocess.PIPE, check=False)
    async with trio.open_nursery() as nursery:
        engine = await nursery.start(run)
        await wait_running(token)
        engine.kill()

    with trio.fail_after(10):
        while running(token):  # noqa: ASYNC110 - another process tells nobody
            await trio.sleep(0.01)
    cgroup.find_homes()
    assert not control_groups(engine.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_gets_a_sandbox_too() -> None:
    """With an interpreter that this user can read: the system's, and our installed packages."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    command = ["setpriv", "--reuid", "31999", "--regid", "31999", "--clear-groups", "/usr/bin/python3"]
    path = {"PYTHONPATH": f"{_ROOT}:{packages}", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    probe = subprocess.run(
        [*command, "-c", "import trio, msgspec, engine"], env=path, capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("the system's Python cannot import our packages as another user")

    done = subprocess.run([*command, "-c", _HOST, "sandbox"], env=path, capture_output=True, check=False)

    expected = f"() {b'31999' + bytes([10]) + b'1'!r} {{'a': b'1', 'p': b'2'}} {b'run' + bytes([10])!r}"
    assert done.stdout.decode().strip() == expected, done.stderr.decode()


@pytest.mark.slow
async def test_a_hundred_openings_cancelled_anywhere_leave_nothing(report: IsolationReport) -> None:
    from conformance.workspace_suite import traces

    before, token = traces(), unique_sleep()

    async def use(milliseconds: int) -> None:
        with trio.move_on_after(milliseconds / 1000):
            async with _sandbox.open(WorkspaceSpec(files={"a": b"x"})) as workspace:
                await workspace.run_shell(f"(setsid sleep {token} &); sleep {token}")

    for batch in range(5):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(use, 20 * number + 7 * batch)

    assert not running(token)
    assert traces() <= before


async def test_python_start_in_a_one_shot_process_needs_no_site(report: IsolationReport) -> None:
    async with _sandbox.open_process(WorkspaceSpec(), [*PYTHON, "-c", "print(6 * 7)"]) as process:
        assert (await process.wait()).stdout == b"42\n"
