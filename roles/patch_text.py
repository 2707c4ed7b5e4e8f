"""Patches as lines of text: what a user writes, read strictly and written back as it was meant."""

import re
from collections.abc import Sequence
from typing import assert_never

import msgspec

from engine.blinding import check_blankable
from engine.errors import BadSpecification, UnknownName
from engine.messages import TOPICS, Topic, Value
from engine.team import Policy, PolicyName
from roles.catalogue import ROLES
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
from roles.policy_file import is_file_policy
from roles.strategies import SOLO, STRATEGIES

POLICIES: tuple[PolicyName, ...] = ("offline", "vacuous", "model")
GRAMMAR = (
    "remove ROLE vacuous",
    "remove ROLE absorbed:ROLE",
    "merge ROLE into ROLE",
    "replace ROLE [with] POLICY|FILE.py:CLASS [PROVIDER/MODEL]",
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
        case ["replace", role, "with", *rest] if rest:
            return parse_patch(" ".join(["replace", role, *rest]))
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


def _policy(name: str) -> Policy:
    if name in POLICIES or is_file_policy(name):
        return name
    raise UnknownName("policy", name, POLICIES)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d*\.?\d+(e-?\d+)?", text))
