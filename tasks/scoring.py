"""The judge: a score is a function of (artefact hash, split, scorer version, seed), found in a one-shot sandbox.

Whatever an artefact is or does is a `Score`, with a value or with the reason why there is none. Only what is no
fault of the artefact raises: a sandbox that could not start, a scorer that crashed.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import trio

from engine.errors import EngineError
from engine.messages import ArtefactHash
from engine.store import ArtefactStore
from engine.task import Measured, Score, ScoringProtocol, Split
from engine.workspace.interface import Backend
from tasks.artefacts import refusal
from tasks.audit import source_findings
from tasks.evaluation import Evaluation, Scorer
from tasks.package import Settings, TaskPackage
from tasks.registry import open_task
from tasks.score_cache import ScoreCache, ScoreKey


class ScoringFailed(EngineError):
    """Raised when a scorer itself broke; the artefact is not to blame, and the episode is to be rerun."""


class SandboxJudge:
    """The judge of one task under one protocol; an `engine.task.Judge`.

    Args:
        task: whose artefacts are scored.
        protocol: how.
        store: where artefacts are.
        backend: opens the one-shot sandboxes.
        cache: scores of this study; None: nothing is remembered.
        secret: mixed into the opponents' draws; belongs to the study, and never enters a workspace.
        data: folder for formulas that are made once.
    """

    def __init__(
        self,
        task: TaskPackage,
        protocol: ScoringProtocol,
        *,
        store: ArtefactStore,
        backend: Backend,
        cache: ScoreCache | None,
        secret: bytes = b"",
        data: Path | None = None,
    ) -> None:
        self._task = task
        self._protocol: ScoringProtocol = protocol
        self._store, self._backend, self._cache = store, backend, cache
        self._secret, self._data = secret, data
        self._scorer = load_scorer(task)
        self._in_flight: dict[ScoreKey, trio.Event] = {}

    @property
    def outside(self) -> bool:
        """Whether scoring waits on the real world."""
        return self._scorer.outside

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        """The score of an artefact; asked again within the study, the same one from memory.

        Raises:
            RecordDamaged: when the store has lost or changed the artefact.
            ScoringFailed: when the scorer broke.
            EngineError: when a sandbox could not be had.
        """
        key = ScoreKey(
            task=self._task.card.id,
            protocol=self._protocol,
            artefact=artefact,
            split=split,
            seed=seed,
            version=self._scorer.version,
        )
        await trio.lowlevel.checkpoint()
        while (
            running := self._in_flight.get(key)
        ) is not None:  # another episode asks the same: one sandbox serves both
            await running.wait()
        if self._cache is not None and (known := self._cache.find(key)) is not None:
            return known, Measured(extra={"cached": 1.0})
        self._in_flight[key] = trio.Event()
        try:
            score, measured = await self._score_now(key)
            if self._cache is not None:
                self._cache.keep(key, score)
        finally:
            self._in_flight.pop(key).set()
        return score, measured

    async def _score_now(self, key: ScoreKey) -> tuple[Score, Measured]:
        files = self._store.get(key.artefact)
        if why := refusal(files, self._task.rules):
            return Score(value=None, failure=why, scorer_version=key.version), Measured()
        evaluation = Evaluation(
            files=files,
            digest=key.artefact,
            protocol=self._protocol,
            split=key.split,
            seed=key.seed,
            secret=self._secret,
            data=self._data,
        )
        try:
            score, measured = await self._scorer.score(evaluation, self._backend)
        except EngineError:
            raise
        except Exception as error:  # the scorer's border: a crash of ours must not look like the artefact's
            raise ScoringFailed(
                f"the scorer of {self._task.card.id} broke: {type(error).__name__}: {error}"
            ) from error
        findings = (*score.findings, *source_findings(self._task.audited(files)))
        return msgspec.structs.replace(score, findings=findings, scorer_version=key.version), measured


def load_scorer(task: TaskPackage) -> Scorer:
    """The scorer of a task's folder, with the settings of its variant.

    Raises:
        BadSpecification: for settings that are not the scorer's.
    """
    module = importlib.import_module(task.scorer_module)
    # What a module defines is not typed from outside; the conformance suite holds every task to it.
    make = cast("Callable[[Settings], Scorer]", module.make_scorer)
    return make(task.settings)


def open_judge(
    task_name: str,
    protocol: ScoringProtocol = "verified",
    *,
    store: ArtefactStore,
    backend: Backend,
    cache: ScoreCache | None = None,
    secret: bytes = b"",
    data: Path | None = None,
) -> SandboxJudge:
    """The judge of a task, by any of the task's names.

    Raises:
        UnknownName: for the task.
        BadSpecification: when the task's own folder is damaged.
    """
    return SandboxJudge(
        open_task(task_name), protocol, store=store, backend=backend, cache=cache, secret=secret, data=data
    )
