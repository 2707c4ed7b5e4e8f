"""Ablations as data: patches on a team, as values and as text; applying one gives another team and says so."""

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias, assert_never

import msgspec

from engine.blinding import check_blankable
from engine.errors import BadSpecification, UnknownName
from engine.messages import TOPICS, Queue, Topic, Value
from engine.team import Interposition, MemberSpec, PolicyName, StrategySpec, TeamSpec
from roles.catalogue import ROLES
from roles.strategies import SOLO, STRATEGIES
from roles.team import check_team

LONGEST_NAME = 100
POLICIES: tuple[PolicyName, ...] = ("offline", "vacuous", "model")


class _Patch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every patch; the tag is the class's name."""


class Remove(_Patch, frozen=True, tag=True):
    """Take a role away: its function is gone (vacuous), or another member does it (absorbed)."""

    role: str
    into: str | None = None
    """The role that takes the function over; None: nobody does, and its vacuous form stands in."""


class Merge(_Patch, frozen=True, tag=True):
    """Give one member what another does; the same as its removal in the absorbed sense."""

    role: str
    into: str


class Replace(_Patch, frozen=True, tag=True):
    """Let another policy drive a role."""

    role: str
    policy: PolicyName
    model: str | None = None
    """For ``model``: ``provider/name``; None: the episode's."""


class Duplicate(_Patch, frozen=True, tag=True):
    """Let a role have so many members."""

    role: str
    replicas: int


class Interpose(_Patch, frozen=True, tag=True):
    """Do something to the copies of messages on a topic."""

    kind: Literal["mute", "shuffle", "drop", "delay"]
    topic: Topic
    amount: float = 0.0
    """For ``drop`` the probability, for ``delay`` the number of messages."""


class Blind(_Patch, frozen=True, tag=True):
    """Let a role hear nothing of a topic, or let a field of a topic's messages arrive blanked."""

    topic: Topic
    role: str = ""
    """Who is blinded; empty: everybody."""
    field: str = ""
    """What is blanked (``sender``, or a field of the message); empty: nothing arrives, and a role is named."""


class Placebo(_Patch, frozen=True, tag=True):
    """Let another episode's messages of like type and length arrive in place of a topic's."""

    topic: Topic
    donor: str
    """SHA-256 (hex) of the donor's messages; see `engine.donors`."""


Shape: TypeAlias = Literal["star", "ring", "chain", "complete", "edges"]


class Rewire(_Patch, frozen=True, tag=True):
    """Who hears whom among the members of the team. The strategy is heard by everyone."""

    shape: Shape
    hub: str = ""
    """For ``star``: the role that hears everyone and that everyone hears."""
    edges: tuple[tuple[str, str], ...] = ()
    """For ``edges``: (who speaks, who hears it)."""


class SwapModel(_Patch, frozen=True, tag=True):
    """Let another model drive a role that a model drives."""

    role: str
    model: str
    """``provider/name``."""


class Strategy(_Patch, frozen=True, tag=True):
    """Let another strategy lead, with its default settings where none are given."""

    name: str
    settings: dict[str, Value] = {}


Patch: TypeAlias = (
    Remove | Merge | Replace | Duplicate | Interpose | Blind | Placebo | Rewire | SwapModel | Strategy
)

