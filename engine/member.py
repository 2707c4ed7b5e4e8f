"""What a member's code sees of the engine: messages, effects, its draws and its budget, and nothing else.

A behaviour awaits only the methods of its `Member`. Between two awaits it is plain, deterministic code; what it draws
comes from `Member.rng`. It may be run again from the start, answered from the record, so it keeps its state in itself.
"""

import math
import os
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import trio

from engine.budget import AXES, Scope
from engine.bus import InfrastructureFailed
from engine.effects import (
    AnyEffect,
    AnyOutcome,
    ClockReading,
    Command,
    CommandOutcome,
    Device,
    Evaluation,
    Failure,
    Found,
    Lookup,
    ModelAnswer,
    ModelCall,
    Paper,
    Reading,
    Scored,
    Status,
    StatusReading,
)
from engine.errors import BadSpecification, EngineDefect, EngineError, ModelError, UserError
from engine.fork_point import ForkPoint
from engine.literature import Library, LibraryError
from engine.messages import AnyBody, ArtefactHash, Envelope, MemberId, Queue, Selection, Topic
from engine.models.call_site import CallSite, at_site
from engine.models.errors import ModelCallError, RateLimited, Transient
from engine.models.interface import Completion, Conversation, Message, Model, Settings, Tool
from engine.past import Past
from engine.post import Address, Post
from engine.seeds import Seeds, evaluation_seed, member_stream
from engine.shared_workspace import SharedWorkspace
from engine.store import ArtefactStore
from engine.task import Judge, Measured, Score, Split, Task
from engine.team import TeamSpec
from engine.workspace.errors import FileRefused, InvalidCommand, InvalidPath, WorkspaceFull

MAX_OUTPUT_CHARACTERS = 20_000
"""Of a command's output, in the record and to a member."""


class EffectFailed(EngineError):
    """Raised when an effect could not be had, for a reason that would hold the next time too.

    Attributes:
        kind: the class of the error that was met (``"ContextOverflow"``, ``"Rejected"``).
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A member as it takes part: its address, what it does, and the model that drives it, if one does."""

    address: Address
    role: str
    replica: int
    behave: "Behaviour"
    model: Model | None = None
    library: Library | None = None
    """Where it may look up papers; None: nowhere."""
    then: Address | None = None
    """Where it stands once a fork is passed; None: where it stood."""
    then_model: Model | None = None
    """What drives it then; None: the same as before."""
    joins: bool = False
    """Whether it takes its seat only when the fork is passed."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feedback evaluation of an episode."""

    evaluation: int
    artefact: ArtefactHash
    value: float | None
    standard_error: float = 0.0
    failure: str = ""


class Chosen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which artefact stood after how many feedback evaluations."""

    evaluations: int
    artefact: ArtefactHash


@dataclass(frozen=True, kw_only=True)
class Fork:
    """The fork that an episode began with.

    Attributes:
        point: where, and who did the research until then.
        past: what is on the record until then.
    """

    point: ForkPoint
    past: Past


@dataclass(kw_only=True)
class Surroundings:
    """What the members of one episode share."""

    task: Task
    team: TeamSpec
    seeds: Seeds
    store: ArtefactStore
    judge: Judge
    workspace: SharedWorkspace
    scope: Scope
    starter: ArtefactHash
    fork: Fork | None = None
    episode: str = ""
    """The episode's name."""
    evaluations: int = 0
    """Feedback evaluations dispatched so far; numbers their draws."""
    feedback: list[Feedback] = field(default_factory=list[Feedback])
    standing: list[Chosen] = field(default_factory=list[Chosen])

    def best_feedback(self) -> ArtefactHash | None:
        """The artefact with the best single feedback score so far; the earlier one where two are equal."""
        sign = 1.0 if self.task.card.direction == "max" else -1.0
        scored = [(sign * each.value, each.artefact) for each in self.feedback if each.value is not None]
        return max(scored, key=lambda pair: pair[0])[1] if scored else None


