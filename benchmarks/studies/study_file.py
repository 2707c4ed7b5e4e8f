"""Study files: TOML in, `benchmarks.studies.design.Design` out; one sentence with file and line where it is not right."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, cast

import msgspec

from benchmarks.studies.arms import (
    FieldFault,
    control_arms,
    default_contrasts,
    dropped_arms,
    field,
    placebo_arms,
    product_arms,
    reference_arms,
    team_of,
)
from benchmarks.studies.design import ArmDesign, Contrast, Design, Sequential, Shard
from benchmarks.studies.file_fields import (
    FILE_VERSION,
    ArmSection,
    BudgetSection,
    ContrastSection,
    PatchFile,
    SeedsSection,
    SequentialSection,
    Strategy,
    StudyFile,
    explained,
)
from benchmarks.studies.plan import DEFAULT_EVALUATIONS, MLGYM_COST_USD, MLGYM_STEPS
from benchmarks.studies.resolving import Resolved, resolve
from benchmarks.studies.toml_lines import FieldPath, dotted, find_line
from engine.budget import Budget
from engine.errors import BadSpecification, UnknownName
from engine.seeds import Seeds
from engine.team import StrategySpec
from roles.team import load_team

_SHIPPED = Path(__file__).parent / "files"
_DEEPEST: Final = 8
_Raw: TypeAlias = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that a study was read from.

    Attributes:
        name: how it is called in errors.
        fields: what it says, paths made absolute.
    """

    name: str
    text: str
    fields: _Raw


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A study file, read.

    Attributes:
        design: what it says.
        overrides: what ``--set`` said.
        sources: file name to SHA-256 (hex).
        origins: for each arm, where in the file it comes from.
    """

    design: Design
    overrides: tuple[str, ...]
    sources: dict[str, str]
    origins: tuple[FieldPath, ...]
    _located: Callable[[FieldFault], BadSpecification]

    def located(self, fault: FieldFault) -> BadSpecification:
        """A fault in the design as one in the file: with its name and line."""
        path = fault.path
        if path[:1] == ("arms",) and len(path) > 1 and isinstance(path[1], int):
            origin = self.origins[path[1]]
            if origin[:1] != ("arm",):
                # An arm that the file does not list has no fields in it.
                return self._located(
                    FieldFault(origin, f"arm {self.design.arms[path[1]].name}: {fault.what}")
                )
            path = (*origin, *path[2:])
        elif path[:1] == ("contrasts",):
            path = ("contrast", *path[1:])
        return self._located(FieldFault(path, fault.what))


@cache
def study_names() -> tuple[str, ...]:
    """Studies that ship."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.toml")))


def find_study(name_or_file: str) -> Path:
    """The file of a study that ships, or the path given (with a ``/`` in it, or ending in ``.toml``).

    Raises:
        UnknownName: none of that name ships.
    """
    if "/" in name_or_file or name_or_file.endswith(".toml"):
        return Path(name_or_file)
    if name_or_file not in study_names():
        raise UnknownName("study", name_or_file, study_names())
    return _SHIPPED / f"{name_or_file}.toml"


def load_study(path: Path, *, overrides: Sequence[str] = ()) -> Loaded:
    """A study from a file and what it extends, with fields set otherwise.

    Args:
        path: of the file.
        overrides: ``budget.evaluations=40``: a dotted field and its value as TOML; a bare word is text.

    Raises:
        BadSpecification: naming file and line (or the override), the field, and what is allowed there.
    """
    chain = _read_chain(path)
    merged: _Raw = {}
    for source in reversed(chain):
        merged = _over(merged, source.fields)
    set_paths: dict[FieldPath, str] = {}
    for text in overrides:
        set_paths[_set(merged, text)] = text

    def located(fault: FieldFault) -> BadSpecification:
        return _located(fault, chain, set_paths)

    try:
        file = _convert(merged)
        design, origins = _design(file)
    except FieldFault as fault:
        raise located(fault) from fault
    return Loaded(
        design=design,
        overrides=tuple(overrides),
        sources={source.name: hashlib.sha256(source.text.encode()).hexdigest() for source in chain},
        origins=origins,
        _located=located,
    )


