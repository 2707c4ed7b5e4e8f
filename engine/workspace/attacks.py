"""Real attacks on a sandbox, run inside it by the self-test: prints JSON, attack to what came of it.

Standard library only; handed in as source. Arguments: JSON with the host's port, abstract socket, file and process.
An attack's result is ``"refused: why"`` or ``"SUCCEEDED: what"``.
"""

# ruff: noqa: PTH115, PTH123, PTH208, T201 - a script that runs inside, where what counts is the bare system call

import ctypes
import json
import os
import platform
import socket
import sys
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
host: dict[str, Any] = json.loads(sys.argv[1])
_NUMBERS = {
    # ptrace, unshare, keyctl, io_uring_setup, bpf, mount
    "x86_64": (101, 272, 250, 425, 321, 165),
    "aarch64": (117, 97, 219, 425, 280, 40),
}
PTRACE, UNSHARE, KEYCTL, IO_URING, BPF, MOUNT = _NUMBERS[platform.machine()]


def call(number: int, *arguments: object) -> str:
    """A raw system call; its result when it is not refused."""
    result = libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return f"returned {result}"


def read(path: str) -> str:
    """How much of a file can be read."""
    with open(path, "rb") as file:
        return f"{len(file.read(4096))} bytes read"


def open_to_write(path: str) -> str:
    """Open, and write nothing: where it succeeds nothing of the host is changed."""
    os.close(os.open(path, os.O_WRONLY))
    return "opened for writing"


def make(path: str) -> str:
    """Make a file."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return "made a file"


def connect(family: int, address: object, kind: int = socket.SOCK_STREAM) -> str:
    """Connect to something of the host."""
    with socket.socket(family, kind) as there:
        there.settimeout(0.5)
        there.connect(address)  # type: ignore[arg-type] # an address is what its family says
        return "connected"


def vsock() -> str:
    """Make a socket to the hypervisor."""
    with socket.socket(40, socket.SOCK_STREAM):
        return "socket made"


def packets() -> str:
    """Make a socket that sees every packet."""
    with socket.socket(17, socket.SOCK_RAW):
        return "socket made"


def make_device() -> str:
    """Make a device that is the machine's memory."""
    os.mknod("device", 0o20666, os.makedev(1, 1))
    return "made"


def become_root() -> str:
    """Take user id 0."""
    os.setuid(0)
    return "uid 0"


def host_process() -> str:
    """Signal the process that tests us."""
    os.kill(host["pid"], 0)
    if host["pid"] in {int(name) for name in os.listdir("/proc") if name.isdigit()}:
        with open(f"/proc/{host['pid']}/cmdline", "rb") as file:
            if host["command"].encode() == file.read():
                return "the host's process is in reach"
    raise ProcessLookupError(3, "not the host's process")


def capabilities() -> str:
    """Hold one, or be able to get one back."""
    with open("/proc/self/status") as file:
        held = [line for line in file if line.startswith(("CapEff", "CapBnd")) and int(line.split()[1], 16)]
    if held:
        return held[0].strip()
    raise PermissionError(1, "none held")


def new_privileges() -> str:
    """Be able to gain privileges by running a set-user-id program."""
    with open("/proc/self/status") as file:
        if "NoNewPrivs:\t1" in file.read():
            raise PermissionError(1, "no_new_privs is set")
    return "no_new_privs is not set"


def variables() -> list[str]:
    """Names of variables in every environment that can be read."""
    names: set[str] = set()
    for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                names |= {
                    pair.split(b"=")[0].decode(errors="replace") for pair in file.read().split(b"\0") if pair
                }
        except OSError:
            pass
    return sorted(names)


def descriptors() -> str:
    """Find descriptors that nobody gave us on purpose."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if int(number) > 2 and not target.startswith("/proc"):
            found.append(target)
    if found:
        return f"inherited {found}"
    raise OSError(9, "only 0, 1, 2")


ATTACKS: dict[str, Callable[[], object]] = {
    "file: read a file of the host": lambda: read(host["file"]),
    "file: read /etc/shadow": lambda: read("/etc/shadow"),
    "file: write below /usr": lambda: make("/usr/mlyceum-attack"),
    "file: write at the root": lambda: make("/mlyceum-attack"),
    "file: write below /dev": lambda: make("/dev/mlyceum-attack"),
    "file: open core_pattern to write": lambda: open_to_write("/proc/sys/kernel/core_pattern"),
    "file: open sysrq-trigger to write": lambda: open_to_write("/proc/sysrq-trigger"),
    "file: mount /usr again, writable": lambda: call(MOUNT, 0, b"/usr", 0, 32 | 4096, 0),
    "file: read /sys": lambda: f"{len(os.listdir('/sys'))} entries",
    "file: make a device": make_device,
    "network: host's loopback": lambda: connect(socket.AF_INET, ("127.0.0.1", host["port"])),
    "network: outside, UDP": lambda: connect(socket.AF_INET, ("192.0.2.1", 53), socket.SOCK_DGRAM),
    "network: host's abstract socket": lambda: connect(socket.AF_UNIX, b"\0" + host["abstract"].encode()),
    "network: hypervisor (AF_VSOCK)": vsock,
    "network: packets (AF_PACKET)": packets,
    "process: reach a process of the host": host_process,
    "process: hold a capability": capabilities,
    "process: gain privileges by exec": new_privileges,
    "process: become root": become_root,
    "process: trace the first process": lambda: call(PTRACE, 16, 1, 0, 0),
    "process: write the first process's memory": lambda: open_to_write("/proc/1/mem"),
    "process: new user namespace": lambda: call(UNSHARE, 0x10000000),
    "process: io_uring": lambda: call(IO_URING, 1, ctypes.create_string_buffer(120)),
    "process: load BPF": lambda: call(BPF, 0, ctypes.create_string_buffer(72), 72),
    "secrets: kernel keyring": lambda: call(KEYCTL, 0, -3, 0),
    "secrets: inherited descriptors": descriptors,
}


def attempt(attack: Callable[[], object]) -> str:
    """What came of one attack."""
    try:
        return f"SUCCEEDED: {attack()}"
    except OSError as error:
        return f"refused: {error.strerror or error}"


results = {name: attempt(attack) for name, attack in ATTACKS.items()}
print(json.dumps({"attacks": results, "variables": variables()}))
