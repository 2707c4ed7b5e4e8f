"""Which team a command asks for: a name or file, the models that drive it, and what is taken away from it."""

from collections.abc import Sequence

import msgspec

from benchmarks.studies.donors import settled
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification
from engine.team import MemberSpec, TeamSpec
from roles import apply, open_team, parse_patch, parse_without
from roles.ablation import Replace
from roles.catalogue import ROLES


class Drivers(msgspec.Struct, frozen=True, kw_only=True):
    """Which models drive a team."""

    whole: str | None = None
    """``provider/name``, for every role, or, in a team that names some roles as driven by a model, for those."""
    roles: tuple[tuple[str, str], ...] = ()
    """(role, ``provider/name``)."""


def parse_drivers(texts: Sequence[str]) -> Drivers:
    """What ``--model`` takes: ``provider/name`` once, and ``ROLE=provider/name`` for single roles.

    Raises:
        BadSpecification: for a name without provider, or two models for one thing.
    """
    whole: str | None = None
    roles: dict[str, str] = {}
    for text in texts:
        role, is_for_role, name = text.rpartition("=") if text.partition("=")[0] in ROLES else ("", "", text)
        if "/" not in name or name.startswith("/") or name.endswith("/"):
            raise BadSpecification("--model", f"{name!r} is no model; write it as provider/name")
        if is_for_role and role not in roles:
            roles[role] = name
        elif not is_for_role and whole is None:
            whole = name
        else:
            raise BadSpecification("--model", f"two models for {role or 'the team'}; give one")
    return Drivers(whole=whole, roles=tuple(roles.items()))


def make_team(
    name_or_file: str, *, drivers: Drivers, without: Sequence[str] = (), patches: Sequence[str] = ()
) -> TeamSpec:
    """The team, driven as asked for, then patched.

    Raises:
        UnknownName: no such team, role, policy or topic.
        BadSpecification: a team file or a patch that does not say what it must.
    """
    team = drive(open_team(name_or_file), drivers)
    for text in without:
        team = apply(team, parse_without(text))
    for text in patches:
        team = apply(team, parse_patch(settled(text)))
    return team


def drive(team: TeamSpec, drivers: Drivers) -> TeamSpec:
    """The team, driven by models as asked for.

    Raises:
        BadSpecification: it has no member of a role that is given a model.
    """
    if drivers.whole is not None and not is_driven_by_model(team):
        team = msgspec.structs.replace(
            team,
            name=f"{team.name}.model",
            members=tuple(_handed_to_model(member) for member in team.members),
            patches=(*team.patches, "a model drives what offline policies drove"),
        )
    for role, model in drivers.roles:
        team = apply(team, Replace(role=role, policy="model", model=model))
    return team


def lacks_model(team: TeamSpec) -> bool:
    """Whether a model drives a member that names none."""
    return any(
        member.model is None and is_driven_by_model(msgspec.structs.replace(team, members=(member,)))
        for member in team.members
    )


def is_driven_by_model(team: TeamSpec) -> bool:
    """Whether a model drives any function of any member."""
    return any(_has_model(member) for member in team.members)


def models_of(spec: EpisodeSpec) -> frozenset[str]:
    """Every model that an episode may call."""
    before = () if spec.fork is None else spec.fork.team.members
    modelled = [member for member in (*before, *spec.team.members) if _has_model(member)]
    own = {member.model for member in modelled if member.model is not None}
    return frozenset(own | ({spec.model} if spec.model is not None and modelled else set[str]()))


def _handed_to_model(member: MemberSpec) -> MemberSpec:
    """What an offline policy drove a model drives; what is vacuous stays so."""
    policies = {
        function: "model" if policy == "offline" else policy for function, policy in member.policies.items()
    }
    policy = "model" if member.policy == "offline" else member.policy
    return msgspec.structs.replace(member, policy=policy, policies=policies)


def _has_model(member: MemberSpec) -> bool:
    return any(member.policies.get(function, member.policy) == "model" for function in member.functions)
