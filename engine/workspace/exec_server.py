"""The server inside a workspace: runs commands on request and says how they ended.

One file, standard library only, and nothing imported from this project: it is handed into the sandbox as bytes and
started there as the first process. It reads frames on stdin and writes frames on stdout:

    4 bytes header length, 4 bytes body length (big endian), header (JSON), body

Requests: ``run`` (argv; body is stdin), ``python`` (body is source, then stdin), ``kill``. One reply for each command.

Whose process is whose: the main process of a command is made a *subreaper*, so whatever it starts stays below it,
daemons included. When it ends, all that is left falls to this server, where a child that is no command's main process
is a *stray* and is killed. A command that gives up being a subreaper only makes its daemons strays at once.

What a fork of this interpreter costs is paid while nothing is asked: when no command is left, *spares* are forked,
which do all that is the same for every command and wait for the rest. None is made while a command runs, so a spare
has nothing of another command; commands that find no spare are forked as they come. A command's code may signal the
spare that waits beside it: a stopped one is continued, and one killed before it read what to become is made up for.
"""

# ruff: noqa: PTH118, PTH109, PTH123, PTH208 - pathlib is not imported: it would double the time to start

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import json
import os
import resource
import selectors
import signal
import struct
import sys
import termios
import time

TYPE_CHECKING = False  # what a type checker takes for True; typing itself would add a third to the start
if TYPE_CHECKING:
    from typing import Any, NoReturn

_HEAD = struct.Struct(">II")
_CHUNK = 1 << 16
_QUIET_SECONDS = 0.001  # without a request, before a spare is made: a fork then makes no command wait
_SPARES = 2  # one for the next command, one for a command that comes before its replacement is ready
_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36
_prctl = ctypes.CDLL(None, use_errno=True).prctl

if TYPE_CHECKING:
    Header = dict[str, Any]
    """JSON from the host, who checks it before it sends it."""

_REHEARSED: Header = {
    "id": 0,
    "argv": [".", "", ""],
    "cwd": ".",
    "env": dict(os.environ),
    "rlimits": dict.fromkeys(("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_NOFILE"), 0),
    "wall_seconds": 0.0,
    "output_bytes": 0,
}
"""A request that is only gone through: see `rehearse`."""


class Command:
    """One command in flight: its main process, its pipes, what it said so far."""

    def __init__(self, request: Header, source: bytes = b"", stdin: bytes = b"") -> None:
        self.request, self.source, self.given_stdin = request, source, stdin
        self.told: int | None = None
        """Our end of the pipe by which a spare was told to become this command."""
        self.number: int = request["id"]
        self.kept = {"out": bytearray(), "err": bytearray()}
        self.total = {"out": 0, "err": 0}
        self.output_limit: int = request["output_bytes"]
        self.started = time.monotonic()
        self.deadline: float = self.started + request["wall_seconds"]
        self.why_killed: str | None = None
        self.status: int | None = None
        self.cpu = 0.0
        self.rss = 0
        self.pid = 0
        self.readers: dict[str, int] = {}
        self.stdin: int | None = None
        self.stdin_left = memoryview(b"")


class Fork:
    """A child of this interpreter that is or will be a command, and our ends of its pipes."""

    def __init__(self, pid: int, ends: tuple[int, int, int, int]) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr, self.request = ends

    def close(self) -> None:
        """Close our ends: one that still waits for its request then ends by itself."""
        for end in (self.stdin, self.stdout, self.stderr, self.request):
            os.close(end)


