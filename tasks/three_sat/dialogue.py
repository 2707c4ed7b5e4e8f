"""Our side of the talk with the isolated heuristic: many searches advance together, a frame for each round.

The other side is `driver.py`, which states the format of the frames. Everything it says is checked here.
"""

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Literal, Protocol

import msgspec
import trio

from engine.errors import EngineDefect, EngineError
from engine.workspace.errors import FrameTooLarge, ProcessEnded
from tasks.three_sat.instances import Instance
from tasks.three_sat.solver import Answer, Fault, Question, Search, Verdict

HeuristicFaultKind = Literal["import", "raised", "exited", "bad-frame"]

TOGETHER = 128
"""Searches that advance together: a round then costs this side 5 ms, and a frame is 20 to 100 KB."""
_BETWEEN_CHECKPOINTS = 32
_LONGEST_DETAIL = 500
_LARGEST_ERROR_FRAME = 10_000
_SPOKEN_KINDS: dict[str, HeuristicFaultKind] = {"import": "import", "raised": "raised"}


_MALFORMED = Fault(kind="malformed-answer", detail="an answer is (variable, bool) or (None, bool)")


class FrameChannel(Protocol):
    """What is needed of the isolated process; `engine.workspace.Process` is one.

    May raise `ProcessEnded` and `FrameTooLarge`.
    """

    async def send_frame(self, data: bytes) -> None:
        """Write the length (4 bytes, big endian) and the data."""
        ...

    async def receive_frame(self, limit_bytes: int) -> bytes:
        """The next frame's data, refused where it is longer than the limit."""
        ...


class HeuristicFault(EngineError):
    """Raised when the agent's heuristic cannot be used any further; the artefact fails as a whole.

    Attributes:
        kind: it could not be imported, raised, ended its process, or sent bytes that are no reply.
        detail: what it said, bounded and printable. Untrusted.
    """

    def __init__(self, kind: HeuristicFaultKind, detail: str) -> None:
        self.kind: HeuristicFaultKind = kind
        self.detail = "".join(c if c.isprintable() else " " for c in detail)[:_LONGEST_DETAIL]
        super().__init__(f"the heuristic failed ({kind}): {self.detail}")


class InstanceResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the search of one formula ended, counted by the solver."""

    verdict: Verdict
    decisions: int
    propagations: int
    conflicts: int
    gave_up: bool
    """Whether the heuristic gave a branch up; if not, an unsatisfiable verdict is a proof."""
    model: tuple[int, ...]
    """True literals that satisfy the formula; empty unless it was found satisfiable."""
    fault: Fault | None


class SolveReport(msgspec.Struct, frozen=True, kw_only=True):
    """The results in the order of the formulas."""

    results: tuple[InstanceResult, ...]

    @property
    def decisions(self) -> int:
        """Sum over all formulas, also those that were capped or ended in a fault."""
        return sum(result.decisions for result in self.results)


async def wait_ready(channel: FrameChannel) -> None:
    """Wait until the agent's code has been imported; CPU time from here on is spent on answers.

    Raises:
        HeuristicFault: when it cannot be imported, or the process ended.
    """
    reply = await _exchange(channel, b"", limit_bytes=_LARGEST_ERROR_FRAME)
    if reply != b"R":
        raise HeuristicFault("bad-frame", "the reply to the first frame is not R")


async def solve_all(
    instances: Sequence[Instance], channel: FrameChannel, *, decision_cap: int, together: int = TOGETHER
) -> SolveReport:
    """Solve all formulas with the heuristic at the other end of the channel.

    Holds the loop for a few milliseconds at a stretch. Waits for as long as the heuristic takes: time limits
    are the caller's. May be called again on the same channel.

    Args:
        instances: formulas, in the order of the results.
        channel: to a running `driver.py`.
        decision_cap: a formula that needs more decisions ends as capped.
        together: formulas that advance together; no result depends on it for a heuristic without memory.

    Raises:
        HeuristicFault: when the heuristic cannot be used any further.
    """
    await trio.lowlevel.checkpoint()
    waiting = (_Open(i, Search(each, decision_cap=decision_cap)) for i, each in enumerate(instances))
    finished: dict[int, InstanceResult] = {}
    slots = list(range(together))
    steps = 0

    async def step(opened: _Open, question: Question | None, next_round: "_Round") -> None:
        nonlocal steps
        if question is None:
            finished[opened.index] = _result(opened.search)
            slots.append(opened.slot)
        else:
            next_round.ask(opened, question)
        steps += 1
        if steps % _BETWEEN_CHECKPOINTS == 0:
            await trio.lowlevel.checkpoint()

    current = _Round()
    while True:
        while slots and (opened := next(waiting, None)):
            opened.slot = slots.pop()
            if question := opened.search.start():
                current.open(opened)
            await step(opened, question, current)
        if not current.asked:
            return SolveReport(results=tuple(finished[index] for index in range(len(instances))))
        limit = max(_LARGEST_ERROR_FRAME, 1 + 8 * len(current.asked))
        reply = await _exchange(channel, current.encode(), limit_bytes=limit)
        following = _Round()
        for opened, answer in zip(current.asked, _decode_answers(reply, len(current.asked)), strict=True):
            await step(opened, opened.search.answer(answer), following)
        current = following


class _Open:
    """A search in progress, and how much of its history the other side has."""

    __slots__ = ("history_sent", "index", "search", "slot")

    def __init__(self, index: int, search: Search) -> None:
        self.index, self.search = index, search
        self.slot = -1
        self.history_sent = 0


class _Round:
    """A request in the making: new searches and questions as flat integers, and whom the answers are for."""

    def __init__(self) -> None:
        self.asked: list[_Open] = []
        self._opened = 0
        self._searches: list[int] = []
        self._questions: list[int] = []

    def open(self, opened: _Open) -> None:
        """Tell the other side of a new formula in this slot."""
        instance = opened.search.instance
        self._opened += 1
        self._searches += (opened.slot, instance.variables, len(instance.clauses))
        self._searches += chain.from_iterable(instance.clauses)

    def ask(self, opened: _Open, question: Question) -> None:
        """Add a question. Of the history only what is new travels; all else is short and travels whole."""
        clauses, trail, conflict_counts, history, level = question
        numbers = self._questions
        numbers += (opened.slot, level, len(clauses))
        numbers += clauses
        numbers.append(len(trail))
        numbers += trail
        numbers += conflict_counts[1:]
        numbers.append(len(history) - opened.history_sent)
        numbers += history[opened.history_sent :]
        opened.history_sent = len(history)
        self.asked.append(opened)

    def encode(self) -> bytes:
        """The request's bytes."""
        return array("i", [self._opened, *self._searches, len(self.asked), *self._questions]).tobytes()


def _result(search: Search) -> InstanceResult:
    if search.verdict is None:
        raise EngineDefect("a search without a question has no verdict")
    return InstanceResult(
        verdict=search.verdict,
        decisions=search.decisions,
        propagations=search.propagations,
        conflicts=search.conflicts,
        gave_up=search.gave_up,
        model=search.model,
        fault=search.fault,
    )


async def _exchange(channel: FrameChannel, request: bytes, *, limit_bytes: int) -> bytes:
    """Send a request and await its reply; an error reply and a broken channel become `HeuristicFault`."""
    try:
        await channel.send_frame(request)
        reply = await channel.receive_frame(limit_bytes)
    except ProcessEnded as error:
        raise HeuristicFault("exited", str(error)) from error
    except FrameTooLarge as error:
        raise HeuristicFault("bad-frame", str(error)) from error
    if reply[:1] != b"E":
        return reply
    kind, _, detail = reply[1:_LARGEST_ERROR_FRAME].decode(errors="replace").partition(":")
    if kind not in _SPOKEN_KINDS:
        raise HeuristicFault("bad-frame", f"an error of unknown kind {kind[:20]!r}")
    raise HeuristicFault(_SPOKEN_KINDS[kind], detail)


def _decode_answers(reply: bytes, asked: int) -> list[Answer | Fault]:
    """One answer for each question.

    Raises:
        HeuristicFault: when the reply is not `asked` pairs of (variable, 0, 1 or 2).
    """
    if reply[:1] != b"A" or len(reply) != 1 + 8 * asked:
        raise HeuristicFault("bad-frame", f"a reply of {len(reply)} bytes is none to {asked} questions")
    numbers = iter(array("i", reply[1:]))
    answers: list[Answer | Fault] = []
    for variable, value in zip(numbers, numbers, strict=True):
        if not 0 <= value <= 2:
            raise HeuristicFault("bad-frame", f"a value of {value} in a reply")
        answers.append(_MALFORMED if value == 2 else (variable or None, value == 1))
    return answers
