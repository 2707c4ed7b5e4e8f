"""The filter is run here by a small interpreter of its own language."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workspace.seccomp import SUPPORTED, build_filter, denied_calls

_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET, _CLONE, _IOCTL = ({"x86_64": a, "aarch64": b} for a, b in ((41, 198), (56, 220), (16, 29)))
_USUAL = {"x86_64": (0, 1, 9, 57, 59, 60, 61, 202, 231), "aarch64": (63, 64, 222, 221, 93, 94, 98, 260)}


def _verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    arguments = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack(
        "=iIQ6Q", number - (1 << 32) if number >> 31 else number, audit or _AUDIT[machine], 0, *arguments
    )
    program = list(struct.iter_unpack("=HBBI", build_filter(machine)))
    at, register = 0, 0
    while True:
        code, yes, no, value = program[at]
        if code == 0x06:
            return value
        if code == 0x20:
            register = struct.unpack_from("=I", data, value)[0]
            at += 1
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[code]
            at += 1 + (yes if holds else no)


@pytest.mark.parametrize("machine", SUPPORTED)
def test_listed_calls_are_refused_whatever_their_arguments(machine: str) -> None:
    assert {_verdict(machine, number, 1, 2) for number in denied_calls(machine).values()} == {_EPERM}


@pytest.mark.parametrize("machine", SUPPORTED)
def test_the_calls_that_every_program_makes_are_allowed(machine: str) -> None:
    assert {_verdict(machine, number) for number in _USUAL[machine]} == {_ALLOW}


@pytest.mark.parametrize("machine", SUPPORTED)
def test_another_architecture_is_killed(machine: str) -> None:
    """The 32-bit entry has its own numbers, so a filter of 64-bit numbers would not see them."""
    assert _verdict(machine, 1, audit=0x40000003) == _KILL


def test_the_x32_numbering_is_refused() -> None:
    assert _verdict("x86_64", 0x40000000 | 101) == _EPERM


@pytest.mark.parametrize("machine", SUPPORTED)
@pytest.mark.parametrize(
    "family, verdict",
    [(1, _ALLOW), (2, _ALLOW), (10, _ALLOW), (16, _EPERM), (17, _EPERM), (38, _EPERM), (40, _EPERM)],
)
def test_sockets_are_local_or_internet_and_nothing_else(machine: str, family: int, verdict: int) -> None:
    assert _verdict(machine, _SOCKET[machine], family) == verdict


@pytest.mark.parametrize("machine", SUPPORTED)
def test_new_namespaces_are_refused_and_threads_are_not(machine: str) -> None:
    assert _verdict(machine, _CLONE[machine], 0x10000000 | 17) == _EPERM
    assert _verdict(machine, _CLONE[machine], 0x003D0F00) == _ALLOW
    assert _verdict(machine, 435) == _ENOSYS


@pytest.mark.parametrize("machine", SUPPORTED)
def test_nobody_types_into_our_terminal(machine: str) -> None:
    """Only the low half of the argument is looked at by the kernel, so only that may be by us."""
    assert _verdict(machine, _IOCTL[machine], 0, 0x5412) == _EPERM
    assert _verdict(machine, _IOCTL[machine], 0, 0x1_0000_5412) == _EPERM
    assert _verdict(machine, _IOCTL[machine], 0, 0x541C) == _EPERM
    assert _verdict(machine, _IOCTL[machine], 0, 0x5413) == _ALLOW


@given(number=st.integers(0, (1 << 32) - 1), first=st.integers(0, (1 << 64) - 1))
def test_every_call_gets_a_verdict(number: int, first: int) -> None:
    assert _verdict("x86_64", number, first) in {_ALLOW, _EPERM, _ENOSYS}
