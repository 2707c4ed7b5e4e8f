"""Ablations as data: applying a patch to a team gives another team, and says so."""

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import assert_never

import msgspec

from engine.errors import BadSpecification
from engine.messages import Queue
from engine.team import Interposition, MemberSpec, Policy, StrategySpec, TeamSpec
from roles.catalogue import ROLES
from roles.patch_text import GRAMMAR, describe, parse_patch, parse_without
from roles.patches import (
    Blind,
    Duplicate,
    Interpose,
    Merge,
    Patch,
    Placebo,
    Remove,
    Replace,
    Rewire,
    Strategy,
    SwapModel,
)
from roles.policy_file import settle_policies, short_name
from roles.team import check_team

LONGEST_NAME = 100


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
            mark = f"{role}-{short_name(policy)}" + (f"-{model}" if model else "")
            patched = settle_policies(_replaced(team, role, policy, model), Path())
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


def _replaced(team: TeamSpec, role: str, policy: Policy, model: str | None) -> TeamSpec:
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


def _driven(member: MemberSpec, functions: set[Queue], policy: Policy) -> MemberSpec:
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


__all__ = [
    "GRAMMAR",
    "Blind",
    "Duplicate",
    "Interpose",
    "Merge",
    "Patch",
    "Placebo",
    "Remove",
    "Replace",
    "Rewire",
    "Strategy",
    "SwapModel",
    "apply",
    "describe",
    "parse_patch",
    "parse_without",
]
