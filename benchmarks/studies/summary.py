"""What a run came to: a row for each episode, a row for each task, and the one document that holds them.

One intention-to-treat rule: an episode whose artefact earned no score counts as the floor that its task states, or as
the baseline. Episodes that the outside let down (an endpoint, a full machine) count as missing, and are counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from benchmarks.studies.intervals import Interval, mean_interval
from engine.episode import EpisodeResult, EpisodeSpec
from engine.messages import ArtefactHash
from engine.scheduler import Limit, Ran
from engine.task import Direction, ScoringProtocol, TaskCard

RECORD_VERSION = 1
RowOutcome: TypeAlias = Literal["submitted", "budget", "deadlock", "error", "failed"]
"""How an episode ended; ``failed``: the outside let it down, and the same command tries again."""


class EpisodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One episode, as it is listed."""

    episode: str
    task: str
    seed: int
    """The team's seed."""
    team: str
    protocol: ScoringProtocol
    model: str | None
    """The model that drove it, where one did for the whole team; None: offline policies, or as members say."""
    patches: tuple[str, ...]
    """What was taken away or changed, in words."""
    outcome: RowOutcome
    reason: str
    final_score: float | None
    """Of what was handed in, on what the team never saw; None where it earned no score."""
    standard_error: float | None
    """Of ``final_score``."""
    counted_score: float | None
    """What the task's mean counts: ``final_score``, else the floor or the baseline; None: the episode is missing."""
    held_out_score: float | None
    feedback_score: float | None
    """Mean of the feedback scores that the artefact handed in got during the episode."""
    feedback_standard_error: float | None
    best_feedback_final_score: float | None
    """Final score of the artefact with the best single feedback score, for the record."""
    evaluations: int
    spending: dict[str, float]
    findings: int
    """What crossed, or tried to cross, the boundary in the final scoring; advisory findings left out."""
    deterministic: bool
    artefact: str | None
    seconds: float
    """Wall time; depends on the machine and its load."""
    folder: str


class ControlRow(msgspec.Struct, frozen=True, kw_only=True):
    """What another team did with the same seeds and budget."""

    team: str
    score: Interval | None
    failed: int


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One task, over its seeds."""

    task: str
    team: str
    metric: str
    direction: Direction
    mean: float | None
    interval: tuple[float, float] | None
    """95 % interval of the mean over seeds."""
    interval_method: str
    n: int
    """Episodes that the mean counts."""
    baseline: float
    """Exact under ``verified``, as published under ``mlgym``."""
    best_published: float | None
    """Best valid published submission; on MLGym's own evaluation, so beside ``verified`` scores an orientation."""
    best_published_is_rescaled: bool
    """Whether that is a wall time over the wall time of the published baseline, on an unknown machine."""
    optimum: float | None
    controls: tuple[ControlRow, ...]
    outcomes: dict[str, int]
    without_score: int
    """Episodes that handed in an artefact without a score, and count as the floor or baseline."""
    evaluations: float
    """Mean per episode."""
    seconds: float
    """Mean wall time of an episode; depends on the machine and its load."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run came to. The document that ``--json`` prints, and what `mlyceum.run` returns."""

    version: int = RECORD_VERSION
    folder: str
    team: str
    patches: tuple[str, ...]
    model: str | None
    protocol: ScoringProtocol
    budget: dict[str, float]
    episodes: tuple[EpisodeRow, ...]
    tasks: tuple[TaskRow, ...]
    limits: tuple[Limit, ...]
    workspace: str
    """The backend that ran and scored code."""
    notes: tuple[str, ...]
    """What a reader of the figures must know."""

    @property
    def failed(self) -> dict[str, str]:
        """Episodes that the outside let down, and why."""
        return {row.episode: row.reason for row in self.episodes if row.outcome == "failed"}


def make_rows(
    specs: Sequence[EpisodeSpec], ran: Ran, *, cards: Mapping[str, TaskCard], folder: Path
) -> tuple[EpisodeRow, ...]:
    """A row for every episode asked for, in that order.

    Args:
        specs: what was asked for.
        ran: what came of it.
        cards: by the task names of the specifications.
        folder: of the study.
    """
    done = {result.episode: result for result in ran.results}
    return tuple(
        _done_row(done[spec.id], cards[spec.task], folder)
        if spec.id in done
        else _missing_row(spec, ran.failed.get(spec.id, "not run"), folder)
        for spec in specs
    )


