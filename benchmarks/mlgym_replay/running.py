"""Trajectories played against a checkout: a workspace each, MLGym's own evaluator, and the audit of what was changed."""

import hashlib
import math
import statistics
from collections.abc import Callable
from typing import Final

import msgspec
import trio

from benchmarks.mlgym_replay.comparing import STANDARD_ERRORS, Noise, Verdict, compare
from benchmarks.mlgym_replay.meaning import recorded_meaning
from benchmarks.mlgym_replay.starting import recorded_starter
from engine.errors import WorkspaceError
from engine.task import Files
from engine.workspace.environment import Environment, EnvironmentSpec, build_environment
from engine.workspace.interface import Backend, Limits, Workspace, WorkspaceSpec
from roles.mlgym.places import WorkspacePlace
from roles.mlgym.replay import HOME, Evaluated, Metrics, Played, replay
from roles.mlgym.script import TOOLS
from roles.mlgym.shell import MlgymShell, ShellSettings
from roles.mlgym.trajectory import Trajectory
from tasks.mlgym_folder.facts import evaluation_files, is_wall_time
from tasks.mlgym_folder.needs import PACKAGES
from tasks.mlgym_folder.package import FolderTask
from tasks.mlgym_folder.scorer import FolderScorer, make_scorer

FOLDER: Final = "agent"
CONFIRMING_RUNS: Final = 8
"""Further runs of the evaluator where a score seems to differ: their own spread decides."""
_AGAIN: Final = 1_000  # seeds of those runs lie behind those of steps


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the report."""

    step: int
    action: str
    """Its first line, bounded."""
    kind: str
    difference: str = ""
    detail: str = ""
    score_not_compared: bool = False


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One trajectory of the report."""

    name: str
    task: str
    steps: int
    """As recorded."""
    rows: tuple[StepRow, ...]
    changed: tuple[str, ...] = ()
    """Files of the evaluation that the agent had changed at any of its evaluations."""
    older_files: tuple[str, ...] = ()
    """Starter files that the run shows to have been others than the checkout's; it was played with those."""
    published_final: Metrics | None = None
    replayed_final: Metrics | None = None
    """Of the workspace as it was when the run ended, files of the evaluation as the agent left them."""
    verified_final: float | None = None
    """The same with the checkout's own files put back."""
    best_changed: float | None = None
    """Best score here of an evaluation whose files the agent had changed; None where it changed none."""
    verified_best: float | None = None
    """Of those very files, the checkout's own put back; None where they then earn no score."""
    trouble: str = ""
    """Why it could not be played to its end, where it could not."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How trajectories are played."""

    evaluation_seconds: float = 300.0
    """MLGym allows 1800; an evaluation that takes longer than this counts as timed out."""
    training_seconds: float = 300.0
    verify: bool = True
    """Whether the end is scored once more with the checkout's own files."""


class Stage:
    """What the trajectories of one task share. Made by `open_stage`."""

    def __init__(
        self, task: FolderTask, scorer: FolderScorer, environment: Environment, options: Options
    ) -> None:
        self.task, self.scorer, self.environment, self.options = task, scorer, environment, options
        self.noise = Noise(
            standard_errors={task.card.metric: task.card.feedback_standard_error},
            not_compared=frozenset({task.card.metric}) if is_wall_time(task.card.metric) else frozenset(),
        )
        self._known: dict[str, Evaluated] = {}

    async def evaluate(self, files: Files, backend: Backend, *, seed: int) -> Evaluated:
        """The evaluator on the files as they stand; where its score is a count or a time, once for each content."""
        key = _digest(files) if self.noise.not_compared else ""
        if key and key in self._known:
            return self._known[key]
        outcome = await self.scorer.run_once(
            files,
            backend,
            "mlgym",
            seed=seed,
            environment=self.environment,
            seconds=self.options.evaluation_seconds,
        )
        evaluated = Evaluated(
            metrics=outcome.metrics or None,
            text=outcome.said,
            timed_out=outcome.ended is not None and outcome.ended.timed_out,
        )
        if key:
            self._known[key] = evaluated
        return evaluated

    async def verified(self, files: Files, backend: Backend) -> float | None:
        """The score with the checkout's own files put back; none where there is none."""
        outcome = await self.scorer.run_once(
            files,
            backend,
            "verified",
            seed=1,
            environment=self.environment,
            seconds=self.options.evaluation_seconds,
        )
        return outcome.value


