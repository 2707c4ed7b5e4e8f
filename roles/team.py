"""Teams by name and from files, checked: TOML in, `engine.team.TeamSpec` out, one sentence where it is not right."""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import cast, get_args

import msgspec

from engine.blinding import check_blankable
from engine.errors import BadSpecification, UnknownName
from engine.messages import FUNCTIONS, TOPICS
from engine.team import Interposition, InterpositionKind, PolicyName, TeamSpec
from roles.catalogue import ROLES
from roles.mlgym import MLGYM
from roles.mlgym.settings import settings_from
from roles.model.prompts import check_prompts, read_folder
from roles.policy_file import check_policies, is_file_policy, settle_policies
from roles.strategies import SOLO, STRATEGIES, make_rule

_FOLDER = Path(__file__).parent / "teams"
POLICIES = f"{', '.join(get_args(PolicyName))}, FILE.py:CLASS"
MOST_REPLICAS = 64
MOST_IN_FLIGHT = 256


@cache
def team_names() -> tuple[str, ...]:
    """Teams that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def named_team(name: str) -> TeamSpec:
    """A team that ships.

    Raises:
        UnknownName: with what was probably meant.
    """
    if name not in team_names():
        raise UnknownName("team", name, team_names())
    return load_team(_FOLDER / f"{name}.toml")


def open_team(name_or_file: str) -> TeamSpec:
    """A team by its name, or by the path of a file (with a ``/`` in it, or ending in ``.toml``).

    Raises:
        UnknownName: no such team.
        BadSpecification: the file cannot be read or says what it must not.
    """
    if "/" in name_or_file or name_or_file.endswith(".toml"):
        return load_team(Path(name_or_file))
    return named_team(name_or_file)


def load_team(path: Path) -> TeamSpec:
    """A team from a file.

    Raises:
        BadSpecification: naming file, line and field, and what is allowed (or was probably meant) there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadSpecification(str(path), f"cannot be read: {reason}") from error
    return parse_team(text, where=path.name, folder=path.parent)


def parse_team(text: str, *, where: str, folder: Path | None = None) -> TeamSpec:
    """A team from the text of a file; see `load_team`.

    Args:
        text: TOML.
        where: how to call the file in errors.
        folder: where the paths that it names begin; None: the current directory.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found.group(1) if found else str(text.count("\n") + 1)
        raise BadSpecification(f"{where}, line {line}", f"is not valid TOML: {error}") from error
    _give_own_functions(raw, text, where)
    if isinstance(raw.get("prompts"), str):
        try:
            raw["prompts"] = read_folder((folder or Path()) / raw["prompts"])
        except (BadSpecification, UnknownName) as error:
            raise BadSpecification(where, str(error)) from error
    try:
        spec = msgspec.convert(raw, type=TeamSpec)
    except msgspec.ValidationError as error:
        raise _located(str(error), text, where) from error
    try:
        spec = settle_policies(spec, folder or Path())
        check_team(spec)
    except BadSpecification as error:
        line = _line_of(text, _path(error.where))
        raise BadSpecification(f"{where}, line {line}", f"{error.where}: {error.what}") from error
    except UnknownName as error:
        line = 1 + next((n for n, each in enumerate(text.splitlines()) if f'"{error.name}"' in each), 0)
        raise BadSpecification(f"{where}, line {line}", str(error)) from error
    return spec


def check_team(spec: TeamSpec) -> None:
    """Refuse a team that cannot work.

    Raises:
        UnknownName: for a role, function, topic or strategy.
        BadSpecification: naming the field and what is allowed there.
    """
    _known("strategy", [spec.strategy.kind], (*STRATEGIES, SOLO, MLGYM))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,119}", spec.name):
        raise BadSpecification(
            "name", f"{spec.name[:40]!r} is no name; letters, digits, '.', '-', '_', '+', '=' are allowed"
        )
    if not 1 <= spec.in_flight <= MOST_IN_FLIGHT:
        raise BadSpecification("in_flight", f"{spec.in_flight}; allowed are 1 to {MOST_IN_FLIGHT}")
    for number, each in enumerate(spec.interpositions):
        _check_interposition(each, f"interpositions[{number}]")
    for number, member in enumerate(spec.members):
        field = f"members[{number}]"
        _known("role", [member.role], ROLES)
        _known("function", (*member.functions, *member.policies), FUNCTIONS)
        if not 1 <= member.replicas <= MOST_REPLICAS:
            raise BadSpecification(
                f"{field}.replicas", f"{member.replicas}; allowed are 1 to {MOST_REPLICAS}"
            )
        if member.mailbox < 1:
            raise BadSpecification(
                f"{field}.mailbox", f"{member.mailbox}; a mailbox holds at least 1 message"
            )
        if len(set(member.functions)) < len(member.functions):
            raise BadSpecification(f"{field}.functions", "a function is named twice")
    check_policies(spec)
    check_prompts(spec.prompts)
    _check_make_up(spec)


def _check_interposition(each: Interposition, where: str) -> None:
    if each.kind == "topology":
        _known("role", [role for edge in each.edges for role in edge], ROLES)
        if each.topic or not each.edges:
            raise BadSpecification(f"{where}.edges", "a topology has edges, [speaker, hearer], and no topic")
        return
    _known("topic", [each.topic], TOPICS)
    if each.role:
        _known("role", [each.role], ROLES)
    if each.kind == "blind" and each.field:
        check_blankable(each.topic, each.field)
    if each.kind == "blind" and not (each.field or each.role):
        raise BadSpecification(f"{where}.role", "who is blind? Give role, or field; for everybody use mute")
    if each.kind == "placebo" and not re.fullmatch("[0-9a-f]{64}", each.donor):
        raise BadSpecification(
            f"{where}.donor", "a placebo names its donor by a hash of 64 hex digits; let a patch find it"
        )


def _check_make_up(spec: TeamSpec) -> None:
    names = [member.role for member in spec.members]
    if len(set(names)) < len(names):
        raise BadSpecification("members", "a role is named twice; ask for more replicas of it instead")
    if spec.strategy.kind in (SOLO, MLGYM):
        if len(spec.members) != 1 or spec.members[0].replicas != 1 or spec.in_flight != 1:
            raise BadSpecification(
                "members", f"strategy '{spec.strategy.kind}' leads exactly one member, with in_flight 1"
            )
        if spec.strategy.kind == MLGYM:
            settings_from(spec.strategy.settings)
            if spec.members[0].policy != "model" or spec.members[0].policies:
                raise BadSpecification("members[0].policy", "MLGym's agent is driven by a model: 'model'")
            return
        policy = spec.members[0].policy
        if policy == "vacuous" or is_file_policy(policy) or spec.members[0].policies:
            raise BadSpecification(
                "members[0].policy", "a solo member is driven by one policy: offline or model"
            )
        return
    make_rule(spec.strategy)
    if any(member.role == SOLO for member in spec.members):
        raise BadSpecification("members", f"the role 'solo' leads itself; give [strategy] kind = '{SOLO}'")
    missing = set(FUNCTIONS) - {function for member in spec.members for function in member.functions}
    if missing:
        named = ", ".join(sorted(missing))
        raise BadSpecification(
            "members", f"nobody does {named}; give it to a member, or its role the policy 'vacuous'"
        )


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownName(kind, name, known)


def _give_own_functions(raw: dict[str, object], text: str, where: str) -> None:
    """A member that names no functions has those of its role."""
    members = raw.get("members")
    for number, member in enumerate(cast("list[object]", members) if isinstance(members, list) else []):
        if not isinstance(member, dict):
            continue
        fields = cast("dict[str, object]", member)
        role = fields.get("role")
        if isinstance(role, str) and "functions" not in fields:
            if role not in ROLES:
                line = _line_of(text, [("members", number), ("role", 0)])
                unknown = UnknownName("role", role, ROLES)
                raise BadSpecification(f"{where}, line {line}", f"role: {unknown}")
            fields["functions"] = list(ROLES[role].functions)


def _located(message: str, text: str, where: str) -> BadSpecification:
    """Msgspec's complaint with the line that it is about."""
    what, _, place = message.partition(" - at ")
    path = _path(place.strip("`"))
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        path.append((unknown.group(1), 0))
    field = _dotted(path) or "the file"
    return BadSpecification(f"{where}, line {_line_of(text, path)}", f"{field}: {_plain(what, path)}")


