"""A design as the text of a study file: what `run` and `ablate` imply, and what ``--print-resolved`` prints."""

import re
from pathlib import Path

import msgspec

from benchmarks.studies.design import ArmDesign, Design
from benchmarks.studies.file_fields import FILE_VERSION
from benchmarks.studies.plan import Plan
from benchmarks.studies.teams import is_driven_by_model
from benchmarks.studies.toml_text import TomlValue, toml_text
from engine.errors import OutputUnusable
from engine.seeds import Seeds
from engine.team import StrategySpec, TeamSpec

STUDY_FILE = "study.toml"
"""The name of the file in a study's folder."""


def study_text(design: Design) -> str:
    """A study file that says just this design: every arm listed, nothing by default.

    `benchmarks.studies.study_file.load_study` reads it back as the same design.
    """
    document: dict[str, TomlValue] = {"version": FILE_VERSION, "name": design.name}
    if design.question:
        document["question"] = design.question
    document["tasks"] = design.tasks
    if design.protocol != "verified":
        document["protocol"] = design.protocol
    if design.feedback_size is not None:
        document["feedback_size"] = design.feedback_size
    if design.order_seed:
        document["order_seed"] = design.order_seed
    document["controls"] = ()
    if design.notes:
        document["notes"] = design.notes
    if design.sequential is not None:
        document["sequential"] = _plain(design.sequential)
    document["seeds"] = _seeds(design)
    document["budget"] = {"primary": design.primary_axis, **_plain(design.budget)}
    document["arm"] = [_arm(arm) for arm in design.arms]
    if design.contrasts:
        document["contrast"] = [{**_plain(each), "primary": each.primary} for each in design.contrasts]
    else:
        document = {**document, "contrast": ()}
    return toml_text(document)


def design_of(plan: Plan, *, name: str) -> Design:
    """The design that a plan of `mlyceum run` implies: its teams as arms, its seeds, its budget.

    Args:
        plan: what is run.
        name: of the study; what may not stand in one is replaced.
    """
    teams = {spec.team.name: (spec.team, spec.model) for spec in plan.specs}
    return Design(
        name=re.sub(r"[^A-Za-z0-9._+=-]+", "-", name).strip(".-_+=")[:100] or "run",
        tasks=tuple(plan.tasks),
        arms=tuple(
            _plan_arm(team, model, is_control=team.name != plan.team.name) for team, model in teams.values()
        ),
        seeds=tuple(dict.fromkeys(spec.seeds for spec in plan.specs)),
        protocol=plan.protocol,
        budget=plan.budget,
        feedback_size=_feedback_size(plan),
    )


def keep_study_file(folder: Path, text: str) -> None:
    """Write the study file of a folder.

    Raises:
        OutputUnusable: when it cannot be written.
    """
    path = folder / STUDY_FILE
    partial = path.with_name(f"{STUDY_FILE}.partial")
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputUnusable(f"cannot write {path}: {error.strerror or error}; free some space") from error


def _plan_arm(team: TeamSpec, model: str | None, *, is_control: bool) -> ArmDesign:
    return ArmDesign(
        name=team.name,
        team=team,
        model=model if is_driven_by_model(team) else None,
        kind="control" if is_control else "treatment",
    )


def _feedback_size(plan: Plan) -> int | None:
    sizes = {int(size) for spec in plan.specs for size in spec.feedback.values()}
    return sizes.pop() if sizes else None


def _seeds(design: Design) -> dict[str, TomlValue]:
    section: dict[str, TomlValue] = {}
    first = design.seeds[0].task
    if design.seeds == tuple(_same(first + place) for place in range(len(design.seeds))):
        section = {"count": len(design.seeds), "first": first}
    else:
        section = {
            "task": [each.task for each in design.seeds],
            "team": [each.team for each in design.seeds],
            "evaluation": [each.evaluation for each in design.seeds],
        }
    if design.pilot_seeds:
        section["pilot"] = [
            each.task if each == _same(each.task) else [each.task, each.team, each.evaluation]
            for each in design.pilot_seeds
        ]
    return section


def _same(seed: int) -> Seeds:
    return Seeds(task=seed, team=seed, evaluation=seed)


def _arm(arm: ArmDesign) -> dict[str, TomlValue]:
    fields: dict[str, TomlValue] = {"name": arm.name, "team": "full", **_plain(arm)}
    if arm.strategy is not None and arm.strategy == StrategySpec(kind=arm.strategy.kind):
        fields["strategy"] = arm.strategy.kind
    return fields


def _plain(value: msgspec.Struct) -> dict[str, TomlValue]:
    """A struct's fields that are not as they are by default, as plain values without absent ones."""
    fields: dict[str, TomlValue] = msgspec.to_builtins(value)
    return fields