def _done_row(result: EpisodeResult, card: TaskCard, folder: Path) -> EpisodeRow:
    spec, final = result.spec, result.final
    failed_as = card.floor if card.floor is not None else _baseline(card, spec.protocol)
    feedback, feedback_error = _feedback_of(result, result.selected)
    best = result.best_feedback_final
    return EpisodeRow(
        episode=result.episode,
        task=spec.task,
        seed=spec.seeds.team,
        team=spec.team.name,
        protocol=spec.protocol,
        model=spec.model,
        patches=spec.team.patches,
        outcome=result.outcome,
        reason=result.reason or final.failure,
        final_score=final.value,
        standard_error=final.standard_error if final.value is not None else None,
        counted_score=final.value if final.value is not None else failed_as,
        held_out_score=result.held_out.value if result.held_out is not None else None,
        feedback_score=feedback,
        feedback_standard_error=feedback_error,
        best_feedback_final_score=best.value if best is not None else None,
        evaluations=result.evaluations,
        spending=result.spending,
        findings=sum(not finding.advisory for finding in final.findings),
        deterministic=result.deterministic,
        artefact=result.selected,
        seconds=result.measured.seconds,
        folder=str(folder / "episodes" / result.episode),
    )


def _missing_row(spec: EpisodeSpec, reason: str, folder: Path) -> EpisodeRow:
    return EpisodeRow(
        episode=spec.id,
        task=spec.task,
        seed=spec.seeds.team,
        team=spec.team.name,
        protocol=spec.protocol,
        model=spec.model,
        patches=spec.team.patches,
        outcome="failed",
        reason=reason,
        final_score=None,
        standard_error=None,
        counted_score=None,
        held_out_score=None,
        feedback_score=None,
        feedback_standard_error=None,
        best_feedback_final_score=None,
        evaluations=0,
        spending={},
        findings=0,
        deterministic=not spec.team.arrival_order,
        artefact=None,
        seconds=0.0,
        folder=str(folder / "episodes" / spec.id),
    )


def _feedback_of(result: EpisodeResult, artefact: ArtefactHash) -> tuple[float | None, float | None]:
    """Mean and standard error of the feedback that an artefact got."""
    got = [
        (each.value, each.standard_error)
        for each in result.feedback
        if each.artefact == artefact and each.value is not None
    ]
    if not got:
        return None, None
    mean = sum(value for value, _ in got) / len(got)
    return mean, sum(error**2 for _, error in got) ** 0.5 / len(got)


def make_task_rows(
    rows: Sequence[EpisodeRow], *, team: str, cards: Mapping[str, TaskCard]
) -> tuple[TaskRow, ...]:
    """A row for every task, in the order in which they appear.

    Args:
        rows: every episode, those of control teams too.
        team: whose figures lead; the others are controls.
        cards: by the task names of the rows.
    """
    tasks = dict.fromkeys(row.task for row in rows)
    return tuple(_task_row([row for row in rows if row.task == task], team, cards[task]) for task in tasks)


def _task_row(rows: Sequence[EpisodeRow], team: str, card: TaskCard) -> TaskRow:
    own = [row for row in rows if row.team == team]
    protocol = rows[0].protocol
    score = _interval(own)
    others = dict.fromkeys(row.team for row in rows if row.team != team)
    ran = [row for row in own if row.outcome != "failed"]
    return TaskRow(
        task=rows[0].task,
        team=team,
        metric=card.metric,
        direction=card.direction,
        mean=score.mean if score is not None else None,
        interval=(score.low, score.high)
        if score is not None and score.low is not None and score.high is not None
        else None,
        interval_method=score.method if score is not None else "none",
        n=score.n if score is not None else 0,
        baseline=_baseline(card, protocol),
        best_published=_best_published(card, protocol),
        best_published_is_rescaled=card.mlgym_metric_is_wall_time and protocol == "verified",
        optimum=card.optimum,
        controls=tuple(_control_row(other, [row for row in rows if row.team == other]) for other in others),
        outcomes=dict(sorted(Counter(row.outcome for row in own).items())),
        without_score=sum(row.final_score is None for row in ran),
        evaluations=sum(row.evaluations for row in ran) / len(ran) if ran else 0.0,
        seconds=sum(row.seconds for row in ran) / len(ran) if ran else 0.0,
    )


def _baseline(card: TaskCard, protocol: ScoringProtocol) -> float:
    """Of the protocol's own evaluation: as published under ``mlgym``, exact under ``verified``."""
    if protocol == "mlgym" and card.published_baseline is not None:
        return card.published_baseline
    return card.baseline


def _best_published(card: TaskCard, protocol: ScoringProtocol) -> float | None:
    if protocol == "mlgym" or not card.mlgym_metric_is_wall_time:
        return card.best_published
    if card.best_published is None or card.published_baseline is None:
        return None
    return card.baseline * card.best_published / card.published_baseline


def _control_row(team: str, rows: Sequence[EpisodeRow]) -> ControlRow:
    return ControlRow(team=team, score=_interval(rows), failed=sum(row.outcome == "failed" for row in rows))


def _interval(rows: Sequence[EpisodeRow]) -> Interval | None:
    return mean_interval([row.counted_score for row in rows if row.counted_score is not None])
