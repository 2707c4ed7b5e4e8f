"""What every workspace backend must do. Subclass `WorkspaceSuite` and give it a `backend` fixture."""

import os
import secrets
import sys
from pathlib import Path

import pytest
import trio

from engine.workspace import (
    Backend,
    FileRefused,
    FrameTooLarge,
    InvalidCommand,
    InvalidPath,
    Limits,
    ProcessEnded,
    WorkspaceFull,
    WorkspaceSpec,
)

PLAIN = WorkspaceSpec()
PYTHON = ["python", "-I", "-S", "-E"]
ECHO = b"""
import struct, sys
while head := sys.stdin.buffer.read(4):
    body = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
    sys.stdout.buffer.write(head + body[::-1]); sys.stdout.buffer.flush()
"""


def unique_sleep() -> str:
    """A duration for ``sleep`` by which the process can be told from all others on this machine."""
    return f"{1000 + secrets.randbelow(1 << 40) / (1 << 40):.14f}"


def running(argument: str) -> list[int]:
    """The processes of this machine that have the argument on their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if argument.encode() in words:
                found.append(int(folder.name))
    return found


async def wait_running(argument: str) -> None:
    """Wait until such a process is there."""
    with trio.fail_after(20):
        while not running(argument):  # noqa: ASYNC110 - another process tells nobody
            await trio.sleep(0.005)


def traces() -> set[str]:
    """What a workspace could leave behind on the host: mounts, control groups, folders, child processes."""
    mounts = {line for line in Path("/proc/self/mounts").read_text().splitlines() if "mlyceum" in line}
    groups = set(control_groups(os.getpid()))
    folders = {str(path) for path in Path(os.environ.get("TMPDIR", "/tmp")).glob(f"mlyceum-{os.getpid()}-*")}
    return mounts | groups | folders | {f"process {pid}" for pid in sandbox_children()}


def control_groups(pid: int) -> list[str]:
    """The control groups that this process made. Others come and go meanwhile, which `os.walk` suffers."""
    prefix = f"mlyceum-{pid}-"
    return [
        f"{at}/{name}"
        for at, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(prefix)
    ]


def sandbox_children() -> list[int]:
    """Children of this process, whatever they run, except the holder of the private mount namespace."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if Path(f"/proc/{pid}/cmdline").read_bytes() != b"cat\0":
                found.append(int(pid))
    return found


