"""From arms as data to teams, and the arms that a study gets by default: dropped roles, controls, contrasts."""

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Final, Literal, TypeAlias

import msgspec

from benchmarks.studies.design import ArmDesign, Contrast
from benchmarks.studies.donors import settled
from benchmarks.studies.teams import Drivers, drive, is_driven_by_model, lacks_model
from benchmarks.studies.toml_lines import FieldPath, dotted
from engine.errors import BadSpecification, UnknownName, UserError
from engine.messages import ARGUMENTS
from engine.team import StrategySpec, TeamSpec
from roles import apply, open_team, parse_patch
from roles.catalogue import ROLES, SOLO
from roles.team import check_team

Sense: TypeAlias = Literal["vacuous", "absorbed"]
SENSES: Final[tuple[Sense, ...]] = ("vacuous", "absorbed")
ABSORBED_BY: Final[dict[str, str]] = {
    "hypothesizer": "coder",
    "coder": "hypothesizer",
    "experimenter": "coder",
    "reviewer": "experimenter",
}
"""Who takes a dropped role's function over, where a study does not say."""
CONTROLS: Final = ("solo", "best-of-n", "random-search", "merge")
"""What every study is held against unless it says otherwise, at the team's total budget."""
_UNHEARD: Final = ("results", "reviews", "selections")
_MODEL_NAME = re.compile(r"[^/\s]+/\S*[^/\s]")


class FieldFault(BadSpecification):
    """Raised when a field of a design (or of a study file) is not right; ``path`` says which."""

    def __init__(self, path: FieldPath, what: str) -> None:
        super().__init__(dotted(path) or "the study", what)
        self.path = path


def team_of(arm: ArmDesign) -> TeamSpec:
    """The team of an arm, driven, patched, checked, and named like the arm.

    Raises:
        FieldFault: naming the field of the arm that is not right.
    """
    with field("team"):
        team = open_team(arm.team) if isinstance(arm.team, str) else arm.team
        check_team(team)
    if arm.strategy is not None:
        with field("strategy"):
            team = msgspec.structs.replace(team, strategy=arm.strategy)
            check_team(team)
    if arm.in_flight is not None:
        with field("in_flight"):
            team = msgspec.structs.replace(team, in_flight=arm.in_flight)
            check_team(team)
    for role, model in arm.role_models.items():
        with field("role_models", role):
            _check_model(model)
            if role not in ROLES:
                raise UnknownName("role", role, ROLES)
    with field("model"):
        if arm.model is not None:
            _check_model(arm.model)
        team = drive(team, Drivers(whole=arm.model, roles=tuple(arm.role_models.items())))
    for place, text in enumerate(arm.patches):
        with field("patches", place):
            team = apply(team, parse_patch(settled(text)))
    with field("model"):
        if arm.model is None and lacks_model(team):
            raise BadSpecification("model", "a model drives members and none is named; give provider/name")
    with field("name"):
        team = msgspec.structs.replace(team, name=arm.name)
        check_team(team)
    return team


@contextmanager
def field(*path: str | int) -> Generator[None]:
    """Let what a user did wrong in a field say in which field."""
    try:
        yield
    except FieldFault as fault:
        raise FieldFault((*path, *fault.path), fault.what) from fault
    except BadSpecification as error:
        what = error.what if error.where in path or not error.where else f"{error.where}: {error.what}"
        raise FieldFault(path, what) from error
    except UserError as error:
        raise FieldFault(path, str(error)) from error


def _check_model(name: str) -> None:
    if not _MODEL_NAME.fullmatch(name):
        raise BadSpecification("model", f"{name!r} is no model; write it as provider/name")


def product_arms(
    *,
    teams: Sequence[str],
    strategies: Sequence[StrategySpec],
    models: Sequence[str],
    patches: Sequence[str],
    in_flight: Sequence[int],
) -> tuple[ArmDesign, ...]:
    """Every combination of levels; an empty factor is left as the team says.

    A level of ``models`` may be ``offline``, and one of ``patches`` ``none``, or several patches with ``;`` between.
    """
    factors: dict[str, Sequence[str | int | StrategySpec]] = {
        "team": teams,
        "strategy": strategies,
        "model": models,
        "patch": patches,
        "in_flight": in_flight,
    }
    given = {name: levels for name, levels in factors.items() if levels}
    several = [name for name, levels in given.items() if len(levels) > 1] or list(given)[:1]
    arms: list[ArmDesign] = []
    for combination in product(*given.values()):
        level = dict(zip(given, combination, strict=True))
        words = {name: _level_text(value) for name, value in level.items()}
        strategy = level.get("strategy")
        model = words.get("model")
        patch = words.get("patch", "none")
        arms.append(
            ArmDesign(
                name="+".join(_level_name(name, words[name]) for name in several),
                team=words.get("team", "full"),
                strategy=strategy if isinstance(strategy, StrategySpec) else None,
                model=None if model in (None, "offline") else model,
                patches=() if patch == "none" else tuple(each.strip() for each in patch.split(";")),
                in_flight=int(words["in_flight"]) if "in_flight" in words else None,
                kind="reference" if model == "offline" and len(models) > 1 else "treatment",
                levels={name: words[name] for name in several},
            )
        )
    return tuple(arms)


