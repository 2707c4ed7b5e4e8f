"""What the audit says of source text, of faults and of what a process printed."""

import pytest

from arenas.errors import PlayerFault
from engine.workspace.interface import CommandResult, Usage
from tasks.audit import fault_finding, finding, leftovers, source_findings

USAGE = Usage(wall_seconds=1.0, cpu_seconds=1.0, max_rss_bytes=1)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os", "imports os"),
        ("from time import sleep", "imports from time"),
        ("from . import x", "imports from ."),
        ("random.seed(3)", "sets a generator's state (seed)"),
        ("time.perf_counter = f", "replaces a clock (perf_counter)"),
        ("open('x')", "calls open"),
        ("f.__globals__", "touches __globals__"),
    ],
)
def test_a_telling_line_is_told_with_its_place(source: str, said: str) -> None:
    (found,) = source_findings({"strategy.py": f"x = 1\n{source}\n".encode()})

    assert found.detail == f"strategy.py:2: {said}"
    assert found.advisory


def test_an_honest_player_has_no_findings() -> None:
    source = b"import random\n\ndef row_strategy(history):\n    return random.randrange(2)\n"

    assert source_findings({"strategy.py": source, "notes.txt": b"import os"}) == ()


def test_source_that_does_not_parse_is_left_to_the_run() -> None:
    assert source_findings({"a.py": b"def (:", "b.py": b"\xff\0", "c.py": b"(" * 10_000}) == ()


def test_a_limit_that_struck_explains_an_early_end() -> None:
    ended = CommandResult(exit_code=None, signal=9, limit="cpu", measured=USAGE)

    found = fault_finding(PlayerFault("early_exit", "it ended"), ended)

    assert (found.kind, found.detail) == ("overrun", "the limit on CPU time ended it")


def test_a_refused_call_is_recognised_in_an_exception() -> None:
    assert finding("exception", "OSError: [Errno 30] Read-only file system: 'x'").kind == "denied-call"


def test_what_a_process_says_unasked_is_told() -> None:
    ended = CommandResult(exit_code=0, stdout=b"123", stderr=b"hello\x1b[31m", measured=USAGE)

    kinds = {each.kind: each.detail for each in leftovers(ended)}

    assert set(kinds) == {"bad-frame", "output"}
    assert "\x1b" not in kinds["output"]