class Member:
    """One member, alive. See the module."""

    def __init__(self, post: Post, seat: Seat, around: Surroundings) -> None:
        self.id: MemberId = seat.address.id
        self.role, self.replica = seat.role, seat.replica
        self.task: Task = around.task
        self.store: ArtefactStore = around.store
        self.model_name: str | None = seat.model.name if seat.model is not None else None
        self._post, self._seat, self._around = post, seat, around
        self.scope = around.scope
        self.fork: Fork | None = around.fork
        self._is_past_fork = self._is_rehearsing = False
        self._draws: dict[str, int] = {}
        self._conversations: list[Conversation] = []
        self._is_step_paid: bool | None = None
        """Of the step that what is done now belongs to; None: everything is a step of its own."""

    @property
    def spec(self) -> TeamSpec:
        """The team; in a fork its origin's, until that is passed."""
        return self._around.team if self.fork is None or self.is_past_fork() else self.fork.point.team

    # -- messages ---------------------------------------------------------------------------------------------------

    async def receive(self) -> Envelope:
        """The next message for this member.

        Raises:
            Deadlock: to the leading member, when nobody can go on.
        """
        return await self._post.receive()

    async def post(
        self,
        body: AnyBody,
        *,
        to: MemberId | Queue | None = None,
        topic: Topic | None = None,
        cause: int = 0,
        deadline_seconds: float | None = None,
    ) -> int:
        """Publish a message and go on; its number is returned.

        With a deadline, an `Expired` comes where no message has answered this one by then.
        """
        if isinstance(body, Selection) and not self._post.is_reliving:
            self._around.standing.append(Chosen(evaluations=self._around.evaluations, artefact=body.artefact))
        return await self._post.post(body, to=to, topic=topic, cause=cause, deadline_seconds=deadline_seconds)

    async def reply(self, request: Envelope, body: AnyBody, *, topic: Topic | None = None) -> int:
        """Answer a message; with a topic, its subscribers get a copy."""
        return await self._post.post(body, to=request.sender, topic=topic, cause=request.seq)

    async def request(
        self, body: AnyBody, *, to: MemberId | Queue, deadline_seconds: float | None = None
    ) -> Envelope:
        """Publish a message and wait for its answer, which may be `Dropped` or `Expired`."""
        return await self._post.request(body, to=to, deadline_seconds=deadline_seconds)

    # -- effects ----------------------------------------------------------------------------------------------------

    async def evaluate(self, artefact: ArtefactHash) -> Score:
        """One feedback score, with fresh draws; costs one evaluation and, like every action, one step.

        Raises:
            BudgetExceeded: when the team has none left.
        """
        around = self._around
        is_new = not self._post.is_reliving
        if is_new:
            self._require_step()
            self.scope.charge("evaluations", 1)
            around.evaluations += 1
        self._charge_step()
        number = around.evaluations
        seed = evaluation_seed(self._seeds(), split="feedback", ordinal=number)
        score = await self._score(artefact, "feedback", seed)
        if is_new:
            around.feedback.append(
                Feedback(
                    evaluation=number,
                    artefact=artefact,
                    value=score.value,
                    standard_error=score.standard_error,
                    failure=score.failure,
                )
            )
        return score

    async def score(self, artefact: ArtefactHash, *, split: Split, seed: int) -> Score:
        """A score on a split of which the team must not know; for the engine's own members."""
        return await self._score(artefact, split, seed)

    async def _score(self, artefact: ArtefactHash, split: Split, seed: int) -> Score:
        async def judge() -> tuple[AnyOutcome, Measured]:
            score, measured = await self._around.judge.score(artefact, split=split, seed=seed)
            return Scored(score=score), measured

        effect = Evaluation(artefact=artefact, split=split, seed=seed)
        outcome = await self._post.perform(effect, judge, sync=True)
        if isinstance(outcome, Scored):
            return outcome.score
        raise self._failed(outcome)

    async def run(
        self,
        source: str,
        *,
        language: Literal["python", "shell"] = "python",
        artefact: ArtefactHash | None = None,
        wall_seconds: float = 30.0,
        keep: bool = False,
    ) -> CommandOutcome:
        """Run a program in this member's folder of the shared workspace.

        Args:
            source: Python source or a shell script.
            language: which.
            artefact: the folder's content is made this artefact's first.
            wall_seconds: after which its process tree is killed.
            keep: whether the folder's files are kept afterwards, as an artefact; bounded.

        Returns:
            How it ended; exit code 126, with the reason in ``stderr``, where it could not be started.
        """
        self._charge_step()
        effect = Command(
            language=language, source=source, artefact=artefact, wall_seconds=wall_seconds, keep=keep
        )

        async def command() -> tuple[AnyOutcome, Measured]:
            files = self.store.get(artefact) if artefact is not None else None
            try:
                result = await self._around.workspace.run(
                    str(self.id), source, language=language, files=files, wall_seconds=wall_seconds
                )
            except (FileRefused, InvalidCommand, InvalidPath, WorkspaceFull) as error:
                # What it has left in its folder stands in the way: its own doing, and the same again in a rerun.
                return CommandOutcome(exit_code=126, stdout="", stderr=str(error)), Measured()
            usage = result.measured
            kept, trouble = await self._kept() if keep else (None, "")
            outcome = CommandOutcome(
                exit_code=result.exit_code,
                stdout=_shown(result.stdout),
                stderr=_shown(result.stderr) + trouble,
                truncated=result.truncated,
                limit=result.limit,
                artefact=kept,
            )
            measured = Measured(
                seconds=usage.wall_seconds, cpu_seconds=usage.cpu_seconds, max_rss_bytes=usage.max_rss_bytes
            )
            return outcome, measured

        outcome = await self._post.perform(effect, command)
        if isinstance(outcome, CommandOutcome):
            return outcome
        raise self._failed(outcome)

    async def _kept(self) -> tuple[ArtefactHash | None, str]:
        """What this member's folder holds, in the store; or why it is not there, to be told to who ran the command."""
        try:
            return self.store.put(await self._around.workspace.collect(str(self.id))), ""
        except (BadSpecification, FileRefused, InvalidPath) as error:
            return None, f"\n(the files in the folder were not kept: {error})"

    async def status(self) -> Status:
        """What commands may use, and what is left of the budget: an effect, and recorded as one."""

        async def read() -> tuple[AnyOutcome, Measured]:
            await trio.lowlevel.checkpoint()
            cpu = Device(
                name="CPU core",
                kind="cpu",
                count=len(os.sched_getaffinity(0)),
                memory_bytes=self._around.workspace.memory_bytes,
            )
            left = {axis: self.scope.left(axis) for axis in AXES}
            return Status(
                devices=(cpu,), left={axis: most for axis, most in left.items() if most < math.inf}
            ), Measured()

        outcome = await self._post.perform(StatusReading(), read)
        if isinstance(outcome, Status):
            return outcome
        raise self._failed(outcome)

    async def look_up(self, query: str, *, most: int = 5) -> tuple[Paper, ...]:
        """Published papers on something, best match first; costs a step.

        Raises:
            EffectFailed: when nobody may look anything up here, or the catalogue refused.
        """
        library = self._seat.library
        if library is None:
            raise EffectFailed(
                "NotAllowed", 'looking up papers is off; `allow = ["literature"]` in the team allows it'
            )
        self._charge_step()

        async def search() -> tuple[AnyOutcome, Measured]:
            try:
                return Found(papers=await library.search(query, most=most)), Measured()
            except LibraryError as error:
                # The research goes on without: a catalogue that is down must not stop an episode.
                return Failure(kind=type(error).__name__, message=str(error)), Measured()

        outcome = await self._post.perform(Lookup(query=query, most=most), search)
        if isinstance(outcome, Found):
            return outcome.papers
        raise self._failed(outcome)

    async def generate(
        self, conversation: Conversation, *, tools: Sequence[Tool] = (), settings: Settings | None = None
    ) -> Completion:
        """Let this member's model continue a conversation.

        A conversation that begins with all of an earlier one is recorded as its continuation: only what is new.

        Raises:
            BudgetExceeded: when the team has no money, tokens or steps left.
            EffectFailed: when the model refused this call for good.
        """
        model, settings = self._model(), settings or Settings()
        if model is None:
            raise UserError(f"{self.id} has no model to drive it; name one with --model provider/name")
        if not self._post.is_reliving:
            self.scope.require("cost_usd", 1e-9)
            self.scope.require("tokens", 1)
        self._charge_step()
        number, known = self._known_part(conversation)
        effect = ModelCall(
            model=model.name,
            conversation=number + 1,
            offset=known,
            new=conversation[known:],
            tools=tuple(tool.name for tool in tools),
            settings=settings,
        )

        async def call() -> tuple[AnyOutcome, Measured]:
            site = CallSite(episode=self._around.episode, member=self.id, ordinal=self._post.ordinal)
            return await _call(at_site(model, site), conversation, tools, settings)

        was_relived = self._post.is_reliving
        outcome = await self._post.perform(effect, call, sync=True)
        if not isinstance(outcome, ModelAnswer):
            self._conversations[number] = conversation
            raise self._failed(outcome)
        completion = outcome.completion
        self._conversations[number] = (*conversation, completion.message)
        if not was_relived:
            usage = completion.usage
            self.scope.record("tokens", usage.input_tokens + usage.output_tokens)
            self.scope.record("cost_usd", completion.cost_usd or 0.0)
        return completion

    async def now(self) -> float:
        """Seconds since the episode began, earlier attempts included: an effect, and recorded as one."""

        async def read() -> tuple[AnyOutcome, Measured]:
            await trio.lowlevel.checkpoint()
            return Reading(seconds=self._post.elapsed), Measured()

        outcome = await self._post.perform(ClockReading(), read)
        if isinstance(outcome, Reading):
            return outcome.seconds
        raise self._failed(outcome)

    @contextmanager
    def one_step(self) -> Generator[None]:
        """Charge all that is done inside as one step: an answer and the action that it asks for, as MLGym counts."""
        outer, self._is_step_paid = self._is_step_paid, False
        try:
            yield
        finally:
            self._is_step_paid = outer

    def _require_step(self) -> None:
        if not self._is_step_paid:
            self.scope.require("steps", 1)

    def _charge_step(self) -> None:
        """Charge a step, unless the one that this belongs to is paid, now or in an earlier life of this member."""
        if self._is_step_paid:
            return
        if not self._post.is_reliving:
            self.scope.charge("steps", 1)
        if self._is_step_paid is False:
            self._is_step_paid = True

    # -- draws and decisions ----------------------------------------------------------------------------------------

    def rng(self, function: str) -> np.random.Generator:
        """A fresh stream for the next decision of a function, keyed by the seeds and never by the team's make-up."""
        ordinal = self._draws[function] = self._draws.get(function, 0) + 1
        return member_stream(self._seeds(), role=function, replica=self.replica, ordinal=ordinal)

    def decide(
        self, what: str, chosen: str, *, rule: str, candidates: Mapping[str, float] | None = None
    ) -> None:
        """Put a decision on the record: what was chosen, by which rule, among which candidates (with their worth)."""
        self._post.decide(what, chosen, rule=rule, candidates=candidates or {})

    # -- forks ------------------------------------------------------------------------------------------------------

    def is_past_fork(self) -> bool:
        """Whether the episode is a fork, and the message at which it leaves its origin has been published."""
        if not self._is_past_fork and self.fork is not None:
            self._is_past_fork = self._post.has_passed(self.fork.point.at)
        return self._is_past_fork

    @contextmanager
    def rehearsing(self, outcomes: Iterable[AnyOutcome]) -> Generator[None]:
        """Do again what another did before the fork, to know what it knew: nothing is recorded, charged or done.

        Raises:
            Divergence: more or fewer effects are asked for than there were.
        """
        conversations, self._is_rehearsing = list(self._conversations), True
        try:
            with self._post.rehearsing(outcomes):
                yield
        finally:
            # The record holds another member's talk under its name: this one tells its own from the beginning.
            self._conversations, self._is_rehearsing = conversations, False

    def _seeds(self) -> Seeds:
        if self.fork is None or (not self._is_rehearsing and self.is_past_fork()):
            return self._around.seeds
        return self.fork.point.seeds

    def _model(self) -> Model | None:
        seat = self._seat
        return seat.then_model if seat.then_model is not None and self.is_past_fork() else seat.model

    # -- inside -----------------------------------------------------------------------------------------------------

    def _known_part(self, conversation: Conversation) -> tuple[int, int]:
        """Which of the conversations so far this one continues, and how many of its messages are known."""
        best = -1
        for number, earlier in enumerate(self._conversations):
            if conversation[: len(earlier)] == earlier and (
                best < 0 or len(earlier) > len(self._conversations[best])
            ):
                best = number
        if best >= 0:
            return best, len(self._conversations[best])
        self._conversations.append(())
        return len(self._conversations) - 1, 0

    def _failed(self, outcome: AnyOutcome) -> EngineError:
        if isinstance(outcome, Failure):
            return EffectFailed(outcome.kind, outcome.message)
        return EngineDefect(f"{self.id} was answered by a {type(outcome).__name__}")


