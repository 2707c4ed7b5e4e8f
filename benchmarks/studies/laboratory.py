"""Where an episode's parts are joined: task, team, judge, models, workspaces, records. It reads like a recipe.

A laboratory is open for one study. Everything it opened is closed when its block is left.
"""

import os
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import trio

from benchmarks.studies.donors import provide_donors
from benchmarks.studies.model_use import Direct, ModelUse
from benchmarks.studies.study import Study
from benchmarks.studies.teams import is_driven_by_model, models_of
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.errors import IsolationUnavailable, UserError
from engine.messages import ArtefactHash
from engine.models import FixedLimiter, Model
from engine.models.endpoint import connect, find_endpoint
from engine.models.prices import PRICES_VARIABLE, find_price, load_prices
from engine.scheduler import Limits
from engine.shared_workspace import WorkspacePool, open_pool
from engine.store import ArtefactStore
from engine.task import Judge, Measured, Score, Split
from engine.team import TeamSpec
from engine.workspace.backends import BackendName, make_backend
from engine.workspace.environment import cache_folder
from engine.workspace.interface import Backend, IsolationReport, WorkspaceSpec
from roles.handover import assemble_episode
from roles.mlgym.replay_model import is_recorded, open_recorded
from tasks.package import TaskPackage
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge

_SAY_COST = frozenset({"openrouter"})
"""Endpoints that tell the cost of each call themselves."""
_JITTER_SEED = 0
"""Of the waits between retries of model calls, which no record holds."""