async def open_stage(task: FolderTask, options: Options) -> Stage:
    """A task ready to be played: its data at hand, an environment built with what MLGym's generic one has, torch aside.

    Raises:
        BadSpecification: a package cannot be installed.
    """
    scorer = make_scorer(task.settings)
    await trio.to_thread.run_sync(lambda: scorer.data)
    environment = await build_environment(
        EnvironmentSpec(requirements=tuple(PACKAGES.values())), where="MLGym's generic packages"
    )
    return Stage(task, scorer, environment, options)


async def play_run(
    stage: Stage,
    name: str,
    trajectory: Trajectory,
    backend: Backend,
    *,
    done: Callable[[], None] = lambda: None,
) -> RunRow:
    """Play one trajectory and compare each step.

    Args:
        stage: of its task.
        name: of the run.
        trajectory: what was recorded.
        backend: opens the workspaces.
        done: told after each step.

    Raises:
        EngineError: a workspace could not be had.
    """
    run = _Run(stage, backend, done)
    trouble = ""
    try:
        await run.play(trajectory)
    except WorkspaceError as error:
        trouble = str(error)
    final = recorded_final(trajectory)
    earned_none = "evaluation_format_error" in (trajectory.info.exit_status or "")
    rows = [
        await run.row(step, final if step.ending else None, earned_none=earned_none) for step in run.played
    ]
    ends = [step.evaluated.metrics for step in run.played if step.evaluated is not None]
    verified = await stage.verified(run.current, backend) if stage.options.verify else None
    best = run.best_changed()
    verified_best = (
        await stage.verified(best[1], backend) if best is not None and stage.options.verify else None
    )
    return RunRow(
        name=name,
        task=stage.task.configuration.id,
        steps=len(trajectory.trajectory),
        rows=tuple(rows),
        changed=tuple(run.changed),
        older_files=tuple(run.older),
        published_final=final,
        replayed_final=ends[-1] if ends else None,
        verified_final=verified,
        best_changed=best[0] if best is not None else None,
        verified_best=verified_best,
        trouble=trouble,
    )


class _Run:
    """One trajectory in its workspace."""

    def __init__(self, stage: Stage, backend: Backend, done: Callable[[], None]) -> None:
        self._stage, self._backend, self._done = stage, backend, done
        self.played: list[Played] = []
        self.changed: dict[str, None] = {}
        self.starter = dict(stage.task.starter)
        self.current = self.starter
        self._evaluated: dict[int, dict[str, bytes]] = {}
        self._has_diverged = False
        self.older: dict[str, bytes] = {}

    async def play(self, trajectory: Trajectory) -> None:
        """Play it as far as it goes."""
        stage = self._stage
        self.older = recorded_starter(trajectory.trajectory, stage.task.starter)
        self.starter |= self.older
        settings = ShellSettings(training_seconds=stage.options.training_seconds)
        async with self._backend.open(_workspace_spec(stage, self.starter, settings)) as workspace:
            locked = [*evaluation_files(stage.task.configuration), *stage.scorer.data]
            await workspace.run(["chmod", "555", "--", *(f"{FOLDER}/{path}" for path in locked)])
            shell = MlgymShell(WorkspacePlace(workspace, folder=FOLDER), settings=settings, stands_for=HOME)
            await shell.start()

            async def evaluate() -> Evaluated:
                await self._look(workspace)
                number = len(self.played) + 1
                self._evaluated[number] = self.current
                return await stage.evaluate(self.current, self._backend, seed=number)

            await replay(trajectory.trajectory, shell, evaluate, done=self._note)
            await self._look(workspace)

    def _note(self, played: Played) -> None:
        self.played.append(played)
        self._done()

    async def _look(self, workspace: Workspace) -> None:
        self.current = await _collect(workspace, leave_out=self._stage.scorer.data)
        self.changed |= dict.fromkeys(self._changed_in(self.current))

    def best_changed(self) -> tuple[float, dict[str, bytes]] | None:
        """The best score whose files of the evaluation were changed, and all files then."""
        card = self._stage.task.card
        sign = 1.0 if card.direction == "max" else -1.0
        found = [
            ((step.evaluated.metrics or {})[card.metric], files)
            for step in self.played
            if step.evaluated is not None
            and (files := self._evaluated.get(step.number)) is not None
            and card.metric in (step.evaluated.metrics or {})
            and self._changed_in(files)
        ]
        return max(found, key=lambda each: sign * each[0], default=None)

    def _changed_in(self, files: Files) -> list[str]:
        return [path for path in self._stage.task.protected if files.get(path) != self.starter[path]]

    async def row(self, played: Played, final: Metrics | None, *, earned_none: bool) -> StepRow:
        """A step's row, once its difference, where there is one, has its class."""
        verdict = compare(played, self._stage.noise, final=final, earned_none=earned_none)
        if verdict.difference == "score" and not self._has_diverged:
            verdict = await self._confirmed(played, verdict, final)
        if verdict.difference == "window" and self._is_of_other_version(played):
            verdict = msgspec.structs.replace(verdict, difference="other file version")
        elif verdict.difference in _FOLLOWING and self._has_diverged:
            verdict = msgspec.structs.replace(verdict, difference="follows")
        self._has_diverged |= verdict.difference in _DIVERGING
        return StepRow(
            step=played.number,
            action=(played.recorded.action.strip().split("\n") or [""])[0][:100],
            kind=verdict.kind,
            difference=verdict.difference,
            detail=verdict.detail,
            score_not_compared=verdict.score_not_compared,
        )

    async def _confirmed(self, played: Played, verdict: Verdict, final: Metrics | None) -> Verdict:
        """The same, or not, by the spread of further runs of the evaluator on the very files."""
        files = self._evaluated.get(played.number)
        metric = self._stage.task.card.metric
        recorded = (
            final
            if final is not None
            else recorded_meaning(played.recorded.action, played.recorded.observation or "").metrics
        )
        if files is None or recorded is None or metric not in recorded or self._stage.noise.not_compared:
            return verdict
        values: list[float] = []
        for number in range(CONFIRMING_RUNS):
            again = await self._stage.evaluate(files, self._backend, seed=_AGAIN + number)
            if again.metrics is None or metric not in again.metrics:
                return verdict
            values.append(again.metrics[metric])
        mean, spread = statistics.fmean(values), statistics.stdev(values)
        bound = STANDARD_ERRORS * spread * math.sqrt(1 + 1 / len(values))
        if abs(recorded[metric] - mean) <= bound:
            return msgspec.structs.replace(verdict, difference="", detail="")
        told = (
            f"{metric} {recorded[metric]} there, here {mean:.5g} over {len(values)} runs, bound {bound:.3g}"
        )
        return msgspec.structs.replace(verdict, detail=told)

    def _is_of_other_version(self, played: Played) -> bool:
        """Whether the window is on a file of the evaluation that nobody has changed here."""
        shown = recorded_meaning(played.recorded.action, played.recorded.observation or "").windows
        path = shown[0].path.removeprefix(f"{HOME}/") if shown else ""
        return path in self._stage.task.protected and path not in self.changed


