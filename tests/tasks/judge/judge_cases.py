"""What the judge's tests share: a judge over a real sandbox, and players as source text."""

from pathlib import Path

import pytest

from engine.errors import IsolationUnavailable
from engine.store import ArtefactStore
from engine.task import Measured, Score, ScoringProtocol, Split
from engine.workspace.sandbox import Sandbox
from tasks.scoring import open_judge

_SANDBOX = Sandbox()  # its self-test runs once for all tests


async def isolated() -> Sandbox:
    """The sandbox; skips the test where this machine cannot isolate."""
    try:
        await _SANDBOX.require()
    except IsolationUnavailable as error:
        pytest.skip(f"no sandbox here: {error}")
    return _SANDBOX


async def scored(
    task: str,
    files: dict[str, str],
    folder: Path,
    *,
    split: Split = "feedback",
    protocol: ScoringProtocol = "verified",
    seed: int = 1,
) -> Score:
    """The score of an artefact given as text."""
    return (await measured(task, files, folder, split=split, protocol=protocol, seed=seed))[0]


async def measured(
    task: str,
    files: dict[str, str],
    folder: Path,
    *,
    split: Split = "feedback",
    protocol: ScoringProtocol = "verified",
    seed: int = 1,
) -> tuple[Score, Measured]:
    """The score with its meters."""
    store = ArtefactStore(folder)
    judge = open_judge(task, protocol, store=store, backend=await isolated())
    artefact = store.put({path: text.encode() for path, text in files.items()})
    return await judge.score(artefact, split=split, seed=seed)


def player(body: str, *, before: str = "") -> dict[str, str]:
    """``strategy.py`` with this body of `row_strategy`; ``before`` is run when it is loaded."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    return {"strategy.py": f"{before}\n\ndef row_strategy(history):\n{indented}"}


ALWAYS_0 = player("return 0")
ALWAYS_1 = player("return 1")