def _level_text(level: str | int | StrategySpec) -> str:
    if isinstance(level, StrategySpec):
        settings = ",".join(f"{name}={value}" for name, value in level.settings.items())
        return f"{level.kind}({settings})" if settings else level.kind
    return str(level)


def _level_name(factor: str, level: str) -> str:
    return f"{level}-in-flight" if factor == "in_flight" else _safe(level)


def _safe(level: str) -> str:
    name = level.rpartition("/")[2].removesuffix(".toml")
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", name).strip("-.") or "level"


def dropped_arms(
    base: ArmDesign, *, roles: Sequence[str], senses: Sequence[Sense], into: Mapping[str, str]
) -> tuple[ArmDesign, ...]:
    """An arm for each role dropped from a base, in each sense; a sense that the team does not allow is left out.

    Args:
        base: what roles are dropped from.
        roles: empty: each that the team has.
        senses: of removal.
        into: role to who absorbs it, where that is not `ABSORBED_BY`.
    """
    team = team_of(base)
    present = [member.role for member in team.members]
    for place, role in enumerate(roles):
        with field("roles", place):
            if role not in present:
                raise UnknownName(f"role of {base.name}", role, present)
    for role, heir in into.items():
        with field("into", role):
            if role not in present or heir not in present or role == heir:
                raise BadSpecification(
                    "into", f"{heir} cannot absorb {role} in {base.name}; its roles are {present}"
                )
    is_only = base.name == "full"
    arms: list[ArmDesign] = []
    for role in roles or present:
        for sense in senses:
            heir = into.get(role, ABSORBED_BY.get(role, ""))
            if sense == "absorbed" and heir not in present:
                heir = next((other for other in present if other != role), "")
            if sense == "absorbed" and not heir:
                continue
            text = f"remove {role} " + (sense if sense == "vacuous" else f"absorbed:{heir}")
            arms.append(
                msgspec.structs.replace(
                    base,
                    name=f"no-{role}.{sense}" if is_only else f"{base.name}.no-{role}.{sense}",
                    patches=(*base.patches, text),
                    kind="treatment",
                    label=f"without {role}, {sense if sense == 'vacuous' else f'absorbed by the {heir}'}",
                    levels={**base.levels, "removed": role, "sense": sense},
                )
            )
    return tuple(arms)


def control_arms(arms: Sequence[ArmDesign], wanted: Iterable[str]) -> tuple[ArmDesign, ...]:
    """Controls of the first arm, and where arms are driven by several models, of the first of each model.

    Controls of arms that a model drives are driven by the same model: the offline team is never their control.
    """
    bases = {_model_of(arm): arm for arm in reversed(arms) if arm.kind == "treatment"}
    taken = {arm.name for arm in arms}
    controls: list[ArmDesign] = []
    ordered = [arm for arm in arms if any(arm is base for base in bases.values())]
    for base in ordered:
        suffix = f".{_safe(_model_of(base) or 'offline')}" if len(ordered) > 1 else ""
        for name in wanted:
            control = _control(name, base, f"{name}{suffix}")
            if control is not None and control.name not in taken:
                controls.append(control)
                taken.add(control.name)
    return tuple(controls)


def _control(kind: str, base: ArmDesign, name: str) -> ArmDesign | None:
    if kind not in CONTROLS:
        raise UnknownName("control", kind, CONTROLS)
    model = _model_of(base)
    if kind != "merge":
        # Draws from the declared moves would lend a model's control what people know of the task: its
        # hypothesizer is the model, too, and hears nothing, so that each draft stands alone.
        alone: tuple[str, ...] = ()
        if model is not None and kind != SOLO:
            muted = _UNHEARD if kind == "random-search" else ()
            alone = ("replace hypothesizer model", *(f"mute {topic}" for topic in muted))
        return ArmDesign(
            name=name, team=kind, model=model, patches=alone, kind="control", levels={"control": kind}
        )
    present = [member.role for member in team_of(base).members]
    if len(present) < 2:
        return None
    heir = "coder" if "coder" in present else present[0]
    return msgspec.structs.replace(
        base,
        name=name,
        patches=(*base.patches, *(f"merge {role} into {heir}" for role in present if role != heir)),
        kind="control",
        label=f"all functions in one member, the {heir}",
        levels={"control": kind},
    )


