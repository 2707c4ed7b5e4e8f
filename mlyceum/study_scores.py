"""The scores of a study's folder: per task and arm, and per arm over its tasks.

An arm is what a specification says besides task and seeds: team, patches, model, protocol, budget. Unfinished
episodes are named and not scored. One intention-to-treat rule, as in `benchmarks.studies.summary`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from benchmarks import (
    SeedScores,
    best_attempt_at_k,
    best_submission_at_k,
    bootstrap_headlines,
    normalised_score,
)
from benchmarks.normalised import HeadlineIntervals, interquartile_mean
from benchmarks.reference import reference as published_reference
from benchmarks.scores import is_better
from benchmarks.studies.intervals import Interval, mean_interval
from engine.episode import EpisodeResult
from engine.errors import UserError
from engine.task import Direction, ScoringProtocol, TaskCard
from mlyceum.listing import EpisodeLine, list_episodes
from mlyceum.reading import read_results
from tasks.registry import is_known_task, open_task

IMPORTED_PROVIDER = "published/"
"""What the model of an imported run begins with."""
BOOTSTRAP_SEED = 20250220
"""The same intervals for the same scores, always."""


class TaskArm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm on one task."""

    task: str
    arm: str
    team: str
    patches: tuple[str, ...]
    model: str | None
    protocol: ScoringProtocol
    evaluations: int | None
    """Feedback evaluations that each episode might spend."""
    metric: str
    direction: Direction
    seeds: tuple[int, ...]
    """Of the teams, in the order of ``finals``."""
    finals: tuple[float | None, ...]
    """None where what was handed in earned no score."""
    mean: Interval
    """Failures counted as the task's floor or baseline."""
    interquartile_mean: float
    normalised_mean: float | None
    """0 at the baseline, 1 at the reference; None without a reference in this metric."""
    baseline: float
    reference: float | None
    best_published: float | None
    optimum: float | None
    failure_rate: float
    k: int
    best_attempt: float | None
    """Best attempt@k. ``mlgym``: of all validations and the submission; ``verified``: on the final split, of what was
    handed in and of the artefact with the best feedback."""
    best_submission: float | None
    """Best submission@k: of what was handed in."""


class ArmScores(msgspec.Struct, frozen=True, kw_only=True):
    """One arm over its tasks: mean normalised score, interquartile mean and failure rate, with intervals."""

    arm: str
    headline: HeadlineIntervals
    without_reference: tuple[str, ...]
    """Tasks that have scores and do not enter: no reference in their metric, or made for calibration."""


