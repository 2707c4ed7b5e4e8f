"""A team as data: who is in it, what drives each, which strategy leads, what was taken away.

Patches on a team (ablations) live with the roles; here are only the values they work on.
"""

from typing import Annotated, Literal, TypeAlias, get_args

import msgspec

from engine.messages import Queue, Topic, Value

PolicyName: TypeAlias = Literal["offline", "vacuous", "model"]
Policy: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=rf"^(?:{'|'.join(get_args(PolicyName))}|[^\0\n]+\.py:[A-Za-z_]\w*)$")
]
"""A `PolicyName`, or ``FILE.py:CLASS``: the user's own code (see `roles.policy_file`)."""
Allowance: TypeAlias = Literal["literature"]
"""``literature``: its members may look up published papers, over the network."""
MailboxPolicy: TypeAlias = Literal["block", "drop-oldest", "latest", "reject"]
FailurePolicy: TypeAlias = Literal["fail", "restart", "continue"]
InterpositionKind: TypeAlias = Literal["mute", "shuffle", "drop", "delay", "blind", "placebo", "topology"]


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One role of a team and its replicas."""

    role: str
    functions: tuple[Queue, ...]
    """What it does: the queues it serves. A merge gives one member the functions of another."""
    policy: Policy = "offline"
    policies: dict[Queue, Policy] = {}
    """Functions driven otherwise than ``policy``."""
    model: str | None = None
    """``provider/name``, where a model drives it; None: the episode's model."""
    answers: Literal["tools", "json"] = "tools"
    """How its model answers: by calling tools, or, where an endpoint knows none, by JSON against a schema."""
    context_tokens: int | None = None
    """Of the conversation that its model is sent, answer aside; None: as the roles say."""
    replicas: int = 1
    mailbox: int = 128
    failure: FailurePolicy = "restart"


class StrategySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The search rule over the research tree, with its settings."""

    kind: str
    settings: dict[str, Value] = {}


class Interposition(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Something done to the copies of messages on a topic; the roles know nothing of it."""

    kind: InterpositionKind
    topic: Topic = Topic("")
    """Whose copies; for ``topology`` none is named, and it is every topic."""
    probability: float = 1.0
    """For ``drop``: of each copy."""
    messages: int = 0
    """For ``delay``: by how many later messages of the topic."""
    role: str = ""
    """For ``blind``: whose copies alone; empty: everybody's."""
    field: str = ""
    """For ``blind``: what arrives blanked (``sender``, or a field of the body); empty: nothing arrives."""
    donor: str = ""
    """For ``placebo``: the artefact (hash) that holds another episode's messages; see `engine.donors`."""
    edges: tuple[tuple[str, str], ...] = ()
    """For ``topology``: (who speaks, who hears it), by role."""


class TeamSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A team: the value that an ablation patches."""

    name: str
    members: tuple[MemberSpec, ...]
    strategy: StrategySpec
    in_flight: int = 1
    """How many nodes of the tree are worked on at once; part of the spec, never taken from the machine."""
    interpositions: tuple[Interposition, ...] = ()
    prompts: dict[str, str] = {}
    """Texts that take the place of the prompts that ship, by name; a team file may name a folder of ``NAME.md`` instead."""
    allow: tuple[Allowance, ...] = ()
    """What is off unless it is named here."""
    arrival_order: bool = False
    """Release results as they arrive; the record is then marked non-deterministic."""
    sources: dict[str, str] = {}
    """SHA-256 (hex) of each file that it names (policies, an agent's files), by absolute path."""
    patches: tuple[str, ...] = ()
    """What was done to the team it came from, in words, in order."""
