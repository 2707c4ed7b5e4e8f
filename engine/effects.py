"""What a member may do to the outside, and what comes back: a closed union of effects and their outcomes.

Member code is deterministic between effects. Each effect is recorded under (member, ordinal) before it starts, and
its outcome before it is used; a rerun is answered from there.
"""

from typing import Literal, TypeAlias

import msgspec

from engine.messages import ArtefactHash
from engine.models.interface import Completion, Message, Settings
from engine.task import Score, Split


class Effect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every effect; the tag is the class's name."""


class ModelCall(Effect, frozen=True, tag=True):
    """A model is asked to continue a conversation."""

    model: str
    conversation: int
    """Which of the member's conversations, from 1."""
    offset: int
    """How many messages of it the record holds already (answers included)."""
    new: tuple[Message, ...]
    """The messages that the record does not hold yet: all that came since."""
    tools: tuple[str, ...] = ()
    """Names of the tools offered."""
    settings: Settings = Settings()


class Command(Effect, frozen=True, tag=True):
    """A program runs in the member's folder of the shared workspace."""

    language: Literal["python", "shell"]
    source: str
    artefact: ArtefactHash | None = None
    """The folder's content is made this artefact's first."""
    wall_seconds: float = 30.0
    keep: bool = False
    """What the folder holds afterwards is kept as an artefact."""


class Evaluation(Effect, frozen=True, tag=True):
    """The judge is asked for a score; one evaluation of the budget where the split is feedback."""

    artefact: ArtefactHash
    split: Split
    seed: int


class ClockReading(Effect, frozen=True, tag=True):
    """A member asks for the time."""


class StatusReading(Effect, frozen=True, tag=True):
    """A member asks what its commands may use, and what is left of the budget."""


class Lookup(Effect, frozen=True, tag=True):
    """A member looks for published papers; only where the team is allowed to."""

    query: str
    most: int


AnyEffect: TypeAlias = ModelCall | Command | Evaluation | ClockReading | StatusReading | Lookup


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every outcome; the tag is the class's name."""


class ModelAnswer(Outcome, frozen=True, tag=True):
    """The model answered."""

    completion: Completion


class CommandOutcome(Outcome, frozen=True, tag=True):
    """The program ended, or was ended."""

    exit_code: int | None
    stdout: str
    """Bounded, undecodable bytes replaced: what agent-written code printed, to be shown and never trusted."""
    stderr: str
    truncated: bool = False
    limit: str | None = None
    """The limit that cut it, if one did."""
    artefact: ArtefactHash | None = None
    """The folder's files afterwards, where they were to be kept and could be (else ``stderr`` says why not)."""


class Scored(Outcome, frozen=True, tag=True):
    """The judge answered."""

    score: Score


class Reading(Outcome, frozen=True, tag=True):
    """Seconds since the episode began."""

    seconds: float


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that commands compute on."""

    name: str
    kind: Literal["cpu", "gpu"]
    count: int = 1
    memory_bytes: int | None = None


class Status(Outcome, frozen=True, tag=True):
    """What commands may use, and what is left of the budget."""

    devices: tuple[Device, ...]
    left: dict[str, float] = {}
    """By axis of the budget; axes without a cap are left out."""


class Paper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A published paper, as a catalogue describes it: untrusted text, bounded."""

    title: str
    year: int | None = None
    authors: tuple[str, ...] = ()
    venue: str = ""
    abstract: str = ""
    citations: int = 0
    identifier: str = ""


class Found(Outcome, frozen=True, tag=True):
    """Papers that were found, best match first."""

    papers: tuple[Paper, ...] = ()


class Failure(Outcome, frozen=True, tag=True):
    """The effect could not be had; the asking member sees an `EffectFailed`."""

    kind: str
    """Name of the error's class."""
    message: str


AnyOutcome: TypeAlias = ModelAnswer | CommandOutcome | Scored | Reading | Status | Found | Failure