class StudyScores(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `mlyceum score DIR` says."""

    folder: str
    tasks: tuple[TaskArm, ...]
    arms: tuple[ArmScores, ...]
    unfinished: tuple[EpisodeLine, ...]
    """Named, not scored."""
    notes: tuple[str, ...]


def score_study(folder: Path) -> StudyScores:
    """The scores of a study.

    Args:
        folder: of the study.

    Raises:
        UserError: when it holds no episode at all.
        RecordDamaged: when its index cannot be read.
    """
    results = read_results(folder)
    ended = {result.episode for result in results}
    unfinished = tuple(line for line in list_episodes(folder) if line.episode not in ended)
    if not results and not unfinished:
        raise UserError(f"{folder} holds no episode yet; run `mlyceum run TASK --out {folder}` first")
    unknown = tuple(
        task for task in dict.fromkeys(each.spec.task for each in results) if not is_known_task(task)
    )
    grouped = group_by_arm(each for each in results if each.spec.task not in unknown)
    tasks = tuple(_task_arm(task, arm, each) for (task, arm), each in grouped.items())
    return StudyScores(
        folder=str(folder),
        tasks=tasks,
        arms=tuple(_arms(tasks)),
        unfinished=unfinished,
        notes=(*_notes(tasks, unfinished), *_unknown_note(unknown), *_imported_notes(results)),
    )


def group_by_arm(results: Iterable[EpisodeResult]) -> dict[tuple[str, str], list[EpisodeResult]]:
    """Results by task and arm's name, each group in the order of its seeds; tasks in their order of appearance."""
    names: dict[bytes, str] = {}
    groups: dict[tuple[str, str], list[EpisodeResult]] = {}
    for result in results:
        key = _arm_key(result)
        if key not in names:
            names[key] = _arm_name(result, set(names.values()))
        groups.setdefault((result.spec.task, names[key]), []).append(result)
    return {key: sorted(group, key=lambda each: each.spec.seeds.team) for key, group in groups.items()}


def _arm_key(result: EpisodeResult) -> bytes:
    spec = result.spec
    settings = (spec.team, spec.protocol, spec.budget, spec.model)
    return msgspec.json.encode(settings, order="deterministic")


def _arm_name(result: EpisodeResult, taken: set[str]) -> str:
    spec = result.spec
    name = spec.team.name
    for more in (spec.protocol, f"{spec.budget.evaluations} evaluations", spec.model or "", "other"):
        if name not in taken:
            return name
        name = f"{name}, {more}" if more else name
    return f"{name} {len(taken)}"


def entries_of(result: EpisodeResult) -> tuple[float | None, ...]:
    """A run's score entries as best attempt@k and best submission@k take them, the submission last."""
    if result.spec.protocol == "mlgym":
        return (*(each.value for each in result.feedback), result.final.value)
    best = result.best_feedback_final
    return (best.value, result.final.value) if best is not None else (result.final.value,)


def _task_arm(task: str, arm: str, results: Sequence[EpisodeResult]) -> TaskArm:
    card, spec = open_task(task).card, results[0].spec
    baseline, reference = scale_of(card, spec.protocol)
    floor = card.floor if card.floor is not None else baseline
    finals = tuple(result.final.value for result in results)
    counted = [floor if value is None else value for value in finals]
    mean = mean_interval(counted)
    assert mean is not None  # a group has a result
    return TaskArm(
        task=task,
        arm=arm,
        team=spec.team.name,
        patches=spec.team.patches,
        model=spec.model,
        protocol=spec.protocol,
        evaluations=spec.budget.evaluations,
        metric=card.metric if spec.protocol == "verified" or not card.mlgym_metric_is_wall_time else "Time",
        direction=card.direction,
        seeds=tuple(result.spec.seeds.team for result in results),
        finals=finals,
        mean=mean,
        interquartile_mean=float(interquartile_mean(np.array(counted))),
        normalised_mean=None
        if reference is None
        else _normalised(mean.mean, baseline, reference, card.direction),
        baseline=baseline,
        reference=reference,
        best_published=card.best_published,
        optimum=card.optimum,
        failure_rate=sum(value is None for value in finals) / len(finals),
        k=len(results),
        best_attempt=best_attempt_at_k([entries_of(result) for result in results], card.direction),
        best_submission=best_submission_at_k([entries_of(result) for result in results], card.direction),
    )


def scale_of(card: TaskCard, protocol: ScoringProtocol) -> tuple[float, float | None]:
    """Baseline and reference (the optimum, else the best published score in the same metric) of normalised scores."""
    is_time = protocol == "mlgym" and card.mlgym_metric_is_wall_time
    published = card.published_baseline if protocol == "mlgym" else None
    baseline = card.baseline if published is None else published
    same_metric = is_time == card.mlgym_metric_is_wall_time
    for reference in (None if is_time else card.optimum, card.best_published if same_metric else None):
        if reference is not None and is_better(reference, baseline, card.direction):
            return baseline, reference
    return baseline, None


def _normalised(value: float | None, baseline: float, reference: float, direction: Direction) -> float | None:
    return normalised_score(value, baseline=baseline, reference=reference, direction=direction)


def _arms(tasks: Sequence[TaskArm]) -> Iterable[ArmScores]:
    for arm in dict.fromkeys(row.arm for row in tasks):
        rows = [row for row in tasks if row.arm == arm]
        entering = [
            SeedScores(
                task=row.task,
                scores={
                    arm: tuple(_normalised(v, row.baseline, row.reference, row.direction) for v in row.finals)
                },
                failure_score=_failure_score(row),
            )
            for row in rows
            if row.reference is not None and open_task(row.task).card.variant != "calibration"
        ]
        if entering:
            generator = np.random.default_rng(BOOTSTRAP_SEED)
            named = {each.task for each in entering}
            yield ArmScores(
                arm=arm,
                headline=bootstrap_headlines(entering, generator=generator),
                without_reference=tuple(row.task for row in rows if row.task not in named),
            )


def _failure_score(row: TaskArm) -> float:
    floor = open_task(row.task).card.floor
    if floor is None or row.reference is None:
        return 0.0
    return _normalised(floor, row.baseline, row.reference, row.direction) or 0.0


def _unknown_note(tasks: Sequence[str]) -> Iterable[str]:
    if tasks:
        yield f"not scored, for the task is not here: {', '.join(tasks)}"


def _is_imported(model: str | None) -> bool:
    return model is not None and model.startswith(IMPORTED_PROVIDER)


def _imported_notes(results: Sequence[EpisodeResult]) -> Iterable[str]:
    """What is known of published runs; their scores stand as they were published."""
    imported = [each for each in results if _is_imported(each.spec.model)]
    if imported:
        yield "imported runs: scores are MLGym's own, and the number of a run stands where others have a seed"
    for known in published_reference().invalid:
        spec_model = f"{IMPORTED_PROVIDER}{known.method}"
        for each in imported:
            if (each.spec.task, each.spec.model, each.spec.seeds.team) == (known.task, spec_model, known.run):
                yield f"{each.episode} did not earn its score: {known.reason}"


def _notes(tasks: Sequence[TaskArm], unfinished: Sequence[EpisodeLine]) -> Iterable[str]:
    if any(row.protocol == "verified" for row in tasks):
        yield (
            "protocol verified: finals are exact or very precise, on what the team never saw; "
            "best published scores come from MLGym's own evaluation"
        )
    if any(row.protocol == "mlgym" and row.metric == "Time" and not _is_imported(row.model) for row in tasks):
        yield "3-SAT times are rescaled by the baseline measured beside them to the published baseline's seconds"
    if any(1 < len(row.seeds) < 10 for row in tasks):
        yield "with fewer than 10 seeds intervals over tasks (bootstrap) are too narrow"
    if unfinished:
        yield f"not scored: {', '.join(f'{line.episode} ({line.outcome})' for line in unfinished)}"
