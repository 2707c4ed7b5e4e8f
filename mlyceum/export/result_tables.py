"""Tables of results with intervals, for a paper (LaTeX, booktabs) or a page (Markdown).

For each task its arms: how many blocks, the mean final score on the task's metric with its interval, how many handed in
nothing that earned a score. Over all tasks, where they can be normalised: mean, interquartile mean and failure rate
together. Pilots are left out; an agent's failure counts as the floor or baseline that the task states.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.statistics import FEWEST_BLOCKS, Interval, headlines, outcomes_of_results
from benchmarks.statistics.interval import mean_of_tasks_interval
from engine.episode import EpisodeResult
from engine.errors import BadSpecification
from engine.task import TaskCard
from mlyceum.frame_rows import EpisodeRow
from mlyceum.plain_text import one_line

SEED = 20_241_125
"""Of the bootstrap draws: the same table for the same record."""


NONE = "-"
"""A figure that there is not."""


class ResultTable(NamedTuple):
    """A table: cells as plain text, figures aligned to the right."""

    title: str
    heads: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def by_task(rows: Iterable[EpisodeRow]) -> ResultTable:
    """The arms of each task.

    Raises:
        ExtraMissing: without scipy.
    """
    cells: dict[tuple[str, str], list[EpisodeRow]] = {}
    for row in rows:
        if not row.is_pilot:
            cells.setdefault((row.task, row.arm), []).append(row)
    lines: list[tuple[str, ...]] = []
    for (task, arm), of_cell in cells.items():
        counted = [row.counted for row in of_cell if row.counted is not None]
        interval = mean_of_tasks_interval(np.array([counted])) if counted else None
        sign = {"max": "↑", "min": "↓"}.get(of_cell[0].direction or "", "")
        lines.append(
            (
                one_line(f"{task} {sign}"),
                one_line(arm),
                str(len(counted)),
                _number(interval.estimate) if interval is not None else NONE,
                _range(interval),
                str(sum(row.state == "ended" and row.final is None for row in of_cell)),
                str(len(of_cell) - len(counted)),
            )
        )
    return ResultTable(
        title="Final score by task and arm",
        heads=("task", "arm", "blocks", "mean", "95 % interval", "no score", "missing"),
        numeric=(False, False, True, True, True, True, True),
        rows=tuple(lines),
        notes=(
            f"Student's t over blocks; none below {FEWEST_BLOCKS} blocks.",
            "An artefact without a score counts as the task's floor or baseline.",
        ),
    )


def headline(results: Iterable[EpisodeResult], cards: Mapping[str, TaskCard]) -> ResultTable | None:
    """Every arm over all tasks; None where the tasks' scores cannot be normalised, or nothing has ended.

    Args:
        results: of one protocol, pilots left out.
        cards: by task.

    Raises:
        ExtraMissing: without scipy.
    """
    given = tuple(results)
    if not given or {each.spec.task for each in given} - cards.keys():
        return None
    try:
        outcomes = outcomes_of_results(given, cards)
    except BadSpecification:
        return None
    found = headlines(outcomes, generator=np.random.default_rng(SEED))
    return ResultTable(
        title="Normalised final score (0: baseline, 1: optimum or best published) over all tasks",
        heads=(
            "arm",
            "runs",
            "missing",
            "mean",
            "95 %",
            "interquartile mean",
            "95 %",
            "failure rate",
            "95 %",
        ),
        numeric=(False, *(True,) * 8),
        rows=tuple(
            (
                one_line(each.method),
                str(each.runs),
                str(each.missing),
                *_both(each.mean),
                *_both(each.interquartile_mean),
                *_both(each.failure_rate),
            )
            for each in found
        ),
        notes=(
            f"Tasks: {len(outcomes.tasks)}. No interval below {FEWEST_BLOCKS} blocks a task.",
            "Mean and interquartile mean: bootstrap over blocks (expanded BCa); failure rate: Wilson.",
            "Intervals that overlap do not mean that two arms are alike: compare arms in pairs (mlyceum report).",
        ),
    )


def _both(interval: Interval) -> tuple[str, str]:
    return _number(interval.estimate), _range(interval)


def _number(value: float) -> str:
    return NONE if np.isnan(value) else f"{value:.3f}"


def _range(interval: Interval | None) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return NONE
    return f"{_number(interval.low)} to {_number(interval.high)}"


def markdown(tables: Sequence[ResultTable]) -> str:
    """Tables as Markdown."""
    parts: list[str] = []
    for table in tables:
        rule = ["---:" if numeric else "---" for numeric in table.numeric]
        lines = [table.heads, rule, *table.rows]
        parts.append(
            f"### {_md(table.title)}\n\n"
            + "\n".join(
                "| " + " | ".join(map(_md, line) if line is not rule else line) + " |" for line in lines
            )
            + "\n\n"
            + "\n".join(_md(note) for note in table.notes)
            + "\n"
        )
    return "\n".join(parts)


def _md(text: str) -> str:
    """Text that Markdown takes as it is: names are a user's, and may hold anything."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>|#~" else char for char in text)


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def latex(tables: Sequence[ResultTable]) -> str:
    r"""Tables as LaTeX: ``tabular`` with rules of ``booktabs``, to be ``\input``."""
    parts = ["% needs \\usepackage{booktabs}\n"]
    for table in tables:
        columns = "".join("r" if numeric else "l" for numeric in table.numeric)
        body = "\n".join(f"{_tex_row(row, table.numeric)} \\\\" for row in table.rows)
        notes = "".join(f"\\\\[2pt]\n{{\\footnotesize {_tex(note)}}}\n" for note in table.notes)
        parts.append(
            "\\begin{table}\n\\centering\n"
            f"\\caption{{{_tex(table.title)}}}\n"
            f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n"
            f"{' & '.join(map(_tex, table.heads))} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"
            f"{notes}\\end{{table}}\n"
        )
    return "\n".join(parts)


def _tex_row(row: Sequence[str], numeric: Sequence[bool]) -> str:
    cells = zip(map(_tex, row), numeric, strict=True)
    return " & ".join(_tex_figure(cell) if is_figure else cell for cell, is_figure in cells)


def _tex_figure(cell: str) -> str:
    return (
        "--"
        if cell == NONE
        else cell.replace("-", "$-$").replace(" to ", "--" if "-" not in cell else " to ")
    )


def _tex(text: str) -> str:
    return "".join(_TEX.get(char, char) for char in text)
