"""What released runs did, beside what they scored: steps and their kinds, tokens and cost, how they ended."""

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from benchmarks.records import result_lines
from benchmarks.reference import facts_of
from engine.errors import BadSpecification, UnknownName

ActionKind: TypeAlias = Literal["edit", "view", "search", "python", "validate", "submit", "exit", "bash"]
KINDS: tuple[ActionKind, ...] = ("edit", "view", "search", "bash", "python", "validate", "submit", "exit")
"""``exit`` is what the environment does in the run's place once a limit struck."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    method: str
    task: str
    """The task's id here."""
    run: int
    has_score: bool
    """Whether any of its entries has the task's metric."""
    exit_status: str | None
    """As recorded; empty where the loop died; None where the trajectory is missing, and with it all that follows."""
    kinds: tuple[ActionKind, ...] = ()
    """Of each step."""
    step_seconds: tuple[float, ...] = ()
    """Of the environment's side of each step: the command, and the evaluation of validate and submit."""
    recorded_cost_usd: float | None = None
    tokens_sent: int | None = None
    tokens_received: int | None = None
    """Of visible answers: hidden reasoning is billed and not counted."""


class _Stats(msgspec.Struct, frozen=True):
    task_cost: float | None = None
    tokens_sent: int | None = None
    tokens_received: int | None = None


class _Line(msgspec.Struct, frozen=True):
    model: str
    task: str
    run: int
    agent: tuple[dict[str, float | None], ...]
    traj_present: bool
    exit_status: str | None = None
    kinds: tuple[ActionKind, ...] = ()
    exec_time: tuple[float, ...] = ()
    model_stats: _Stats | None = None


_decoder = msgspec.json.Decoder(_Line)


def load_behaviours(folder: Path) -> tuple[Behaviour, ...]:
    """What every run of ``results.jsonl.gz`` did, in the order of the file.

    Raises:
        BadSpecification: when the file is missing or damaged; the message has file and line.
    """
    return tuple(_behaviour(raw, where) for where, raw in result_lines(folder))


def _behaviour(raw: bytes, where: str) -> Behaviour:
    try:
        line = _decoder.decode(raw)
        facts = facts_of(line.task)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSpecification(where, f"is not a run's record ({error}); fetch the file again") from error
    except UnknownName as error:
        raise BadSpecification(where, str(error)) from error
    stats = line.model_stats or _Stats()
    return Behaviour(
        method=line.model,
        task=facts.id,
        run=line.run,
        has_score=any(entry.get(facts.metric) is not None for entry in line.agent),
        exit_status=(line.exit_status or "") if line.traj_present else None,
        kinds=line.kinds,
        step_seconds=line.exec_time,
        recorded_cost_usd=stats.task_cost,
        tokens_sent=stats.tokens_sent,
        tokens_received=stats.tokens_received,
    )
