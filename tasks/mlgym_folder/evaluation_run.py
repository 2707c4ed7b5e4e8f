"""One run of a task's own evaluator in a fresh one-shot workspace, and what its print-out comes to."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

import msgspec

from engine.task import Files, Finding
from engine.workspace.environment import Environment
from engine.workspace.interface import Backend, CommandResult, Limits, WorkspaceSpec
from tasks.audit import finding, overrun
from tasks.mlgym_folder.facts import SUBMISSION_CSV

Reading = Literal["strict", "published"]
"""``strict``: standard output alone is one JSON object, the exit status 0, the evaluator came to its end.
``published``: what MLGym takes, output and errors together, whatever the exit status."""
_HELP: Final = ".mlyceum"
_END: Final = b"\x00the evaluator's process came to its end\x00"
_SITECUSTOMIZE: Final = '''"""Starts with the evaluator's interpreter: seeds generators, says when it ends itself."""
import atexit, importlib.util, os, random

random.seed({seed})
if importlib.util.find_spec("numpy"):
    import numpy

    numpy.random.seed({seed} % 2**32)
    del numpy
atexit.register(os.write, 2, {end!r})
del atexit, importlib, os, random
'''


class Evaluator(msgspec.Struct, frozen=True, kw_only=True):
    """How a task's evaluator is called."""

    path: str
    """In the workspace."""
    kind: str
    """MLGym's class of the submission."""
    metric: str
    limits: Limits
    environment: Environment


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to."""

    metrics: dict[str, float] = {}
    """Every number that was printed; empty where the output was not what it must be."""
    value: float | None = None
    failure: str = ""
    is_missing: bool = False
    """Whether there was no submission to evaluate."""
    said: str = ""
    """Output and errors, bounded; an agent sees it."""
    findings: tuple[Finding, ...] = ()
    ended: CommandResult | None = None


async def evaluate(
    evaluator: Evaluator,
    files: Files,
    backend: Backend,
    *,
    protected: Sequence[str],
    reading: Reading,
    seed: int,
) -> Outcome:
    """Run the evaluator on a copy of the files.

    Args:
        evaluator: which, and how.
        files: the whole workspace.
        backend: opens the sandbox.
        protected: files that nothing inside may change while it runs.
        reading: how its output is taken.
        seed: of the global generators of ``random`` and NumPy when the evaluator starts.

    Raises:
        EngineError: when the sandbox could not be had.
    """
    arguments = _arguments(evaluator, files)
    if arguments is None:
        missing = (
            "no submission was found" if evaluator.kind != "CSVSubmissionTasks" else f"no {SUBMISSION_CSV}"
        )
        return Outcome(failure=missing, is_missing=True)
    help_file = f"{_HELP}/sitecustomize.py"
    source = _SITECUSTOMIZE.format(seed=seed, end=_END).encode()
    spec = WorkspaceSpec(
        files={**files, help_file: source},
        read_only=(*protected, help_file),
        limits=evaluator.limits,
        env={"PYTHONPATH": _HELP},
        environment=evaluator.environment,
        name="score",
    )
    async with backend.open_process(spec, ("python", evaluator.path, *arguments)) as process:
        await process.close_stdin()
        ended = await process.wait()
    return _read(evaluator, ended, reading)


def _arguments(evaluator: Evaluator, files: Files) -> tuple[str, ...] | None:
    """None where there is nothing to evaluate."""
    match evaluator.kind:
        case "CSVSubmissionTasks":
            return ("--submission_file", SUBMISSION_CSV) if SUBMISSION_CSV in files else None
        case "ModelSubmissionTasks":
            found = sorted(path for path in files if path.endswith(".yaml"))
            return ("--config_fname", found[0]) if found else None
        case _:
            return ()


def _read(evaluator: Evaluator, ended: CommandResult, reading: Reading) -> Outcome:
    errors, came_to_its_end = ended.stderr.replace(_END, b""), _END in ended.stderr
    said = (ended.stdout + errors).decode(errors="replace")
    if struck := overrun(ended):
        return Outcome(failure=struck.detail, said=said, findings=(struck,), ended=ended)
    findings = tuple(_oddities(ended, errors, came_to_its_end=came_to_its_end))
    text = ended.stdout if reading == "strict" else ended.stdout + errors
    if evaluator.kind == "ModelSubmissionTasks":
        text = next((line for line in text.splitlines() if line.strip().startswith(b"{")), b"")
    metrics = _numbers(text)
    failure = _failure(ended, metrics, evaluator.metric, reading, came_to_its_end=came_to_its_end)
    value = None if failure else _metric(metrics or {}, evaluator.metric)
    return Outcome(
        metrics=dict(metrics or {}) if not failure else {},
        value=value,
        failure=failure,
        said=said,
        findings=findings,
        ended=ended,
    )


def _failure(
    ended: CommandResult,
    metrics: Mapping[str, float] | None,
    metric: str,
    reading: Reading,
    *,
    came_to_its_end: bool,
) -> str:
    if reading == "strict" and ended.exit_code != 0:
        how = f"signal {ended.signal}" if ended.exit_code is None else f"exit status {ended.exit_code}"
        last = ended.stderr.replace(_END, b"").decode(errors="replace").strip().splitlines()[-1:]
        return f"the evaluator ended with {how}{': ' + last[0][:200] if last else ''}"
    if reading == "strict" and not came_to_its_end:
        return "the evaluator's process was ended before its end"
    if metrics is None:
        return "what the evaluator printed is not one JSON object of numbers"
    value = _metric(metrics, metric)
    if value is None:
        return f"the evaluator printed no {metric}"
    return "" if math.isfinite(value) else f"the evaluator printed {value} for {metric}"


def _oddities(ended: CommandResult, errors: bytes, *, came_to_its_end: bool) -> list[Finding]:
    found: list[Finding] = []
    if ended.exit_code == 0 and not came_to_its_end:
        found.append(finding("early-exit", "the evaluator's process ended without coming to its end"))
    if ended.exit_code != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        found.append(finding("exception", lines[-1] if lines else f"exit status {ended.exit_code}"))
    return found


def _numbers(text: bytes) -> dict[str, float] | None:
    """The numbers of one JSON object; None where the text is anything else. Other values are passed over.

    Python's own reader: its writer prints NaN and Infinity bare, which is no JSON, and such a score is to be named.
    """
    try:
        printed: object = json.loads(text)
        if not isinstance(printed, dict):
            return None
        return {
            str(name): float(value)
            for name, value in cast("dict[object, object]", printed).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
    except (ValueError, RecursionError, OverflowError):  # no JSON, or an integer that no float holds
        return None


def _metric(metrics: Mapping[str, float], metric: str) -> float | None:
    """The score of that name; of the one name that differs in case alone, where the configuration is careless."""
    if metric in metrics:
        return metrics[metric]
    alike = [name for name in metrics if name.lower() == metric.lower()]
    return metrics[alike[0]] if len(alike) == 1 else None
