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


class Evaluation(Effect, frozen=True, tag=True):
    """The judge is asked for a score; one evaluation of the budget where the split is feedback."""

    artefact: ArtefactHash
    split: Split
    seed: int


class ClockReading(Effect, frozen=True, tag=True):
    """A member asks for the time."""


AnyEffect: TypeAlias = ModelCall | Command | Evaluation | ClockReading


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


class Scored(Outcome, frozen=True, tag=True):
    """The judge answered."""

    score: Score


class Reading(Outcome, frozen=True, tag=True):
    """Seconds since the episode began."""

    seconds: float


class Failure(Outcome, frozen=True, tag=True):
    """The effect could not be had; the asking member sees an `EffectFailed`."""

    kind: str
    """Name of the error's class."""
    message: str


AnyOutcome: TypeAlias = ModelAnswer | CommandOutcome | Scored | Reading | Failure
