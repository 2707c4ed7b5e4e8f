"""From a study's records to what statistics take: one run an episode, on a common scale, pilots left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from benchmarks.report.scales import Scale, make_scale
from benchmarks.report.sources import Sources, tasks_of
from benchmarks.statistics.from_results import block_of
from benchmarks.statistics.outcomes import Observation, Outcomes, make_outcomes
from benchmarks.studies.design import ArmDesign, Contrast, Design, read_lock
from benchmarks.studies.plan import CONTROLS
from engine.budget import AXES, Axis
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification
from engine.seeds import Seeds
from engine.team import TeamSpec
from tasks.registry import is_known_task, open_task


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One episode as tables list it."""

    episode: str
    arm: str
    task: str
    block: str
    """Name of its seeds; with the task it names the block."""
    outcome: str
    reason: str
    final: float | None
    """Of what was handed in, on the task's metric; None: it earned no score."""
    standard_error: float
    counted: float
    """``final``, or what the task says that a failure counts as."""
    normalised: float | None
    """``final`` on the common scale; None: no score, or the task has no reference."""
    held_out: float | None
    best_feedback_final: float | None
    """Final score of the artefact with the best single feedback score, for the record."""
    evaluations: int
    spent: float
    """On the primary axis."""
    messages: int
    seconds: float
    findings: int
    """What crossed, or tried to cross, the boundary while the final was scored; advisory ones left out."""
    is_deterministic: bool
    artefact: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that sections are made from.

    Attributes:
        sources: the records.
        design: as locked, or as it can be read off the records.
        is_locked: which of the two.
        scales: by task.
        results: of every ended episode that counts: pilots left out, arms of the design only.
        runs: the same, as rows.
        pilots: how many ended episodes are left out as pilots.
        unknown_tasks: tasks of ended episodes that are left out, for they are not here (imported records).
    """

    sources: Sources
    design: Design
    is_locked: bool
    scales: Mapping[str, Scale]
    results: tuple[EpisodeResult, ...]
    runs: tuple[Run, ...]
    pilots: int
    unknown_tasks: tuple[str, ...] = ()

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """Those with a result, in the order of the design."""
        seen = {run.arm for run in self.runs}
        return tuple(arm.name for arm in self.design.arms if arm.name in seen)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Those with a result, in the order of the design."""
        seen = {run.task for run in self.runs}
        return tuple(task for task in self.design.tasks if task in seen)

    @property
    def leading(self) -> str:
        """The arm that tables lead with."""
        return self.arms[0]

    @cached_property
    def headline_tasks(self) -> tuple[str, ...]:
        """Those that enter means: with a reference, run by every arm, and no calibration where there is anything else."""
        pairs = {(run.arm, run.task) for run in self.runs}
        with_reference = [task for task in self.tasks if self.scales[task].reference is not None]
        shared = [task for task in with_reference if all((arm, task) in pairs for arm in self.arms)]
        with_reference = shared or with_reference
        research = [task for task in with_reference if not self.scales[task].is_calibration]
        return tuple(research or with_reference)

    @cached_property
    def outcomes(self) -> Outcomes | None:
        """Normalised scores over the headline tasks; None where no task has a reference."""
        return self._outcomes(self.headline_tasks) if self.headline_tasks else None

    def outcomes_of(self, task: str) -> Outcomes | None:
        """Normalised scores on one task; None without a reference."""
        return self._outcomes((task,)) if self.scales[task].reference is not None else None

    def _outcomes(self, tasks: Sequence[str]) -> Outcomes:
        known = {arm: place for place, arm in enumerate(self.arms)}
        runs = sorted(
            (run for run in self.runs if run.task in tasks),
            key=lambda run: (known[run.arm], tasks.index(run.task)),
        )
        return make_outcomes(
            [
                Observation(method=run.arm, task=run.task, block=run.block, score=run.normalised)
                for run in runs
            ],
            floors={task: self.scales[task].floor for task in tasks},
        )

    def team(self, arm: str) -> TeamSpec:
        """The team of an arm, as it ran."""
        return self._teams[arm]

    @cached_property
    def _teams(self) -> dict[str, TeamSpec]:
        return {result.spec.team.name: result.spec.team for result in self.results}

    def label(self, arm: str) -> str:
        """What an arm is called before people."""
        found = self.design.arm(arm)
        return found.label if found is not None and found.label else arm

    @cached_property
    def blocks(self) -> int:
        """Planned blocks, pilots left out."""
        return len(
            {(s.task, block_of(s.seeds)) for s in self.sources.planned if not self.design.is_pilot(s.seeds)}
        )

    @cached_property
    def complete_blocks(self) -> int:
        """Blocks in which every planned arm has ended, pilots left out."""
        planned: dict[tuple[str, str], set[str]] = {}
        for spec in self.sources.planned:
            if not self.design.is_pilot(spec.seeds):
                planned.setdefault((spec.task, block_of(spec.seeds)), set()).add(spec.id)
        ended = {run.episode for run in self.runs}
        return sum(wanted <= ended for wanted in planned.values())


