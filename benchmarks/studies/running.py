"""One run of a study: open its folder and a laboratory, run what is missing, sum up."""

from pathlib import Path
from typing import get_args

from benchmarks.studies.laboratory import open_laboratory
from benchmarks.studies.plan import Plan
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.study import make_run_record, open_study
from benchmarks.studies.summary import Record, make_rows, make_task_rows
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, UnknownName
from engine.scheduler import Limits, Ran, make_limits, run_episodes
from engine.workspace.backends import BackendName

WORKSPACES: tuple[BackendName, ...] = get_args(BackendName)


async def run_plan(
    plan: Plan,
    *,
    folder: Path,
    limits: Limits,
    reporter: Reporter,
    workspace: BackendName = "sandbox",
    base_url: str | None = None,
) -> Record:
    """Run every episode of a plan that is not done yet, and sum up all of them.

    Cancelled, everything in progress stops at once and its record stands; called again, it goes on from there.

    Raises:
        UserError: what was asked for cannot be done: one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    with open_study(folder, plan.specs) as study:
        async with open_laboratory(
            study,
            tasks=plan.tasks,
            limits=limits,
            workspace=workspace,
            base_url=base_url,
            evaluated=reporter.evaluated,
        ) as laboratory:
            reporter.note(f"limits: {limits.line()}")
            if laboratory.fallback is not None:
                reporter.note(laboratory.fallback)
            study.add_run(
                make_run_record(
                    limits=limits.all(),
                    workspace=laboratory.backend.name,
                    isolation=laboratory.isolation,
                    fallback=laboratory.fallback,
                )
            )
            reporter.begin(len(plan.specs), sum(spec.budget.evaluations or 0 for spec in plan.specs))
            ran = await run_episodes(
                plan.specs,
                laboratory.run_one,
                folder=folder,
                index=study.index,
                limits=limits,
                report=reporter.episode,
            )
            study.end_run(ran.failed)
    return sum_up(
        plan,
        ran,
        folder=folder,
        limits=limits,
        workspace=laboratory.backend.name,
        fallback=laboratory.fallback,
    )


def sum_up(
    plan: Plan, ran: Ran, *, folder: Path, limits: Limits, workspace: str, fallback: str | None
) -> Record:
    """The record of a run."""
    rows = make_rows(plan.specs, ran, cards=plan.cards, folder=folder)
    budget = {axis: limit for axis, limit in _caps(plan.specs[0]).items() if limit is not None}
    return Record(
        folder=str(folder),
        team=plan.team.name,
        patches=plan.team.patches,
        model=plan.model,
        protocol=plan.protocol,
        budget=budget,
        episodes=rows,
        tasks=make_task_rows(rows, team=plan.team.name, cards=plan.cards),
        limits=limits.all(),
        workspace=workspace,
        notes=(*plan.notes, *([fallback] if fallback else [])),
    )


def _caps(spec: EpisodeSpec) -> dict[str, float | None]:
    return {axis: spec.budget.limit(axis) for axis in ("evaluations", "steps", "cost_usd")}


def limits_for(jobs: int | None) -> Limits:
    """Limits with so many episodes at once; None: as many as the cores allow.

    Raises:
        BadSpecification: for less than one.
    """
    if jobs is not None and jobs < 1:
        raise BadSpecification("--jobs", f"{jobs} is too small; give 1 or more")
    return make_limits(episodes=jobs)


def check_workspace(name: str) -> BackendName:
    """The backend's name, checked.

    Raises:
        UnknownName: there is none of that name.
    """
    for known in WORKSPACES:
        if name == known:
            return known
    raise UnknownName("workspace backend", name, WORKSPACES)