def _plain(what: str, path: list[tuple[str, int]]) -> str:
    unknown = re.search(r"unknown field `([^`]+)`", what)
    if unknown:
        from engine.team import MemberSpec, StrategySpec

        kinds = {"members": MemberSpec, "strategy": StrategySpec, "interpositions": Interposition}
        kind = kinds.get(path[0][0], TeamSpec) if len(path) > 1 else TeamSpec
        return f"there is no such field; allowed: {', '.join(kind.__struct_fields__)}"
    if "matching regex" in what and path:
        what = "Invalid value"
    if ("Invalid enum value" in what or what == "Invalid value") and path:
        allowed = {
            "policy": POLICIES,
            "policies": POLICIES,
            "failure": "fail, restart, continue",
            "kind": ", ".join(get_args(InterpositionKind)),
        }.get(path[-1][0])
        return f"{what.replace('enum ', '')}; allowed: {allowed}" if allowed else what
    return what


def _path(place: str) -> list[tuple[str, int]]:
    """``$.members[1].policy`` as names with indices."""
    parts = re.findall(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(\d+)\])?", place)
    return [(name, int(index or 0)) for name, index in parts]


def _dotted(path: list[tuple[str, int]]) -> str:
    return ".".join(
        f"{name}[{index}]" if name in ("members", "interpositions") else name for name, index in path
    )


def _line_of(text: str, path: list[tuple[str, int]]) -> int:
    """The line of a field, or of the table that it would be in: tables are found by their headers, fields by name."""
    lines = text.splitlines()
    start, end = 0, len(lines)
    for depth, (name, index) in enumerate(path):
        header = re.compile(rf"\s*\[\[?\s*{re.escape(name)}\s*\]\]?")
        headers = [number for number, line in enumerate(lines) if header.match(line)]
        if depth == 0 and headers:
            start = headers[min(index, len(headers) - 1)]
            later = (n for n in range(start + 1, len(lines)) if lines[n].lstrip().startswith("["))
            end = next(later, len(lines))
            continue
        key = re.compile(rf"\s*\"?{re.escape(name)}\"?\s*=")
        found = next((number for number in range(start, end) if key.match(lines[number])), None)
        if found is None:
            break
        start, end = found, found + 1
    return start + 1