class Server:
    """The loop: one thread, never blocked but in select."""

    def __init__(self, source: int, sink: int, workspace: str) -> None:
        self.source, self.sink = source, sink
        self.workspace = workspace
        self.commands: dict[int, Command] = {}
        self.spares: list[Fork] = []
        self.inbox = bytearray()
        self.selector = selectors.DefaultSelector()
        self.null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.set_blocking(source, False)
        self.selector.register(source, selectors.EVENT_READ, self.read_requests)
        woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, on_child)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self.selector.register(woken, selectors.EVENT_READ, lambda: self.reap(woken))
        self.children_file = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
        self.ended = False
        self.spares_due = _SPARES
        self.childless = True

    def serve(self, preload: list[str]) -> None:
        """Serve until the host closes its end, then kill what is left."""
        self.reply({"ready": os.getpid()}, b"")
        # Warming up comes after the greeting: the host has files to write meanwhile.
        warm_up(preload)
        while not self.ended:
            happened = self.selector.select(_QUIET_SECONDS if self.lacks_spare() else self.patience())
            for key, _ in happened:
                key.data()
            self.kill_overdue()
            self.finish_dead()
            while not happened and self.lacks_spare():
                self.make_spare()
                happened = self.selector.select(0.0)  # only a look: what has come is still there at the next
        for spare in list(self.spares):
            self.drop(spare)
        for command in list(self.commands.values()):
            self.kill(command, "closed")
        while self.commands:
            self.reap(None)
            self.kill_strays()
            for command in [c for c in self.commands.values() if c.status is not None]:
                del self.commands[command.number]
            time.sleep(0.001)
        while self.kill_strays():
            self.reap(None)
            time.sleep(0.001)

    def lacks_spare(self) -> bool:
        """Whether to fork a spare once nothing is asked; only so many after each command, so never in a circle."""
        return self.spares_due > 0 and len(self.spares) < _SPARES and not self.commands

    def patience(self) -> float | None:
        """How long nothing can happen of itself; None is for ever."""
        if any(command.status is not None for command in self.commands.values()):
            return 0.001  # strays are dying; SIGCHLD comes, but not for a stray's own late children
        if not self.commands:
            return None
        return max(0.0, min(c.deadline for c in self.commands.values()) - time.monotonic())

    # --- frames ---

    def reply(self, header: Header, body: bytes) -> None:
        """Send one frame; waits while the host does not read."""
        encoded = json.dumps(header).encode()
        data = memoryview(_HEAD.pack(len(encoded), len(body)) + encoded + body)
        while data:
            data = data[os.write(self.sink, data) :]

    def read_requests(self) -> None:
        """Take what has come, and act on every whole frame."""
        try:
            data = os.read(self.source, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self.ended = True
            return
        self.inbox += data
        while len(self.inbox) >= _HEAD.size:
            header_length, body_length = _HEAD.unpack_from(self.inbox)
            end = _HEAD.size + header_length + body_length
            if len(self.inbox) < end:
                return
            header = json.loads(bytes(self.inbox[_HEAD.size : _HEAD.size + header_length]))
            body = bytes(self.inbox[_HEAD.size + header_length : end])
            del self.inbox[:end]
            self.handle(header, body)

    def handle(self, request: Header, body: bytes) -> None:
        """Act on one request."""
        if request["op"] == "kill":
            command = self.commands.get(request["id"])
            if command is not None:
                self.kill(command, "cancelled")
        else:
            self.start(request, body)

    # --- starting ---

    def start(self, request: Header, body: bytes) -> None:
        """Have the spare become the command, or a new fork."""
        source_length = request.get("source_length", 0)
        command = Command(request, body[:source_length], body[source_length:])
        try:
            child = self.hand_to_spare(command) or self.fork((request, command.source))
        except OSError as error:
            self.cannot_start(command, error)
        else:
            self.attach(command, child)

    def cannot_start(self, command: Command, error: OSError) -> None:
        """Report a command that no process could be made for."""
        command.kept["err"] += f"cannot start: {error.strerror}\n".encode()
        command.total["err"] = len(command.kept["err"])
        command.status = 126 << 8
        self.report(command)

    def attach(self, command: Command, child: Fork) -> None:
        """Listen to the process that is the command now, and give it its input."""
        command.pid, command.told = child.pid, child.request
        command.readers = {"out": child.stdout, "err": child.stderr}
        for name, end in command.readers.items():
            self.selector.register(
                end, selectors.EVENT_READ, functools.partial(self.read_output, command, name)
            )
        command.stdin, command.stdin_left = child.stdin, memoryview(command.given_stdin)
        self.commands[command.number] = command
        if self.feed(command):
            self.selector.register(child.stdin, selectors.EVENT_WRITE, functools.partial(self.feed, command))

    def never_began(self, command: Command) -> bool:
        """Whether its process was killed as a spare, by a signal sent before, and has read nothing of its request."""
        if command.told is None or command.why_killed is not None or not os.WIFSIGNALED(command.status or 0):
            return False
        unread = struct.unpack("i", fcntl.ioctl(command.told, termios.FIONREAD, bytes(4)))[0]
        return bool(unread)

    def begin_anew(self, command: Command) -> None:
        """Fork the command for which its spare was lost."""
        self.detach(command)
        command.status = None
        try:
            child = self.fork((command.request, command.source))
        except OSError as error:
            self.cannot_start(command, error)
        else:
            self.attach(command, child)

    def detach(self, command: Command) -> None:
        """Close our ends of a command's pipes."""
        for end in command.readers.values():
            self.selector.unregister(end)
            os.close(end)
        command.readers = {}
        self.close_stdin(command)
        if command.told is not None:
            os.close(command.told)
            command.told = None

    def fork(self, given: tuple[Header, bytes] | None) -> Fork:
        """Fork a child that becomes the command given, or waits to be told of one."""
        pipes: list[tuple[int, int]] = []
        try:
            for _ in range(4):
                pipes.append(os.pipe2(os.O_CLOEXEC))  # noqa: PERF401 - what was made is closed if the next fails
            pid = os.fork()
        except OSError:
            for pipe in pipes:
                os.close(pipe[0])
                os.close(pipe[1])
            raise
        (child_in, host_in), (host_out, child_out), (host_err, child_err), (child_told, host_told) = pipes
        if pid == 0:
            self.commands, self.spares, self.inbox = {}, [], bytearray()
            become(self.workspace, given, (child_in, child_out, child_err, child_told))
        for end in (child_in, child_out, child_err, child_told):
            os.close(end)
        for end in (host_in, host_out, host_err, host_told):
            os.set_blocking(end, False)
        return Fork(pid, (host_in, host_out, host_err, host_told))

    def make_spare(self) -> None:
        """Fork a child to be the next command; without one, that command is forked when it comes."""
        self.spares_due -= 1
        with contextlib.suppress(OSError):
            self.spares.append(self.fork(None))
            self.rehearse()

    def rehearse(self) -> None:
        """Write where the next command will have us write: what is shared with a fork is copied at that moment."""
        command = Command(json.loads(json.dumps(_REHEARSED).encode()))
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            self.selector.register(
                reader, selectors.EVENT_READ, functools.partial(self.read_output, command, "out")
            )
            self.selector.select(0.0)  # what has come is still there at the next look
            self.selector.unregister(reader)
        finally:
            os.close(reader)
            os.close(writer)
        self.reap(None)

    def hand_to_spare(self, command: Command) -> Fork | None:
        """Tell a spare which command to become; None when there is none, or it cannot be told at once."""
        if not self.spares:
            return None
        spare = self.spares[0]
        encoded = json.dumps(command.request).encode()
        told = _HEAD.pack(len(encoded), len(command.source)) + encoded + command.source
        with contextlib.suppress(OSError):  # it has died, or its pipe is too small
            os.kill(spare.pid, signal.SIGCONT)
            if os.write(spare.request, told) == len(told):
                self.spares.remove(spare)
                return spare
        self.drop(spare)
        return None

    def drop(self, spare: Fork) -> None:
        """Kill a spare; it is buried like a stray."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(spare.pid, signal.SIGKILL)
        self.forget(spare)

    def forget(self, spare: Fork) -> None:
        """Close our ends of a spare's pipes."""
        spare.close()
        self.spares.remove(spare)

    # --- pipes ---

    def feed(self, command: Command) -> bool:
        """Write stdin; True while there is more to write."""
        if command.stdin is None:
            return False
        try:
            while command.stdin_left:
                command.stdin_left = command.stdin_left[
                    os.write(command.stdin, command.stdin_left[:_CHUNK]) :
                ]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            pass
        self.close_stdin(command)
        return False

    def close_stdin(self, command: Command) -> None:
        """Let the command read the end of its input."""
        if command.stdin is not None:
            with contextlib.suppress(KeyError):
                self.selector.unregister(command.stdin)
            os.close(command.stdin)
            command.stdin = None

    def read_output(self, command: Command, name: str) -> bool:
        """Take what is there, at most one chunk; True when something came."""
        end = command.readers.get(name)
        if end is None:
            return False
        kept = command.kept[name]
        room = command.output_limit - len(kept)
        try:
            if room > 0:
                data = os.read(end, min(_CHUNK, room))
                kept += data
                count = len(data)
            else:
                count = os.splice(end, self.null, 1 << 20)
        except BlockingIOError:
            return False
        command.total[name] += count
        if not count:
            self.selector.unregister(end)
            os.close(end)
            del command.readers[name]
        return count > 0

    # --- ending ---

    def kill(self, command: Command, why: str) -> None:
        """Kill the main process; the rest follows as strays."""
        if command.status is None:
            command.why_killed = command.why_killed or why
            with contextlib.suppress(ProcessLookupError):
                os.kill(command.pid, signal.SIGKILL)

    def kill_overdue(self) -> None:
        """Kill commands whose time is up."""
        now = time.monotonic()
        for command in self.commands.values():
            if command.status is None and now >= command.deadline:
                self.kill(command, "wall")

    def reap(self, woken: int | None) -> None:
        """Bury the dead, noting how commands ended and what they used, and whether any child is left."""
        if woken is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
        self.childless = False
        by_pid = {command.pid: command for command in self.commands.values()}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                return
            command = by_pid.get(pid)
            seconds = usage.ru_utime + usage.ru_stime
            spare = next((each for each in self.spares if each.pid == pid), None)
            if spare is not None:
                self.forget(spare)
            elif command is not None:
                command.status = status
                command.cpu += seconds
                command.rss = max(command.rss, usage.ru_maxrss * 1024)
            else:
                for ending in self.commands.values():
                    if ending.status is not None:
                        ending.cpu += seconds
                        break

    def kill_strays(self) -> bool:
        """Kill every child that is no running command and no spare; True while there was one."""
        mains = {command.pid for command in self.commands.values() if command.status is None}
        mains.update(spare.pid for spare in self.spares)
        try:
            with open(self.children_file, "rb") as file:
                children = {int(pid) for pid in file.read().split()}
        except FileNotFoundError:
            children = children_by_scan()
        strays = children - mains
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(strays)

    def finish_dead(self) -> None:
        """Report the commands that have ended, once all that they left behind is dead."""
        self.reap(None)
        ended = [command for command in self.commands.values() if command.status is not None]
        if not ended:
            return
        if not self.childless and self.kill_strays():
            self.reap(None)
            if self.kill_strays():
                return
        for command in ended:
            if self.never_began(command):
                self.begin_anew(command)
                continue
            # All writers are dead, so what is in the pipe is all there will be; a bound, in case an end was
            # handed to another command over a socket.
            for name in ("out", "err"):
                for _ in range(1024):
                    if not self.read_output(command, name):
                        break
            self.report(command)

    def report(self, command: Command) -> None:
        """Send the reply and forget the command."""
        self.commands.pop(command.number, None)
        self.spares_due = _SPARES
        self.detach(command)
        out, err = command.kept["out"], command.kept["err"]
        code = os.waitstatus_to_exitcode(command.status or 0)
        header = {
            "id": command.number,
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "why_killed": command.why_killed,
            "stdout_kept": len(out),
            "stdout_bytes": command.total["out"],
            "stderr_bytes": command.total["err"],
            "wall_seconds": time.monotonic() - command.started,
            "cpu_seconds": command.cpu,
            "max_rss_bytes": command.rss,
        }
        self.reply(header, bytes(out) + bytes(err))


def on_child(number: int, frame: object) -> None:
    """Do nothing: a handler must be there for the wake-up descriptor to be written."""
    del number, frame


def children_by_scan() -> set[int]:
    """The children of this process, where the kernel has no list of them."""
    me = os.getpid()
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == me:
                    found.add(int(name))
    return found


# --- in the child ---


def become(workspace: str, given: tuple[Header, bytes] | None, ends: tuple[int, int, int, int]) -> NoReturn:
    """Turn this fork into the command, given now or told later; never returns."""
    code, named = 126, [""]
    try:
        os.setsid()
        _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for target, end in enumerate(ends):
            os.dup2(end, target)
        os.closerange(4, 1 << 16)
        if given is None:
            rehearse(workspace)
            given = wait_for_request(3)
        request, source = given
        os.close(3)
        named = request["argv"][:1]
        os.chdir(os.path.join(workspace, request["cwd"]))
        for name, value in request["rlimits"].items():
            lower(getattr(resource, name), value)
        if request["op"] == "python":
            _prctl(_SET_DUMPABLE, 1, 0, 0, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            os.environ.clear()
            os.environ.update(request["env"])
            code = run_source(source, request["argv"])
        else:
            execute(request["argv"], request["env"])
    except OSError as error:
        code = 127 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 126
        where = error.filename if isinstance(error.filename, str) else named
        os.write(2, f"cannot start {str(where)[:200]}: {error.strerror}\n".encode(errors="replace"))
    except BaseException as error:  # noqa: BLE001 - nothing may return from here into the server's loop
        os.write(2, f"cannot start: {error!r}\n".encode(errors="replace"))
    finally:
        os._exit(code)


def rehearse(workspace: str) -> None:
    """Go through a command's steps without becoming one: a fork gets its pages one by one, as it touches them."""
    request = json.loads(json.dumps(_REHEARSED).encode())
    os.chdir(os.path.join(workspace, request["cwd"]))
    for name in request["rlimits"]:
        resource.getrlimit(getattr(resource, name))
    compile("import sys", "<rehearsal>", "exec")
    with contextlib.suppress(OSError):
        execute(request["argv"], request["env"])  # "." is a folder wherever it is looked for


def wait_for_request(told: int) -> tuple[Header, bytes]:
    """Wait to be told which command to become; at the end of the pipe the server is gone or done with us."""
    # Two reads at least: one that dies in the first, of a signal sent before, leaves the rest to tell of it.
    heard = os.read(told, _HEAD.size) or os._exit(0)
    while len(heard) < _HEAD.size or len(heard) < _HEAD.size + sum(_HEAD.unpack_from(heard)):
        data = os.read(told, 1 << 17)
        if not data:
            os._exit(0)
        heard += data
    end = _HEAD.size + _HEAD.unpack_from(heard)[0]
    return json.loads(heard[_HEAD.size : end]), heard[end:]


def lower(limit: int, value: int) -> None:
    """Lower a resource limit, soft and hard; one that is lower already stays."""
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    if limit == resource.RLIMIT_CPU:
        # The soft limit signals SIGXCPU, which names the cause; the hard one, a second later, kills.
        resource.setrlimit(limit, (value, value + 1 if hard == resource.RLIM_INFINITY else hard))
    else:
        resource.setrlimit(limit, (value, value))


def execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    """Replace this process by the program, found on the PATH of its own environment."""
    program = argv[0]
    if "/" in program:
        os.execve(program, argv, env)  # noqa: S606 - to run programs is what this is for
    failure: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    for folder in env.get("PATH", "").split(":"):
        try:
            os.execve(f"{folder}/{program}", argv, env)  # noqa: S606 - same
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            error.filename = program
            failure = error
            if error.errno != errno.EACCES:
                break
    raise failure


def run_source(source: bytes, argv: list[str]) -> int:
    """Run Python source as ``__main__`` in this fork; its exit code."""
    import io
    import types

    sys.argv = ["-c", *argv]
    sys.path.insert(0, os.getcwd())
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    code = 0
    try:
        exec(compile(source, "<run_python>", "exec"), main.__dict__)  # noqa: S102 - same
    except SystemExit as stop:
        if isinstance(stop.code, int):
            code = stop.code & 0xFF
        elif stop.code is not None:
            sys.stderr.write(f"{stop.code}\n")
            code = 1
    except BaseException as error:  # noqa: BLE001 - reported as an interpreter would
        code = 1
        trace = error.__traceback__
        sys.excepthook(type(error), error, trace.tb_next if trace else None)
    end_interpreter()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            code = code or 120
    return code


def end_interpreter() -> None:
    """What an interpreter does at its end: wait for threads, run exit handlers."""
    import atexit

    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()  # noqa: SLF001 - there is no public way to end like an interpreter
        atexit._run_exitfuncs()  # noqa: SLF001 - same # pyright: ignore[reportPrivateUsage]
    except BaseException as error:  # noqa: BLE001 - reported as an interpreter would
        sys.excepthook(type(error), error, error.__traceback__)


def warm_up(preload: list[str]) -> None:
    """Import what commands are likely to want, and site (skipped at the start), so that forks have it."""
    import site

    site.main()
    for name in preload:
        with contextlib.suppress(ImportError):
            __import__(name)


def main() -> None:
    """Take the two pipes away from the standard streams, close the door behind, serve."""
    options = json.loads(sys.argv[1])
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    # Commands run under the same user: without this they could reach in by /proc/PID/mem and /proc/PID/fd.
    _prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Server(source, sink, options["workspace"]).serve(options["preload"])


if __name__ == "__main__":
    main()
