"""The scorer of a checkout's task: its own evaluator on a copy of the artefact, in a fresh workspace.

``verified`` puts back what the score stands on (the evaluator and the starter files that it imports, the data), leaves
out modules that would stand before an import of theirs, and reads the output strictly. ``mlgym`` scores the artefact as
it stands, as published, and the audit says what in it is not the checkout's. Under both, the evaluator imports the
submission into its own process: what runs there can still reach it, and the advisory findings are all that tells.
"""

import hashlib
import math
import statistics
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
import trio

from engine.messages import Value
from engine.task import Files, Finding, Measured, Score, ScoringProtocol
from engine.workspace.environment import Environment, EnvironmentSpec, build_environment
from engine.workspace.interface import Backend, Limits
from tasks.audit import finding
from tasks.draws import stream_seed
from tasks.evaluation import Evaluation
from tasks.game_settings import read_settings
from tasks.mlgym_folder.checkout import Checkout, open_checkout
from tasks.mlgym_folder.configuration import TaskConfiguration
from tasks.mlgym_folder.evaluation_run import Evaluator, Outcome, evaluate
from tasks.mlgym_folder.facts import evaluation_files, is_wall_time, metric_of, protected_files
from tasks.mlgym_folder.needs import PACKAGES, requirements
from tasks.mlgym_folder.stand_ins import has_stand_in, stand_in

FINAL_RUNS: Final = 4
"""Evaluator runs behind a final under ``verified``, where the score is no time: its standard error comes from them."""
_REVISION: Final = "1"  # raised when what is done here to an artefact changes scores
_DISK_BYTES: Final = 256 << 20  # beside the files that go in
_MEMORY_BYTES: Final = 4 << 30


class FolderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From what a scorer is made."""

    root: str
    task: str
    """Name of its configuration file."""
    standard_error: float = 0.0
    """Of one evaluator run, where it is known: the spread of a few runs says less."""


class FolderScorer:
    """Runs the evaluator of one task.

    Args:
        checkout: where the task lies.
        name: of its configuration file.
        standard_error: of one evaluator run, where it is known.
    """

    outside = True

    def __init__(self, checkout: Checkout, name: str, *, standard_error: float = 0.0) -> None:
        self._standard_error = standard_error
        self.configuration: TaskConfiguration = checkout.task(name)
        self.metric = metric_of(self.configuration)
        self._checkout = checkout

    @cached_property
    def starter(self) -> dict[str, bytes]:
        """The checkout's own files of the task."""
        return self._checkout.starter_files(self.configuration)

    @cached_property
    def protected(self) -> tuple[str, ...]:
        """Starter files that no submission may change."""
        return protected_files(self.configuration, self.starter)

    @cached_property
    def version(self) -> int:
        """Of what scores follow from: the checkout's evaluator and the files beside it, and this scorer."""
        whole = hashlib.sha256(_REVISION.encode())
        for path in self.protected:
            whole.update(f"\n{path} {len(self.starter[path])}\n".encode() + self.starter[path])
        return int.from_bytes(whole.digest()[:4], "big") >> 1

    @cached_property
    def data(self) -> dict[str, bytes]:
        """The task's data files by their path in the workspace. Blocks: reads them, or draws them anew."""
        files: dict[str, bytes] = {}
        for dataset in self._checkout.datasets(self.configuration):
            is_here = self._checkout.has(dataset.data_path) or not has_stand_in(dataset)
            files |= self._checkout.data_files(dataset) if is_here else stand_in(dataset)
        return files

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """The printed score; under ``verified`` a final is the mean of several runs, with its standard error.

        Raises:
            BadSpecification: a package that the evaluator imports cannot be installed.
            EngineError: when a sandbox could not be had.
        """
        is_repeated = (
            evaluation.protocol == "verified"
            and evaluation.split == "final"
            and not is_wall_time(self.metric)
        )
        outcomes: list[Outcome] = []
        for number in range(FINAL_RUNS if is_repeated else 1):
            purpose = f"evaluator {evaluation.split} {number}"
            seed = stream_seed(evaluation.seed, purpose, secret=evaluation.secret) >> 64
            outcomes.append(await self.run_once(evaluation.files, backend, evaluation.protocol, seed=seed))
            if outcomes[-1].value is None:
                break
        audit = self.audit(evaluation.files, evaluation.protocol)
        return _score(outcomes, audit, self._standard_error), _measured(outcomes)

    async def run_once(
        self,
        artefact: Files,
        backend: Backend,
        protocol: ScoringProtocol,
        *,
        seed: int,
        environment: Environment | None = None,
        seconds: float | None = None,
    ) -> Outcome:
        """One run of the evaluator on the artefact, prepared as the protocol says.

        Args:
            artefact: the files handed in.
            backend: opens the sandbox.
            protocol: how they are prepared, and the output read.
            seed: of the global generators.
            environment: another than `environment`, that holds as much.
            seconds: another limit than the task's.

        Raises:
            BadSpecification: a package that the evaluator imports cannot be installed.
            EngineError: when a sandbox could not be had.
        """
        data = await trio.to_thread.run_sync(lambda: self.data)
        files = {**self.prepared(artefact, protocol), **data}
        environment = environment or await self.environment()
        return await evaluate(
            self._evaluator(environment, sum(map(len, files.values())), seconds),
            files,
            backend,
            protected=(*self.protected, *data) if protocol == "verified" else (),
            reading="strict" if protocol == "verified" else "published",
            seed=seed,
        )

    async def environment(self) -> Environment:
        """What the evaluator runs in; built at the first call, with a package index in reach.

        Raises:
            BadSpecification: a package cannot be installed.
        """
        spec = EnvironmentSpec(requirements=requirements(self._checkout, self.configuration))
        return await build_environment(spec, where=f"the environment of {self.configuration.id}")

    def prepared(self, artefact: Files, protocol: ScoringProtocol) -> dict[str, bytes]:
        """The workspace that is scored, data aside; what the artefact lacks of the starter is taken from there."""
        files = {**self.starter, **artefact}
        if protocol == "verified":
            hiding = self._hiding(artefact)
            files = {path: data for path, data in files.items() if path not in hiding}
            files.update({path: self.starter[path] for path in self.protected})
        return {path: data for path, data in files.items() if not _is_help(path)}

    def audit(self, artefact: Files, protocol: ScoringProtocol) -> tuple[Finding, ...]:
        """What in an artefact is not as the checkout has it, though the score stands on it."""
        done = "put back" if protocol == "verified" else "scored as it stands"
        found = [
            finding("changed-hash", f"{path} is not the checkout's: {done}")
            for path in self.protected
            if artefact.get(path, self.starter[path]) != self.starter[path]
        ]
        left = "left out" if protocol == "verified" else "scored as it stands"
        found += [
            finding("changed-hash", f"{path} stands before a module that the evaluator may import: {left}")
            for path in sorted(self._hiding(artefact))
        ]
        return tuple(found)

    def _hiding(self, artefact: Files) -> frozenset[str]:
        """Files that Python would find first when the evaluator imports the standard library, a package or its own."""
        modules = _OTHERS_MODULES | {_top(path) for path in self.protected}
        return frozenset(
            path
            for path in artefact
            if path not in self.starter and (_is_compiled(path) or _top(path) in modules)
        )

    def _evaluator(self, environment: Environment, file_bytes: int, seconds: float | None) -> Evaluator:
        seconds = seconds or self.configuration.training_timeout or 3600.0
        return Evaluator(
            path=evaluation_files(self.configuration)[0],
            kind=self.configuration.task_entrypoint,
            metric=self.metric,
            environment=environment,
            limits=Limits(
                wall_seconds=seconds,
                cpu_seconds=seconds,
                memory_bytes=_MEMORY_BYTES,
                file_bytes=_DISK_BYTES,
                disk_bytes=file_bytes + _DISK_BYTES,
            ),
        )