def make_evidence(sources: Sources) -> Evidence:
    """Join records, design and scales.

    Raises:
        RecordDamaged: a lock cannot be read.
        BadSpecification: the folders are of studies under different protocols, or hold one episode twice.
    """
    locked = [design for source in sources.each if (design := read_lock(source.folder)) is not None]
    design = locked[0] if locked else implied_design(sources.planned or [r.spec for r in sources.results])
    _check(sources)
    arms = {arm.name for arm in design.arms}
    unknown = tuple(task for task in tasks_of(r.spec for r in sources.results) if not is_known_task(task))
    results = tuple(
        result
        for result in sources.results
        if not design.is_pilot(result.spec.seeds)
        and result.spec.team.name in arms
        and result.spec.task not in unknown
    )
    if unknown and not results:
        raise BadSpecification(str(sources.folder), f"is of tasks that are not here ({', '.join(unknown)})")
    scales = {
        task: make_scale(open_task(task).card, design.protocol) for task in tasks_of(r.spec for r in results)
    }
    return Evidence(
        sources=sources,
        design=design,
        is_locked=bool(locked),
        scales=scales,
        results=results,
        runs=tuple(_run(result, scales[result.spec.task], design.primary_axis) for result in results),
        pilots=sum(design.is_pilot(result.spec.seeds) for result in sources.results),
        unknown_tasks=unknown,
    )


def _check(sources: Sources) -> None:
    protocols = sorted({result.spec.protocol for result in sources.results})
    if len(protocols) > 1:
        raise BadSpecification(
            str(sources.folder),
            f"holds studies under {' and '.join(protocols)}, whose scores do not compare; report on one of its folders",
        )
    names = [result.episode for result in sources.results]
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice is not None:
        raise BadSpecification(str(sources.folder), f"two folders hold {twice}; report on one of them")


def implied_design(specs: Sequence[EpisodeSpec]) -> Design:
    """What a folder without a lock is a study of: each arm against the first."""
    teams = {spec.team.name: spec.team for spec in specs}
    first, *others = teams
    budget = specs[0].budget
    sizes = {size for spec in specs for size in spec.feedback.values()}
    capped: list[Axis] = [axis for axis in AXES if budget.limit(axis) is not None]
    return Design(
        name="study",
        tasks=tasks_of(specs),
        arms=tuple(
            ArmDesign(
                name=name,
                team=team,
                model=next((spec.model for spec in specs if spec.team.name == name), None),
                kind="control" if name in CONTROLS and name != first else "treatment",
            )
            for name, team in teams.items()
        ),
        contrasts=tuple(
            Contrast(name=f"{other} against {first}", treatment=other, control=first) for other in others
        ),
        seeds=tuple({_key(spec.seeds): spec.seeds for spec in specs}.values()),
        protocol=specs[0].protocol,
        budget=budget,
        primary_axis=capped[0] if capped else "evaluations",
        feedback_size=int(sizes.pop()) if len(sizes) == 1 else None,
    )


def _key(seeds: Seeds) -> tuple[int, int, int]:
    return seeds.task, seeds.team, seeds.evaluation


def _run(result: EpisodeResult, scale: Scale, axis: Axis) -> Run:
    final, best = result.final, result.best_feedback_final
    return Run(
        episode=result.episode,
        arm=result.spec.team.name,
        task=result.spec.task,
        block=block_of(result.spec.seeds),
        outcome=result.outcome,
        reason=result.reason or final.failure,
        final=final.value,
        standard_error=final.standard_error,
        counted=scale.counted_failure if final.value is None else final.value,
        normalised=scale.normalise(final.value),
        held_out=None if result.held_out is None else result.held_out.value,
        best_feedback_final=None if best is None else best.value,
        evaluations=result.evaluations,
        spent=spent_on(result, axis),
        messages=result.messages,
        seconds=result.measured.seconds,
        findings=sum(not finding.advisory for finding in final.findings),
        is_deterministic=result.deterministic,
        artefact=result.selected,
    )


def spent_on(result: EpisodeResult, axis: Axis) -> float:
    """What an episode really spent on an axis of the budget."""
    if axis == "wall_seconds":
        return result.measured.seconds
    if axis == "evaluations":
        return float(result.evaluations)
    return result.spending.get(axis, 0.0)
