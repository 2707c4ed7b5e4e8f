"""The system-call filter of the sandbox, assembled here as classic BPF.

Default is to allow: namespaces, the dropped user and the empty mount table are the walls. The filter closes what
they leave open: a network namespace does not cover AF_VSOCK, nothing covers keyrings, io_uring and ptrace of the
sandbox's own first process, and it takes the kernel's rarely used corners away from hostile code.
"""

import errno
import platform
import struct
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000
_CLONE_NEW_ANY = 0x7E020000
"""Every CLONE_NEW… flag that clone takes: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: typing into the terminal of whoever started us."""
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6."""

_DENIED: dict[str, tuple[int | None, int | None]] = {
    # name: (x86-64, aarch64); None where the architecture has no such call
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "vmsplice": (278, 75),
    "fanotify_init": (300, 262),
    "vhangup": (153, 58),
    # System V shared memory outlives its attachment, so it would escape RLIMIT_AS; POSIX shm is in /dev/shm.
    "shmget": (29, 194),
}


@dataclass(frozen=True)
class _Machine:
    audit: int
    column: int
    clone: int
    clone3: int
    ioctl: int
    socket: int


_MACHINES = {
    "x86_64": _Machine(audit=0xC000003E, column=0, clone=56, clone3=435, ioctl=16, socket=41),
    "aarch64": _Machine(audit=0xC00000B7, column=1, clone=220, clone3=435, ioctl=29, socket=198),
}

SUPPORTED = tuple(_MACHINES)
"""The machines (`platform.machine()`) that a filter exists for."""


def denied_calls(machine: str) -> dict[str, int]:
    """Name and number of each call that is refused whatever its arguments."""
    column = _MACHINES[machine].column
    return {name: number for name, numbers in _DENIED.items() if (number := numbers[column]) is not None}


def build_filter(machine: str | None = None) -> bytes:
    """The filter as an array of ``struct sock_filter``, as ``bwrap --seccomp`` reads it.

    Raises:
        KeyError: for a machine that is not in `SUPPORTED`.
    """
    facts = _MACHINES[machine or platform.machine()]
    program = _Program()
    program.load(_ARCHITECTURE)
    program.unless_equal(facts.audit, "kill")
    program.load(_NUMBER)
    if facts.column == 0:
        # The x32 personality shares the architecture word and renumbers the calls: refuse it whole.
        program.jump(_AT_LEAST, _X32_BIT, "refuse")
    program.jump(_EQUAL, facts.clone3, "absent")
    for number in denied_calls(machine or platform.machine()).values():
        program.jump(_EQUAL, number, "refuse")
    program.jump(_EQUAL, facts.socket, "socket")
    program.jump(_EQUAL, facts.clone, "clone")
    program.unless_equal(facts.ioctl, "allow")

    program.load(_FIRST_ARGUMENT + 8)
    for request in _TERMINAL_INPUT:
        program.jump(_EQUAL, request, "refuse")
    program.end("allow", _ALLOW)
    program.label("socket")
    program.load(_FIRST_ARGUMENT)
    for family in _FAMILIES:
        program.jump(_EQUAL, family, "allow")
    program.end("refuse", _ERROR | errno.EPERM)
    program.label("clone")
    program.load(_FIRST_ARGUMENT)
    program.jump(_ANY_BIT, _CLONE_NEW_ANY, "refuse")
    program.end("allow", _ALLOW)
    program.end("refuse", _ERROR | errno.EPERM)
    # glibc falls back to clone, whose flags can be seen, when clone3 does not exist.
    program.end("absent", _ERROR | errno.ENOSYS)
    program.end("kill", _KILL)
    return program.assemble()


class _Program:
    """Instructions with named jump targets; all jumps go forward, as BPF demands."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str | None, str | None, int]] = []
        self._labels: dict[str, list[int]] = {}

    def load(self, offset: int) -> None:
        self._lines.append((_LOAD, None, None, offset))

    def jump(self, test: int, value: int, target: str) -> None:
        self._lines.append((test, target, None, value))

    def unless_equal(self, value: int, target: str) -> None:
        self._lines.append((_EQUAL, None, target, value))

    def label(self, name: str) -> None:
        self._labels.setdefault(name, []).append(len(self._lines))

    def end(self, name: str, verdict: int) -> None:
        self.label(name)
        self._lines.append((_RETURN, None, None, verdict))

    def assemble(self) -> bytes:
        return b"".join(
            struct.pack("=HBBI", code, self._distance(at, yes), self._distance(at, no), value)
            for at, (code, yes, no, value) in enumerate(self._lines)
        )

    def _distance(self, at: int, target: str | None) -> int:
        if target is None:
            return 0
        return next(place for place in self._labels[target] if place > at) - at - 1