def make_scorer(settings: Mapping[str, Value]) -> FolderScorer:
    """The scorer of a checkout's task.

    Raises:
        UserError: there is no such checkout.
        BadSpecification: its files, or the settings, do not say what they must.
    """
    known = read_settings(settings, FolderSettings)
    return FolderScorer(open_checkout(Path(known.root)), known.task, standard_error=known.standard_error)


_OTHERS_MODULES: Final = sys.stdlib_module_names | PACKAGES.keys()


def _top(path: str) -> str:
    """The module that a path at the root of the workspace would be imported as; "" where it would not."""
    first, *below = path.split("/")
    if below:
        return first
    return first.partition(".")[0] if first.endswith((".py", ".so")) else ""


def _is_compiled(path: str) -> bool:
    return path.endswith(".pyc") or "__pycache__" in path.split("/")


def _is_help(path: str) -> bool:
    return path.partition("/")[0] == ".mlyceum"


def _score(outcomes: list[Outcome], audit: tuple[Finding, ...], one_run: float) -> Score:
    last = outcomes[-1]
    findings = (*audit, *dict.fromkeys(each for outcome in outcomes for each in outcome.findings))
    if last.value is None:
        return Score(value=None, failure=last.failure, findings=findings)
    values = [outcome.value for outcome in outcomes if outcome.value is not None]
    spread = max(one_run, statistics.stdev(values) if len(values) > 1 else 0.0)
    error = spread / math.sqrt(len(values))
    metrics = {name: value for name, value in last.metrics.items() if math.isfinite(value)}
    if len(values) > 1:
        metrics = {"evaluator runs": float(len(values))}
    return Score(
        value=math.fsum(values) / len(values), standard_error=error, metrics=metrics, findings=findings
    )


def _measured(outcomes: list[Outcome]) -> Measured:
    usages = [outcome.ended.measured for outcome in outcomes if outcome.ended is not None]
    return Measured(
        seconds=sum(usage.wall_seconds for usage in usages),
        cpu_seconds=sum(usage.cpu_seconds for usage in usages),
        max_rss_bytes=max((usage.max_rss_bytes for usage in usages), default=0),
    )