def resolve_file(loaded: Loaded, shard: Shard | None = None) -> Resolved:
    """A file's design, resolved; what is wrong is told with file and line.

    Raises:
        BadSpecification: naming file, line and field.
    """
    try:
        return resolve(loaded.design, shard=shard)
    except FieldFault as fault:
        raise loaded.located(fault) from fault


def _read_chain(path: Path) -> list[Source]:
    """The file, then what it extends, and so on."""
    chain: list[Source] = []
    seen: list[Path] = []
    next_path: Path | None = path
    while next_path is not None:
        where = next_path.resolve()
        if where in seen or len(seen) == _DEEPEST:
            round_trip = " -> ".join(each.name for each in (*seen, where))
            raise BadSpecification(chain[-1].name, f"extends: {round_trip} goes round or is too deep; end it")
        seen.append(where)
        source = _read(next_path)
        chain.append(source)
        base = source.fields.pop("extends", None)
        if base is not None and not isinstance(base, str):
            raise _located(FieldFault(("extends",), "must be the path of one study file"), chain, {})
        next_path = None if base is None else _base_path(base, where.parent)
    return chain


def _base_path(base: str, folder: Path) -> Path:
    return _SHIPPED / f"{base}.toml" if base in study_names() else folder / base


def _read(path: Path) -> Source:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadSpecification(str(path), f"cannot be read: {reason}") from error
    fields = _parse(text, path.name)
    folder = path.resolve().parent
    try:
        _bring_in_files(fields, folder)
    except FieldFault as fault:
        source = Source(name=path.name, text=text, fields=fields)
        raise _located(fault, [source], {}) from fault
    return Source(name=path.name, text=text, fields=fields)


def _parse(text: str, name: str) -> _Raw:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        raise BadSpecification(f"{name}, line {line}", f"is not valid TOML: {error}") from error


def _bring_in_files(fields: _Raw, folder: Path) -> None:
    """Team and patch files are named from where the study file lies; what they hold takes the place of their names."""
    for number, arm in enumerate(_tables(fields.get("arm"))):
        team = arm.get("team")
        if isinstance(team, str) and _is_file(team):
            with field("arm", number, "team"):
                arm["team"] = msgspec.to_builtins(load_team(folder / team))
        patches = arm.get("patches")
        if isinstance(patches, list):
            with field("arm", number, "patches"):
                arm["patches"] = _patches(cast("list[object]", patches), folder)
    factors = fields.get("factors")
    if isinstance(factors, dict):
        teams = cast("_Raw", factors).get("team")
        if isinstance(teams, list):
            cast("_Raw", factors)["team"] = [
                str(folder / each) if isinstance(each, str) and _is_file(each) else each
                for each in cast("list[object]", teams)
            ]


def _patches(texts: Sequence[object], folder: Path) -> list[object]:
    found: list[object] = []
    for text in texts:
        if not (isinstance(text, str) and text.endswith(".toml")):
            found.append(text)
            continue
        source = _read(folder / text)
        try:
            patches = msgspec.convert(source.fields, type=PatchFile)
        except msgspec.ValidationError as error:
            fault = explained(error)
            raise _located(FieldFault(fault.path, f"{fault.what} (a patch file)"), [source], {}) from error
        found += patches.patches
    return found


def _tables(value: object) -> list[_Raw]:
    return (
        [cast("_Raw", each) for each in cast("list[object]", value) if isinstance(each, dict)]
        if isinstance(value, list)
        else []
    )


def _is_file(name: str) -> bool:
    return "/" in name or name.endswith(".toml")