def content(folder: Path) -> dict[str, bytes]:
    """The files in a folder of the host."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class WorkspaceSuite:
    """Scenarios; each opens what it needs from the `backend` fixture."""

    async def test_a_command_returns_its_exit_code_and_both_streams(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell("echo out; echo err >&2; exit 7")

        assert (result.exit_code, result.stdout, result.stderr) == (7, b"out\n", b"err\n")
        assert not result.ok
        assert not result.truncated
        assert result.limit is None

    async def test_stdin_and_output_are_bytes_of_any_value(self, backend: Backend) -> None:
        every_byte = bytes(range(256)) * 1000

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["cat"], stdin=every_byte)

        assert result.stdout == every_byte

    async def test_a_command_that_ignores_its_stdin_is_no_error(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["true"], stdin=bytes(1 << 20))

        assert result.ok

    async def test_a_missing_program_is_exit_code_127(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["no-such-program-here"])

        assert result.exit_code == 127
        assert b"no-such-program-here" in result.stderr

    async def test_a_folder_as_program_is_exit_code_126(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["/usr"])

        assert result.exit_code == 126

    async def test_death_by_a_signal_is_told_from_an_exit(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell("kill -TERM $$")

        assert (result.exit_code, result.signal) == (None, 15)

    async def test_a_command_runs_in_the_folder_and_with_the_variables_given(self, backend: Backend) -> None:
        spec = WorkspaceSpec(files={"deep/er/x": b""}, env={"ONE": "1", "TWO": "2"})

        async with backend.open(spec) as workspace:
            result = await workspace.run_shell("ls; echo $ONE $TWO", cwd="deep/er", env={"TWO": "two"})

        assert result.stdout == b"x\n1 two\n"

    async def test_variables_of_the_host_are_not_seen(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOME_API_KEY", "very secret")

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["env"])

        names = {line.split("=")[0] for line in result.stdout.decode().splitlines()}
        assert "SOME_API_KEY" not in names
        assert {"PATH", "HOME", "LANG", "PYTHONHASHSEED", "OMP_NUM_THREADS"} <= names

    async def test_python_hashes_alike_in_every_workspace_and_way_of_running(self, backend: Backend) -> None:
        said = set()
        for _ in range(2):
            async with backend.open(PLAIN) as workspace:
                said.add((await workspace.run_python("print(hash('seed'))")).stdout)
                said.add((await workspace.run(["python3", "-c", "print(hash('seed'))"])).stdout)

        assert len(said) == 1

    # --- warm Python ---

    async def test_python_source_runs_as_main_with_its_arguments_and_stdin(self, backend: Backend) -> None:
        source = "import sys\nif __name__ == '__main__': print(sys.argv[1:], sys.stdin.read())"

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_python(source, argv=["a", "b c"], stdin="é".encode())

        assert result.stdout.decode() == "['a', 'b c'] é\n"

    async def test_python_imports_what_lies_in_the_workspace(self, backend: Backend) -> None:
        async with backend.open(WorkspaceSpec(files={"helper.py": b"VALUE = 42"})) as workspace:
            result = await workspace.run_python("import helper; print(helper.VALUE)")
            files = await workspace.list_files()

        assert result.stdout == b"42\n"
        assert files == ("helper.py",)

    @pytest.mark.parametrize(
        "source, exit_code, said",
        [
            ("raise SystemExit(3)", 3, b""),
            ("raise SystemExit('so long')", 1, b"so long\n"),
            ("1 / 0", 1, b"ZeroDivisionError: division by zero\n"),
            ("def broken(:", 1, b"SyntaxError: invalid syntax\n"),
            ("import os; os._exit(5)", 5, b""),
        ],
    )
    async def test_python_ends_as_an_interpreter_would(
        self, backend: Backend, source: str, exit_code: int, said: bytes
    ) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_python(source)

        assert result.exit_code == exit_code
        assert result.stderr.endswith(said)

    async def test_runs_of_python_share_nothing(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            await workspace.run_python("import json; json.leak = 1; import sys; sys.modules['leak'] = json")
            result = await workspace.run_python(
                "import json, sys; print(hasattr(json, 'leak'), 'leak' in sys.modules)"
            )

        assert result.stdout == b"False False\n"

    # --- limits and killing ---

    async def test_commands_run_at_the_same_time_and_keep_their_answers_apart(self, backend: Backend) -> None:
        answers: dict[int, bytes] = {}

        async with backend.open(PLAIN) as workspace, trio.open_nursery() as nursery:

            async def ask(number: int) -> None:
                answers[number] = (await workspace.run_shell(f"sleep 0.0{9 - number}; echo {number}")).stdout

            for number in range(8):
                nursery.start_soon(ask, number)

        assert answers == {number: f"{number}\n".encode() for number in range(8)}

    async def test_a_timeout_kills_the_whole_tree(self, backend: Backend) -> None:
        """Also what went into its own session and forked twice."""
        token = unique_sleep()
        script = (
            f"echo begun; (setsid sleep {token} & sleep {token}) & setsid sleep {token} & exec sleep {token}"
        )

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell(script, limits=Limits(wall_seconds=0.3))

            assert (result.timed_out, result.limit, result.stdout) == (True, "wall", b"begun\n")
            assert not running(token)

    async def test_what_a_command_leaves_behind_dies_with_it(self, backend: Backend) -> None:
        """A background child that holds stdout does not delay the answer either."""
        token = unique_sleep()

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell(f"sleep {token} & (setsid sleep {token} &) ; echo done")

            assert (result.stdout, result.exit_code) == (b"done\n", 0)
            assert not running(token)

    async def test_killing_one_command_spares_the_others(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace, trio.open_nursery() as nursery:
            spared = []

            async def long() -> None:
                spared.append(await workspace.run_shell("(sleep 0.6; echo child) & wait; echo alive"))

            nursery.start_soon(long)
            await workspace.run_shell("sleep 60 & sleep 60", limits=Limits(wall_seconds=0.2))

        assert spared[0].stdout == b"child\nalive\n"

    async def test_a_cancelled_command_is_dead_before_the_call_returns(self, backend: Backend) -> None:
        token = unique_sleep()

        async with backend.open(PLAIN) as workspace:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(workspace.run_shell, f"(setsid sleep {token} &); sleep {token}")
                await wait_running(token)
                nursery.cancel_scope.cancel()

            assert not running(token)
            assert (await workspace.run(["true"])).ok

    async def test_leaving_the_block_ends_everything(self, backend: Backend) -> None:
        token, before = unique_sleep(), traces()

        async with trio.open_nursery() as nursery, backend.open(PLAIN) as workspace:
            nursery.start_soon(workspace.run_shell, f"(setsid sleep {token} &); sleep {token}")
            await wait_running(token)
            nursery.cancel_scope.cancel()

        assert not running(token)
        assert traces() <= before

    @pytest.mark.parametrize("milliseconds", [0, 2, 6, 15, 40])
    async def test_cancelled_while_it_opens_it_leaves_nothing(
        self, backend: Backend, milliseconds: int
    ) -> None:
        await backend.self_test()
        before = traces()

        with trio.move_on_after(milliseconds / 1000):
            async with backend.open(WorkspaceSpec(files={"a": b"1"})) as workspace:
                await workspace.run_shell("sleep 5")

        assert traces() <= before

    async def test_output_beyond_the_limit_is_counted_and_dropped(self, backend: Backend) -> None:
        limits = Limits(output_bytes=1000)

        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell("head -c 5000000 /dev/zero; echo short >&2", limits=limits)

        assert (result.stdout, result.stdout_bytes, result.truncated) == (bytes(1000), 5_000_000, True)
        assert result.stderr == b"short\n"

    @pytest.mark.slow
    async def test_a_gigabyte_of_output_is_survived(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["head", "-c", "1G", "/dev/zero"])

        assert (result.stdout_bytes, len(result.stdout)) == (1 << 30, 1 << 20)

    async def test_a_file_larger_than_allowed_is_cut(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell(
                "exec head -c 9000 /dev/zero >f", limits=Limits(file_bytes=5000)
            )

            assert result.limit == "file"
            assert len(await workspace.read("f")) == 5000

    @pytest.mark.slow
    async def test_cpu_time_is_limited(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run_shell("while :; do :; done", limits=Limits(cpu_seconds=1))

        assert result.limit == "cpu"
        assert result.measured.cpu_seconds > 0.5

    async def test_more_memory_than_allowed_is_not_given(self, backend: Backend) -> None:
        limits = Limits(memory_bytes=200 << 20, disk_bytes=1 << 20)

        async with backend.open(WorkspaceSpec(limits=limits)) as workspace:
            result = await workspace.run_python("data = bytearray(b'x') * (900 << 20); print('got it')")

        assert not result.ok
        assert result.stdout == b""

    # --- commands that are none ---

    async def test_an_unclosed_quote_is_the_shells_error_and_harms_nothing(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            broken = await workspace.run_shell("echo 'never closed")
            after = await workspace.run_shell("echo fine")

        assert broken.exit_code == 2
        assert after.stdout == b"fine\n"

    @pytest.mark.parametrize("argv", [[], [""], ["echo", "a\0b"], ["echo", "x" * (3 << 20)]])
    async def test_what_cannot_be_passed_to_a_program_is_refused(
        self, backend: Backend, argv: list[str]
    ) -> None:
        async with backend.open(PLAIN) as workspace:
            with pytest.raises(InvalidCommand):
                await workspace.run(argv)

    async def test_one_argument_that_the_kernel_does_not_take_is_exit_code_126(
        self, backend: Backend
    ) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["echo", "x" * (1 << 20)])

        assert result.exit_code == 126
        assert b"too long" in result.stderr

    async def test_arguments_that_are_no_utf8_pass_through(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            result = await workspace.run(["printf", "%s", os.fsdecode(b"\xff\xfe")])

        assert result.stdout == b"\xff\xfe"

    # --- files ---

    async def test_files_go_in_and_come_back(self, backend: Backend) -> None:
        files = {"a.txt": b"one", "deep/b.bin": bytes(range(256)), "run.sh": b"#!/bin/sh\necho hello\n"}

        async with backend.open(WorkspaceSpec(files=files)) as workspace:
            await workspace.write("deep/er/c", b"two")
            result = await workspace.run(["./run.sh"])

            assert result.stdout == b"hello\n"
            assert await workspace.list_files() == ("a.txt", "deep/b.bin", "deep/er/c", "run.sh")
            assert await workspace.collect() == {**files, "deep/er/c": b"two"}

    @pytest.mark.parametrize(
        "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\0b", "a/./b", "x" * 300]
    )
    async def test_paths_that_are_not_plain_are_refused(self, backend: Backend, path: str) -> None:
        async with backend.open(PLAIN) as workspace:
            with pytest.raises(InvalidPath):
                await workspace.read(path)
            with pytest.raises(InvalidPath):
                await workspace.write(path, b"")
            with pytest.raises(InvalidPath):
                await workspace.run(["true"], cwd=path)

    async def test_a_symbolic_link_leads_the_host_nowhere(self, backend: Backend, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"of the host")
        links = f"ln -s {tmp_path}/secret file; ln -s {tmp_path} folder; mkdir real; ln -s real alias"

        async with backend.open(PLAIN) as workspace:
            await workspace.run_shell(links)

            for path in ("file", "folder/secret", "alias/x"):
                with pytest.raises(FileRefused):
                    await workspace.read(path)
            for path in ("folder/planted", "alias/planted"):
                with pytest.raises(FileRefused):
                    await workspace.write(path, b"x")
            with pytest.raises(FileRefused, match="symbolic link"):
                await workspace.collect()
            assert await workspace.list_files() == ()
            await workspace.write("file", b"replaces the link itself")

        assert content(tmp_path) == {"secret": b"of the host"}

    @pytest.mark.parametrize(
        "make, why",
        [
            ("mkfifo x", "pipe"),
            ("mkdir x", "folder"),
            ("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"x\")'", "socket"),
            ("head -c 2000 /dev/zero >x", "larger than 1000"),
            ("truncate -s 10G x", "larger than 1000"),
            ("true", "does not exist"),
        ],
    )
    async def test_what_is_no_plain_file_within_the_limit_is_not_read(
        self, backend: Backend, make: str, why: str
    ) -> None:
        async with backend.open(WorkspaceSpec(limits=Limits(file_bytes=20 << 30))) as workspace:
            assert (await workspace.run_shell(make)).ok

            with pytest.raises(FileRefused, match=why):
                await workspace.read("x", limit_bytes=1000)

    async def test_collecting_stops_at_its_limits(self, backend: Backend) -> None:
        async with backend.open(WorkspaceSpec(files={"a": bytes(600), "b": bytes(600)})) as workspace:
            with pytest.raises(FileRefused, match="1000 bytes"):
                await workspace.collect(limit_bytes=1000)
            with pytest.raises(FileRefused, match="more than 1"):
                await workspace.collect(limit_files=1)

    async def test_a_very_deep_tree_is_refused(self, backend: Backend) -> None:
        async with backend.open(PLAIN) as workspace:
            await workspace.run_python("import os\nfor _ in range(60): os.mkdir('d'); os.chdir('d')")

            with pytest.raises(FileRefused, match="deeper"):
                await workspace.collect()

    async def test_a_fork_begins_alike_and_goes_its_own_way(self, backend: Backend) -> None:
        async with backend.open(WorkspaceSpec(files={"a": b"1"})) as workspace:
            await workspace.write("b", b"2")
            async with workspace.fork() as copy:
                await copy.run_shell("echo changed >a")
                await workspace.run_shell("rm b")

                assert await copy.collect() == {"a": b"changed\n", "b": b"2"}
            assert await workspace.collect() == {"a": b"1"}

    async def test_the_host_does_not_write_to_protected_paths(self, backend: Backend) -> None:
        spec = WorkspaceSpec(files={"data/in": b"1", "data/out": b"2"}, read_only=("data/in",))

        async with backend.open(spec) as workspace:
            for path in ("data/in", "data", "data/in/x"):
                with pytest.raises(InvalidPath):
                    await workspace.write(path, b"changed")
            await workspace.write("data/out", b"3")

            assert await workspace.collect() == {"data/in": b"1", "data/out": b"3"}

    @pytest.mark.parametrize(
        "spec, error",
        [
            (WorkspaceSpec(files={"../x": b""}), InvalidPath),
            (WorkspaceSpec(files={"a": b"", "a/b": b""}), InvalidPath),
            (WorkspaceSpec(files={"a": b""}, read_only=("b",)), InvalidPath),
            (WorkspaceSpec(files={"a": bytes(2000)}, limits=Limits(disk_bytes=1000)), WorkspaceFull),
        ],
    )
    async def test_files_that_may_not_enter_are_refused_at_the_door(
        self, backend: Backend, spec: WorkspaceSpec, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            async with backend.open(spec):
                pass

    # --- streaming processes ---

    async def test_a_process_answers_frames(self, backend: Backend) -> None:
        spec = WorkspaceSpec(files={"echo.py": ECHO})

        async with backend.open_process(spec, [*PYTHON, "echo.py"]) as process:
            await process.send_frame(b"abc")
            assert await process.receive_frame() == b"cba"
            await process.send_frame(bytes(500_000))
            assert await process.receive_frame() == bytes(500_000)
            await process.close_stdin()
            result = await process.wait()

        assert result.ok
        assert result.measured.cpu_seconds > 0

    async def test_protected_files_that_changed_are_told(self, backend: Backend) -> None:
        """In the sandbox they cannot change; where nothing isolates, who changed one is found out."""
        spec = WorkspaceSpec(files={"kept/a": b"1", "kept/b": b"2", "free": b"3"}, read_only=("kept",))
        program = """
