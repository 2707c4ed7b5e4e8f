"""The synchronous front door, for notebooks and scripts: `mlyceum.run` returns when all is done."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from benchmarks.studies.arm_rows import StudySummary
from benchmarks.studies.conducting import RETRIES, conduct
from benchmarks.studies.design import Design
from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import check_workspace, limits_for, run_plan
from benchmarks.studies.study_file import find_study, load_study, resolve_file
from benchmarks.studies.summary import Record
from engine.errors import UserError
from engine.task import ScoringProtocol
from mlyceum.progress import open_reporter
from mlyceum.run_folders import RUNS, folder_for
from mlyceum.single_error import single_error


def run(
    *tasks: str,
    team: str = "full",
    without: str | Sequence[str] = (),
    patch: str | Sequence[str] = (),
    model: str | Sequence[str] = (),
    base_url: str | None = None,
    max_cost: float | None = None,
    seeds: int = 1,
    first_seed: int = 1,
    budget: int | None = None,
    protocol: ScoringProtocol = "verified",
    feedback_size: int | None = None,
    control: str | Sequence[str] = (),
    jobs: int | None = None,
    workspace: str = "sandbox",
    out: str | Path | None = None,
    progress: bool = False,
) -> Record:
    """Research tasks with a team: what ``mlyceum run`` does, with its options.

    It blocks until all episodes have ended, and works where an event loop is running already (Jupyter). Interrupted,
    the same call goes on where it stopped.

    Args:
        tasks: by id or MLGym's id.
        team: a name, or the path of a team file.
        without: roles to take away: ``"reviewer"``, ``"reviewer=absorbed:coder"``.
        patch: other changes, as ``"mute reviews"``.
        model: ``"provider/name"``, or ``"ROLE=provider/name"``.
        base_url: of the model's endpoint, instead of its own.
        max_cost: US dollars over all episodes, shared evenly.
        seeds: episodes per task.
        first_seed: the first of them.
        budget: feedback evaluations per episode; None: 20, or under ``mlgym`` its 50 steps.
        protocol: of scoring.
        feedback_size: games or formulas that a feedback score samples; None: the task's own.
        control: teams at the same seeds and budget, as ``"random-search"``.
        jobs: episodes at once; None: by cores.
        workspace: ``sandbox``, ``process`` or ``process-if-needed``.
        out: folder of the study; None: a new one below ``runs``.
        progress: whether to tell it on stderr.

    Returns:
        The record: ``episodes``, ``tasks``, ``folder``. Episodes that the outside let down are in ``failed``.

    Raises:
        UserError: what was asked for cannot be done; one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    plan = make_plan(
        Request(
            tasks=tasks,
            team=team,
            without=_several(without),
            patches=_several(patch),
            models=_several(model),
            max_cost_usd=max_cost,
            seeds=seeds,
            first_seed=first_seed,
            evaluations=budget,
            protocol=protocol,
            feedback_size=feedback_size,
            controls=_several(control),
        )
    )
    with open_reporter(quiet=not progress) as reporter:
        work = partial(
            run_plan,
            plan,
            folder=folder_for(plan, Path(out) if out is not None else None, reporter),
            limits=limits_for(jobs),
            reporter=reporter,
            workspace=check_workspace(workspace),
            base_url=base_url,
        )
        # A thread with a trio loop of its own: the caller's may hold another one already.
        with single_error(), start_blocking_portal(backend="trio") as portal:
            return portal.call(work)


def run_study(
    study: Design | str | Path,
    folder: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    retries: int = RETRIES,
    jobs: int | None = None,
    workspace: str = "sandbox",
    base_url: str | None = None,
    progress: bool = False,
) -> StudySummary:
    """Run a study: what ``mlyceum study`` does, with a file or with a design built in Python.

    It blocks until all episodes have ended. Interrupted, the same call goes on where it stopped; with more seeds in the
    design, it runs what is missing.

    Args:
        study: a design, the path of a study file, or the name of one that ships.
        folder: of the study; None: ``runs/NAME``.
        overrides: of a file's fields, as ``"budget.evaluations=40"``.
        retries: of an episode that the outside let down.
        jobs: episodes at once; None: by cores.
        workspace: ``sandbox``, ``process`` or ``process-if-needed``.
        base_url: of the models' endpoint, instead of its own.
        progress: whether to tell it on stderr.

    Returns:
        What it came to, arm by arm. Episodes that the outside let down at every try are in ``failed``.

    Raises:
        UserError: what was asked for cannot be done; one sentence.
        IsolationUnavailable: isolation is missing here, and needed.
    """
    loaded = None
    if isinstance(study, Design):
        if overrides:
            raise UserError("overrides change the fields of a file; build the design as it is to be")
        resolved = resolve(study)
    else:
        loaded = load_study(find_study(str(study)), overrides=overrides)
        resolved = resolve_file(loaded)
    where = Path(folder) if folder is not None else RUNS / resolved.design.name
    with open_reporter(quiet=not progress) as reporter:
        work = partial(
            conduct,
            resolved,
            folder=where,
            limits=limits_for(jobs),
            reporter=reporter,
            workspace=check_workspace(workspace),
            base_url=base_url,
            overrides=loaded.overrides if loaded is not None else (),
            sources=loaded.sources if loaded is not None else None,
            retries=retries,
            look="run_study",
        )
        with single_error(), start_blocking_portal(backend="trio") as portal:
            return portal.call(work)


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