Behaviour: TypeAlias = Callable[[Member], Awaitable[None]]


async def _call(
    model: Model, conversation: tuple[Message, ...], tools: Sequence[Tool], settings: Settings
) -> tuple[AnyOutcome, Measured]:
    try:
        completion, measured = await model.generate(conversation, tools=tools, settings=settings)
    except (RateLimited, Transient):
        raise  # the outside's fault: a rerun tries again
    except ModelError as error:
        # `str` of a call's error also counts attempts, which differ from run to run.
        message = error.message if isinstance(error, ModelCallError) else str(error)
        return Failure(kind=type(error).__name__, message=message), Measured()
    return ModelAnswer(completion=completion), Measured(
        seconds=measured.latency_seconds,
        waited_seconds=measured.waited_seconds,
        attempts=measured.attempts,
        extra={"cached": 1.0} if measured.cached else {},
    )


def _shown(output: bytes) -> str:
    text = output[: 4 * MAX_OUTPUT_CHARACTERS].decode(errors="replace")
    return text if len(text) <= MAX_OUTPUT_CHARACTERS else text[:MAX_OUTPUT_CHARACTERS] + "\n… (cut)"


__all__ = [
    "AnyEffect",
    "Behaviour",
    "EffectFailed",
    "Fork",
    "InfrastructureFailed",
    "Member",
    "Seat",
    "Surroundings",
]