import os, sys
for path in ("kept/a", "free"):
    try:
        os.chmod("kept", 0o755)
    except OSError:
        pass
    try:
        os.remove(path)
        open(path, "w").write("9")
    except OSError:
        pass
sys.stdout.write("done"); sys.stdout.flush(); sys.stdin.read()
"""
        async with backend.open_process(spec, [*PYTHON, "-c", program]) as process:
            before = await process.receive_exactly(4)
            changed = await process.changed_files()
            await process.kill()

        assert before == b"done"
        assert changed == (("kept/a",) if backend.name == "process" else ())

    async def test_an_early_end_says_how_it_ended_and_what_stderr_said(self, backend: Backend) -> None:
        program = "import sys; sys.stdout.write('abc'); sys.stdout.flush(); sys.exit('gone wrong')"

        async with backend.open_process(PLAIN, [*PYTHON, "-c", program]) as process:
            with pytest.raises(ProcessEnded, match=r"exit code 1.*gone wrong") as caught:
                await process.receive_frame()

        assert caught.value.stderr == b"gone wrong\n"

    async def test_an_announced_frame_beyond_the_limit_is_not_read(self, backend: Backend) -> None:
        program = "import sys; sys.stdout.buffer.write(b'\\xff' * 100); sys.stdout.flush(); sys.stdin.read()"

        async with backend.open_process(PLAIN, [*PYTHON, "-c", program]) as process:
            with pytest.raises(FrameTooLarge):
                await process.receive_frame(1000)

    async def test_a_process_that_closed_its_stdin_cannot_be_sent_to(self, backend: Backend) -> None:
        """In a sandbox that only shows when its time is up: the launcher holds the other end too."""
        spec = WorkspaceSpec(limits=Limits(wall_seconds=0.5))
        program = "import os; os.close(0); os.write(1, b'closed'); import time; time.sleep(60)"

        async with backend.open_process(spec, [*PYTHON, "-c", program]) as process:
            assert await process.receive_exactly(6) == b"closed"
            with pytest.raises(ProcessEnded):
                await process.send(bytes(1 << 20))

    async def test_what_a_process_says_beyond_the_limit_is_counted(self, backend: Backend) -> None:
        spec = WorkspaceSpec(limits=Limits(output_bytes=100))
        program = "import sys; sys.stdout.write('o' * 5000); sys.stderr.write('e' * 5000)"

        async with backend.open_process(spec, [*PYTHON, "-c", program]) as process:
            result = await process.wait()

        assert (result.stdout, result.stderr, result.truncated) == (b"o" * 100, b"e" * 100, True)
        assert (result.stdout_bytes, result.stderr_bytes) == (5000, 5000)

    async def test_a_process_past_its_wall_time_is_killed(self, backend: Backend) -> None:
        spec = WorkspaceSpec(limits=Limits(wall_seconds=0.3))

        async with backend.open_process(spec, ["sleep", "60"]) as process:
            result = await process.wait()

        assert (result.timed_out, result.limit) == (True, "wall")

    async def test_a_process_past_its_cpu_time_is_killed_whoever_spends_it(self, backend: Backend) -> None:
        """Two children that spend half each pass every limit for single processes."""
        spec = WorkspaceSpec(limits=Limits(cpu_seconds=1))
        program = "import os; os.fork(); os.fork()\nwhile True: pass"

        async with backend.open_process(spec, [*PYTHON, "-c", program]) as process:
            result = await process.wait()

        assert result.limit == "cpu"
        assert result.measured.cpu_seconds >= 1

    async def test_leaving_a_process_kills_its_tree(self, backend: Backend) -> None:
        token, before = unique_sleep(), traces()
        script = f"(setsid sleep {token} &); setsid sleep {token} & sleep {token}"

        async with backend.open_process(PLAIN, ["bash", "-c", script]):
            await wait_running(token)

        assert not running(token)
        assert traces() <= before

    async def test_a_killed_process_still_tells_what_it_used(self, backend: Backend) -> None:
        program = "x = sum(range(3_000_000)); print('ready', flush=True); input()"

        async with backend.open_process(PLAIN, [*PYTHON, "-c", program]) as process:
            await process.receive_exactly(6)
            so_far = await process.cpu_seconds()
            result = await process.kill()

        assert result.exit_code != 0
        assert result.measured.cpu_seconds >= so_far > 0

    @pytest.mark.parametrize("milliseconds", [0, 2, 5, 12, 30])
    async def test_a_process_cancelled_at_any_time_leaves_nothing(
        self, backend: Backend, milliseconds: int
    ) -> None:
        await backend.self_test()
        before = traces()

        with trio.move_on_after(milliseconds / 1000):
            async with backend.open_process(PLAIN, ["sleep", "60"]) as process:
                await process.wait()

        assert traces() <= before

    async def test_the_interpreter_is_the_one_that_runs_us(self, backend: Backend) -> None:
        async with backend.open_process(PLAIN, ["python", "-c", "import sys; print(sys.version)"]) as process:
            result = await process.wait()

        assert result.stdout.decode().strip() == sys.version
