"""One run of a study: open its folder and a laboratory, run what is missing, sum up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import trio

from benchmarks.studies.implied import design_of, keep_study_file, study_text
from benchmarks.studies.laboratory import open_laboratory
from benchmarks.studies.model_use import ModelUse
from benchmarks.studies.plan import Plan
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.study import make_run_record, open_study
from benchmarks.studies.summary import Record, make_rows, make_task_rows
from benchmarks.studies.teams import models_of
from engine.bus import InfrastructureFailed
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, UnknownName
from engine.models.interface import Model
from engine.scheduler import Limits, Ran, RunOne, make_limits, run_episodes
from engine.workspace.backends import BackendName

RETRY_SECONDS: Final = 0.5
"""Before the first retry of an episode; twice as long before each further one."""
WORKSPACES: tuple[BackendName, ...] = get_args(BackendName)


async def run_plan(
    plan: Plan,
    *,
    folder: Path,
    limits: Limits,
    reporter: Reporter,
    workspace: BackendName = "sandbox",
    base_url: str | None = None,
    model_use: ModelUse | None = None,
) -> Record:
    """Run every episode of a plan that is not done yet, and sum up all of them.

    Cancelled, everything in progress stops at once and its record stands; called again, it goes on from there.

    Raises:
        UserError: what was asked for cannot be done: one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    ran = await run_missing(
        plan,
        folder=folder,
        limits=limits,
        reporter=reporter,
        workspace=workspace,
        base_url=base_url,
        model_use=model_use,
        held=lambda: keep_study_file(folder, study_text(design_of(plan, name=folder.resolve().name))),
    )
    return sum_up(
        plan,
        ran.episodes,
        folder=folder,
        limits=limits,
        workspace=ran.workspace,
        fallback=ran.fallback,
        notes=model_use.notes() if model_use is not None else (),
    )


@dataclass(frozen=True, kw_only=True)
class RanAll:
    """What came of a run, and where its code ran.

    Attributes:
        retried: episodes that were tried again at once, and how often.
        fallback: why code ran without isolation, where it did.
    """

    episodes: Ran
    retried: dict[str, int]
    workspace: str
    fallback: str | None


async def run_missing(
    plan: Plan,
    *,
    folder: Path,
    limits: Limits,
    reporter: Reporter,
    workspace: BackendName = "sandbox",
    base_url: str | None = None,
    retries: int = 0,
    extends: bool = False,
    held: Callable[[], None] = lambda: None,
    model_use: ModelUse | None = None,
    replayed: Mapping[str, Model] | None = None,
    replay_of: str | None = None,
) -> RanAll:
    """Run every episode of a plan that is not done yet.

    Args:
        plan: what to run.
        folder: of the study.
        limits: of this run.
        reporter: told how it goes.
        workspace: which backend.
        base_url: of the models' endpoint, instead of its own.
        retries: how often an episode that the outside let down is tried again at once; its record is gone on with.
        extends: whether the plan may hold more episodes than the folder is known to hold.
        held: called once the folder is held by this run.
        model_use: what stands before the models; None: nothing.
        replayed: models by name that answer from records, instead of any endpoint's.
        replay_of: the study that is replayed, for the record.

    Raises:
        UserError: what was asked for cannot be done: one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    with open_study(folder, plan.specs, extends=extends) as study:
        held()
        if model_use is not None and any(models_of(spec) for spec in plan.specs):
            model_use.prepare(folder)
        async with open_laboratory(
            study,
            tasks=plan.tasks,
            limits=limits,
            workspace=workspace,
            base_url=base_url,
            evaluated=reporter.evaluated,
            model_use=model_use,
            replayed=replayed,
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
                    replay_of=replay_of,
                )
            )
            evaluations = sum(spec.budget.evaluations or 0 for spec in plan.specs)
            reporter.begin(len(plan.specs), evaluations, folder)
            persistent = Persistent(laboratory.run_one, retries=retries, reporter=reporter)
            ran = await run_episodes(
                plan.specs,
                persistent.run_one,
                folder=folder,
                index=study.index,
                limits=limits,
                report=reporter.episode,
            )
            used = model_use.used() if model_use is not None else None
            study.end_run(ran.failed, persistent.retried, model_cache=used)
    return RanAll(
        episodes=ran,
        retried=persistent.retried,
        workspace=laboratory.backend.name,
        fallback=laboratory.fallback,
    )


class Persistent:
    """Runs an episode again where the outside let it down, a bounded number of times.

    Args:
        run_one: runs an episode, or goes on with it.
        retries: after the first try.
        reporter: told of each.

    Attributes:
        retried: how often, by episode.
    """

    def __init__(self, run_one: RunOne, *, retries: int, reporter: Reporter) -> None:
        self._run_one, self._retries, self._reporter = run_one, retries, reporter
        self.retried: dict[str, int] = {}

    async def run_one(self, spec: EpisodeSpec, folder: Path) -> EpisodeResult:
        """An `engine.scheduler.RunOne`."""
        for attempt in range(1, self._retries + 1):
            try:
                return await self._run_one(spec, folder)
            except InfrastructureFailed as error:
                self.retried[spec.id] = attempt
                self._reporter.note(
                    f"{spec.id}  let down ({error}); try {attempt + 1} of {self._retries + 1}"
                )
                await trio.sleep(RETRY_SECONDS * 2 ** (attempt - 1))
        return await self._run_one(spec, folder)


def sum_up(
    plan: Plan,
    ran: Ran,
    *,
    folder: Path,
    limits: Limits,
    workspace: str,
    fallback: str | None,
    notes: tuple[str, ...] = (),
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
        notes=(*plan.notes, *([fallback] if fallback else []), *notes),
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