GRAMMAR = (
    "remove ROLE vacuous",
    "remove ROLE absorbed:ROLE",
    "merge ROLE into ROLE",
    "replace ROLE POLICY [PROVIDER/MODEL]",
    "duplicate ROLE N",
    "mute TOPIC",
    "shuffle TOPIC",
    "drop TOPIC PROBABILITY",
    "delay TOPIC MESSAGES",
    "blind ROLE TOPIC",
    "blind [ROLE] TOPIC.FIELD",
    "placebo TOPIC DONOR",
    "topology star ROLE",
    "topology ring|chain|complete",
    "topology edges ROLE>ROLE,ROLE-ROLE…",
    "model ROLE PROVIDER/MODEL",
    "strategy NAME [KEY=VALUE…]",
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_DONOR = re.compile(r"[0-9a-f]{64}")


def describe(patch: Patch) -> str:  # noqa: PLR0911, PLR0912 - a case a patch
    """A patch as text; `parse_patch` reads it."""
    match patch:
        case Remove(role=role, into=None):
            return f"remove {role} vacuous"
        case Remove(role=role, into=into):
            return f"remove {role} absorbed:{into}"
        case Merge(role=role, into=into):
            return f"merge {role} into {into}"
        case Replace(role=role, policy=policy, model=model):
            return f"replace {role} {policy}" + (f" {model}" if model else "")
        case Duplicate(role=role, replicas=replicas):
            return f"duplicate {role} {replicas}"
        case Interpose(kind="drop" | "delay" as kind, topic=topic, amount=amount):
            return f"{kind} {topic} {amount:g}"
        case Interpose(kind=kind, topic=topic):
            return f"{kind} {topic}"
        case Blind(topic=topic, role=role, field=field):
            return " ".join(filter(None, ("blind", role, f"{topic}.{field}" if field else topic)))
        case Placebo(topic=topic, donor=donor):
            return f"placebo {topic} {donor}"
        case Rewire(shape="edges", edges=edges):
            return f"topology edges {','.join(f'{speaker}>{hearer}' for speaker, hearer in edges)}"
        case Rewire(shape=shape, hub=hub):
            return f"topology {shape}" + (f" {hub}" if hub else "")
        case SwapModel(role=role, model=model):
            return f"model {role} {model}"
        case Strategy(name=name, settings=settings):
            return " ".join(("strategy", name, *(f"{key}={_said(value)}" for key, value in settings.items())))
        case _:
            assert_never(patch)


def parse_patch(text: str) -> Patch:  # noqa: PLR0911, PLR0912 - a case a patch
    """A patch from text.

    Raises:
        UnknownName: for a role or topic that does not exist.
        BadSpecification: for anything else that is not in the grammar.
    """
    match text.split():
        case ["remove", role, sense]:
            return _removal(role, sense, where=f"patch {text!r}")
        case ["merge", role, "into", into]:
            return Merge(role=_role(role), into=_role(into))
        case ["replace", role, policy, *model] if len(model) <= 1 and (not model or policy == "model"):
            named = _model(model[0], where=f"patch {text!r}") if model else None
            return Replace(role=_role(role), policy=_policy(policy), model=named)
        case ["duplicate", role, number] if number.isdecimal():
            return Duplicate(role=_role(role), replicas=int(number))
        case ["mute" | "shuffle" as kind, topic]:
            return Interpose(kind=kind, topic=_topic(topic))
        case ["drop", topic, number] if _is_number(number) and 0.0 <= float(number) <= 1.0:
            return Interpose(kind="drop", topic=_topic(topic), amount=float(number))
        case ["delay", topic, number] if number.isdecimal():
            return Interpose(kind="delay", topic=_topic(topic), amount=float(number))
        case ["blind", *what] if what and (len(what) == 2 or "." in what[0]) and len(what) <= 2:
            return _blinding(what)
        case ["placebo", topic, donor] if _DONOR.fullmatch(donor):
            return Placebo(topic=_topic(topic), donor=donor)
        case ["topology", *what] if what:
            return _wiring(what, where=f"patch {text!r}")
        case ["model", role, model]:
            return SwapModel(role=_role(role), model=_model(model, where=f"patch {text!r}"))
        case ["strategy", name, *settings]:
            return Strategy(name=_strategy(name), settings=_settings(settings, where=f"patch {text!r}"))
        case _:
            raise BadSpecification(f"patch {text!r}", f"is none of: {'; '.join(GRAMMAR)}")


def parse_without(text: str) -> Remove:
    """What ``--without`` takes: ``ROLE``, ``ROLE=vacuous`` or ``ROLE=absorbed:ROLE``; a role alone is vacuous.

    Raises:
        UnknownName: for a role that does not exist.
        BadSpecification: for a removal in no known sense.
    """
    role, _, sense = text.partition("=")
    return _removal(role.strip(), sense.strip() or "vacuous", where=f"--without {text}")


def apply(team: TeamSpec, patch: Patch) -> TeamSpec:
    """The team with a patch on it: another name, and the patch in its list.

    Raises:
        BadSpecification: where the team has no such member, or would not be one that can work.
    """
    match patch:
        case Remove(role=role, into=None):
            patched, mark = _vacuous(team, role), f"{role}-vacuous"
        case Remove() | Merge():
            assert patch.into is not None  # the case above
            patched, mark = _absorbed(team, patch.role, patch.into), f"{patch.role}-in-{patch.into}"
        case Replace(role=role, policy=policy, model=model):
            mark = f"{role}-{policy}" + (f"-{model}" if model else "")
            patched = _replaced(team, role, policy, model)
        case Duplicate(role=role, replicas=replicas):
            member = msgspec.structs.replace(_member(team, role), replicas=replicas)
            patched, mark = _with(team, member), f"{role}-x{replicas}"
        case Interpose():
            patched, mark = _interposed(team, patch), describe(patch).replace(" ", "-")
        case Blind():
            patched, mark = _blinded(team, patch), describe(patch).replace(" ", "-")
        case Placebo(topic=topic, donor=donor):
            each = Interposition(kind="placebo", topic=topic, donor=donor)
            patched, mark = _and_interposed(team, each), f"placebo-{topic}-{donor[:8]}"
        case Rewire():
            patched, mark = _rewired(team, patch), describe(patch).replace(" ", "-")
        case SwapModel(role=role, model=model):
            patched, mark = _on_model(team, role, model), f"{role}-on-{model}"
        case Strategy():
            led = StrategySpec(kind=patch.name, settings=patch.settings)
            patched = msgspec.structs.replace(team, strategy=led)
            mark = describe(patch).replace(" ", "-")
        case _:
            assert_never(patch)
    patched = msgspec.structs.replace(
        patched, name=_name(f"{team.name}.{_safe(mark)}"), patches=(*team.patches, describe(patch))
    )
    check_team(patched)
    return patched


def _removal(role: str, sense: str, *, where: str) -> Remove:
    _role(role)
    if sense == "vacuous":
        return Remove(role=role)
    kind, _, into = sense.partition(":")
    if kind != "absorbed" or not into:
        raise BadSpecification(where, f"{sense!r} is no sense of removal; give vacuous or absorbed:ROLE")
    if _role(into) == role:
        raise BadSpecification(where, f"the {role} cannot absorb itself; name another role")
    return Remove(role=role, into=into)


def _vacuous(team: TeamSpec, role: str) -> TeamSpec:
    """Each function of the role takes its vacuous form, whichever member has it by now."""
    if ROLES[role].vacuous is None:
        raise BadSpecification(
            f"remove {role}", f"the {role} has no vacuous form: nothing would be left of the team"
        )
    functions = set(ROLES[role].functions)
    holders = [member for member in team.members if functions & set(member.functions)]
    if not holders or any(member.role == "solo" for member in holders):
        raise BadSpecification(f"remove {role}", f"team {team.name} has no {role}; {_present(team)}")
    for member in holders:
        team = _with(team, _driven(member, functions & set(member.functions), "vacuous"))
    return team


def _absorbed(team: TeamSpec, role: str, into: str) -> TeamSpec:
    gone, heir = _member(team, role), _member(team, into)
    if gone is heir:
        raise BadSpecification(f"merge {role} into {into}", "a role cannot absorb itself; name another")
    functions = (*heir.functions, *(each for each in gone.functions if each not in heir.functions))
    policies = {
        function: (heir if function in heir.functions else gone).policies.get(
            function, (heir if function in heir.functions else gone).policy
        )
        for function in functions
    }
    merged = _normal(
        msgspec.structs.replace(heir, functions=functions, policies=policies, model=heir.model or gone.model)
    )
    rest = tuple(member for member in team.members if member is not gone)
    return _with(msgspec.structs.replace(team, members=rest), merged)


def _replaced(team: TeamSpec, role: str, policy: PolicyName, model: str | None) -> TeamSpec:
    member = _member(team, role)
    if policy == "vacuous" and ROLES[role].vacuous is None:
        raise BadSpecification(
            f"replace {role} vacuous", f"the {role} has no vacuous form; give offline or model"
        )
    changed = msgspec.structs.replace(member, policy=policy, policies={}, model=model or member.model)
    return _with(team, changed)


def _interposed(team: TeamSpec, patch: Interpose) -> TeamSpec:
    each = Interposition(
        kind=patch.kind,
        topic=patch.topic,
        probability=patch.amount if patch.kind == "drop" else 1.0,
        messages=int(patch.amount) if patch.kind == "delay" else 0,
    )
    return _and_interposed(team, each)


def _and_interposed(team: TeamSpec, each: Interposition) -> TeamSpec:
    return msgspec.structs.replace(team, interpositions=(*team.interpositions, each))


def _blinded(team: TeamSpec, patch: Blind) -> TeamSpec:
    if patch.role:
        _member(team, patch.role)
    each = Interposition(kind="blind", topic=patch.topic, role=patch.role, field=patch.field)
    return _and_interposed(team, each)


def _rewired(team: TeamSpec, patch: Rewire) -> TeamSpec:
    roles = [member.role for member in team.members]
    for role in {patch.hub, *(role for edge in patch.edges for role in edge)} - {""}:
        _member(team, role)
    if patch.shape != "edges" and len(roles) < 3:
        raise BadSpecification(
            describe(patch), f"team {team.name} has {len(roles)} members; a shape says something of 3 or more"
        )
    if any(each.kind == "topology" for each in team.interpositions):
        raise BadSpecification(
            describe(patch), f"team {team.name} has a topology already; give one, as a list of edges"
        )
    return _and_interposed(team, Interposition(kind="topology", edges=_edges(patch, roles)))


def _edges(patch: Rewire, roles: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The edges of a shape over these roles, in the order in which the team names them."""
    steps = list(pairwise(roles))
    match patch.shape:
        case "star":
            pairs = [(patch.hub, role) for role in roles if role != patch.hub]
        case "ring":
            pairs = [*steps, (roles[-1], roles[0])]
        case "chain":
            pairs = steps
        case "complete":
            pairs = [(one, other) for n, one in enumerate(roles) for other in roles[n + 1 :]]
        case "edges":
            return patch.edges
        case _:
            assert_never(patch.shape)
    return tuple(edge for one, other in pairs for edge in ((one, other), (other, one)))


def _on_model(team: TeamSpec, role: str, model: str) -> TeamSpec:
    member = _member(team, role)
    if "model" not in (member.policy, *member.policies.values()):
        raise BadSpecification(
            f"model {role}",
            f"no model drives the {role} of {team.name}; let one with 'replace {role} model {model}'",
        )
    return _with(team, msgspec.structs.replace(member, model=model))


def _driven(member: MemberSpec, functions: set[Queue], policy: PolicyName) -> MemberSpec:
    policies = {
        each: policy if each in functions else member.policies.get(each, member.policy)
        for each in member.functions
    }
    return _normal(msgspec.structs.replace(member, policies=policies))


def _normal(member: MemberSpec) -> MemberSpec:
    """One form for one meaning: what all functions share is the member's policy, and only exceptions are listed."""
    policies = {each: member.policies.get(each, member.policy) for each in member.functions}
    shared = set(policies.values())
    policy = shared.pop() if len(shared) == 1 else member.policy
    exceptions = {each: name for each, name in policies.items() if name != policy}
    return msgspec.structs.replace(member, policy=policy, policies=exceptions)


def _with(team: TeamSpec, changed: MemberSpec) -> TeamSpec:
    members = tuple(changed if member.role == changed.role else member for member in team.members)
    return msgspec.structs.replace(team, members=members)


def _member(team: TeamSpec, role: str) -> MemberSpec:
    for member in team.members:
        if member.role == role:
            return member
    raise BadSpecification(f"team {team.name}", f"it has no {role}; {_present(team)}")


def _present(team: TeamSpec) -> str:
    return f"its roles are {', '.join(member.role for member in team.members)}"


def _role(name: str) -> str:
    if name not in ROLES:
        raise UnknownName("role", name, ROLES)
    return name


def _topic(name: str) -> Topic:
    if name not in TOPICS:
        raise UnknownName("topic", name, TOPICS)
    return Topic(name)


def _blinding(what: Sequence[str]) -> Blind:
    *roles, subject = what
    topic, _, field = subject.partition(".")
    blinded = Blind(topic=_topic(topic), role=_role(roles[0]) if roles else "", field=field)
    if field or "." in subject:
        check_blankable(blinded.topic, field)
    return blinded


def _wiring(what: Sequence[str], *, where: str) -> Rewire:
    match what:
        case ["star", hub]:
            return Rewire(shape="star", hub=_role(hub))
        case ["ring" | "chain" | "complete" as shape]:
            return Rewire(shape=shape)
        case ["edges", text]:
            return Rewire(shape="edges", edges=_edge_list(text, where))
        case ["star" | "edges" | "ring" | "chain" | "complete" as shape, *_]:
            raise BadSpecification(
                where,
                f"a {shape} is written as one of: {'; '.join(line for line in GRAMMAR if 'topology' in line)}",
            )
        case _:
            raise UnknownName("topology", what[0], ("star", "ring", "chain", "complete", "edges"))


def _edge_list(text: str, where: str) -> tuple[tuple[str, str], ...]:
    edges: dict[tuple[str, str], None] = {}
    for each in text.split(","):
        found = re.fullmatch(r"([^>-]+)([>-])([^>-]+)", each)
        if found is None:
            raise BadSpecification(
                where, f"{each!r} is no edge; write SPEAKER>HEARER, or ROLE-ROLE for both ways"
            )
        one, arrow, other = found.groups()
        if _role(one) == _role(other):
            raise BadSpecification(where, f"{each!r} leads from a role to itself; leave it out")
        edges |= dict.fromkeys([(one, other)] if arrow == ">" else [(one, other), (other, one)])
    return tuple(edges)


def _model(name: str, *, where: str) -> str:
    provider, slash, model = name.partition("/")
    if not (provider and slash and model):
        raise BadSpecification(where, f"{name!r} is no model; write it as provider/name")
    return name


def _strategy(name: str) -> str:
    known = (*STRATEGIES, SOLO)
    if name not in known:
        raise UnknownName("strategy", name, known)
    return name


def _settings(texts: Sequence[str], *, where: str) -> dict[str, Value]:
    settings: dict[str, Value] = {}
    for text in texts:
        key, is_given, value = text.partition("=")
        if not key or not is_given or not value or key in settings:
            raise BadSpecification(where, f"{text!r} is no setting; write KEY=VALUE, each key once")
        settings[key] = _value(value)
    return settings


def _value(text: str) -> Value:
    """A number or truth value where it is one, else the word."""
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def _said(value: Value) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value) and _value(value) == value:
        return value
    return msgspec.json.encode(value).decode()


def _policy(name: str) -> PolicyName:
    for policy in POLICIES:
        if name == policy:
            return policy
    raise UnknownName("policy", name, POLICIES)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d*\.?\d+(e-?\d+)?", text))


def _name(wanted: str) -> str:
    """A name that may be a folder's: what is too long ends in a digest of the whole."""
    if len(wanted) <= LONGEST_NAME:
        return wanted
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    return f"{wanted[: LONGEST_NAME - 9]}.{digest}"


def _safe(mark: str) -> str:
    """A mark that may be part of a folder's name; where that loses something, a digest of the whole tells it apart."""
    safe = re.sub(r"[^A-Za-z0-9._=+-]", "-", mark)
    return safe if safe == mark else f"{safe}.{hashlib.sha256(mark.encode()).hexdigest()[:8]}"
