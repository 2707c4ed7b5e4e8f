"""What a replay of many runs comes to: shares of steps, classes of differences, and what the audit flags."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.mlgym_replay.comparing import EXPLANATIONS
from benchmarks.mlgym_replay.running import RunRow


class TaskLine(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one task, or of all."""

    task: str
    runs: int
    steps: int
    """As recorded; a step that the replay did not reach counts as different."""
    same: int
    not_compared: int
    """Of the same ones: their score is a wall time or has no common count, so that only its being there compares."""
    by_difference: dict[str, int]
    """Class to steps; ``not reached`` among them."""

    @property
    def share(self) -> float:
        """Of steps that mean the same, in 0..1."""
        return self.same / self.steps if self.steps else 0.0


class KindLine(msgspec.Struct, frozen=True, kw_only=True):
    """The steps whose recorded observation is of one kind."""

    kind: str
    steps: int
    same: int


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A run that changed files of the evaluation."""

    run: str
    task: str
    files: tuple[str, ...]
    best_changed: float | None
    verified_best: float | None


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the command says."""

    checkout: str
    selection: str
    """Which runs were played, of how many."""
    total: TaskLine
    tasks: tuple[TaskLine, ...]
    kinds: tuple[KindLine, ...]
    differences: dict[str, str]
    """Every class that occurs, with what it means."""
    flags: tuple[Flag, ...]
    older_files: dict[str, int]
    """Starter files that runs show to have been others than the checkout's, to the number of runs."""
    trouble: dict[str, str]
    """Runs that could not be played to their end, with why."""
    runs: tuple[RunRow, ...] = ()


def summarise(rows: Sequence[RunRow], *, checkout: str, selection: str) -> ReplayReport:
    """The report on these runs."""
    by_task: dict[str, list[RunRow]] = {}
    for row in rows:
        by_task.setdefault(row.task, []).append(row)
    seen = Counter(name for row in rows for name in row.older_files)
    total = _line("all", rows)
    return ReplayReport(
        checkout=checkout,
        selection=selection,
        total=total,
        tasks=tuple(_line(task, of_task) for task, of_task in sorted(by_task.items())),
        kinds=_kinds(rows),
        differences={name: _explanation(name) for name in total.by_difference},
        flags=tuple(
            Flag(
                run=row.name,
                task=row.task,
                files=row.changed,
                best_changed=row.best_changed,
                verified_best=row.verified_best,
            )
            for row in rows
            if row.changed
        ),
        older_files=dict(seen.most_common()),
        trouble={row.name: row.trouble for row in rows if row.trouble},
        runs=tuple(rows),
    )


def _line(task: str, rows: Sequence[RunRow]) -> TaskLine:
    steps = [step for row in rows for step in row.rows]
    differences = Counter(step.difference for step in steps if step.difference)
    if not_reached := sum(row.steps - len(row.rows) for row in rows):
        differences["not reached"] = not_reached
    return TaskLine(
        task=task,
        runs=len(rows),
        steps=sum(row.steps for row in rows),
        same=sum(not step.difference for step in steps),
        not_compared=sum(step.score_not_compared and not step.difference for step in steps),
        by_difference=dict(differences.most_common()),
    )


def _kinds(rows: Sequence[RunRow]) -> tuple[KindLine, ...]:
    steps, same = Counter[str](), Counter[str]()
    for step in (step for row in rows for step in row.rows):
        steps[step.kind] += 1
        same[step.kind] += not step.difference
    return tuple(KindLine(kind=kind, steps=count, same=same[kind]) for kind, count in steps.most_common())


def _explanation(name: str) -> str:
    known: Mapping[str, str] = {str(key): text for key, text in EXPLANATIONS.items()}
    return known.get(name, "the replay ended before the step")


def markdown(report: ReplayReport) -> str:
    """The tables of a report, in Markdown."""
    lines = [
        f"Played: {report.selection}.",
        "",
        "| task | runs | steps | same | share | of these, score not compared |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {line.task} | {line.runs} | {line.steps} | {line.same} | {line.share:.2%} | {line.not_compared} |"
        for line in (*report.tasks, report.total)
    ]
    lines += ["", "| recorded observation | steps | same |", "|---|---|---|"]
    lines += [f"| {kind.kind} | {kind.steps} | {kind.same} |" for kind in report.kinds]
    lines += ["", "| class of difference | steps | what it is |", "|---|---|---|"]
    lines += [
        f"| {name} | {count} | {report.differences[name]} |"
        for name, count in report.total.by_difference.items()
    ]
    lines += [
        "",
        "| flagged run | task | changed | best score so | the checkout's files put back |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {flag.run} | {flag.task} | {', '.join(flag.files)} | {_score(flag.best_changed)} "
        f"| {_score(flag.verified_best)} |"
        for flag in report.flags
    ]
    return "\n".join(lines) + "\n"


def _score(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
