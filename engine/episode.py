"""One episode: one team, one task, one seed; a function from its specification to a record."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, cast

import msgspec
import trio

from engine.budget import Budget, Scope
from engine.bus import RUNTIME, Bus, Turn
from engine.errors import BadSpecification, BudgetExceeded, Deadlock, Divergence, MemberFailed, RecordDamaged
from engine.fork_point import ForkPoint
from engine.interposers import Counted, Later, make_interposer
from engine.journal import Closed, Decided, Journal, Opened, digest_of
from engine.member import Chosen, Feedback, Fork, Member, Seat, Surroundings
from engine.messages import ArtefactHash, Brief, MemberId, Topic
from engine.past import Past
from engine.post import Address, Post
from engine.seeds import Seeds, evaluation_seed, runtime_stream
from engine.shared_workspace import WorkspacePool
from engine.store import ArtefactStore
from engine.task import Judge, Measured, Score, ScoringProtocol, Split, Task
from engine.team import TeamSpec
from engine.workspace.interface import WorkspaceSpec

BRIEF = Topic("brief")
JUDGE = MemberId("judge")
Ending: TypeAlias = Literal["submitted", "budget", "deadlock", "error"]


class EpisodeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that an episode follows from."""

    task: str
    team: TeamSpec
    seeds: Seeds
    protocol: ScoringProtocol = "verified"
    budget: Budget = Budget(evaluations=20)
    model: str | None = None
    """Drives the members that a model drives and that name none of their own."""
    feedback: dict[str, float] = {}
    """Settings of the scorer's feedback that differ from the task's (for example fewer games)."""
    hashes: dict[str, str] = {}
    """Digests of what the specification names: move space, prompts, environment."""
    fork: ForkPoint | None = None
    """Where it leaves another episode; None: it begins by itself. ``team`` and ``seeds`` are those from then on."""

    @property
    def id(self) -> str:
        """The episode's name: a folder's name, and its key in a study."""
        fork = "" if self.fork is None else f"--fork-{self.fork.spec[:8]}-at-{self.fork.at}"
        seeds = self.seeds
        seed = (
            f"{seeds.team}"
            if seeds.task == seeds.team == seeds.evaluation
            else (f"{seeds.task}-{seeds.team}-{seeds.evaluation}")
        )
        return f"{self.task.replace('@', '.')}--{self.team.name}--seed-{seed}{fork}"

    def digest(self) -> str:
        """SHA-256 (hex) of the specification's canonical form."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """The specification as JSON with sorted keys; what the digest is taken of, and the record's head holds."""
        return msgspec.json.encode(self, order="deterministic")


class EpisodeResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an episode."""

    episode: str
    spec: EpisodeSpec
    outcome: Ending
    reason: str = ""
    selected: ArtefactHash
    """What was handed in: the final selection, or what stood when the episode ended."""
    final: Score
    """Of the selected artefact, on what the team never saw."""
    held_out: Score | None = None
    best_feedback: ArtefactHash | None = None
    """The artefact with the best single feedback score."""
    best_feedback_final: Score | None = None
    feedback: tuple[Feedback, ...] = ()
    standing: tuple[Chosen, ...] = ()
    """What stood when, in order; the anytime curve is made from it."""
    messages: int = 0
    evaluations: int = 0
    spending: dict[str, float] = {}
    deterministic: bool = True
    measured: Measured = Measured()


async def run_episode(
    spec: EpisodeSpec,
    *,
    task: Task,
    seats: Sequence[Seat],
    judge: Judge,
    store: ArtefactStore,
    pool: WorkspacePool,
    folder: Path | None,
    workspace: WorkspaceSpec | None = None,
    parent_scope: Scope | None = None,
) -> EpisodeResult:
    """Run an episode, or go on with it from its record.

    Args:
        spec: what it follows from; its digest heads the record.
        task: what the team may know.
        seats: every member, one of them leading.
        judge: scores artefacts.
        store: keeps artefacts.
        pool: where workspaces are opened, at the first command.
        folder: for the record; None keeps none.
        workspace: how the shared workspace begins; None: empty, default limits.
        parent_scope: the study's budget, charged along.

    Raises:
        BadSpecification: two members, or a member and the engine's judge, cannot be told apart by name.
        InfrastructureFailed: the outside let the engine down; the record stands, and a rerun goes on from it.
        OutputUnusable: the record cannot be written.
        Divergence: the record in ``folder`` is of something else.
        RecordDamaged: the record cannot be read, or that of a fork does not begin as its origin's did.
    """
    if any(seat.address.id == JUDGE for seat in seats) or len({seat.address.id for seat in seats}) < len(
        seats
    ):
        raise BadSpecification("team", f"two members have one name, or one is called {JUDGE!r}; rename it")
    journal = Journal(folder)
    try:
        async with pool.share(workspace or WorkspaceSpec(name=spec.id)) as shared:
            around = Surroundings(
                task=task,
                team=spec.team,
                seeds=spec.seeds,
                store=store,
                judge=judge,
                workspace=shared,
                scope=Scope(f"episode {spec.id}", spec.budget, parent=parent_scope),
                starter=store.put(task.starter),
                fork=_fork(spec, journal, store),
                episode=spec.id,
            )
            return await _Running(spec, journal, around, seats).to_the_end()
    finally:
        journal.close()


class _Running:
    """An episode on its way."""

    def __init__(
        self, spec: EpisodeSpec, journal: Journal, around: Surroundings, seats: Sequence[Seat]
    ) -> None:
        self.spec, self.journal, self.around = spec, journal, around
        self.seats = {seat.address.id: seat for seat in seats}
        # Earlier attempts count, up to the last line that each left on the record.
        self.began = trio.current_time() - journal.last_at
        self.messages = 0

    async def to_the_end(self) -> EpisodeResult:
        spec, journal = self.spec, self.journal
        if journal.replaying:
            _check_head(journal, spec)
        journal.put(
            Opened(
                episode=spec.id,
                spec=spec.digest(),
                seeds=spec.seeds,
                deterministic=not spec.team.arrival_order,
                specification=msgspec.Raw(spec.canonical()),
            )
        )
        outcome, reason = await self._research()
        result = await self._judge_it(outcome, reason)
        journal.put(Closed(outcome=outcome, reason=reason, measured=result.measured))
        journal.flush(sync=True)
        journal.discard_early()
        return result

    async def _research(self) -> tuple[Ending, str]:
        """Let the team work until it hands in, or cannot go on; an episode is scored as it stands."""
        wall = self.spec.budget.wall_seconds
        interposers = _interposers(self.spec, self.around.store)
        bus = Bus(
            [seat.address for seat in self.seats.values() if not seat.joins],
            self.journal,
            interposers=interposers,
            arrival_order=self.spec.team.arrival_order,
            began=self.began,
            until=float("inf") if wall is None else self.began + wall,
            turn=self._turn(),
        )
        bus.publish(RUNTIME, self._brief(), None, BRIEF, 0, None)
        outcome: Ending = "submitted"
        reason = ""
        try:
            await bus.run(self._live)
        except Deadlock as error:
            outcome, reason = "deadlock", str(error)
        except MemberFailed as error:
            outcome = "budget" if isinstance(error.__cause__, BudgetExceeded) else "error"
            reason = str(error)
        if bus.is_out_of_time:
            outcome, reason = "budget", f"the wall time of {wall:g} s was used up"
        self.messages = bus.next_seq - 1
        self._tell_of(interposers)
        return outcome, reason

    def _turn(self) -> Turn | None:
        fork = self.spec.fork
        if fork is None or not any(seat.joins or seat.then is not None for seat in self.seats.values()):
            return None
        return Turn(at=fork.at, addresses=tuple(seat.then or seat.address for seat in self.seats.values()))

    def _tell_of(self, interposers: Sequence[Counted]) -> None:
        """Put down what the interposers did to how many copies: the messages in the record are as they were sent."""
        for asked, did in zip(self.spec.team.interpositions, interposers, strict=True):
            self.journal.put(
                Decided(
                    member=RUNTIME,
                    what="interposition",
                    chosen=" ".join(filter(None, (asked.kind, asked.role, asked.topic, asked.field))),
                    rule="copies of messages that were withheld or changed on their way to subscribers",
                    candidates=did.counts(),
                )
            )

    async def _live(self, post: Post) -> None:
        seat = self.seats[post.address.id]
        await seat.behave(Member(post, seat, self.around))

    def _brief(self) -> Brief:
        card = self.around.task.card
        evaluations = self.spec.budget.evaluations
        return Brief(
            task=self.spec.task,
            text=self.around.task.brief,
            metric=card.metric,
            direction=card.direction,
            baseline=card.baseline,
            starter=self.around.starter,
            evaluations=evaluations if evaluations is not None else 0,
        )

    async def _judge_it(self, outcome: Ending, reason: str) -> EpisodeResult:
        around, spec = self.around, self.spec
        selected = around.standing[-1].artefact if around.standing else around.starter
        best = around.best_feedback()
        scores: dict[tuple[ArtefactHash, Split], Score] = {}
        wanted: list[tuple[ArtefactHash, Split]] = [(selected, "final")]
        if spec.protocol == "verified":
            if around.task.card.has_held_out:
                wanted.append((selected, "held-out"))
            if best is not None and best != selected:
                wanted.append((best, "final"))

        async def judge(post: Post) -> None:
            member = Member(
                post, Seat(address=post.address, role="judge", replica=1, behave=_nothing), around
            )
            for artefact, split in wanted:
                seed = evaluation_seed(spec.seeds, split=split, ordinal=1)
                scores[artefact, split] = await member.score(artefact, split=split, seed=seed)

        await Bus([Address(id=JUDGE, leads=True)], self.journal, began=self.began).run(judge)
        return EpisodeResult(
            episode=spec.id,
            spec=spec,
            outcome=outcome,
            reason=reason,
            selected=selected,
            final=scores[selected, "final"],
            held_out=scores.get((selected, "held-out")),
            best_feedback=best,
            best_feedback_final=scores.get((best, "final")) if best is not None else None,
            feedback=tuple(around.feedback),
            standing=tuple(around.standing),
            messages=self.messages,
            evaluations=around.evaluations,
            spending=around.scope.spending(),
            deterministic=self.journal.deterministic and not spec.team.arrival_order,
            measured=Measured(seconds=round(trio.current_time() - self.began, 3)),
        )


def _interposers(spec: EpisodeSpec, store: ArtefactStore) -> list[Counted]:
    """Those of the team, in order; in a fork its origin's go on, and the others begin after its message."""
    fork = spec.fork
    old = 0 if fork is None else len(fork.team.interpositions)
    made: list[Counted] = []
    for number, each in enumerate(spec.team.interpositions):
        seeds = fork.seeds if fork is not None and number < old else spec.seeds
        inner = make_interposer(each, runtime_stream(seeds, f"interposer {number}"), store)
        made.append(Counted(inner if fork is None or number < old else Later(inner, after=fork.at)))
    return made


