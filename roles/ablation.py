"""Ablations as data: patches on a team, as values and as text; applying one gives another team and says so."""

import hashlib
import re
from typing import Literal, TypeAlias, assert_never

import msgspec

from engine.errors import BadSpecification, UnknownName
from engine.messages import TOPICS, Queue, Topic
from engine.team import Interposition, MemberSpec, PolicyName, TeamSpec
from roles.catalogue import ROLES
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


Patch: TypeAlias = Remove | Merge | Replace | Duplicate | Interpose

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
)


def describe(patch: Patch) -> str:  # noqa: PLR0911 - a case a patch
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
        case _:
            assert_never(patch)


def parse_patch(text: str) -> Patch:  # noqa: PLR0911 - a case a patch
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
            return Replace(role=_role(role), policy=_policy(policy), model=model[0] if model else None)
        case ["duplicate", role, number] if number.isdecimal():
            return Duplicate(role=_role(role), replicas=int(number))
        case ["mute" | "shuffle" as kind, topic]:
            return Interpose(kind=kind, topic=_topic(topic))
        case ["drop", topic, number] if _is_number(number) and 0.0 <= float(number) <= 1.0:
            return Interpose(kind="drop", topic=_topic(topic), amount=float(number))
        case ["delay", topic, number] if number.isdecimal():
            return Interpose(kind="delay", topic=_topic(topic), amount=float(number))
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
            patched, mark = _replaced(team, role, policy, model), f"{role}-{policy}"
        case Duplicate(role=role, replicas=replicas):
            member = msgspec.structs.replace(_member(team, role), replicas=replicas)
            patched, mark = _with(team, member), f"{role}-x{replicas}"
        case Interpose():
            patched, mark = _interposed(team, patch), describe(patch).replace(" ", "-")
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
    return msgspec.structs.replace(team, interpositions=(*team.interpositions, each))


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
    return re.sub(r"[^A-Za-z0-9._=+-]", "-", mark)