def placebo_arms(arms: Sequence[ArmDesign], donor: str) -> tuple[ArmDesign, ...]:
    """For each arm that mutes topics or debates, one that hears what another episode said, as long as what was said.

    Where an arm mutes a topic, the placebo is heard on it; where it debates, it stands in for the arguments.

    Args:
        arms: those before controls.
        donor: ``DIR/EPISODE``, or the hash of its messages.
    """
    placebos: list[ArmDesign] = []
    for arm in arms:
        muted = [text for text in arm.patches if text.split()[:1] == ["mute"]]
        debated = (_placebo(f"mute {ARGUMENTS}", donor),) if is_debate(team_of(arm)) else ()
        if not muted and not debated:
            continue
        placebos.append(
            msgspec.structs.replace(
                arm,
                name=f"{arm.name}.placebo",
                patches=(
                    *(_placebo(text, donor) if text in muted else text for text in arm.patches),
                    *debated,
                ),
                kind="control",
                label=f"{arm.label or arm.name}, with a placebo",
                levels={"control": "placebo", "of": arm.name},
            )
        )
    return tuple(placebos)


def is_debate(team: TeamSpec) -> bool:
    """Whether its members argue before they choose."""
    return team.strategy.kind == "debate"


def _placebo(mute: str, donor: str) -> str:
    topic = mute.split()[1]
    return (
        f"placebo {topic} {donor}" if re.fullmatch("[0-9a-f]{64}", donor) else f"placebo {topic} from {donor}"
    )


def settled_arm(arm: ArmDesign) -> ArmDesign:
    """The arm with nothing in it that is elsewhere: team files brought in, donors named by what they said.

    Raises:
        FieldFault: a file or an episode cannot be read.
    """
    team = arm.team
    if isinstance(team, str) and ("/" in team or team.endswith(".toml")):
        with field("team"):
            team = open_team(team)
    patches: list[str] = []
    for place, text in enumerate(arm.patches):
        with field("patches", place):
            patches.append(settled(text))
    return msgspec.structs.replace(arm, team=team, patches=tuple(patches))


def _model_of(arm: ArmDesign) -> str | None:
    """The model that an arm's control is driven by: its own, else its first role's."""
    if arm.model is not None or not arm.role_models:
        return arm.model
    return arm.role_models.get("coder", next(iter(arm.role_models.values())))


def reference_arms(arms: Sequence[ArmDesign], wanted: Iterable[str]) -> tuple[ArmDesign, ...]:
    """Teams without a model, shown beside the others and a control of none."""
    taken = {arm.name for arm in arms}
    return tuple(
        ArmDesign(
            name=f"{name}.offline" if name in taken else name,
            team=name,
            kind="reference",
            label=f"{name}, offline: an informed reference",
        )
        for name in wanted
    )


def default_contrasts(arms: Sequence[ArmDesign]) -> tuple[Contrast, ...]:
    """Every other treatment less the first, silence less its placebo, the first less each control; none is primary."""
    treatments = [arm for arm in arms if arm.kind == "treatment"]
    if not treatments:
        return ()
    first = treatments[0]
    pairs = [(arm.name, first.name) for arm in treatments[1:]]
    pairs += [(arm.levels["of"], arm.name) for arm in arms if arm.levels.get("control") == "placebo"]
    pairs += [
        (first.name, arm.name)
        for arm in arms
        if arm.kind == "control"
        and arm.levels.get("control") != "placebo"
        and (arm.levels.get("control") == "merge" or _model_of(arm) == _model_of(first))
    ]
    return tuple(
        Contrast(name=f"{treatment} less {control}", treatment=treatment, control=control)
        for treatment, control in pairs
    )


def check_contrast(contrast: Contrast, arms: Mapping[str, ArmDesign], teams: Mapping[str, TeamSpec]) -> None:
    """Refuse a comparison that would say nothing.

    Raises:
        FieldFault: naming the contrast's field that is not right.
    """
    for side, name in (("treatment", contrast.treatment), ("control", contrast.control)):
        with field(side):
            if name not in arms:
                raise UnknownName("arm", name, arms)
            if arms[name].kind == "reference":
                raise BadSpecification(
                    side, f"{name} is an informed reference, shown beside the others and compared with none"
                )
    if contrast.treatment == contrast.control:
        raise FieldFault(("control",), f"{contrast.control} cannot be compared with itself; name another arm")
    if is_driven_by_model(teams[contrast.treatment]) and not is_driven_by_model(teams[contrast.control]):
        raise FieldFault(
            ("control",),
            f"{contrast.control} is offline and {contrast.treatment} is driven by a model: its policies search "
            "moves declared by people who know the tasks; name a control that a model drives",
        )
