"""``mlyceum score``: the scores of a study's folder, or of the published runs."""

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from benchmarks import PublishedScores, score_published
from benchmarks.marks import Mark
from benchmarks.normalised import Interval as BootstrapInterval
from benchmarks.scoreboard import PartialSuite, Scoreboard, Suite
from benchmarks.studies.intervals import Interval
from engine.errors import BadSpecification
from mlyceum.cli.output import json_option, make_table, print_json, stdout_console
from mlyceum.folders import episode_folder, study_folder
from mlyceum.plain_text import plain, plain_struct
from mlyceum.study_scores import StudyScores, score_study
from mlyceum.viewer.fitted import Column, print_fitted
from mlyceum.viewer.numbers import number


class PublishedDocument(PublishedScores, frozen=True, kw_only=True):
    """The published runs scored as published, and beside it without what may not enter a comparison."""

    valid_only: PublishedScores
    """Self-reported metrics and runs known to be invalid left out: our own view."""


@click.command("score")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--published",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Score MLGym's released runs (results.jsonl.gz).",
)
@json_option
def command(folder: Path | None, published: Path | None, *, as_json: bool) -> None:
    """Score the episodes of DIR from its index: mean, interval, IQM, normalised score, failures, BA@k, BS@k.

    Episodes that have not ended are named, not scored. With --published, MLGym's released runs instead: AUP,
    scores and ranks as published, and the view without self-reported metrics and invalid runs beside it.

    \b
    Examples:
      mlyceum score runs/latest
      mlyceum score runs/latest --json
      mlyceum score --published ../shared/mlgym-results
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    if (folder is None) == (published is None):
        raise BadSpecification("score", "name a study's folder, or --published and a folder of released runs")
    if published is not None:
        _published(published, as_json=as_json)
    elif folder is not None:
        if episode_folder(folder) is not None:
            raise BadSpecification(
                str(folder), "is one episode; name its study's folder, or use `mlyceum show`"
            )
        scores = score_study(study_folder(folder))
        print_json(scores) if as_json else _print_study(plain_struct(scores))


def _published(folder: Path, *, as_json: bool) -> None:
    compatible = score_published(folder, mlgym_compatible=True)
    valid_only = score_published(folder)
    if as_json:
        fields = {name: getattr(compatible, name) for name in compatible.__struct_fields__}
        print_json(PublishedDocument(**fields, valid_only=valid_only))
        return
    console = stdout_console()
    console.print(Text(f"As published ({suite_text(compatible.suite)})", style="bold underline"))
    _print_boards(console, compatible)
    console.print()
    console.print(Text(f"Valid scores only ({suite_text(valid_only.suite)})", style="bold underline"))
    _print_boards(console, valid_only)
    console.print()
    console.print(Text("the two stand on different suites: their areas do not compare", style="dim"))


def _print_boards(console: Console, scores: PublishedScores) -> None:
    for title, board in (("best attempt", scores.best_attempt), ("best submission", scores.best_submission)):
        console.print()
        print_board(console, board, title=f"{title}@{scores.k}")
    console.print()
    _print_task_scores(console, scores)
    print_marks(console, scores.marks)


def print_board(console: Console, board: Scoreboard, *, title: str) -> None:
    """AUP and the three orders of a scoreboard, best AUP first."""
    table = make_table(
        title, "AUP", "Borda", "Plackett-Luce", "MLGym mean position",
        numbers=frozenset({"AUP", "Borda", "Plackett-Luce", "MLGym mean position"}),
    )  # fmt: skip
    worth, ranks = board.plackett_luce.worths, board.mlgym_mean_rank.mean_position
    for method in sorted(board.aup, key=lambda name: -board.aup[name]):
        table.add_row(
            method,
            f"{board.aup[method]:.3f}",
            f"{board.borda[method]:g}",
            f"{worth[method]:.3f}",
            f"{ranks[method]:.2f}",
        )
    console.print(table)


def _print_task_scores(console: Console, scores: PublishedScores) -> None:
    columns = (
        Column(name="task"),
        Column(name="baseline", right=True, optional=2),
        Column(name="best attempt", right=True),
        Column(name="by", optional=1),
        Column(name="best submission", right=True),
        Column(name="by ", optional=1),
    )
    rows: list[list[str]] = []
    for facts in scores.tasks:
        cells: list[str] = []
        for board in (scores.best_attempt, scores.best_submission):
            first = board.ranks[facts.id][0]
            cells += [number(board.scores[facts.id][first]), first]
        rows.append(
            [f"{facts.id} {'↑' if facts.direction == 'max' else '↓'}", number(facts.baseline), *cells]
        )
    print_fitted(console, columns, rows)


def print_marks(console: Console, marks: tuple[Mark, ...]) -> None:
    """The cautions that belong to the figures above."""
    for mark in marks:
        where = f"{mark.task}: " if mark.task else ""
        console.print(Text(plain(f"note: {where}{mark.text}"), style="dim"), soft_wrap=True)


def suite_text(suite: Suite) -> str:
    """Which tasks a figure stands on."""
    if isinstance(suite, PartialSuite):
        out = f"; left out: {', '.join(each.task for each in suite.left_out)}" if suite.left_out else ""
        return f"{len(suite.tasks)} of 13 tasks: {', '.join(suite.tasks)}{out}"
    return "all 13 tasks"


def _print_study(scores: StudyScores) -> None:
    console = stdout_console()
    if scores.tasks:
        _print_task_arms(console, scores)
    for arm in scores.arms:
        mean, middle = arm.headline.mean[arm.arm], arm.headline.interquartile_mean[arm.arm]
        console.print()
        text = (
            f"{arm.arm} over {', '.join(arm.headline.tasks)}: normalised mean {_bounds(mean)}, interquartile mean "
            f"{_bounds(middle)}, failure rate {arm.headline.headline[arm.arm].failure_rate:.0%}"
        )
        console.print(Text(text), soft_wrap=True)
    for note in scores.notes:
        console.print(Text(f"note: {note}", style="dim"), soft_wrap=True)


_COLUMNS = (
    Column(name="task"),
    Column(name="arm"),
    Column(name="protocol", optional=6),
    Column(name="n", right=True),
    Column(name="mean", right=True),
    Column(name="95 % interval", right=True),
    Column(name="IQM", right=True, optional=5),
    Column(name="normalised", right=True, optional=1),
    Column(name="failed", right=True, optional=2),
    Column(name="BA@k", right=True, optional=4),
    Column(name="BS@k", right=True, optional=3),
    Column(name="baseline", right=True, optional=7),
    Column(name="optimum", right=True, optional=8),
)


def _print_task_arms(console: Console, scores: StudyScores) -> None:
    rows = [
        (
            f"{row.task} {'↑' if row.direction == 'max' else '↓'}",
            row.arm,
            row.protocol,
            str(row.k),
            number(row.mean.mean),
            _interval(row.mean),
            number(row.interquartile_mean),
            number(row.normalised_mean, digits=3),
            f"{row.failure_rate:.0%}",
            number(row.best_attempt),
            number(row.best_submission),
            number(row.baseline),
            number(row.optimum),
        )
        for row in scores.tasks
    ]
    print_fitted(console, _COLUMNS, rows)


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "-"
    return f"{number(interval.low)} … {number(interval.high)}"


def _bounds(interval: BootstrapInterval) -> str:
    return f"{interval.estimate:.3f} ({interval.low:.3f} … {interval.high:.3f})"
