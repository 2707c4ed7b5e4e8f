"""A fork's members: who did the research until a message, who does from then on, and how one hands over to the other.

Members that nothing was done to go on as they are. Where a policy, a function or a strategy changes, the new one takes
over when its member takes its next message; what is being answered at the fork is answered by the one who began. The
new one knows what could be known in its place:

- the same policy in another member (a merge) *rehearses*: it answers again what its predecessor had answered, from the
  record, and so has its state;
- another policy, or a further replica, is *briefed*: it hears what was published on the topics that it watches;
- another strategy has heard of every node since the first, and has decided nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, EngineError
from engine.fork_point import ForkPoint
from engine.member import Behaviour, Member, Seat
from engine.messages import AnyBody, Envelope, MemberId, Queue, Topic
from engine.models.interface import Model
from engine.past import Past, Served
from engine.task import Task
from engine.team import MemberSpec, TeamSpec
from roles.assemble import assemble, make_functions, policy_of
from roles.functions import Function, serve_one, topic_of
from roles.strategies import OPINIONATED, SOLO, make_rule
from roles.strategies.lead import lead
from roles.voices import Outspoken

Models = Mapping[str, Model] | Model | None


def assemble_episode(
    spec: EpisodeSpec, task: Task, models: Models = None, *, models_before: Models = None
) -> tuple[Seat, ...]:
    """Every member of an episode, the leading one first; for a fork, those before and after it.

    Args:
        spec: the episode.
        task: what it is about.
        models: see `roles.assemble.assemble`.
        models_before: for a fork, those of its origin's team; None: the same.

    Raises:
        BadSpecification, UnknownName, UserError: as `roles.assemble.assemble`; and for a fork, where another member
            would lead, or a lone member would have to hand over.
    """
    if spec.fork is None:
        return assemble(spec.team, task, models)
    return assemble_fork(
        spec.fork, spec.team, task, models, models_before=models if models_before is None else models_before
    )


def assemble_fork(
    point: ForkPoint, team: TeamSpec, task: Task, models: Models = None, *, models_before: Models = None
) -> tuple[Seat, ...]:
    """The members of a fork: those of its origin first, then those that join. See `assemble_episode`."""
    check_fork(point.team, team)
    before = {seat.address.id: seat for seat in assemble(point.team, task, models_before)}
    after = {seat.address.id: seat for seat in assemble(team, task, models)}
    change = _Change(before=point.team, after=team)
    seats = [change.through(seat, after.get(member)) for member, seat in before.items()]
    return (*seats, *(change.joining(seat) for member, seat in after.items() if member not in before))


def check_fork(before: TeamSpec, after: TeamSpec) -> None:
    """Refuse a change of team that no fork can make.

    Raises:
        BadSpecification: saying which.
    """
    if (before.strategy.kind == SOLO) != (after.strategy.kind == SOLO):
        raise BadSpecification(
            "fork", f"{before.name} and {after.name} are led by different members; fork to a team led alike"
        )
    if before.strategy.kind == SOLO and not _is_alike(before.members[0], after.members[0]):
        raise BadSpecification(
            "fork",
            "a lone member hands over to nobody; only its model, its topics' copies or its draws can change",
        )
    if before.arrival_order != after.arrival_order or before.in_flight != after.in_flight:
        raise BadSpecification(
            "fork", "in_flight and arrival_order are a run's from its beginning; leave them"
        )


@dataclass(frozen=True, kw_only=True)
class _Change:
    """From one team to another."""

    before: TeamSpec
    after: TeamSpec

    def through(self, old: Seat, new: Seat | None) -> Seat:
        """The seat of a member of the origin."""
        if new is None:
            # It finishes what it has begun, and then nothing more comes to it.
            return replace(old, then=replace(old.address, queues=(), topics=()))
        seat = old if new.model is None or new.model is old.model else replace(old, then_model=new.model)
        if old.address.leads:
            is_same = self.before.strategy == self.after.strategy
            return (
                seat
                if is_same
                else replace(
                    seat,
                    behave=lead(
                        partial(make_rule, self.before.strategy), partial(make_rule, self.after.strategy)
                    ),
                )
            )
        was, then = _spec_of(self.before, old.role), _spec_of(self.after, new.role)
        if _is_alike(was, then) and _voices(self.before) == _voices(self.after):
            return seat
        return replace(seat, behave=self._serve_on(was, then), then=new.address)

    def joining(self, new: Seat) -> Seat:
        """The seat of a member that the origin does not have."""
        behave = self._serve_on(None, _spec_of(self.after, new.role))
        return replace(new, behave=behave, joins=True)

    def _serve_on(self, was: MemberSpec | None, then: MemberSpec) -> Behaviour:
        kept = {q for q in then.functions if was is not None and _drives_alike(was, then, q)}
        moved: dict[Queue, Predecessor] = {}
        for holder in self.before.members:
            rest = next((m.functions for m in self.after.members if m.role == holder.role), ())
            for queue in set(holder.functions) & set(then.functions) - set(rest):
                is_alike = _drives_alike(holder, then, queue)
                moved[queue] = Predecessor(member=MemberId(holder.role), is_alike=is_alike)
        return serve_on(was, then, kept=frozenset(kept), moved=moved)


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """Who had a function before it came to another member, and whether it did it by the same policy."""

    member: MemberId
    is_alike: bool


def serve_on(
    was: MemberSpec | None, then: MemberSpec, *, kept: frozenset[Queue], moved: Mapping[Queue, Predecessor]
) -> Behaviour:
    """The behaviour of a member that is another from a fork on.

    Args:
        was: what it is until then; None for one that joins.
        then: what it is from then on.
        kept: functions that it goes on with as they are.
        moved: functions that it has from another member, and from whom.
    """

    async def behave(member: Member) -> None:
        functions: Mapping[Queue, Function] = {}
        if was is not None:
            functions = {function.queue: function for function in make_functions(was, member)}
        said: list[tuple[AnyBody, Topic | None]] = []
        envelope = await member.receive()
        while not member.is_past_fork():
            answer = await serve_one(member, functions, envelope)
            if answer is not None:
                said.append((answer, topic_of(Queue(str(envelope.to)), answer)))
            envelope = await member.receive()
        functions = await _succeed(member, functions, then, kept=kept, moved=moved)
        # What was being answered at the fork is not among what the record has of the time before it.
        for body, topic in said:
            for queue, function in functions.items():
                if queue not in kept and topic in function.topics:
                    function.observe(body)
        while True:
            await serve_one(member, functions, envelope)
            envelope = await member.receive()

    return behave


async def _succeed(
    member: Member,
    functions: Mapping[Queue, Function],
    then: MemberSpec,
    *,
    kept: frozenset[Queue],
    moved: Mapping[Queue, Predecessor],
) -> Mapping[Queue, Function]:
    """The functions of a member from the fork on, each knowing what it can know."""
    assert member.fork is not None  # only forks come here
    past = member.fork.past
    fresh = {function.queue: function for function in make_functions(then, member)}
    taken = {queue: functions[queue] if queue in kept else new for queue, new in fresh.items()}
    for queue in [queue for queue in taken if queue in kept]:
        new = fresh[queue]
        if isinstance(new, Outspoken) and not isinstance(functions[queue], Outspoken):
            taken[queue] = new.speaking_for(functions[queue])
            member.decide("handover", f"{queue} (voice)", rule=_brief(member, taken[queue], past))
    for queue in [queue for queue in taken if queue not in kept]:
        before = moved.get(queue)
        how = ""
        if before is not None and before.is_alike:
            how = await _rehearse(member, taken[queue], before.member, past)
            if not how:
                taken[queue] = next(f for f in make_functions(then, member) if f.queue == queue)
        elif before is not None:
            for _ in past.served(before.member, queue):
                member.rng(str(queue))  # its draws go on where its predecessor's ended
        member.decide(
            "handover",
            f"{queue} ({policy_of(then, queue)})",
            rule=how or _brief(member, taken[queue], past),
        )
    return taken


async def _rehearse(member: Member, function: Function, predecessor: MemberId, past: Past) -> str:
    """Let a function come to its predecessor's state; how, in words, or nothing where it does not come out the same."""
    served = past.served(predecessor, function.queue)
    answered = {each.request.seq for each in served}
    events: list[tuple[int, Envelope | Served]] = [(each.request.seq, each) for each in served]
    events += [
        (heard.seq, heard)
        for heard in past.heard(predecessor, function.topics)
        if not (heard.sender == predecessor and heard.cause in answered)
    ]
    for _, event in sorted(events, key=lambda pair: pair[0]):
        if isinstance(event, Envelope):
            function.observe(event.body)
            continue
        try:
            with member.rehearsing(event.outcomes):
                answer = await function.answer(event.request)
        except EngineError:
            return ""
        if answer != event.answer:
            return ""
        if topic_of(function.queue, answer) in function.topics:
            function.observe(answer)
    return f"rehearsed {len(served)} requests that {predecessor} had answered"


def _brief(member: Member, function: Function, past: Past) -> str:
    heard = past.heard(member.id, function.topics)
    for envelope in heard:
        function.observe(envelope.body)
    return f"briefed with {len(heard)} messages published before the fork"


def _voices(team: TeamSpec) -> tuple[Topic, ...]:
    """What everybody hears so as to have an opinion, where the strategy asks for it."""
    return OPINIONATED.get(team.strategy.kind, ())


def _spec_of(team: TeamSpec, role: str) -> MemberSpec:
    return next(member for member in team.members if member.role == role)


def _drives_alike(one: MemberSpec, other: MemberSpec, function: Queue) -> bool:
    """Whether two members do a function in the same way; which model drives it aside."""
    both = function in one.functions and function in other.functions
    return both and policy_of(one, function) == policy_of(other, function)


def _is_alike(one: MemberSpec, other: MemberSpec) -> bool:
    """Whether two members do the same in the same way; models and replicas aside."""
    return one.functions == other.functions and all(_drives_alike(one, other, q) for q in one.functions)


__all__ = ["assemble_episode", "assemble_fork", "check_fork", "serve_on"]