def _over(under: Mapping[str, object], over: Mapping[str, object]) -> _Raw:
    """Tables are put over each other field by field; anything else, lists too, takes the place of what was there."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _over(cast("_Raw", below), cast("_Raw", value))
        else:
            merged[name] = value
    return merged


def _set(fields: _Raw, text: str) -> FieldPath:
    """Put an override into the fields.

    Returns:
        The path of the field.
    """
    name, is_set, value = text.partition("=")
    names = [part.strip() for part in name.split(".")]
    if not is_set or not all(names):
        raise BadSpecification(f"--set {text}", "is no override; write it as budget.evaluations=40")
    table = fields
    for depth, part in enumerate(names[:-1]):
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise BadSpecification(
                f"--set {text}", f"{'.'.join(names[: depth + 1])} is no table; set it as a whole"
            )
        copied = dict(cast("_Raw", inner))  # what was read stays as it is
        table[part] = copied
        table = copied
    table[names[-1]] = _toml_value(value.strip())
    return tuple(names)


def _toml_value(text: str) -> object:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _located(
    fault: FieldFault, chain: Sequence[Source], set_paths: Mapping[FieldPath, str]
) -> BadSpecification:
    """With the file and line (or the override) that a fault comes from."""
    path = tuple(fault.path)
    for depth in range(len(path), 0, -1):
        if path[:depth] in set_paths:
            return BadSpecification(f"--set {set_paths[path[:depth]]}", f"{dotted(path)}: {fault.what}")
    found = [(*find_line(source.text, path), source) for source in chain]
    line, depth, source = max(found, key=lambda each: each[1])
    where = source.name if not depth else f"{source.name}, line {line}"
    return BadSpecification(where, f"{dotted(path)}: {fault.what}" if path else fault.what)


def _convert(fields: Mapping[str, object]) -> StudyFile:
    version = fields.get("version")
    if version != FILE_VERSION:
        what = "the file lacks version" if version is None else f"{version!r} is not known"
        raise FieldFault(("version",), f"{what}; write version = {FILE_VERSION}")
    try:
        return msgspec.convert(fields, type=StudyFile)
    except msgspec.ValidationError as error:
        raise explained(error) from error


def _design(file: StudyFile) -> tuple[Design, tuple[FieldPath, ...]]:
    arms, origins = _arms(file)
    seeds = _seeds(file.seeds)
    pilots = tuple(
        Seeds(task=each, team=each, evaluation=each)
        if isinstance(each, int)
        else Seeds(task=each[0], team=each[1], evaluation=each[2])
        for each in file.seeds.pilot
    )
    episodes = len(file.tasks) * len(arms) * (len(seeds) + len(pilots))
    contrasts = _contrasts(file.contrast) if file.contrast is not None else default_contrasts(arms)
    if file.primary is not None:
        contrasts = _with_primary(contrasts, file.primary)
    design = Design(
        name=file.name,
        question=file.question,
        tasks=file.tasks,
        arms=arms,
        contrasts=contrasts,
        seeds=seeds,
        pilot_seeds=pilots,
        protocol=file.protocol,
        budget=_budget(file.budget, file.protocol, episodes),
        primary_axis=file.budget.primary,
        feedback_size=file.feedback_size,
        sequential=_sequential(file.sequential, len(seeds)),
        order_seed=file.order_seed,
        notes=file.notes,
    )
    return design, origins


def _sequential(section: SequentialSection | None, seeds: int) -> Sequential | None:
    if section is None:
        return None
    looks = section.looks if seeds in section.looks else (*section.looks, seeds)
    return Sequential(looks=looks, significance=section.significance)


def _arms(file: StudyFile) -> tuple[tuple[ArmDesign, ...], tuple[FieldPath, ...]]:
    """Factors, then what is listed, then dropped roles, then controls and references."""
    arms: list[ArmDesign] = []
    origins: list[FieldPath] = []

    def add(more: Sequence[ArmDesign], origin: FieldPath) -> None:
        arms.extend(more)
        origins.extend([origin] * len(more))

    if file.factors is not None:
        factors = file.factors
        with field("factors"):
            made = product_arms(
                teams=factors.team,
                strategies=[_strategy(each) for each in factors.strategy],
                models=factors.model,
                patches=factors.patch,
                in_flight=factors.in_flight,
            )
        if file.model is not None and not factors.model:
            made = tuple(msgspec.structs.replace(arm, model=file.model) for arm in made)
        add(made, ("factors",))
    for number, section in enumerate(file.arm):
        arm = _arm(section, file.model)
        with field("arm", number):
            team_of(arm)  # before other arms are made from it
        add([arm], ("arm", number))
    if not arms:
        add([ArmDesign(name="full", model=file.model)], ("drop",) if file.drop is not None else ())
    if file.drop is not None:
        with field("drop"):
            roles = () if file.drop.roles == "each" else file.drop.roles
            add(
                dropped_arms(
                    _base(arms, file.drop.base), roles=roles, senses=file.drop.senses, into=file.drop.into
                ),
                ("drop",),
            )
    if file.placebo is not None:
        add(placebo_arms(arms, file.placebo), ("placebo",))
    with field("controls"):
        add(control_arms(arms, file.controls), ("controls",))
    with field("references"):
        add(reference_arms(arms, file.references), ("references",))
    return tuple(arms), tuple(origins)


def _contrasts(sections: Sequence[ContrastSection]) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            name=each.name,
            treatment=each.treatment,
            control=each.control,
            primary=len(sections) == 1 if each.primary is None else each.primary,
        )
        for each in sections
    )


def _with_primary(contrasts: Sequence[Contrast], name: str) -> tuple[Contrast, ...]:
    with field("primary"):
        if name not in {each.name for each in contrasts}:
            raise UnknownName("contrast", name, [each.name for each in contrasts])
    return tuple(msgspec.structs.replace(each, primary=each.name == name) for each in contrasts)


def _base(arms: Sequence[ArmDesign], name: str | None) -> ArmDesign:
    if name is None:
        return arms[0]
    for arm in arms:
        if arm.name == name:
            return arm
    raise UnknownName("arm", name, [arm.name for arm in arms])


def _arm(section: ArmSection, model: str | None) -> ArmDesign:
    return ArmDesign(
        name=section.name,
        team=section.team,
        patches=section.patches,
        strategy=_strategy(section.strategy) if section.strategy is not None else None,
        in_flight=section.in_flight,
        model=section.model if section.model is not None or section.kind == "reference" else model,
        role_models=section.role_models,
        kind=section.kind,
        label=section.label,
        levels=section.levels,
    )


def _strategy(given: Strategy) -> StrategySpec:
    return StrategySpec(kind=given) if isinstance(given, str) else given


def _seeds(section: SeedsSection) -> tuple[Seeds, ...]:
    listed: dict[str, int | tuple[int, ...] | None] = {
        "task": section.task,
        "team": section.team,
        "evaluation": section.evaluation,
    }
    counts = {name: len(given) for name, given in listed.items() if isinstance(given, tuple)}
    if section.count is not None:
        counts["count"] = section.count
    if not counts:
        raise FieldFault(
            ("seeds",), "it says not how many; add count, or a list of task, team or evaluation seeds"
        )
    name, count = next(iter(counts.items()))
    for other, number in counts.items():
        if number != count:
            raise FieldFault(("seeds", other), f"{number} seeds, but {name} says {count}; make them as many")
    if count < 1:
        raise FieldFault(("seeds", name), f"{count} seeds are too few; give 1 or more")
    counted = tuple(range(section.first, section.first + count))

    def axis(given: int | tuple[int, ...] | None) -> tuple[int, ...]:
        if given is None:
            return counted
        return (given,) * count if isinstance(given, int) else given

    rows = zip(axis(section.task), axis(section.team), axis(section.evaluation), strict=True)
    return tuple(Seeds(task=task, team=team, evaluation=evaluation) for task, team, evaluation in rows)


def _budget(section: BudgetSection, protocol: str, episodes: int) -> Budget:
    cost, steps, evaluations = section.cost_usd, section.steps, section.evaluations
    if section.study_cost_usd is not None:
        share = section.study_cost_usd / max(episodes, 1)
        cost = share if cost is None else min(cost, share)
    if protocol == "mlgym":
        steps = MLGYM_STEPS if steps is None else steps
        cost = MLGYM_COST_USD if cost is None else cost
        evaluations = MLGYM_STEPS if evaluations is None else evaluations
    return Budget(
        evaluations=DEFAULT_EVALUATIONS if evaluations is None else evaluations,
        tokens=section.tokens,
        cost_usd=cost,
        steps=steps,
        device_seconds=section.device_seconds,
        wall_seconds=section.wall_seconds,
    )
