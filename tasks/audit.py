"""What is said of an artefact beyond its score: what crossed the boundary, and what its source text mentions."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from arenas.errors import FaultKind, PlayerFault
from engine.task import Files, Finding, Score
from engine.workspace.interface import CommandResult

DETAIL_CHARACTERS = 300
_DENIED = ("PermissionError", "Read-only file system", "Operation not permitted", "Permission denied")
_TELLING_MODULES = frozenset(
    {
        "builtins",
        "ctypes",
        "gc",
        "importlib",
        "inspect",
        "multiprocessing",
        "os",
        "pathlib",
        "signal",
        "socket",
    }
    | {"subprocess", "sys", "threading", "time"}
)
_TELLING_CALLS = frozenset({"__import__", "compile", "eval", "exec", "open"})
_SEEDING = frozenset({"seed", "setstate", "set_state"})
_CLOCKS = frozenset({"time", "perf_counter", "process_time", "monotonic", "perf_counter_ns"})


_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")

FindingKind = Literal["bad-frame", "bad-move", "changed-hash", "early-exit", "overrun", "exception", "output"]
_FAULTS: dict[FaultKind, FindingKind] = {
    "bad_move": "bad-move",
    "exception": "exception",
    "bad_frame": "bad-frame",
    "early_exit": "early-exit",
    "too_late": "overrun",
}


def finding(kind: FindingKind, detail: str) -> Finding:
    """A finding with its detail cut and stripped of control characters: it is text that hostile code chose.

    An exception or a print-out that speaks of a refused call is a denied call.
    """
    detail = _ADDRESS.sub("0x…", detail)  # they differ from run to run, and records are compared
    words = " ".join("".join(c if c.isprintable() else " " for c in detail).split())[-DETAIL_CHARACTERS:]
    if kind in ("exception", "output") and any(sign in detail for sign in _DENIED):
        return Finding(kind="denied-call", detail=words)
    return Finding(kind=kind, detail=words)


def fault_finding(fault: PlayerFault, ended: CommandResult) -> Finding:
    """What a player's fault, and the way its process ended, come to."""
    if struck := overrun(ended):
        return struck
    return finding(_FAULTS[fault.kind], fault.detail)


def overrun(ended: CommandResult) -> Finding | None:
    """The limit that ended the process, where one did."""
    if ended.limit is None and not ended.timed_out and not ended.out_of_memory:
        return None
    limit = ended.limit or ("memory" if ended.out_of_memory else "wall")
    return Finding(kind="overrun", detail=f"the limit on {_LIMITS[limit]} ended it")


_LIMITS = {
    "wall": "wall time",
    "cpu": "CPU time",
    "memory": "memory",
    "file": "the size of a file",
    "disk": "disk space",
    "output": "output",
}


def leftovers(ended: CommandResult) -> tuple[Finding, ...]:
    """What a process that answered to the end still said: bytes that nobody asked for, and print-outs."""
    found: list[Finding] = []
    if ended.stdout:
        found.append(finding("bad-frame", f"{len(ended.stdout)} bytes that nobody asked for"))
    if ended.stderr:
        found.append(
            finding("output", f"printed {ended.stderr[:DETAIL_CHARACTERS].decode(errors='replace')!r}")
        )
    return tuple(found)


def unless_changed(score: Score, changed: Sequence[str]) -> Score:
    """The score, or none where files of the artefact changed meanwhile: it would belong to another hash.

    Args:
        score: what the artefact has earned.
        changed: protected files that no longer hold what was put there.
    """
    if not changed:
        return score
    found = finding("changed-hash", f"while it was scored, these files changed: {', '.join(changed)}")
    failure = f"its files changed while it was scored: {', '.join(changed)}"[:DETAIL_CHARACTERS]
    return msgspec.structs.replace(score, value=None, failure=failure, findings=(*score.findings, found))


def source_findings(files: Files) -> tuple[Finding, ...]:
    """What the Python files mention that an honest artefact seldom needs; advisory, they prove nothing."""
    found: list[Finding] = []
    for path in sorted(files):
        if path.endswith(".py"):
            try:
                tree = ast.parse(files[path])
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # running it will say more
            found += [
                Finding(kind="source", detail=f"{path}:{line}: {what}", advisory=True)
                for line, what in _telling(tree)
            ]
    return tuple(found[:32])


def _telling(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [f"imports {name.name[:60]}" for name in names if _is_telling(name.name)]
            case ast.ImportFrom(module=module, level=level):
                found = [f"imports from {'.' * level}{(module or '')[:60]}"] * (
                    level > 0 or _is_telling(module or "")
                )
            case ast.Call(func=ast.Name(id=name)):
                found = [f"calls {name}"] * (name in _TELLING_CALLS)
            case ast.Call(func=ast.Attribute(attr=name)):
                found = [f"sets a generator's state ({name})"] * (name in _SEEDING)
            case ast.Assign(targets=targets):
                attributes = [target.attr for target in targets if isinstance(target, ast.Attribute)]
                found = [f"replaces a clock ({name})" for name in attributes if name in _CLOCKS]
            case ast.Attribute(attr=name):
                found = [f"touches {name[:40]}"] * (name.startswith("__") and name.endswith("__"))
            case _:
                continue
        yield from ((node.lineno, what) for what in found)


def _is_telling(module: str) -> bool:
    return module.partition(".")[0] in _TELLING_MODULES
