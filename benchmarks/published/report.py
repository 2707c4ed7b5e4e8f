"""Everything that released runs allow to be said, as one value; and as a folder of tables and pictures."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.published import figures, sheets
from benchmarks.published.actions import ActionRow, StepRow, actions_by, actions_by_step
from benchmarks.published.behaviour import load_behaviours
from benchmarks.published.checks import Check, check_tables, published_orders
from benchmarks.published.costs import CostRow, costs
from benchmarks.published.exits import ExitRow, exits_by_method, exits_by_task
from benchmarks.published.flags import Flag, find_flags
from benchmarks.published.sheets import Sheet
from benchmarks.published.views import Profile, RankShift, View, make_views, profiles, rank_shifts
from benchmarks.records import load_published_runs
from benchmarks.reference import published_methods, task_facts
from benchmarks.report.pictures import draw, stand_alone
from engine.errors import OutputUnusable

SOURCE = (
    "Made from the released runs of MLGym-Bench (Nathani et al. 2025, arXiv 2502.14499), which are CC BY-NC 4.0: "
    "attribution, no commercial use."
)
FIGURES = "figures"


class PublishedReport(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a folder of released runs."""

    source: str
    runs: int
    views: tuple[View, ...]
    """As published first."""
    profiles: tuple[Profile, ...]
    """Of the first view."""
    ranking_attempt: tuple[RankShift, ...]
    ranking_submission: tuple[RankShift, ...]
    flags: tuple[Flag, ...]
    exits_by_model: tuple[ExitRow, ...]
    exits_by_task: tuple[ExitRow, ...]
    actions_by_model: tuple[ActionRow, ...]
    actions_by_task: tuple[ActionRow, ...]
    actions_by_step: tuple[StepRow, ...]
    costs: tuple[CostRow, ...]
    checks: tuple[Check, ...]


def make_report(folder: Path) -> PublishedReport:
    """Take every figure of a folder of released runs.

    Args:
        folder: holds ``results.jsonl.gz`` and, where they are to be held against, copies of MLGym's tables.

    Raises:
        BadSpecification: when a file is missing or damaged, with file and line.
    """
    runs, behaviours = load_published_runs(folder), load_behaviours(folder)
    views = make_views(runs, orders=published_orders(folder))
    methods = [method for method in published_methods(in_tables_only=False) if method in runs.methods]
    tasks = [facts.id for facts in task_facts() if any(each.task == facts.id for each in runs.runs)]
    attempt, submission = views[0].best_attempt.aup, views[0].best_submission.aup
    return PublishedReport(
        source=str(folder),
        runs=len(behaviours),
        views=views,
        profiles=profiles(views[0]),
        ranking_attempt=rank_shifts(views, submission=False),
        ranking_submission=rank_shifts(views, submission=True),
        flags=find_flags(runs),
        exits_by_model=exits_by_method(behaviours, methods),
        exits_by_task=exits_by_task(behaviours, tasks),
        actions_by_model=actions_by(behaviours, methods),
        actions_by_task=actions_by(behaviours, tasks, by_task=True),
        actions_by_step=actions_by_step(behaviours),
        costs=costs(behaviours, methods, attempt=attempt, submission=submission),
        checks=check_tables(folder, views[0]),
    )


def sheets_of(report: PublishedReport) -> tuple[Sheet, ...]:
    """Every table, in the order in which they are read."""
    first = report.views[0]
    return (
        sheets.score_sheet(first, report.views[1], submission=False),
        sheets.score_sheet(first, report.views[1], submission=True),
        sheets.aup_sheet(first),
        sheets.flag_sheet(report.flags),
        sheets.ranking_sheet(report.ranking_attempt, submission=False),
        sheets.ranking_sheet(report.ranking_submission, submission=True),
        sheets.cost_sheet(report.costs),
        sheets.exit_sheet(report.exits_by_model, name="exits-by-model", first="model"),
        sheets.cause_sheet(report.exits_by_model),
        sheets.exit_sheet(report.exits_by_task, name="exits-by-task", first="task"),
        sheets.action_sheet(report.actions_by_model, name="actions-by-model", first="model"),
        sheets.action_sheet(report.actions_by_task, name="actions-by-task", first="task"),
        sheets.step_sheet(report.actions_by_step),
        sheets.check_sheet(report.checks),
    )


def figures_of(report: PublishedReport) -> dict[str, tuple[str, figures.Spec]]:
    """Every picture by the name of the table that it stands beside: what it shows, and its specification."""
    first = report.views[0]
    order = sorted(first.best_attempt.aup, key=lambda method: -first.best_attempt.aup[method])
    models = report.exits_by_model[:-1]
    return {
        "aup": ("Areas under the profiles of best attempt and best submission", figures.aup_figure(first)),
        "profiles": (
            "Performance profiles of each method (best attempt of the others in grey)",
            figures.profile_figure(report.profiles, order),
        ),
        "ranking-attempt": (
            "Places by best attempt: as published, without the two invalid runs, and without the self-reported metric",
            figures.ranking_figure(report.ranking_attempt),
        ),
        "ranking-submission": (
            "Places by best submission: as published, without the two invalid runs, and without the self-reported metric",
            figures.ranking_figure(report.ranking_submission),
        ),
        "costs": ("Area under the profile against the cost of a run", figures.cost_figure(report.costs)),
        "exits-by-model": ("How runs ended, by model", figures.exit_figure(models, first="model")),
        "exits-by-task": ("How runs ended, by task", figures.exit_figure(report.exits_by_task, first="task")),
        "actions-by-model": (
            "Steps of a run by kind of action, by model",
            figures.action_figure(report.actions_by_model, first="model"),
        ),
        "actions-by-task": (
            "Steps of a run by kind of action, by task",
            figures.action_figure(report.actions_by_task, first="task"),
        ),
        "actions-by-step": (
            "Actions at each step, over all runs",
            figures.step_figure(report.actions_by_step),
        ),
    }


def write_report(report: PublishedReport, out: Path) -> tuple[Path, ...]:
    """Write ``report.md``, a CSV for each table and an SVG for each picture; the files, in that order.

    Raises:
        OutputUnusable: the folder cannot be written.
        ExtraMissing: without the extra ``study``, which draws; nothing is written then.
    """
    pictures = {
        name: stand_alone(draw(spec, name=name, alt=alt)) for name, (alt, spec) in figures_of(report).items()
    }
    captions = {name: alt for name, (alt, _) in figures_of(report).items()}
    files = {Path("report.md"): markdown(report, captions)}
    files |= {Path(f"{sheet.name}.csv"): sheet.csv() for sheet in sheets_of(report)}
    files |= {Path(FIGURES) / f"{name}.svg": svg for name, svg in pictures.items()}
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputUnusable(
            f"cannot write in {out}: {error.strerror or error}; choose another --out"
        ) from error
    return tuple(out / name for name in files)


def markdown(report: PublishedReport, captions: Mapping[str, str]) -> str:
    """The whole report in Markdown; pictures by their files."""
    parts = ["# The published runs of MLGym-Bench, made again", SOURCE, f"{report.runs} runs."]
    shown: set[str] = set()
    for sheet in sheets_of(report):
        parts.append(f"## {sheet.title}")
        for name in (sheet.name, *(("profiles",) if sheet.name == "aup" else ())):
            if name in captions:
                parts.append(f"![{captions[name]}]({FIGURES}/{name}.svg)")
                shown.add(name)
        parts += [sheet.markdown(), sheet.note]
    return "\n\n".join(parts) + "\n"
