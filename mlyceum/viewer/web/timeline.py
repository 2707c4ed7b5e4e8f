"""An episode's messages, effects and decisions in one order, as entries of lanes; paged from either end."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from engine.bus import RUNTIME
from engine.effects import (
    ClockReading,
    Command,
    Evaluation,
    Failure,
    Lookup,
    ModelAnswer,
    ModelCall,
    StatusReading,
)
from engine.messages import (
    Dropped,
    Expired,
    Failed,
    Hypothesis,
    MemberId,
    Patch,
    Review,
    RunResult,
    Selection,
)
from mlyceum.plain_text import one_line
from mlyceum.reading import Act, Decision, EpisodeView, Sent
from mlyceum.viewer.web.recordings import Snapshot
from mlyceum.viewer.words import effect_text, message_text

Kind: TypeAlias = Literal["message", "model", "command", "score", "clock", "decision"]
KINDS: tuple[Kind, ...] = ("message", "model", "command", "score", "clock", "decision")
PAGE = 150
MOST_CANDIDATES = 24
TEXT_CHARACTERS = 320


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision considered."""

    name: str
    worth: float


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the timeline."""

    key: str
    """Its address within the episode: ``m-SEQ``, ``c-MEMBER-ORDINAL``, ``d-LINE``."""
    order: int
    """Line of the journal, from 1."""
    kind: Kind
    member: str
    """Who said, did or decided it."""
    to: tuple[str, ...] = ()
    """Lanes of who took it."""
    asked: str = ""
    """The queue that it waits in, while nobody took it."""
    at: float = 0.0
    seconds: float | None = None
    text: str = ""
    tone: Literal["", "good", "bad", "pick", "ask"] = ""
    node: int | None = None
    cause: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    is_open: bool = False
    """Whether it is under way."""
    chosen: str = ""
    rule: str = ""
    candidates: tuple[Candidate, ...] = ()
    """The best ones first."""
    candidates_left_out: int = 0


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries."""

    kinds: tuple[str, ...] = ()
    member: str = ""
    node: int | None = None
    text: str = ""


class TimelinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries in a row."""

    entries: tuple[Entry, ...]
    total: int
    """Entries that the choice leaves."""
    first: int
    """Place of the first one among them, from 0."""
    version: str


def timeline_page(
    snapshot: Snapshot, choice: Choice, *, first: int | None, after: int | None = None, around: str = ""
) -> TimelinePage:
    """A page of entries.

    Args:
        snapshot: the episode.
        choice: which entries.
        first: place of the first entry; None: the last page.
        after: instead: entries of later lines than this one.
        around: instead: the page that has the entry with this key.
    """
    chosen = [item for item in _ordered(snapshot.view) if _is_chosen(item, choice)]
    if around:
        place = next((at for at, item in enumerate(chosen) if _key(item) == around), 0)
        first = max(0, place - PAGE // 2)
    if after is not None:
        later = next((at for at, item in enumerate(chosen) if item.order > after), len(chosen))
        first = later
    if first is None:
        first = max(0, len(chosen) - PAGE)
    lanes = member_lanes(snapshot.view)
    return TimelinePage(
        entries=tuple(_entry(item, lanes) for item in chosen[first : first + PAGE]),
        total=len(chosen),
        first=first,
        version=snapshot.version,
    )


def member_lanes(view: EpisodeView) -> tuple[str, ...]:
    """Everyone who said, took, did or decided something, by first appearance; the runtime has no lane."""
    seen: dict[str, None] = {}
    for item in _ordered(view):
        members = (item.sender, item.receiver) if isinstance(item, Sent) else (item.member,)
        for member in members:
            if member is not None and member != RUNTIME:
                seen[member] = None
    return tuple(seen)


_Item: TypeAlias = Sent | Act | Decision


def _ordered(view: EpisodeView) -> list[_Item]:
    items: list[_Item] = [*view.messages, *view.effects, *view.decisions]
    return sorted(items, key=_order)


def _order(item: _Item) -> int:
    return item.order


def _kind(item: _Item) -> Kind:
    match item:
        case Sent():
            return "message"
        case Decision():
            return "decision"
        case Act(effect=effect):
            match effect:
                case ModelCall():
                    return "model"
                case Command():
                    return "command"
                case Evaluation():
                    return "score"
                case ClockReading() | StatusReading() | Lookup():
                    return "clock"


def _key(item: _Item) -> str:
    match item:
        case Sent(seq=seq):
            return f"m-{seq}"
        case Decision(order=order):
            return f"d-{order}"
        case Act(member=member, ordinal=ordinal):
            return call_key(member, ordinal)


def call_key(member: MemberId, ordinal: int) -> str:
    """The address of an effect within its episode."""
    return f"c-{member}-{ordinal}"


def _is_chosen(item: _Item, choice: Choice) -> bool:
    if choice.kinds and _kind(item) not in choice.kinds:
        return False
    if choice.member:
        members = (item.sender, item.receiver, item.to) if isinstance(item, Sent) else (item.member,)
        if choice.member not in members:
            return False
    if choice.node is not None and (
        not isinstance(item, Sent) or getattr(item.body, "node", None) != choice.node
    ):
        return False
    return not choice.text or choice.text.casefold() in _text(item).casefold()


def _text(item: _Item) -> str:
    match item:
        case Sent(body=body):
            return message_text(body)
        case Act(effect=effect, outcome=outcome):
            return effect_text(effect, outcome)
        case Decision(what=what, chosen=chosen, rule=rule):
            return f"{what}: {one_line(chosen)} by {one_line(rule)}"


def _entry(item: _Item, lanes: Sequence[str]) -> Entry:
    text = one_line(_text(item), TEXT_CHARACTERS)
    match item:
        case Sent():
            everyone = tuple(lane for lane in lanes if lane != item.sender)
            return Entry(
                key=_key(item),
                order=item.order,
                kind="message",
                member=item.sender,
                to=(item.receiver,) if item.receiver is not None else everyone if item.to is None else (),
                asked=str(item.to) if item.to is not None and item.receiver is None else "",
                at=item.at,
                text=text,
                tone=_tone(item),
                node=getattr(item.body, "node", None),
                cause=item.cause,
            )
        case Act():
            answer = item.outcome if isinstance(item.outcome, ModelAnswer) else None
            usage = answer.completion.usage if answer is not None else None
            return Entry(
                key=_key(item),
                order=item.order,
                kind=_kind(item),
                member=item.member,
                at=item.at,
                seconds=item.seconds if item.outcome is not None else None,
                text=text,
                tone="bad" if isinstance(item.outcome, Failure) else "",
                input_tokens=usage.input_tokens if usage is not None else None,
                output_tokens=usage.output_tokens if usage is not None else None,
                cost_usd=answer.completion.cost_usd if answer is not None else None,
                is_open=item.outcome is None,
            )
        case Decision():
            ranked = sorted(item.candidates.items(), key=_worth)
            return Entry(
                key=_key(item),
                order=item.order,
                kind="decision",
                member=item.member,
                text=text,
                tone="pick",
                chosen=one_line(item.chosen, TEXT_CHARACTERS),
                rule=one_line(item.rule, TEXT_CHARACTERS),
                candidates=tuple(
                    Candidate(name=one_line(name, 80), worth=worth)
                    for name, worth in ranked[:MOST_CANDIDATES]
                ),
                candidates_left_out=max(0, len(ranked) - MOST_CANDIDATES),
            )


def _worth(pair: tuple[str, float]) -> float:
    return -pair[1]


_ANSWERS = (Hypothesis, Patch, RunResult, Review)
_TROUBLE = (Dropped, Expired, Failed)


def _tone(sent: Sent) -> Literal["", "good", "bad", "pick", "ask"]:
    if isinstance(sent.body, Selection):
        return "pick"
    if isinstance(sent.body, _TROUBLE):
        return "bad"
    return "good" if isinstance(sent.body, _ANSWERS) else "ask" if sent.to is not None else ""