_FOLLOWING: Final = frozenset(
    {"window", "score", "no score", "lint verdict", "error kind", "program output", "listing"}
)
_DIVERGING: Final = frozenset(
    {
        "window",
        "lint verdict",
        "error kind",
        "action read otherwise",
        "environment",
        "program output",
        "ending",
    }
)


def recorded_final(trajectory: Trajectory) -> Metrics | None:
    """What the end was recorded to earn: the last score, where no validation printed it."""
    scores = trajectory.info.score
    shown = sum(
        recorded_meaning(step.action, step.observation or "").kind == "score"
        for step in trajectory.trajectory
    )
    if len(scores) <= shown:
        return None
    return {name: math.nan if value is None else value for name, value in scores[-1].items()}


def _workspace_spec(stage: Stage, starter: Files, settings: ShellSettings) -> WorkspaceSpec:
    data = stage.scorer.data
    size = sum(map(len, data.values()))
    files = {**starter, **data, **MlgymShell.files_for(settings)}
    return WorkspaceSpec(
        files={f"{FOLDER}/{path}": content for path, content in files.items()},
        limits=Limits(
            wall_seconds=stage.options.training_seconds,
            cpu_seconds=stage.options.training_seconds,
            memory_bytes=4 << 30,
            file_bytes=size + (128 << 20),
            output_bytes=4 << 20,
            disk_bytes=size + (256 << 20),
        ),
        environment=stage.environment,
        name="replay",
    )


async def _collect(workspace: Workspace, *, leave_out: Files) -> dict[str, bytes]:
    """The agent's files: neither the task's data nor the tools of its shell."""
    prefix = f"{FOLDER}/"
    found: dict[str, bytes] = {}
    for path in await workspace.list_files():
        name = path.removeprefix(prefix)
        if path.startswith(prefix) and name not in leave_out and name.split("/")[0] != TOOLS:
            found[name] = await workspace.read(path, limit_bytes=64 << 20)
    return found


def _digest(files: Files) -> str:
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return whole.hexdigest()
