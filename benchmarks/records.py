"""Runs of a method on a task, and the published ones as they are read from a folder.

The folder holds ``results.jsonl.gz``, one JSON object per run, and copies of MLGym's result tables (CSV).
Damaged input ends in one sentence with file and line.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.reference import TaskFacts, facts_of, invalid_run, task_facts
from benchmarks.scores import TaskScores
from engine.errors import BadSpecification, UnknownName
from engine.task import Direction

RESULTS_NAME = "results.jsonl.gz"

MAX_LINE_BYTES = 4_000_000
"""A run's line is some kilobytes; a file with longer ones is not such a file."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its score entries, oldest first."""

    index: int
    entries: tuple[float | None, ...]
    """The task's metric of each validation, then of the submission; ``None`` where an entry lacks it."""
    valid: bool = True
    """False when the run is known not to have earned its scores."""
    reason: str = ""
    """Why it is not valid."""


class TaskRuns(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one method on one task."""

    method: str
    task: str
    """The task's id here."""
    metric: str
    direction: Direction
    runs: tuple[Run, ...]
    self_reported: bool = False
    measured_baseline: float | None = None
    """The baseline measured beside these runs on the same machine; needed where the metric is wall time."""

    def entries(self, *, valid_only: bool) -> list[tuple[float | None, ...]]:
        """The entries of each run that counts."""
        return [run.entries for run in self.runs if run.valid or not valid_only]


class PublishedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a folder, by task in the order of MLGym's tables, then by method."""

    source: str
    methods: tuple[str, ...]
    baselines: dict[str, float]
    """By task id: the value of the first run that recorded one under the task's metric."""
    runs: tuple[TaskRuns, ...]


class PublishedAup(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a published AUP table."""

    best_attempt: float
    best_submission: float


class _Line(msgspec.Struct, frozen=True):
    model: str
    task: str
    run: int
    metric: str
    direction: Direction
    agent: tuple[dict[str, float | None], ...]
    baseline: dict[str, float | None]


_decoder = msgspec.json.Decoder(_Line)


def load_published_runs(folder: Path) -> PublishedRuns:
    """All runs of ``results.jsonl.gz``, checked against the facts of their tasks.

    Raises:
        BadSpecification: when the file is missing, damaged, holds a run twice, or names an unknown task,
            another metric or another direction; the message has file and line.
    """
    path = folder / RESULTS_NAME
    found: dict[tuple[str, str], dict[int, Run]] = {}
    baselines: dict[str, float] = {}
    for number, raw in _lines(path):
        where = f"{path}, line {number}"
        line = _decoded(raw, where)
        facts = _facts(line, where)
        runs = found.setdefault((facts.id, line.model), {})
        if line.run in runs:
            raise BadSpecification(
                where, f"run {line.run} of {line.model} on {line.task} is there twice; keep one"
            )
        runs[line.run] = _run(line, facts)
        baseline = line.baseline.get(facts.metric)
        if baseline is not None:
            baselines.setdefault(facts.id, baseline)
    if not found:
        raise BadSpecification(str(path), "holds no run; expected one JSON object per line")
    return _published(str(folder), found, baselines)


def load_score_table(path: Path) -> tuple[TaskScores, ...]:
    """A published table of scores: a row per task, a column per method, an empty cell for no usable run."""
    rows = _rows(path)
    methods = rows[0][1:]
    tables: list[TaskScores] = []
    for number, row in enumerate(rows[1:], start=2):
        where = f"{path}, line {number}"
        facts = _known(row[0], where)
        cells = [_number(cell, where) if cell else None for cell in row[1:]]
        scores = dict(zip(methods, cells, strict=True))
        tables.append(TaskScores(task=facts.id, direction=facts.direction, scores=scores))
    return tuple(tables)


def load_rank_table(path: Path) -> dict[str, tuple[str, ...]]:
    """A published table of orders: by task id, and by the names of the aggregate rows, methods best first."""
    orders: dict[str, tuple[str, ...]] = {}
    for row in _rows(path)[1:]:
        try:
            name = facts_of(row[0]).id
        except UnknownName:
            name = row[0]  # an aggregate row
        orders[name] = tuple(row[1:])
    return orders


def load_aup_table(path: Path) -> dict[str, PublishedAup]:
    """A published table of areas under the profile, by method."""
    rows = _rows(path)
    if rows[0] != ["Model", "Best AUP", "Last AUP"]:
        raise BadSpecification(f"{path}, line 1", "expected the columns Model, Best AUP, Last AUP")
    table: dict[str, PublishedAup] = {}
    for number, (method, best, last) in enumerate(rows[1:], start=2):
        where = f"{path}, line {number}"
        table[method] = PublishedAup(best_attempt=_number(best, where), best_submission=_number(last, where))
    return table


def result_lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each line of ``results.jsonl.gz`` with its place in words, for errors.

    Raises:
        BadSpecification: when the file is missing, damaged, or has lines that are no runs.
    """
    path = folder / RESULTS_NAME
    for number, raw in _lines(path):
        yield f"{path}, line {number}", raw


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(path, "rb") as stream:
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise BadSpecification(
                        f"{path}, line {number}",
                        f"is longer than {MAX_LINE_BYTES} bytes; expected one run per line",
                    )
                yield number, raw
    except FileNotFoundError as error:
        raise BadSpecification(str(path), "is not there; name the folder that holds it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadSpecification(
            f"{path}, line {number + 1}", f"cannot be read ({error}); fetch the file again"
        ) from error


def _decoded(raw: bytes, where: str) -> _Line:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSpecification(where, f"is not a run's record ({error}); fetch the file again") from error


def _facts(line: _Line, where: str) -> TaskFacts:
    facts = _known(line.task, where)
    if (line.metric, line.direction) != (facts.metric, facts.direction):
        raise BadSpecification(
            where,
            f"has metric {line.metric!r} ({line.direction}); {facts.id} is scored by "
            f"{facts.metric!r} ({facts.direction})",
        )
    return facts


def _known(task: str, where: str) -> TaskFacts:
    try:
        return facts_of(task)
    except UnknownName as error:
        raise BadSpecification(where, str(error)) from error


def _run(line: _Line, facts: TaskFacts) -> Run:
    invalid = invalid_run(facts.id, line.model)
    known = invalid is not None and invalid.run == line.run
    return Run(
        index=line.run,
        entries=tuple(entry.get(facts.metric) for entry in line.agent),
        valid=not known,
        reason=invalid.reason if invalid is not None and known else "",
    )


def _published(
    source: str, found: dict[tuple[str, str], dict[int, Run]], baselines: dict[str, float]
) -> PublishedRuns:
    order = {facts.id: place for place, facts in enumerate(task_facts())}
    everything: list[TaskRuns] = []
    for task, method in sorted(found, key=lambda key: (order[key[0]], key[1])):
        facts = facts_of(task)
        runs = found[task, method]
        everything.append(
            TaskRuns(
                method=method,
                task=task,
                metric=facts.metric,
                direction=facts.direction,
                runs=tuple(runs[index] for index in sorted(runs)),
                self_reported=facts.self_reported,
            )
        )
    methods = tuple(sorted({method for _, method in found}))
    return PublishedRuns(source=source, methods=methods, baselines=baselines, runs=tuple(everything))


def _rows(path: Path) -> list[list[str]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError as error:
        raise BadSpecification(str(path), "is not there; name the folder that holds it") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadSpecification(str(path), f"cannot be read ({error})") from error
    if not rows:
        raise BadSpecification(str(path), "is empty; expected a table with a header row")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise BadSpecification(
                f"{path}, line {number}", f"has {len(row)} cells, the header has {len(rows[0])}; mend the row"
            )
    return rows


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise BadSpecification(where, f"{cell!r} is not a number") from error