class Laboratory:
    """Open parts that the episodes of one study share. Made by `open_laboratory`.

    Attributes:
        backend: runs and scores code.
        isolation: what it enforces on this machine.
        fallback: why it is not the isolated one, where it is not.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        isolation: IsolationReport,
        fallback: str | None,
        pool: WorkspacePool,
        store: ArtefactStore,
        models: Mapping[str, Model],
        judges: Mapping[str, Judge],
        tasks: Mapping[str, TaskPackage],
        scorings: trio.CapacityLimiter,
        evaluated: Callable[[str], None],
    ) -> None:
        self.backend, self.isolation, self.fallback = backend, isolation, fallback
        self._pool, self._store = pool, store
        self._models, self._judges, self._tasks = models, judges, tasks
        self._scorings, self._evaluated = scorings, evaluated

    async def run_one(self, spec: EpisodeSpec, folder: Path) -> EpisodeResult:
        """Run an episode, or go on with it; an `engine.scheduler.RunOne`."""
        task = self._tasks[spec.task]
        judge = LimitedJudge(
            self._judges[judge_key(spec)],
            self._scorings,
            feedback_given=lambda: self._evaluated(spec.id),
        )
        return await run_episode(
            spec,
            task=task,
            seats=assemble_episode(
                spec,
                task,
                self._models_for(spec.team, spec.model),
                models_before=self._models_for(spec.fork.team, spec.model) if spec.fork else None,
            ),
            judge=judge,
            store=self._store,
            pool=self._pool,
            folder=folder,
            workspace=WorkspaceSpec(name=spec.id),
        )

    def _models_for(self, team: TeamSpec, model: str | None) -> dict[str, Model]:
        """By name for members that name one, by role for the others."""
        models = {member.model: self._models[member.model] for member in team.members if member.model}
        if model is not None:
            whole = self._models[model]
            models |= {member.role: whole for member in team.members if member.model is None}
        return models


class LimitedJudge:
    """A judge that a named limit stands before.

    Args:
        judge: does the scoring.
        places: how many scorings may be under way, over all judges that share it.
        feedback_given: told after each feedback score.
    """

    def __init__(
        self, judge: Judge, places: trio.CapacityLimiter, *, feedback_given: Callable[[], None]
    ) -> None:
        self._judge, self._places, self._feedback_given = judge, places, feedback_given

    @property
    def outside(self) -> bool:
        """Whether scoring waits on the real world."""
        return self._judge.outside

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        """See `engine.task.Judge`; the wait for a place is measured apart from the work."""
        asked = trio.current_time()
        async with self._places:
            waited = trio.current_time() - asked
            score, measured = await self._judge.score(artefact, split=split, seed=seed)
        if split == "feedback":
            self._feedback_given()
        return score, _with_wait(measured, waited)


def _with_wait(measured: Measured, waited: float) -> Measured:
    return msgspec.structs.replace(measured, waited_seconds=round(measured.waited_seconds + waited, 6))


@asynccontextmanager
async def open_laboratory(
    study: Study,
    *,
    tasks: Mapping[str, TaskPackage],
    limits: Limits,
    workspace: BackendName = "sandbox",
    base_url: str | None = None,
    evaluated: Callable[[str], None] = lambda _episode: None,
    model_use: ModelUse | None = None,
    replayed: Mapping[str, Model] | None = None,
) -> AsyncGenerator[Laboratory]:
    """Everything that the episodes of a study need.

    Args:
        study: the open folder.
        tasks: by the names that the specifications use.
        limits: applied here: scorings, workspaces, calls to a model endpoint.
        workspace: which backend; code that a model wrote never runs without isolation.
        base_url: of the models' endpoint, instead of its own.
        evaluated: told of each feedback score, with the episode's name.
        model_use: what stands before the models; None: nothing.
        replayed: models by name, instead of any endpoint's: no key and no network is needed then.

    Raises:
        IsolationUnavailable: isolation is missing here, and needed.
        UserError: a model cannot be asked: no such provider, no key.
    """
    specs = study.specs
    is_modelled = any(models_of(spec) or is_driven_by_model(spec.team) for spec in specs)
    provide_donors(specs, study.store)
    chosen = await make_backend(workspace)
    if chosen.backend.name == "process" and is_modelled:
        raise _refuse_process(chosen.fallback_reason)
    async with AsyncExitStack() as stack:
        # Without a secret the draws repeat from study to study. Where code comes from a model, nobody may foresee them.
        secret = study.secret() if is_modelled else b""
        cache = ScoreCache(study.scores)
        # MLGym's own formulas are drawn once for all studies of this machine.
        data = cache_folder() / "formulas" if any(spec.protocol == "mlgym" for spec in specs) else None
        judges: dict[str, Judge] = {}
        for spec in specs:
            key = judge_key(spec)
            if key not in judges:
                judges[key] = SandboxJudge(
                    tasks[spec.task],
                    spec.protocol,
                    store=study.store,
                    backend=chosen.backend,
                    cache=cache,
                    secret=secret,
                    data=data,
                )
        names = {name for spec in specs for name in models_of(spec)}
        models = replayed
        if models is None:
            models = await _open_models(
                stack,
                names,
                capacity=limits.model_calls.value,
                base_url=base_url,
                use=model_use if model_use is not None else Direct(),
            )
            _check_prices(specs, base_url)
        pool = await stack.enter_async_context(open_pool(chosen.backend, places=limits.workspaces.value))
        yield Laboratory(
            backend=chosen.backend,
            isolation=await chosen.backend.self_test(),
            fallback=chosen.fallback_reason,
            pool=pool,
            store=study.store,
            models=models,
            judges=judges,
            tasks=tasks,
            scorings=trio.CapacityLimiter(limits.scorings.value),
            evaluated=evaluated,
        )


def judge_key(spec: EpisodeSpec) -> str:
    """What names a judge within a study."""
    settings = ",".join(f"{name}={value:g}" for name, value in sorted(spec.feedback.items()))
    return f"{spec.task} {spec.protocol} {settings}"


async def _open_models(
    stack: AsyncExitStack,
    names: Collection[str],
    *,
    capacity: int,
    base_url: str | None,
    use: ModelUse,
) -> dict[str, Model]:
    if not names:
        return {}
    from engine.models import open_model  # with an HTTP client behind it, which offline studies do without

    limiters: dict[str, FixedLimiter] = {}
    models: dict[str, Model] = {}
    for name in sorted(names):
        if is_recorded(name):  # a published run's answers: no endpoint, no price
            models[name] = open_recorded(name)
            continue
        limiter = limiters.setdefault(name.partition("/")[0], FixedLimiter(capacity))
        generator = np.random.default_rng(_JITTER_SEED)
        model = await stack.enter_async_context(
            open_model(name, generator=generator, base_url=base_url, limiter=limiter)
        )
        models[name] = use.around(model, _served_at(name, base_url))
    return models


def _served_at(name: str, base_url: str | None) -> str:
    """What names a model's endpoint: an equal name may be served in two places."""
    endpoint = find_endpoint(name.partition("/")[0])
    return connect(endpoint, base_url=base_url, environ=os.environ).base_url


def _check_prices(specs: Iterable[EpisodeSpec], base_url: str | None) -> None:
    """Refuse a cap on cost that could not hold, since nobody would know what was spent."""
    variable = os.environ.get(PRICES_VARIABLE)
    prices = load_prices(Path(variable) if variable else None)
    for name in sorted(
        {name for spec in specs if spec.budget.cost_usd is not None for name in models_of(spec)}
    ):
        if is_recorded(name):
            continue
        endpoint = find_endpoint(name.partition("/")[0])
        connection = connect(endpoint, base_url=base_url, environ=os.environ)
        if endpoint.name not in _SAY_COST and find_price(name, connection=connection, prices=prices) is None:
            raise UserError(
                f"nobody knows what {name} costs, so that --max-cost could not hold; "
                f"put its price into a file and name that in {PRICES_VARIABLE}"
            )


def _refuse_process(reason: str | None) -> Exception:
    if reason is not None:
        return IsolationUnavailable(
            ("sandbox",), f"a model writes code here, and it never runs without isolation; {reason}"
        )
    return UserError(
        "--workspace process runs code without isolation, and code that a model writes never does; leave the option out"
    )
