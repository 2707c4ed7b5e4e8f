"""The statistics of a report, taken once: headlines, contrasts, spend; everything random from one fixed seed."""

from dataclasses import dataclass

import numpy as np

from benchmarks.report.evidence import Evidence
from benchmarks.report.wording import SIGNIFICANT, Removal, removal_of
from benchmarks.statistics.comparison import Comparison, compare, paired_differences
from benchmarks.statistics.figures import mean_over_blocks
from benchmarks.statistics.headline import Headline, Sensitivity, failure_sensitivity, headlines
from benchmarks.statistics.outcomes import FloatArray, Outcomes
from benchmarks.statistics.permutation import holm
from benchmarks.studies.design import Contrast
from benchmarks.studies.looks import planned_looks

RESAMPLING_SEED = 20_261_125
"""The same record gives the same intervals, always."""
SPEND_GAP = 0.10
"""Relative gap of realised spend from which a comparison is flagged."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One contrast with what came of it.

    Attributes:
        contrast: as named.
        found: treatment less control.
        p: corrected for its family; a primary contrast is a family of its own.
        removal: the role by whose removal the treatment came from the control, where that is so.
        points: single paired differences, by task and block.
        needed: what ``p`` must not exceed; in a sequential study, what its last planned look left the primary contrast.
    """

    contrast: Contrast
    found: Comparison
    p: float
    removal: Removal | None
    points: FloatArray
    needed: float = SIGNIFICANT


@dataclass(frozen=True, kw_only=True)
class TaskEffect:
    """One contrast on one task alone: exploratory.

    Attributes:
        effect: the contrast, over all tasks.
        task: which.
        found: treatment less control there.
        p: corrected over all contrasts on all tasks.
    """

    effect: Effect
    task: str
    found: Comparison
    p: float


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What an arm really spent on the primary axis, beside the arm that it is held against.

    Attributes:
        mean: per episode.
        gap: relative to the control's mean over the blocks that both ran; None without such blocks.
    """

    arm: str
    control: str
    mean: float
    gap: float | None
    seconds: float

    @property
    def is_flagged(self) -> bool:
        """Whether the gap is more than comparisons may ignore."""
        return self.gap is not None and abs(self.gap) > SPEND_GAP


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that tables and sentences are made from."""

    evidence: Evidence
    headlines: tuple[Headline, ...]
    sensitivity: tuple[Sensitivity, ...]
    """Empty where nothing failed."""
    effects: tuple[Effect, ...]
    by_task: tuple[TaskEffect, ...]
    """On every task with a reference, those too that enter no mean; empty where there is one task."""
    not_run: tuple[Contrast, ...]
    """Contrasts of which an arm has no result yet."""
    spends: tuple[Spend, ...]

    def headline(self, arm: str) -> Headline | None:
        """The headline of an arm."""
        return next((each for each in self.headlines if each.method == arm), None)

    @property
    def family(self) -> int:
        """How many secondary contrasts share a correction."""
        return sum(not effect.contrast.primary for effect in self.effects)


def find(evidence: Evidence) -> Findings:
    """Take the statistics.

    Raises:
        ExtraMissing: without scipy.
    """
    outcomes = evidence.outcomes
    present = set(evidence.arms)
    known = [c for c in evidence.design.contrasts if {c.treatment, c.control} <= present]
    effects = () if outcomes is None else _effects(evidence, outcomes, known)
    return Findings(
        evidence=evidence,
        headlines=() if outcomes is None else headlines(outcomes, generator=_generator()),
        sensitivity=()
        if outcomes is None or not outcomes.failed.any()
        else failure_sensitivity(outcomes, generator=_generator()),
        effects=effects,
        by_task=_by_task(evidence, effects),
        not_run=tuple(c for c in evidence.design.contrasts if c not in known),
        spends=tuple(_spend(evidence, arm) for arm in evidence.arms),
    )


def _generator() -> np.random.Generator:
    return np.random.default_rng(RESAMPLING_SEED)


def _effects(evidence: Evidence, outcomes: Outcomes, contrasts: list[Contrast]) -> tuple[Effect, ...]:
    """The primary contrast in a family of its own, the others in another; in the order of the design."""
    found: dict[str, Comparison] = {}
    for family in ([c for c in contrasts if c.primary], [c for c in contrasts if not c.primary]):
        compared = compare(outcomes, [(c.treatment, c.control) for c in family], generator=_generator())
        found |= {c.name: each for c, each in zip(family, compared, strict=True)}
    return tuple(
        Effect(
            contrast=contrast,
            found=found[contrast.name],
            p=found[contrast.name].holm_p,
            removal=removal_of(evidence, contrast.treatment, contrast.control),
            points=paired_differences(outcomes, contrast.treatment, contrast.control),
            needed=_needed(evidence) if contrast.primary else SIGNIFICANT,
        )
        for contrast in contrasts
    )


def _needed(evidence: Evidence) -> float:
    """What the primary contrast's p must not exceed: less than usual where looks have spent a part of the level."""
    if evidence.design.sequential is None:
        return SIGNIFICANT
    taken = [look for source in evidence.sources.each for look in planned_looks(source.folder)]
    return taken[-1].nominal_p if taken else 0.0


def _by_task(evidence: Evidence, effects: tuple[Effect, ...]) -> tuple[TaskEffect, ...]:
    """Each contrast on each task; p corrected over all of them together."""
    tasks = [task for task in evidence.tasks if evidence.scales[task].reference is not None]
    if len(tasks) < 2:
        return ()
    found: list[tuple[Effect, str, Comparison]] = []
    for task in tasks:
        outcomes = evidence.outcomes_of(task)
        assert outcomes is not None  # it has a reference
        there = [e for e in effects if {e.contrast.treatment, e.contrast.control} <= set(outcomes.methods)]
        pairs = [(e.contrast.treatment, e.contrast.control) for e in there]
        # Few draws: of these, only differences and tests are shown, which take none.
        compared = compare(outcomes, pairs, generator=_generator(), resamples=100)
        found += [(effect, task, each) for effect, each in zip(there, compared, strict=True)]
    corrected = holm([each.test.p for _, _, each in found])
    return tuple(
        TaskEffect(effect=effect, task=task, found=each, p=p)
        for (effect, task, each), p in zip(found, corrected, strict=True)
    )


def _spend(evidence: Evidence, arm: str) -> Spend:
    control = next(
        (c.control for c in evidence.design.contrasts if c.treatment == arm and c.control in evidence.arms),
        evidence.leading,
    )
    ours, theirs = (
        {(run.task, run.block): run.spent for run in evidence.runs if run.arm == name}
        for name in (arm, control)
    )
    both = sorted(ours.keys() & theirs.keys())
    base = sum(theirs[block] for block in both)
    runs = [run for run in evidence.runs if run.arm == arm]
    return Spend(
        arm=arm,
        control=control,
        mean=sum(run.spent for run in runs) / len(runs),
        gap=sum(ours[block] for block in both) / base - 1 if base else None,
        seconds=sum(run.seconds for run in runs) / len(runs),
    )


def block_means(outcomes: Outcomes, arm: str) -> FloatArray:
    """Mean of an arm on each task, shape ``(tasks,)``."""
    return mean_over_blocks(outcomes.of(arm))
