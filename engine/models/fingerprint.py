"""What a call asks, as a hash: equal requests have equal hashes, in this version and in later ones.

Fields that say nothing (None, empty, false) are left out before hashing, so that a field which a later version adds
to a message changes no hash of a message that does not use it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec

from engine.models.interface import Conversation, Message, Settings, Tool

_encoder = msgspec.json.Encoder(order="sorted")


def fingerprint(*parts: object) -> str:
    """SHA-256 (hex) of structs and plain values, in order."""
    whole = hashlib.sha256()
    for part in parts:
        encoded = _encoder.encode(_said(msgspec.to_builtins(part)))
        whole.update(b"%d:" % len(encoded) + encoded)
    return whole.hexdigest()


def request_fingerprint(conversation: Conversation, *, tools: Iterable[str], settings: Settings) -> str:
    """Of what a record holds of a request: tools by their names."""
    return fingerprint(conversation, sorted(tools), settings)


def prefix_fingerprints(conversation: Conversation) -> list[str]:
    """Of each beginning of a conversation, from no message to all: a chain, so that it is made in one pass."""
    chain = [fingerprint()]
    for message in conversation:
        chain.append(fingerprint(chain[-1], message))
    return chain


def first_difference(
    recorded: tuple[Conversation, Sequence[str], Settings], now: tuple[Conversation, Sequence[Tool], Settings]
) -> tuple[str, str]:
    """What a record and a request differ in first, in a few words each; for people."""
    (known, known_tools, known_settings), (asked, tools, settings) = recorded, now
    for place, (before, after) in enumerate(zip(known, asked, strict=False), start=1):
        if before != after:
            return _about(place, before, after)
    if len(known) != len(asked):
        return _count(known), _count(asked)
    if sorted(known_tools) != sorted(tool.name for tool in tools):
        return f"tools {sorted(known_tools)}", f"tools {sorted(tool.name for tool in tools)}"
    if known_settings != settings:
        return f"settings {_text(known_settings)}", f"settings {_text(settings)}"
    return "a request that is not kept whole (a key was redacted in it)", "another request"


def _about(place: int, before: Message, after: Message) -> tuple[str, str]:
    old, new = _text(before), _text(after)
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    begin = max(0, same - 60) if same > 120 else 0
    cut = "…" if begin else ""
    return f"message {place} {cut}{old[begin:]}", f"message {place} {cut}{new[begin:]}"


def _count(conversation: Conversation) -> str:
    last = f", the last {_text(conversation[-1])}" if conversation else ""
    return f"{len(conversation)} messages{last}"


def _text(value: msgspec.Struct) -> str:
    return _encoder.encode(value).decode()


def _said(value: object) -> object:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        kept = {name: _said(each) for name, each in fields.items()}
        return {
            name: each for name, each in kept.items() if each not in (None, "", [], {}) and each is not False
        }
    if isinstance(value, list | tuple):
        return [_said(each) for each in cast("Sequence[object]", value)]
    return value