def _fork(spec: EpisodeSpec, journal: Journal, store: ArtefactStore) -> Fork | None:
    """What a fork needs of its past; its record must begin with it.

    Raises:
        RecordDamaged: it does not.
        BadSpecification: the team has lost an interposition that its origin has.
    """
    point = spec.fork
    if point is None:
        return None
    records = journal.until(point.at)
    if digest_of(records) != point.record:
        raise RecordDamaged(
            f"{journal.name}: the record of a fork begins with its origin's up to message {point.at}, and this "
            "does not; remove the episode's folder and fork again"
        )
    kept = len(point.team.interpositions)
    if spec.team.interpositions[:kept] != point.team.interpositions:
        raise BadSpecification("fork", "interpositions of the origin go on; only others can be added")
    origin = msgspec.structs.replace(spec, team=point.team, seeds=point.seeds, fork=None)
    return Fork(point=point, past=Past(records, lambda: _interposers(origin, store)))


def _check_head(journal: Journal, spec: EpisodeSpec) -> None:
    """Refuse to go on with the record of another specification.

    Raises:
        Divergence: naming what differs.
        RecordDamaged: when the record does not begin with a head.
    """
    head = journal.opened()
    if head is None:
        raise RecordDamaged(
            f"{journal.name}: its first line is no head; restore it, or remove the episode's folder"
        )
    if head.spec != spec.digest():
        recorded, now = _difference(bytes(head.specification), spec.canonical())
        raise Divergence(journal.name, recorded=recorded, now=now)


def _difference(recorded: bytes, now: bytes) -> tuple[str, str]:
    """Where two canonical specifications differ first, by the path of the field."""
    try:
        return _first_difference(msgspec.json.decode(recorded), msgspec.json.decode(now), "")
    except msgspec.DecodeError:
        return "another specification, which it does not hold", "this one"


def _first_difference(old: object, new: object, path: str) -> tuple[str, str]:
    before, after = _parts(old), _parts(new)
    if before is not None and after is not None:
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                return _first_difference(
                    before.get(name), after.get(name), f"{path}.{name}" if path else name
                )
    return f"{path} {_value(old)}", f"{path} {_value(new)}"


def _parts(value: object) -> dict[str, object] | None:
    if isinstance(value, dict):
        return cast("dict[str, object]", value)
    if isinstance(value, list):
        return {str(place): each for place, each in enumerate(cast("list[object]", value))}
    return None


def _value(value: object) -> str:
    return "left out" if value is None else msgspec.json.encode(value).decode()


async def _nothing(_member: Member) -> None:
    await trio.lowlevel.checkpoint()
