"""``mlyceum ablate``: take roles from a team, in both senses, beside its controls; the common case of a study."""

import re
from pathlib import Path
from typing import cast

import click

from benchmarks.studies.arms import (
    CONTROLS,
    SENSES,
    FieldFault,
    Sense,
    control_arms,
    default_contrasts,
    dropped_arms,
    team_of,
)
from benchmarks.studies.conducting import RETRIES
from benchmarks.studies.design import ArmDesign, Design
from benchmarks.studies.estimate import estimate
from benchmarks.studies.implied import study_text
from benchmarks.studies.plan import DEFAULT_EVALUATIONS, MLGYM_COST_USD, MLGYM_STEPS
from benchmarks.studies.resolving import Resolved, resolve
from benchmarks.studies.running import WORKSPACES
from benchmarks.studies.teams import parse_drivers
from engine.budget import Budget
from engine.errors import BadSpecification
from engine.seeds import Seeds
from engine.task import ScoringProtocol
from mlyceum.cli.output import json_option, print_json
from mlyceum.cli.study import print_estimate, run_study_here, study_folder
from roles import open_team

_SENSES: dict[str, tuple[Sense, ...]] = {"both": SENSES, "vacuous": ("vacuous",), "absorbed": ("absorbed",)}
_OPTIONS = {"seeds": "--seeds", "tasks": "TASK", "budget": "--budget", "feedback_size": "--feedback-size"}


@click.command("ablate", short_help="take roles from a team, in both senses, beside its controls")
@click.argument("tasks", metavar="TASK...", nargs=-1, required=True)
@click.option("--team", default="full", show_default=True, metavar="NAME|FILE", help="Who researches.")
@click.option(
    "--drop", multiple=True, default=("each",), show_default=True, metavar="ROLE|each", help="Roles."
)
@click.option(
    "--sense",
    type=click.Choice(["both", "vacuous", "absorbed"]),
    default="both",
    show_default=True,
    help="Nobody does it; another member does it.",
)
@click.option(
    "--control", "controls", multiple=True, type=click.Choice([*CONTROLS, "none"]), help="[default: all]"
)
@click.option(
    "--model", "models", multiple=True, metavar="[ROLE=]PROVIDER/NAME", help="Drives the team or a role."
)
@click.option("--seeds", type=int, default=10, show_default=True, help="Blocks per task.")
@click.option("--seed", "first_seed", type=int, default=1, show_default=True, help="The first one.")
@click.option("--budget", type=int, metavar="EVALUATIONS", help="Per episode.  [default: 20; mlgym: 50]")
@click.option("--max-cost", type=float, metavar="USD", help="Over all episodes, shared evenly.")
@click.option("--protocol", type=click.Choice(["verified", "mlgym"]), default="verified", show_default=True)
@click.option("--feedback-size", type=int, metavar="N", help="Games or formulas per feedback score.")
@click.option("--dry-run", is_flag=True, help="Episodes, time and cost; nothing is run or written.")
@click.option("--print-resolved", is_flag=True, help="The study file that this implies.")
@click.option("--jobs", type=int, metavar="N", help="Episodes at once.  [default: by cores]")
@click.option("--workspace", type=click.Choice(WORKSPACES), default="sandbox", show_default=True)
@click.option("--base-url", metavar="URL", help="Of the model's endpoint, instead of its own.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: runs/ablate-TEAM-TASK]"
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    tasks: tuple[str, ...],
    team: str,
    drop: tuple[str, ...],
    sense: str,
    controls: tuple[str, ...],
    models: tuple[str, ...],
    seeds: int,
    first_seed: int,
    budget: int | None,
    max_cost: float | None,
    protocol: str,
    feedback_size: int | None,
    dry_run: bool,
    print_resolved: bool,
    jobs: int | None,
    workspace: str,
    base_url: str | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Take roles from a team, in both senses, beside its controls.

    The study file that this implies is kept as study.toml in the folder; the same command goes on where it stopped.

    \b
    Examples:
      mlyceum ablate planted --seeds 5
      mlyceum ablate battle-of-sexes planted --drop reviewer --sense vacuous --seeds 20
      mlyceum ablate planted --model openai/gpt-4o-mini --max-cost 20 --dry-run
    """  # noqa: D301 - click's mark for a block that is not to be wrapped
    base = _base(team, models)
    try:
        roles = () if "each" in drop else drop
        arms = (base, *dropped_arms(base, roles=roles, senses=_SENSES[sense], into={}))
        wanted = () if "none" in controls else (controls or CONTROLS)
        arms = (*arms, *control_arms(arms, wanted))
    except FieldFault as fault:
        raise BadSpecification("--drop" if fault.path[:1] == ("roles",) else "--team", fault.what) from fault
    resolved = _resolve(
        Design(
            name=_name(base, tasks),
            question=f"What does each role of {base.name} do?",
            tasks=tuple(dict.fromkeys(tasks)),
            arms=arms,
            contrasts=default_contrasts(arms),
            seeds=tuple(Seeds(task=n, team=n, evaluation=n) for n in range(first_seed, first_seed + seeds)),
            protocol=cast("ScoringProtocol", protocol),  # click has checked it
            budget=_budget(budget, protocol, max_cost, episodes=max(len(set(tasks)) * len(arms) * seeds, 1)),
            feedback_size=feedback_size,
        )
    )
    folder = study_folder(resolved.design, out, None)
    if print_resolved:
        click.echo(study_text(resolved.design), nl=False)
        return 0
    if dry_run:
        told = estimate(resolved, folder=folder)
        print_json(told) if as_json else print_estimate(told)
        return 0
    return run_study_here(
        resolved,
        folder=folder,
        loaded=None,
        jobs=jobs,
        workspace=workspace,
        base_url=base_url,
        retries=RETRIES,
        look="ablate",
        as_json=as_json,
        quiet=quiet,
    )


def _base(team: str, models: tuple[str, ...]) -> ArmDesign:
    drivers = parse_drivers(models)
    spec = open_team(team)
    is_file = "/" in team or team.endswith(".toml")
    base = ArmDesign(
        name=spec.name,
        team=spec if is_file else team,
        model=drivers.whole,
        role_models=dict(drivers.roles),
    )
    try:
        team_of(base)
    except FieldFault as fault:
        raise BadSpecification("--model" if "model" in str(fault.path) else "--team", fault.what) from fault
    return base


def _budget(evaluations: int | None, protocol: str, max_cost: float | None, *, episodes: int) -> Budget:
    share = None if max_cost is None else max_cost / episodes
    if protocol == "mlgym":
        return Budget(
            evaluations=MLGYM_STEPS if evaluations is None else evaluations,
            steps=MLGYM_STEPS,
            cost_usd=MLGYM_COST_USD if share is None else min(share, MLGYM_COST_USD),
        )
    return Budget(evaluations=DEFAULT_EVALUATIONS if evaluations is None else evaluations, cost_usd=share)


def _resolve(design: Design) -> Resolved:
    try:
        return resolve(design)
    except FieldFault as fault:
        option = _OPTIONS.get(str(fault.path[0]) if fault.path else "", "ablate")
        raise BadSpecification(option, fault.what) from fault


def _name(base: ArmDesign, tasks: tuple[str, ...]) -> str:
    driven = [_short(model) for model in (base.model, *base.role_models.values()) if model is not None]
    return "-".join(["ablate", base.name, *driven, *(_short(task) for task in tasks)])[:100]


def _short(task: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+=-]+", ".", task)
