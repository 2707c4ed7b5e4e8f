"""A team beside the published models of MLGym-Bench, from a study's results, with everything that does not compare.

The pool is cut to the tasks that the team ran, so that no figure of a subset stands beside the one of all 13 tasks.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks import Comparison, Run, TaskFacts, TaskRuns, add_method, facts_of, published_pool
from benchmarks.scoreboard import LeftOut
from benchmarks.scores import is_better
from benchmarks.studies.plan import MLGYM_COST_USD, MLGYM_STEPS
from benchmarks.studies.teams import is_driven_by_model, models_of
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, UnknownName
from engine.task import TaskCard
from mlyceum.reading import read_results
from mlyceum.study_scores import entries_of, group_by_arm
from tasks.registry import open_task


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that differs from the published setting."""

    what: str
    published: str
    here: str


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """A team's best attempt@k, best submission@k and AUP beside the pool, on the named tasks."""

    folder: str
    team: str
    tasks: tuple[str, ...]
    """The named subset that every figure stands on."""
    left_out: tuple[LeftOut, ...]
    """What was run and does not enter, with why."""
    runs: dict[str, int]
    """Runs by task."""
    comparable: bool
    """Whether the figures may be read as a reproduction of the published setting."""
    deviations: tuple[Deviation, ...]
    notes: tuple[str, ...]
    comparison: Comparison


def bench_folder(folder: Path, *, team: str | None, tasks: Sequence[str]) -> Bench:
    """The bench of one team of a study's folder.

    Args:
        folder: of the study.
        team: its arm (as `mlyceum score` names it); None: the only one, or ``full``.
        tasks: to compare on, by any of their names; empty: all that may enter.

    Raises:
        UnknownName: for a team or a task that the folder does not hold.
        BadSpecification: when no result may enter, or arms of two protocols would mix.
    """
    groups = group_by_arm(read_results(folder))
    if not groups:
        raise BadSpecification(
            str(folder), "holds no episode that has ended; run `mlyceum bench` without --from"
        )
    arm = _arm([name for _, name in groups], team)
    results = {task: group for (task, name), group in groups.items() if name == arm}
    wanted = _wanted(tasks, results)
    left_out = [LeftOut(task=task, reason=why) for task in wanted if (why := _why_not(results[task][0].spec))]
    entering = [task for task in wanted if all(task != each.task for each in left_out)]
    if not entering:
        reasons = "; ".join(f"{each.task} {each.reason}" for each in left_out)
        raise BadSpecification(str(folder), f"no task of it may stand beside the published runs: {reasons}")
    specs = [result.spec for task in entering for result in results[task]]
    comparison = add_method(
        published_pool(),
        arm,
        [_task_runs(arm, open_task(task).card, results[task]) for task in entering],
        protocol=specs[0].protocol,
    )
    deviations = tuple(_deviations(specs))
    return Bench(
        folder=str(folder),
        team=arm,
        tasks=comparison.suite.tasks,
        left_out=tuple(left_out),
        runs={facts_of(_facts_name(task)).id: len(results[task]) for task in entering},
        comparable=not deviations,
        deviations=deviations,
        notes=tuple(_notes(comparison)),
        comparison=comparison,
    )


def _arm(arms: Sequence[str], team: str | None) -> str:
    known = list(dict.fromkeys(arms))
    if team is None:
        if len(known) == 1 or "full" in known:
            return known[0] if len(known) == 1 else "full"
        raise BadSpecification("--team", f"the folder holds {', '.join(known)}; name one of them")
    if team not in known:
        raise UnknownName("team of this folder", team, known)
    return team


def _wanted(tasks: Sequence[str], results: dict[str, list[EpisodeResult]]) -> list[str]:
    if not tasks:
        return list(results)
    by_name = {open_task(task).card.id: task for task in results} | {task: task for task in results}
    wanted = [open_task(task).name for task in tasks]
    for name in wanted:
        if name not in by_name:
            raise UnknownName("task of this folder", name, results)
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _why_not(spec: EpisodeSpec) -> str:
    """Why a task's results may not enter; empty where they may."""
    card = open_task(spec.task).card
    if card.variant != "published" or card.mlgym_id is None:
        return "is not a task of MLGym-Bench"
    if spec.protocol != "mlgym" and card.mlgym_metric_is_wall_time:
        return f"was scored by {card.metric} (protocol {spec.protocol}), and the pool by wall time"
    return ""


def _facts_name(task: str) -> str:
    return open_task(task).card.mlgym_id or task


def _task_runs(method: str, card: TaskCard, results: Sequence[EpisodeResult]) -> TaskRuns:
    facts: TaskFacts = facts_of(card.mlgym_id or card.id)
    return TaskRuns(
        method=method,
        task=facts.id,
        metric=facts.metric,
        direction=facts.direction,
        runs=tuple(Run(index=result.spec.seeds.team, entries=entries_of(result)) for result in results),
        # The judge has divided each time by that of the baseline timed right after it, and given it in units of the
        # published baseline: nothing is left to rescale.
        measured_baseline=facts.baseline if facts.wall_time else None,
    )


def _notes(comparison: Comparison) -> Iterator[str]:
    for task in comparison.suite.tasks:
        facts = facts_of(task)
        own = comparison.best_attempt.scores[task]
        if facts.optimum is not None and own is not None and is_better(own, facts.optimum, facts.direction):
            yield (
                f"{task}: a best attempt beyond the optimum {facts.optimum:g} is the luckiest of many noisy evaluations"
            )


def _deviations(specs: Sequence[EpisodeSpec]) -> Iterator[Deviation]:
    spec = specs[0]
    if spec.protocol != "mlgym":
        here = f"protocol {spec.protocol}: finals on what the team never saw"
        yield Deviation(what="scoring", published="the test metric at each validation", here=here)
    yield _driver(spec)
    evaluations = spec.budget.evaluations
    steps, cost = spec.budget.steps, spec.budget.cost_usd
    if evaluations is None or evaluations < MLGYM_STEPS or steps != MLGYM_STEPS or cost != MLGYM_COST_USD:
        here = f"{'no cap on' if evaluations is None else evaluations} evaluations"
        here += f", {steps} steps" if steps is not None else ", steps not counted"
        published = f"{MLGYM_STEPS} steps and {MLGYM_COST_USD:g} USD a run, a validation is a step"
        yield Deviation(what="budget", published=published, here=here)
    yield Deviation(
        what="tasks",
        published="MLGym's own environments",
        here="written anew after their specification; starter code, words and opponents' code are ours",
    )
    if any(open_task(each.task).card.mlgym_metric_is_wall_time for each in specs):
        here = "times in units of the baseline timed beside each score, times the published baseline"
        yield Deviation(what="wall time", published="seconds on an unknown machine", here=here)


def _driver(spec: EpisodeSpec) -> Deviation:
    published = "one agent, driven by a language model"
    members = len(spec.team.members)
    who = f"a team of {members}" if members > 1 else "one member"
    if is_driven_by_model(spec.team):
        return Deviation(
            what="agent", published=published, here=f"{who}, driven by {', '.join(models_of(spec))}"
        )
    here = f"{who} of offline policies, which search moves declared by people who know the tasks"
    return Deviation(what="agent", published=published, here=here)
