"""What a task is to the engine and to the roles: its card, brief, starter files, move space and scores.

The scorer and every hidden thing stay on the other side of `Judge`.
"""

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

from engine.messages import ArtefactHash, Point, Value

Files: TypeAlias = Mapping[str, bytes]
"""Relative POSIX path to content."""
Split: TypeAlias = Literal["feedback", "final", "held-out"]
ScoringProtocol: TypeAlias = Literal["mlgym", "verified"]
Direction: TypeAlias = Literal["max", "min"]


class TaskCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The facts of a task, as they are listed, reported and recorded."""

    id: str
    title: str
    version: int
    """Raised when scores stop being comparable."""
    metric: str
    direction: Direction
    baseline: float
    """Exact or very precise value of the baseline artefact under ``verified``, final split."""
    mlgym_id: str | None = None
    published_baseline: float | None = None
    """As published for MLGym-Bench (arXiv 2502.14499), on MLGym's own evaluation."""
    best_published: float | None = None
    """Best valid published submission."""
    optimum: float | None = None
    """Exact best reachable score, where known."""
    variant: Literal["published", "harder", "calibration"] = "published"
    feedback_standard_error: float = 0.0
    """Declared standard error of one feedback score under ``verified``."""
    floor: float | None = None
    """What a failed artefact counts as; None: the baseline."""
    has_held_out: bool = False
    """Whether a final is also scored on the split ``held-out`` (for games: other opponents)."""
    mlgym_metric_is_wall_time: bool = False
    summary: str = ""
    source: str = ""


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One axis of a move space."""

    name: str
    choices: tuple[Value, ...] = ()
    """For a categorical axis: its values. Order carries no meaning unless ``ordered``."""
    ordered: bool = False
    low: float | None = None
    high: float | None = None
    """For a numeric axis: inclusive range."""
    integer: bool = False
    log: bool = False
    only_if: dict[str, tuple[Value, ...]] = {}
    """The axis is live only where each named parameter has one of the given values."""
    note: str = ""


class MoveSpace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The declared space that offline policies search: written by people who know the task, frozen by hash."""

    parameters: tuple[Parameter, ...]

    def digest(self) -> str:
        """SHA-256 (hex) of the space's canonical form."""
        import hashlib

        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class Moves(Protocol):
    """A move space together with the code that a point of it stands for."""

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        ...

    def start(self) -> Point:
        """The point that the starter artefact stands for (complete and in the space)."""
        ...

    def write(self, point: Point) -> dict[str, bytes]:
        """The artefact's files for a point: real code, made by parameterised edits of the starter.

        Points in a declared corner may give code that breaks a rule of the task; finding that out is the coder's work.

        Raises:
            engine.errors.BadSpecification: when the point is not in the space.
        """
        ...

    def repair(self, point: Point, problem: str) -> Point | None:
        """The smallest change of a point that may cure what its check printed; None where none is known."""
        ...


class Task(Protocol):
    """What a team may know of a task."""

    @property
    def card(self) -> TaskCard:
        """Its facts."""
        ...

    @property
    def brief(self) -> str:
        """What is asked, in words; the same for every team."""
        ...

    @property
    def starter(self) -> Files:
        """Files a team starts from (a valid artefact)."""
        ...

    @property
    def check(self) -> str:
        """Python source of a quick self-check that a coder may run beside the artefact.

        Exit status 0: keeps the rules; else the last line of its output says what is wrong. It knows the rules, no opponent.
        """
        ...

    @property
    def moves(self) -> Moves | None:
        """The declared move space, where there is one."""
        ...


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that crossed, or tried to cross, the boundary while an artefact was scored."""

    kind: Literal[
        "changed-hash",
        "denied-call",
        "bad-frame",
        "bad-move",
        "early-exit",
        "overrun",
        "exception",
        "output",
        "source",
    ]
    detail: str
    advisory: bool = False
    """True for findings in source text, which prove nothing."""


class Score(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a scorer says of an artefact."""

    value: float | None
    """On the task's metric; None when the artefact earned no score."""
    standard_error: float = 0.0
    """Of ``value``, as an estimate of what the artefact is worth on this split."""
    failure: str = ""
    """Why there is no value, in one sentence; empty when there is one."""
    metrics: dict[str, float] = {}
    """Further deterministic metrics."""
    findings: tuple[Finding, ...] = ()
    scorer_version: int = 1


class Measured(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a clock or a meter said; comparisons of records drop it whole."""

    at: float = 0.0
    """Seconds since the episode began."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    """Spent waiting on a limit; never charged as work."""
    max_rss_bytes: int = 0
    attempts: int = 0
    extra: dict[str, float] = {}


class Judge(Protocol):
    """Scores artefacts of one task under one protocol; nothing of it is in a team's reach."""

    @property
    def outside(self) -> bool:
        """Whether scoring waits on the real world (a process, a network): such a judge cannot run in virtual time."""
        ...

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> tuple[Score, Measured]:
        """The score of an artefact: a function of (artefact, split, scorer version, seed), meters aside.

        A crashing or forbidden artefact is a `Score` without value; a crash of the scorer itself raises.

        Raises:
            engine.errors.EngineError: when scoring could not be done (an infrastructure failure, to be rerun).
        """
        ...
