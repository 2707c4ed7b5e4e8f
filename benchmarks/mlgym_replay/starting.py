"""The files that a published run began with, where it shows that they were not those of today's checkout.

The runs of the paper saw an earlier form of MLGym's starter files (without today's header; for 3-SAT another evaluator).
Where a run shows a starter file whole before anything could have changed it, that is what the file held.
"""

from collections.abc import Sequence

from benchmarks.mlgym_replay.meaning import Window, windows
from engine.task import Files
from roles.mlgym.replay import HOME
from roles.mlgym.trajectory import Step

_HARMLESS = frozenset(
    {"open", "goto", "scroll_up", "scroll_down", "ls", "cat", "head", "search_file", "search_dir"}
)
_HARMLESS_TOO = frozenset({"find_file", "validate", "pwd", "wc", "grep"})


def recorded_starter(steps: Sequence[Step], starter: Files) -> dict[str, bytes]:
    """Starter files that the run shows whole while nothing had changed them, where they differ from the checkout's.

    Args:
        steps: of the run.
        starter: the checkout's.
    """
    found: dict[str, bytes] = {}
    touched: set[str] = set()
    for step in steps:
        word = step.action.split()[0] if step.action.split() else ""
        shown = windows(step.observation or "")
        if word in ("edit", "insert", "create"):
            # What it changes is the file that it then shows; a refused change shows it too, and is passed over.
            touched |= {_name(window) for window in shown}
        elif word not in _HARMLESS | _HARMLESS_TOO:
            # A program may change anything.
            touched |= {name for name in starter if name in step.action} if word != "python" else set(starter)
        elif shown and word == "open":
            _take(shown[0], starter, touched, found)
    return found


def _take(window: Window, starter: Files, touched: set[str], found: dict[str, bytes]) -> None:
    name = _name(window)
    if name not in starter or name in touched or name in found or window.above or window.below:
        return
    content = "".join(f"{text}\n" for _, text in window.lines).encode("utf-8", "surrogateescape")
    if _stripped(content) != _stripped(starter[name]):
        found[name] = content


def _name(window: Window) -> str:
    return window.path.removeprefix(f"{HOME}/")


def _stripped(content: bytes) -> list[bytes]:
    return [line.rstrip() for line in content.rstrip().split(b"\n")]
