"""From what a user asks for to the specifications of episodes: checked, resolved, in order."""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from benchmarks.studies.teams import is_driven_by_model, lacks_model, make_team, parse_drivers
from engine.budget import Budget
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification
from engine.seeds import Seeds
from engine.task import ScoringProtocol, TaskCard
from engine.team import TeamSpec
from roles import named_team, prompt_digests
from tasks.package import TaskPackage
from tasks.registry import open_task
from tasks.scoring import load_scorer

MLGYM_STEPS = 50
MLGYM_COST_USD = 4.0
"""Of all members together, as published for MLGym (arXiv 2502.14499)."""
DEFAULT_EVALUATIONS = 20
FEEDBACK_SETTINGS = ("feedback_games", "feedback_formulas")
"""What scorers call the size of one feedback sample."""
CONTROLS = ("random-search", "best-of-n", "solo")
"""Teams that others are held against, at the same seeds and budget."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for, as given."""

    tasks: tuple[str, ...]
    team: str = "full"
    without: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """``provider/name``, or ``ROLE=provider/name``."""
    max_cost_usd: float | None = None
    """Over all episodes, shared evenly, so that none starves another."""
    seeds: int = 1
    first_seed: int = 1
    evaluations: int | None = None
    """Feedback evaluations of an episode; None: `DEFAULT_EVALUATIONS`, or all steps under ``mlgym``."""
    protocol: ScoringProtocol = "verified"
    feedback_size: int | None = None
    """Games, or formulas, that one feedback score samples; None: as the task says."""
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
        specs: every episode: tasks in the order asked for, then seeds, the team before its controls.
        tasks: by the names in ``specs``.
        team: the team that the figures are about.
        model: drives its members that name no model of their own.
        notes: what a reader of the figures must know.
    """

    specs: tuple[EpisodeSpec, ...]
    tasks: Mapping[str, TaskPackage]
    team: TeamSpec
    model: str | None
    protocol: ScoringProtocol
    budget: Budget
    notes: tuple[str, ...]

    @property
    def cards(self) -> dict[str, TaskCard]:
        """By the names in ``specs``."""
        return {name: task.card for name, task in self.tasks.items()}


def make_plan(request: Request) -> Plan:
    """Resolve a request.

    Raises:
        UnknownName: a task, team, role, control … that does not exist.
        BadSpecification: a number out of range, a team file or patch that does not say what it must.
    """
    _check_numbers(request)
    drivers = parse_drivers(request.models)
    team = make_team(request.team, drivers=drivers, without=request.without, patches=request.patches)
    if drivers.whole is None and lacks_model(team):
        raise BadSpecification(
            "--model", f"a model drives members of {team.name} and none is named; give --model provider/name"
        )
    tasks = {
        task.name: task
        for task in (open_sized(name, request.feedback_size) for name in dict.fromkeys(request.tasks))
    }
    controls = [named_team(name) for name in dict.fromkeys(request.controls)]
    teams = [team, *(control for control in controls if control.name != team.name)]
    budget = _budget(request, episodes=len(tasks) * request.seeds)
    specs = tuple(
        make_spec(
            task,
            each,
            Seeds(task=seed, team=seed, evaluation=seed),
            protocol=request.protocol,
            budget=budget,
            model=drivers.whole,
            feedback_size=request.feedback_size,
        )
        for task in tasks.values()
        for seed in range(request.first_seed, request.first_seed + request.seeds)
        for each in teams
    )
    return Plan(
        specs=specs,
        tasks=tasks,
        team=team,
        model=drivers.whole,
        protocol=request.protocol,
        budget=budget,
        notes=_notes(request, team),
    )


def _check_numbers(request: Request) -> None:
    at_least = (
        ("--seeds", request.seeds, 1),
        ("--seed", request.first_seed, 0),
        ("--budget", request.evaluations, 1),
        ("--feedback-size", request.feedback_size, 2),
    )
    for option, value, least in at_least:
        if value is not None and value < least:
            raise BadSpecification(option, f"{value} is too small; give {least} or more")
    if request.max_cost_usd is not None and not request.max_cost_usd > 0:
        raise BadSpecification("--max-cost", f"{request.max_cost_usd:g} USD buys nothing; give more than 0")
    if not request.tasks:
        raise BadSpecification("TASK", "none is named; `mlyceum tasks` lists them")


def open_sized(name: str, feedback_size: int | None) -> TaskPackage:
    """A task with feedback of a size; None: its own.

    Raises:
        UnknownName: there is no such task.
        BadSpecification: its feedback cannot be sized so.
    """
    task = open_task(name)
    if feedback_size is None:
        return task
    refused: BadSpecification | None = None
    for setting in FEEDBACK_SETTINGS:
        resized = copy.copy(task)
        resized.settings = {**task.settings, setting: feedback_size}
        try:
            load_scorer(resized)
        except BadSpecification as error:
            refused = error
        else:
            return resized
    raise BadSpecification(
        "--feedback-size", f"{task.name} does not let its feedback be sized; leave the option out"
    ) from refused


def make_spec(
    task: TaskPackage,
    team: TeamSpec,
    seeds: Seeds,
    *,
    protocol: ScoringProtocol,
    budget: Budget,
    model: str | None,
    feedback_size: int | None,
) -> EpisodeSpec:
    """One episode.

    Args:
        task: as `open_sized` made it.
        team: who researches.
        seeds: of its block.
        protocol: of scoring.
        budget: of the episode.
        model: drives the members that a model drives and that name none.
        feedback_size: that the task was opened with.
    """
    is_modelled = is_driven_by_model(team)
    return EpisodeSpec(
        task=task.name,
        team=team,
        seeds=seeds,
        protocol=protocol,
        budget=budget,
        model=model if is_modelled else None,
        feedback=_feedback(task, feedback_size),
        hashes={**_hashes(task), **(_prompt_hashes(team) if is_modelled else {})},
    )


def _feedback(task: TaskPackage, feedback_size: int | None) -> dict[str, float]:
    if feedback_size is None:
        return {}
    return {name: float(task.settings[name]) for name in FEEDBACK_SETTINGS if name in task.settings}


@lru_cache(maxsize=64)
def _hashes(task: TaskPackage) -> dict[str, str]:
    """What else the episode follows from, so that a record is never gone on with under another version."""
    return {
        "artefact": _digest(
            *(part for path, data in sorted(task.starter.items()) for part in (path.encode(), data))
        ),
        "brief": _digest(task.brief.encode()),
        "check": _digest(task.check.encode()),
        "moves": task.moves.space.digest(),
        "scorer": str(load_scorer(task).version),
        "environment": _digest(*(each.encode() for each in task.environment)),
    }


def _prompt_hashes(team: TeamSpec) -> dict[str, str]:
    return {f"prompt {name}": digest for name, digest in prompt_digests(team.prompts).items()}


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def _budget(request: Request, *, episodes: int) -> Budget:
    share = None if request.max_cost_usd is None else request.max_cost_usd / episodes
    if request.protocol == "mlgym":
        cost = MLGYM_COST_USD if share is None else min(share, MLGYM_COST_USD)
        evaluations = request.evaluations or MLGYM_STEPS
        return Budget(evaluations=evaluations, steps=MLGYM_STEPS, cost_usd=cost)
    return Budget(evaluations=request.evaluations or DEFAULT_EVALUATIONS, cost_usd=share)


def _notes(request: Request, team: TeamSpec) -> tuple[str, ...]:
    mlgym = f"protocol mlgym: {MLGYM_STEPS} steps over all members, feedback is the test metric, the last selection counts"
    verified = (
        "protocol verified: finals are exact or very precise, on what the team never saw; "
        "published scores come from MLGym's own evaluation"
    )
    notes = [mlgym if request.protocol == "mlgym" else verified]
    if request.feedback_size is not None:
        notes.append(
            f"feedback samples {request.feedback_size} games or formulas: not the tasks' own setting"
        )
    if not is_driven_by_model(team):
        notes.append(
            "offline policies search moves declared by people who know the tasks: an informed reference, "
            "no control for teams that a model drives"
        )
    return tuple(notes)
