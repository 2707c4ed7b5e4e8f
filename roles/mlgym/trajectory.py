"""The files that a run of MLGym leaves: ``TASK.traj`` and ``results.json``, read as values.

Only what is used is read; whatever else a file holds is passed over.
"""

import msgspec

from engine.errors import UserError

LARGEST_BYTES = 256 << 20
"""Of one file; the largest published one is far smaller."""


class TrajectoryUnusable(UserError):
    """Raised when a file is no run's record; one sentence says which and why."""


class Step(msgspec.Struct, frozen=True):
    """One executed step."""

    action: str
    """Of the answer; or the exit that MLGym put in the place of one."""
    observation: str | None
    response: str
    """The answer's text; where a limit struck, a sentence of MLGym's in its place."""
    thought: str = ""
    state: str = "{}"
    """The shell's state before the step, as JSON."""
    execution_time: float | None = None
    """Seconds of the environment's side; None where it was not kept."""


class HistoryMessage(msgspec.Struct, frozen=True):
    """One message of the conversation; an answer of the model has what was read from it."""

    role: str
    content: str | None = None
    thought: str | None = None
    action: str | None = None
    is_demo: bool = False


class ModelStats(msgspec.Struct, frozen=True):
    """What the model took, over the whole run; everything is None where the run kept none."""

    task_cost: float | None = None
    tokens_sent: int | None = None
    tokens_received: int | None = None
    api_calls: int | None = None


class Info(msgspec.Struct, frozen=True):
    """How it ended and what it scored."""

    exit_status: str | None = None
    submission: str | None = None
    score: tuple[dict[str, float | None], ...] = ()
    """Every successful validation, then the submission, in order."""
    model_stats: ModelStats = ModelStats()


class Trajectory(msgspec.Struct, frozen=True):
    """One run."""

    trajectory: tuple[Step, ...]
    history: tuple[HistoryMessage, ...] = ()
    info: Info = Info()

    def answers(self) -> tuple[HistoryMessage, ...]:
        """What the model said, demonstrations left out; one more than steps where a step died."""
        return tuple(each for each in self.history if each.role == "assistant" and not each.is_demo)


class Results(msgspec.Struct, frozen=True):
    """``results.json``."""

    agent: tuple[dict[str, float | None], ...] = ()
    baseline: dict[str, float | None] | None = None


_trajectories = msgspec.json.Decoder(Trajectory)
_results = msgspec.json.Decoder(Results)


def read_trajectory(data: bytes, *, where: str) -> Trajectory:
    """A ``.traj`` file.

    Raises:
        TrajectoryUnusable: it is none.
    """
    try:
        return _trajectories.decode(_checked(data, where))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrajectoryUnusable(f"{where} is no trajectory of MLGym: {_short(error)}") from error


def read_results(data: bytes, *, where: str) -> Results:
    """A ``results.json``.

    Raises:
        TrajectoryUnusable: it is none.
    """
    try:
        return _results.decode(_checked(data, where))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrajectoryUnusable(f"{where} holds no results of MLGym: {_short(error)}") from error


def _checked(data: bytes, where: str) -> bytes:
    if len(data) > LARGEST_BYTES:
        raise TrajectoryUnusable(f"{where} has {len(data)} bytes; at most {LARGEST_BYTES} are read")
    return data


def _short(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
