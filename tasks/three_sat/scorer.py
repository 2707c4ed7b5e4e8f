"""Scores a branching heuristic: decisions over those of the baseline on the same formulas, within a CPU allowance."""

import math
import os
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Literal
from weakref import WeakKeyDictionary

import msgspec
import trio

from engine.task import Finding, Measured, Score, Split
from engine.workspace.interface import Backend, CommandResult, Limits, Process
from tasks.audit import FindingKind, finding, leftovers, overrun, unless_changed
from tasks.draws import stream_seed
from tasks.evaluation import Evaluation
from tasks.game_settings import read_settings
from tasks.isolated_player import failure_sentence
from tasks.one_shot import end, measured, wait_or_kill
from tasks.package import Settings
from tasks.three_sat.cpu_rule import CLEARLY_ABOVE, CpuRule, open_heuristic
from tasks.three_sat.dialogue import HeuristicFault, HeuristicFaultKind, InstanceResult, solve_all, wait_ready
from tasks.three_sat.heuristics import BASELINE
from tasks.three_sat.instances import (
    MLGYM_SKIPPED,
    Instance,
    hard_instances,
    mlgym_instances,
    verified_instances,
)
from tasks.three_sat.recording import RecordingBook
from tasks.three_sat.reference import Reference, solve_by_baseline
from tasks.three_sat.solver import Verdict

Kind = Literal["published", "threshold"]
"""The law of the formulas: MLGym's, or 20 to 30 variables at the satisfiability threshold."""

DECISION_CAP: Final = 20_000
PUBLISHED_SECONDS: Final = 16.158
"""MLGym's time of the baseline heuristic, the unit in which times under ``mlgym`` are given."""
_DRAW: Final = {"published": verified_instances, "threshold": hard_instances}
_TOO_MUCH: Final = Finding(
    kind="overrun", detail="more than 1.5 times the CPU time of the baseline heuristic, measured beside it"
)
_KEPT_REFERENCES: Final = 256


class SatSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[scoring]`` of 3-SAT."""

    formulas: Kind
    held_out: Kind
    feedback_formulas: int
    final_formulas: int
    held_out_formulas: int
    feedback_cpu_seconds: float = 20.0
    """Far above what the allowance lets pass, so that the allowance decides."""
    final_cpu_seconds: float = 200.0

    def limits(self, split: Split) -> Limits:
        """What one evaluation of a split may use."""
        cpu = self.feedback_cpu_seconds if split == "feedback" else self.final_cpu_seconds
        return Limits(
            wall_seconds=10 * cpu,
            cpu_seconds=cpu,
            memory_bytes=512 << 20,
            processes=8,
            file_bytes=1 << 20,
            output_bytes=16 << 10,
            disk_bytes=8 << 20,
        )


class SatScorer:
    """Scores heuristics on formulas of one law.

    Args:
        settings: of the task's variant.
    """

    version = 1
    outside = True

    def __init__(self, settings: SatSettings) -> None:
        self.settings = settings

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """Under ``verified`` the ratio of decisions, under ``mlgym`` the time on MLGym's own formulas."""
        if evaluation.protocol == "mlgym":
            return await self._published(evaluation, backend)
        return await self._verified(evaluation, backend)

    async def _verified(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        split = evaluation.split
        plans: dict[Split, tuple[Kind, int]] = {
            "feedback": (self.settings.formulas, self.settings.feedback_formulas),
            "final": (self.settings.formulas, self.settings.final_formulas),
            "held-out": (self.settings.held_out, self.settings.held_out_formulas),
        }
        kind, count = plans[split]
        seed = stream_seed(evaluation.seed, f"formulas {split}", secret=evaluation.secret)
        formulas = _DRAW[kind](seed, count)
        reference = await _reference_of((kind, seed, count), formulas)
        limits = self.settings.limits(split)
        rule = _cpu_rule(backend, kind, limits)

        async def work(process: Process) -> tuple[Score, float]:
            ratio, results = await _run_within(process, formulas, reference, rule)
            if results is None:
                return _too_much(), ratio
            score = _judged(results, reference)
            if score.value is None:
                return score, ratio
            verdicts = _verdicts[kind]
            if evaluation.digest not in verdicts:
                calls, baseline_calls = sum(result.decisions for result in results), sum(reference.decisions)
                verdicts[evaluation.digest] = await rule.is_within(
                    ratio, process, calls=calls, baseline_calls=baseline_calls
                )
            within, ratio = verdicts[evaluation.digest]
            return (score if within else _too_much()), ratio

        return await _score_heuristic(evaluation, backend, limits, work)

    async def _published(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:
        """Time in seconds, in units of the published baseline's: the baseline heuristic is timed right after it.

        The solver is ours, so times themselves mean nothing; their ratio does, as far as wall time ever does. ``Decisions``
        is exact.
        """
        formulas = await _published_formulas(evaluation.data)
        reference = await _reference_of(("mlgym", 0, len(formulas)), formulas)
        limits = self.settings.limits("final")

        async def work(process: Process) -> tuple[Score, float]:
            seconds, results = await _clocked(process, formulas)
            score = _judged(results, reference)
            if score.value is None:
                return score, 0.0
            async with open_heuristic(backend, {"heuristic.py": BASELINE.encode()}, limits) as beside:
                baseline_seconds, _ = await _clocked(beside, formulas)
            time = PUBLISHED_SECONDS * seconds / baseline_seconds
            metrics = {
                "Decisions": score.metrics["decisions"],
                "Correct": float(len(formulas)),
                "Incorrect": 0.0,
            }
            return msgspec.structs.replace(score, value=time, standard_error=0.0, metrics=metrics), seconds

        return await _score_heuristic(evaluation, backend, limits, work, meter="solving_seconds")


def make_scorer(settings: Settings) -> SatScorer:
    """The scorer of a variant."""
    return SatScorer(read_settings(settings, SatSettings))


Work = Callable[[Process], Awaitable[tuple[Score, float]]]


async def _score_heuristic(
    evaluation: Evaluation, backend: Backend, limits: Limits, work: Work, *, meter: str = "cpu_ratio"
) -> tuple[Score, Measured]:
    """Do the work in a sandbox with the artefact's heuristic; whatever goes wrong inside is a score."""
    async with open_heuristic(backend, evaluation.files, limits) as process:
        try:
            score, meant = await work(process)
        except HeuristicFault as fault:
            ended = await (wait_or_kill(process) if fault.kind == "exited" else process.kill())
            return _failed(fault, ended), measured(ended)
        changed = await process.changed_files()
        ended = await end(process)
    score = msgspec.structs.replace(score, findings=(*score.findings, *leftovers(ended)))
    return unless_changed(score, changed), measured(ended, **{meter: meant})


async def _run_within(
    process: Process, formulas: Sequence[Instance], reference: Reference, rule: CpuRule
) -> tuple[float, tuple[InstanceResult, ...] | None]:
    """The CPU ratio and the results; none where the first fifth of the formulas shows that it is far too slow."""
    few = len(formulas) // 5
    results: tuple[InstanceResult, ...] = ()
    cpu_seconds = ratio = 0.0
    await wait_ready(process)
    for part in (formulas[:few], formulas[few:]):
        before = await process.cpu_seconds()
        results += (await solve_all(part, process, decision_cap=DECISION_CAP)).results
        cpu_seconds += await process.cpu_seconds() - before
        calls = sum(result.decisions for result in results)
        baseline_calls = sum(reference.decisions[: len(results)])
        ratio = await rule.ratio(cpu_seconds, calls=calls, baseline_calls=baseline_calls)
        if ratio > CLEARLY_ABOVE:
            return ratio, None
    return ratio, results


async def _clocked(
    process: Process, formulas: Sequence[Instance]
) -> tuple[float, tuple[InstanceResult, ...]]:
    await wait_ready(process)
    started = trio.current_time()
    report = await solve_all(formulas, process, decision_cap=DECISION_CAP)
    return trio.current_time() - started, report.results


def _judged(results: Sequence[InstanceResult], reference: Reference) -> Score:
    """The ratio of decisions, unless some formula went wrong.

    The standard error is that of a ratio of sums over paired formulas, by linearisation (Cochran 1977, section 6.3).
    """
    if wrong := _first_wrong(results, reference):
        return Score(value=None, failure=failure_sentence(wrong), findings=(wrong,))
    decisions = sum(result.decisions for result in results)
    baseline = sum(reference.decisions)
    ratio = decisions / baseline
    residuals = (
        (result.decisions - ratio * theirs) ** 2
        for result, theirs in zip(results, reference.decisions, strict=True)
    )
    return Score(
        value=ratio,
        standard_error=math.sqrt(math.fsum(residuals)) / baseline,
        metrics={
            "decisions": float(decisions),
            "baseline decisions": float(baseline),
            "propagations": float(sum(result.propagations for result in results)),
            "conflicts": float(sum(result.conflicts for result in results)),
        },
    )


def _first_wrong(results: Sequence[InstanceResult], reference: Reference) -> Finding | None:
    for number, (result, satisfiable) in enumerate(zip(results, reference.satisfiable, strict=True), start=1):
        if result.fault is not None:
            return finding("bad-move", f"formula {number}: {result.fault.kind}, {result.fault.detail}")
        if result.verdict is Verdict.CAPPED:
            return finding("overrun", f"formula {number} was not solved within {DECISION_CAP} decisions")
        if (result.verdict is Verdict.SATISFIABLE) != satisfiable:
            return finding("bad-move", f"formula {number}: gave up branches that held a solution")
    return None


def _too_much() -> Score:
    return Score(value=None, failure=failure_sentence(_TOO_MUCH), findings=(_TOO_MUCH,))


def _failed(fault: HeuristicFault, ended: CommandResult) -> Score:
    found = overrun(ended) or finding(_KINDS[fault.kind], fault.detail)
    return Score(value=None, failure=failure_sentence(found), findings=(found, *leftovers(ended)))


_verdicts: dict[Kind, dict[str, tuple[bool, float]]] = {"published": {}, "threshold": {}}
"""By artefact: what one measurement has decided holds for all scores of the artefact in this process."""
_TURN_FORMULAS: Final[dict[Kind, int]] = {"published": 300, "threshold": 25}
_KINDS: Final[dict[HeuristicFaultKind, FindingKind]] = {
    "import": "exception",
    "raised": "exception",
    "exited": "early-exit",
    "bad-frame": "bad-frame",
}
_references: OrderedDict[tuple[str, int, int], Reference] = OrderedDict()


async def _reference_of(key: tuple[str, int, int], formulas: Sequence[Instance]) -> Reference:
    """The baseline's decisions and the labels, remembered for the last sets: arms of a study share theirs."""
    if key not in _references:
        _references[key] = await solve_by_baseline(formulas)
        while len(_references) > _KEPT_REFERENCES:
            _references.popitem(last=False)
    return _references[key]


_rules: WeakKeyDictionary[Backend, dict[Kind, CpuRule]] = WeakKeyDictionary()


def _cpu_rule(backend: Backend, kind: Kind, limits: Limits) -> CpuRule:
    """One for each backend and law of formulas in this process: the baseline's rates are measured once."""
    of_backend = _rules.setdefault(backend, {})
    if kind not in of_backend:
        of_backend[kind] = CpuRule(backend, limits, RecordingBook(_DRAW[kind], _TURN_FORMULAS[kind]))
    return of_backend[kind]


async def _published_formulas(data: Path | None) -> Sequence[Instance]:
    """MLGym's formulas without the first three; drawing them takes 11 s in a thread, reading them half a second."""
    folder = data if data is not None else Path(tempfile.gettempdir()) / f"mlyceum-3-sat-{os.getuid()}"
    drawn = await trio.to_thread.run_sync(mlgym_instances, folder)
    return drawn[MLGYM_SKIPPED:]
