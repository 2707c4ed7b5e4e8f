"""What may stand in a study file, as structs; and what a wrong field is told."""

import difflib
import re
from typing import Literal, TypeAlias

import msgspec

from benchmarks.studies.arms import CONTROLS, SENSES, FieldFault, Sense
from benchmarks.studies.design import ArmKind
from benchmarks.studies.toml_lines import FieldPath
from engine.budget import AXES, Axis
from engine.task import ScoringProtocol
from engine.team import StrategySpec, TeamSpec

FILE_VERSION = 1
Strategy: TypeAlias = str | StrategySpec
"""A name alone takes the rule's own settings."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part."""


class SeedsSection(_Section, frozen=True, kw_only=True):
    """``[seeds]``."""

    count: int | None = None
    """How many, from ``first`` on."""
    first: int = 1
    task: int | tuple[int, ...] | None = None
    """One for all blocks, or one each; left out: counted."""
    team: int | tuple[int, ...] | None = None
    evaluation: int | tuple[int, ...] | None = None
    pilot: tuple[int | tuple[int, int, int], ...] = ()
    """Run and left out of every analysis; a number stands for all three seeds."""


class BudgetSection(_Section, frozen=True, kw_only=True):
    """``[budget]``: of one episode, over all its members."""

    primary: Axis = "evaluations"
    evaluations: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    steps: int | None = None
    device_seconds: float | None = None
    wall_seconds: float | None = None
    study_cost_usd: float | None = None
    """Of all episodes together, shared evenly."""


class ArmSection(_Section, frozen=True, kw_only=True):
    """``[[arm]]``."""

    name: str
    team: str | TeamSpec = "full"
    patches: tuple[str, ...] = ()
    strategy: Strategy | None = None
    in_flight: int | None = None
    model: str | None = None
    role_models: dict[str, str] = {}
    kind: ArmKind = "treatment"
    label: str = ""
    levels: dict[str, str] = {}


class FactorsSection(_Section, frozen=True, kw_only=True):
    """``[factors]``: an arm for every combination of levels."""

    team: tuple[str, ...] = ()
    strategy: tuple[Strategy, ...] = ()
    model: tuple[str, ...] = ()
    patch: tuple[str, ...] = ()
    in_flight: tuple[int, ...] = ()


class DropSection(_Section, frozen=True, kw_only=True):
    """``[drop]``: an arm for each role taken from an arm."""

    roles: Literal["each"] | tuple[str, ...] = "each"
    sense: Literal["both", "vacuous", "absorbed"] = "both"
    base: str | None = None
    """Name of the arm; left out: the first."""
    into: dict[str, str] = {}
    """Role to who absorbs it."""

    @property
    def senses(self) -> tuple[Sense, ...]:
        """Those asked for."""
        return SENSES if self.sense == "both" else (self.sense,)


class ContrastSection(_Section, frozen=True, kw_only=True):
    """``[[contrast]]``."""

    name: str
    treatment: str
    control: str
    primary: bool | None = None
    """Left out: where it is the only one, it is."""


class SequentialSection(_Section, frozen=True, kw_only=True):
    """``[sequential]``: looks that were planned, at which the study may stop."""

    looks: tuple[int, ...]
    """Seeds after which the primary comparison is tested, rising; all of them last, or left out and added."""
    significance: float = 0.05


class StudyFile(_Section, frozen=True, kw_only=True):
    """A whole file, what it extends put under it."""

    version: int
    name: str
    question: str = ""
    tasks: tuple[str, ...]
    model: str | None = None
    """Drives every arm that names no model."""
    protocol: ScoringProtocol = "verified"
    feedback_size: int | None = None
    order_seed: int = 0
    seeds: SeedsSection
    budget: BudgetSection = BudgetSection()
    factors: FactorsSection | None = None
    arm: tuple[ArmSection, ...] = ()
    drop: DropSection | None = None
    controls: tuple[str, ...] = CONTROLS
    references: tuple[str, ...] = ()
    sequential: SequentialSection | None = None
    placebo: str | None = None
    """``DIR/EPISODE`` of another run: each arm that mutes a topic gets a control that hears what was said there."""
    contrast: tuple[ContrastSection, ...] | None = None
    """Left out: the first arm with each other one, none of them primary."""
    primary: str | None = None
    """Name of the contrast that is the primary comparison; for those that a study has by default."""
    notes: tuple[str, ...] = ()


class PatchFile(_Section, frozen=True, kw_only=True):
    """A file of patches: a change that has a name of its own."""

    version: int
    patches: tuple[str, ...]


_TABLES: dict[str, type[msgspec.Struct]] = {
    "seeds": SeedsSection,
    "budget": BudgetSection,
    "factors": FactorsSection,
    "arm": ArmSection,
    "drop": DropSection,
    "contrast": ContrastSection,
    "sequential": SequentialSection,
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "protocol": ("verified", "mlgym"),
    "primary": AXES,
    "kind": ("treatment", "control", "reference"),
    "sense": ("both", "vacuous", "absorbed"),
    "roles": ('"each"', "a list of roles"),
}


def explained(error: msgspec.ValidationError) -> FieldFault:
    """Msgspec's complaint about a study file as a sentence with the field and what is allowed there."""
    what, _, place = str(error).partition(" - at ")
    path = _path(place.strip("`"))
    if unknown := re.search(r"unknown field `([^`]+)`", what):
        return FieldFault((*path, unknown[1]), _no_such_field(unknown[1], path))
    if missing := re.search(r"missing required field `([^`]+)`", what):
        where = "the file" if not path else "it"
        return FieldFault(path, f"{where} lacks {missing[1]}; add it")
    allowed = _ALLOWED.get(str(path[-1])) if path else None
    if allowed is not None:
        given = re.search(r"Invalid enum value '(.*)'", what)
        hint = _near(given[1], allowed) if given else ""
        return FieldFault(path, f"{_plain(what)}; {hint or 'allowed: ' + ', '.join(allowed)}")
    return FieldFault(path, _plain(what))


def _no_such_field(name: str, path: FieldPath) -> str:
    table = _TABLES.get(str(path[0])) if path else StudyFile
    kind: type[msgspec.Struct] = table or StudyFile
    if len(path) > 1 and path[-1] == "strategy":
        kind = StrategySpec
    if len(path) > 1 and "team" in path:
        kind = TeamSpec
    fields = kind.__struct_fields__
    known = ("extends", *fields) if kind is StudyFile else fields
    return f"there is no such field; {_near(name, known) or 'allowed: ' + ', '.join(known)}"


def _near(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
    "null": "nothing",
}


def _plain(what: str) -> str:
    def words(found: re.Match[str]) -> str:
        return " or ".join(
            dict.fromkeys(
                _TYPES.get(each.strip(), each.strip())
                for each in found[1].split("|")
                if each.strip() != "null"
            )
        )

    return (
        re.sub(r"`([^`]*)`", words, what)
        .replace("Expected ", "must be ")
        .replace(", got ", ", not ")
        .replace("enum ", "")
    )


def _path(place: str) -> FieldPath:
    """``$.arm[1].name`` as names and places."""
    parts: list[str | int] = []
    for name, index in re.findall(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]", place):
        if name:
            parts.append(name)
        elif index != "...":
            parts.append(int(index))
    return tuple(parts)
