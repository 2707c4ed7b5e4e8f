"""From a design to episodes: checked, in blocks, arms of a block in an order drawn at random."""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from benchmarks.studies.arms import FieldFault, check_contrast, field, is_debate, settled_arm, team_of
from benchmarks.studies.design import DESIGN_VERSION, ArmDesign, BlockOrder, Contrast, Design, Shard
from benchmarks.studies.plan import MLGYM_STEPS, Plan, make_spec, open_sized
from benchmarks.studies.teams import is_driven_by_model
from engine.budget import AXES
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, UnknownName
from engine.seeds import Seeds
from engine.team import TeamSpec
from tasks.package import TaskPackage
from tasks.registry import task_id

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A design with everything that follows from it.

    Attributes:
        design: tasks by the names that episodes use.
        blocks: all of the study, in the order in which they run.
        shard: which of them the plan holds; None: all.
        plan: the episodes to run.
    """

    design: Design
    blocks: tuple[BlockOrder, ...]
    shard: Shard | None
    plan: Plan


def resolve(design: Design, *, shard: Shard | None = None) -> Resolved:
    """Check a design, and make its episodes.

    Seeds are the outer loop and tasks the inner one, so that a study that is cut short is cut evenly, and blocks of
    seeds that are added later come last.

    Raises:
        FieldFault: naming the design's field that is not right.
    """
    teams = check_design(design)
    if shard is not None and design.sequential is not None:
        raise FieldFault(("sequential",), "a shard cannot see when the study has its answer; run it whole")
    tasks = _open_tasks(design)
    arms: list[ArmDesign] = []
    for place, arm in enumerate(design.arms):
        with field("arms", place):
            arms.append(settled_arm(arm))
    design = msgspec.structs.replace(
        design, tasks=tuple(tasks), arms=tuple(arms), notes=_notes(design, teams)
    )
    blocks = tuple(
        BlockOrder(task=task, seeds=seeds, arms=arm_order(design, task, seeds))
        for seeds in (*design.pilot_seeds, *design.seeds)
        for task in tasks
    )
    models = {arm.name: arm.model for arm in design.arms}
    kept = blocks if shard is None else blocks_of(blocks, shard)
    specs: list[EpisodeSpec] = [
        make_spec(
            tasks[block.task],
            teams[name],
            block.seeds,
            protocol=design.protocol,
            budget=design.budget,
            model=models[name],
            feedback_size=design.feedback_size,
        )
        for block in kept
        for name in block.arms
    ]
    plan = Plan(
        specs=tuple(specs),
        tasks=tasks,
        team=teams[design.arms[0].name],
        model=design.arms[0].model,
        protocol=design.protocol,
        budget=design.budget,
        notes=design.notes,
    )
    return Resolved(design=design, blocks=blocks, shard=shard, plan=plan)


def arm_order(design: Design, task: str, seeds: Seeds) -> tuple[str, ...]:
    """The order in which the arms of a block are started: drawn for that block alone.

    It follows from the study's ``order_seed`` and the block, so that blocks added later leave it as it is.
    """
    entropy = [design.order_seed, zlib.crc32(task.encode()), seeds.task, seeds.team, seeds.evaluation]
    places = list(range(len(design.arms)))
    np.random.default_rng(np.random.SeedSequence(entropy)).shuffle(places)
    return tuple(design.arms[place].name for place in places)


def blocks_of(blocks: Sequence[BlockOrder], shard: Shard) -> tuple[BlockOrder, ...]:
    """The blocks of a shard: every ``of``-th, so that each shard gets its part of tasks and of seeds."""
    return tuple(blocks[shard.number - 1 :: shard.of])


def parse_shard(text: str) -> Shard:
    """``2/8``: the second of eight.

    Raises:
        BadSpecification: it is no such thing.
    """
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadSpecification("--shard", f"{text!r} is no shard; write 1/8 for the first of eight")
    return Shard(number=int(number), of=int(of))


def check_design(design: Design) -> dict[str, TeamSpec]:
    """Refuse a design that cannot be run, or that would compare what cannot be compared.

    Returns:
        The team of every arm, by its name.

    Raises:
        FieldFault: naming the field.
    """
    if design.version != DESIGN_VERSION:
        raise FieldFault(("version",), f"{design.version} is not known; give {DESIGN_VERSION}")
    if not _NAME.fullmatch(design.name):
        raise FieldFault(
            ("name",),
            f"{design.name[:40]!r} is no name; letters, digits, '.', '-', '_', '+', '=' are allowed",
        )
    _check_numbers(design)
    _check_seeds(design)
    teams: dict[str, TeamSpec] = {}
    for place, arm in enumerate(design.arms):
        with field("arms", place):
            if arm.name in teams:
                raise FieldFault(("name",), f"two arms are called {arm.name}; rename one")
            teams[arm.name] = team_of(arm)
            _check_models_can_be_priced(design, arm.name, teams[arm.name])
    _check_contrasts(design.contrasts, design, teams)
    _check_looks(design)
    return teams


def _check_looks(design: Design) -> None:
    plan = design.sequential
    if plan is None:
        return
    if design.primary is None:
        raise FieldFault(
            ("sequential",), "looks test the primary comparison, and none is named; give primary = NAME"
        )
    looks = plan.looks
    if any(later <= earlier for earlier, later in pairwise(looks)) or not looks or looks[0] < 1:
        raise FieldFault(("sequential", "looks"), "must rise, from 1 or more; give numbers of seeds")
    if looks[-1] != len(design.seeds):
        raise FieldFault(
            ("sequential", "looks"),
            f"the last look is at {looks[-1]} seeds and the study has {len(design.seeds)}; end with all of them",
        )
    if not 0 < plan.significance < 1:
        raise FieldFault(("sequential", "significance"), f"{plan.significance:g} lies outside 0 to 1")


def _check_models_can_be_priced(design: Design, name: str, team: TeamSpec) -> None:
    if design.primary_axis in ("cost_usd", "tokens") and not is_driven_by_model(team):
        arm = design.arm(name)
        if arm is not None and arm.kind != "reference":
            raise FieldFault(
                ("name",),
                f"{name} spends no {design.primary_axis}, on which arms are to be held equal; give "
                'kind = "reference", or another budget.primary',
            )


def _check_numbers(design: Design) -> None:
    for axis in AXES:
        limit = design.budget.limit(axis)
        if limit is not None and not limit > 0:
            raise FieldFault(("budget", axis), f"{limit:g} is too small; give more than 0")
    if design.budget.limit(design.primary_axis) is None:
        raise FieldFault(
            ("budget", "primary"),
            f"arms are to be held equal on {design.primary_axis}, which has no limit; "
            f"give budget.{design.primary_axis}",
        )
    if design.protocol == "mlgym" and design.budget.steps != MLGYM_STEPS:
        raise FieldFault(("budget", "steps"), f"protocol mlgym has {MLGYM_STEPS} steps; leave it out")
    if design.feedback_size is not None and design.feedback_size < 2:
        raise FieldFault(("feedback_size",), f"{design.feedback_size} is too small; give 2 or more")
    if design.order_seed < 0:
        raise FieldFault(("order_seed",), f"{design.order_seed} is no seed; give 0 or more")
    if not design.tasks:
        raise FieldFault(("tasks",), "none is named; `mlyceum tasks` lists them")
    if not design.arms:
        raise FieldFault(("arms",), "there is none; give at least one")


def _check_seeds(design: Design) -> None:
    if not design.seeds:
        raise FieldFault(("seeds",), "there are none; give at least one")
    for seeds in (*design.seeds, *design.pilot_seeds):
        if min(seeds.task, seeds.team, seeds.evaluation) < 0:
            raise FieldFault(("seeds",), "a seed is negative; give 0 or more")
    if len(set(design.seeds)) < len(design.seeds):
        raise FieldFault(("seeds",), "two blocks have the same seeds; blocks must be independent")
    both = set(design.seeds) & set(design.pilot_seeds)
    if both or len(set(design.pilot_seeds)) < len(design.pilot_seeds):
        raise FieldFault(
            ("seeds", "pilot"),
            "a pilot seed is given twice, or analysed too; pilots are left out of every analysis",
        )


def _check_contrasts(contrasts: Iterable[Contrast], design: Design, teams: Mapping[str, TeamSpec]) -> None:
    arms = {arm.name: arm for arm in design.arms}
    names: set[str] = set()
    primaries = 0
    for place, contrast in enumerate(contrasts):
        with field("contrasts", place):
            check_contrast(contrast, arms, teams)
            if contrast.name in names:
                raise FieldFault(("name",), f"two contrasts are called {contrast.name!r}; rename one")
        names.add(contrast.name)
        primaries += contrast.primary
        if primaries > 1:
            raise FieldFault(
                ("contrasts", place, "primary"), "a study has one primary comparison, this is a second one"
            )


def _open_tasks(design: Design) -> dict[str, TaskPackage]:
    """Each task, by the name that episodes use."""
    tasks: dict[str, TaskPackage] = {}
    for place, name in enumerate(design.tasks):
        with field("tasks", place):
            task_id(name)
        try:
            task = open_sized(name, design.feedback_size)
        except UnknownName as error:
            raise FieldFault(("tasks", place), str(error)) from error
        except BadSpecification as error:
            raise FieldFault(("feedback_size",), error.what) from error
        if task.name in tasks:
            raise FieldFault(("tasks", place), f"{task.name} is named twice; name it once")
        tasks[task.name] = task
    return tasks


def _notes(design: Design, teams: Mapping[str, TeamSpec]) -> tuple[str, ...]:
    notes = list(design.notes)
    modelled = {name for name, team in teams.items() if is_driven_by_model(team)}
    if len(modelled) < len(teams):
        notes.append(
            "offline policies search moves declared by people who know the tasks: an informed reference, "
            "no control for teams that a model drives"
        )
    if any("remove hypothesizer vacuous" in teams[name].patches for name in modelled):
        notes.append(
            "a vacuous hypothesizer draws from moves declared by people who know the tasks: for a team that a model "
            "drives, that is no form of having none"
        )
    placebos = {arm.levels.get("of") for arm in design.arms if arm.levels.get("control") == "placebo"}
    for arm in design.arms:
        muted = [each.topic for each in teams[arm.name].interpositions if each.kind == "mute"]
        does = [f"mutes {', '.join(muted)}"] * bool(muted) + ["debates"] * is_debate(teams[arm.name])
        if does and arm.kind == "treatment" and arm.name not in placebos:
            notes.append(
                f"{arm.name} {' and '.join(does)} and has no placebo beside it: what was said and that anything was "
                'are not told apart; give placebo = "DIR/EPISODE"'
            )
    if design.contrasts and design.primary is None:
        notes.append("no comparison was named as the primary one beforehand: all are exploratory")
    return tuple(dict.fromkeys(notes))
