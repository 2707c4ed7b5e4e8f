"""From a team as data to members that can take their seats."""

from collections.abc import Mapping, Sequence
from functools import partial

from engine.episode import BRIEF
from engine.errors import BadSpecification, UserError
from engine.literature import Library, SemanticScholar
from engine.member import Behaviour, Member, Seat
from engine.messages import NOTES, MemberId, Queue, Topic
from engine.models.interface import Model
from engine.post import Address
from engine.task import Task
from engine.team import MemberSpec, TeamSpec
from roles.catalogue import MODELLED, ROLE_OF, RULED
from roles.functions import Function, serve
from roles.mlgym import MLGYM
from roles.mlgym.agent import mlgym_agent
from roles.mlgym.settings import settings_from
from roles.model.desk import Desk
from roles.model.solo import model_solo
from roles.model.talk import Talk
from roles.policy_file import is_file_policy, load_policies, loaded_policy
from roles.solo import solo
from roles.strategies import OPINIONATED, SOLO, make_rule
from roles.strategies.lead import lead
from roles.team import check_team
from roles.voices import Board, Outspoken, make_voice

STRATEGY = MemberId("strategy")


def assemble(
    spec: TeamSpec, task: Task, models: Mapping[str, Model] | Model | None = None
) -> tuple[Seat, ...]:
    """Every member of a team, the leading one first.

    Args:
        spec: the team.
        task: what it will work on; a team without a model needs the task's declared moves.
        models: drives the members with the policy ``model``: one for all, or by ``provider/name`` (what a member's
            ``model`` names) or by role.

    Raises:
        UnknownName: for a role, a function or a strategy that does not exist.
        BadSpecification: for a team that cannot work: a function that nobody has, a setting out of range.
        UserError: where a model is needed and none was given.
    """
    check_team(spec)
    load_policies(spec)
    if task.moves is None and not _has_model(spec):
        raise UserError(
            f"task {task.card.id} declares no moves, so that only a team with a model can work on it; give --model"
        )
    if spec.strategy.kind in (SOLO, MLGYM):
        return (_solo_seat(spec, models),)
    rule = partial(make_rule, spec.strategy)
    rule()  # a bad setting is the user's, and is said before anything starts
    address = Address(id=STRATEGY, topics=(BRIEF,), leads=True)
    seats = [Seat(address=address, role="strategy", replica=1, behave=lead(rule))]
    for member in spec.members:
        seats += [_seat(spec, member, replica, models) for replica in range(1, member.replicas + 1)]
    return tuple(seats)


def policy_of(member: MemberSpec, function: Queue) -> str:
    """What drives a function of a member."""
    return member.policies.get(function, member.policy)


def _seat(
    team: TeamSpec, member: MemberSpec, replica: int, models: Mapping[str, Model] | Model | None
) -> Seat:
    needs_model = any(policy_of(member, function) == "model" for function in member.functions)
    address = Address(
        id=_name(member.role, replica),
        queues=member.functions,
        topics=_topics(team, member),
        capacity=member.mailbox,
        failure=member.failure,
    )
    return Seat(
        address=address,
        role=member.role,
        replica=replica,
        behave=serve(partial(make_functions, member)),
        model=_model_for(member, models) if needs_model else None,
        library=_library(team) if needs_model else None,
    )


def _solo_seat(team: TeamSpec, models: Mapping[str, Model] | Model | None) -> Seat:
    member = team.members[0]
    is_modelled = member.policy == "model"
    behave: Behaviour = model_solo() if is_modelled else solo()
    if team.strategy.kind == MLGYM:
        behave = mlgym_agent(settings_from(team.strategy.settings))
    address = Address(
        id=MemberId(member.role), topics=(BRIEF,), capacity=member.mailbox, failure=member.failure, leads=True
    )
    model = _model_for(member, models) if is_modelled else None
    library = _library(team) if is_modelled else None
    return Seat(address=address, role=member.role, replica=1, behave=behave, model=model, library=library)


def make_functions(spec: MemberSpec, member: Member) -> Sequence[Function]:
    """A member's functions with empty memories; those that a model drives share one conversation."""
    modelled = [function for function in spec.functions if policy_of(spec, function) == "model"]
    talk = Talk(member, ["team", *(ROLE_OF[function] for function in modelled)]) if modelled else None
    made: list[Function] = []
    for function in spec.functions:
        policy = policy_of(spec, function)
        if policy == "model":
            assert talk is not None  # made where any function needs it
            made.append(MODELLED[function].make(member, talk))
        elif is_file_policy(policy):
            made.append(loaded_policy(policy).make(member))
        else:
            made.append(RULED[function, policy].make(member))
    topics = OPINIONATED.get(member.spec.strategy.kind)
    if topics is not None:
        board = Board(member.task)
        made = [
            Outspoken(each, make_voice(member, each.queue, policy_of(spec, each.queue), board, talk), topics)
            for each in made
        ]
    return [*made, Desk(talk)] if talk is not None else made


def _topics(team: TeamSpec, member: MemberSpec) -> tuple[Topic, ...]:
    """What any of its functions watches, and what it must hear to have an opinion where one is asked for; each once."""
    watched: dict[Topic, None] = {}
    for function in member.functions:
        policy = policy_of(member, function)
        if is_file_policy(policy):
            watched |= dict.fromkeys(loaded_policy(policy).topics)
            continue
        kind = MODELLED[function] if policy == "model" else RULED[function, policy]
        watched |= dict.fromkeys(kind.topics)
    is_modelled = any(policy_of(member, function) == "model" for function in member.functions)
    notes = (NOTES,) if is_modelled else ()
    return tuple(watched | dict.fromkeys((*OPINIONATED.get(team.strategy.kind, ()), *notes)))


def _library(team: TeamSpec) -> Library | None:
    return SemanticScholar.from_environment() if "literature" in team.allow else None


def _name(role: str, replica: int) -> MemberId:
    return MemberId(role if replica == 1 else f"{role}.{replica}")


def _has_model(spec: TeamSpec) -> bool:
    return any(
        policy_of(member, function) == "model" for member in spec.members for function in member.functions
    )


def _model_for(member: MemberSpec, models: Mapping[str, Model] | Model | None) -> Model:
    if models is None or (isinstance(models, Mapping) and not models):
        raise UserError(
            f"the {member.role} is driven by a model and none was given; name one with --model provider/name"
        )
    if not isinstance(models, Mapping):
        return models
    if member.model is not None:
        if member.model in models:
            return models[member.model]
        raise BadSpecification(
            f"member {member.role}", f"model {member.model!r} is not among {', '.join(sorted(models))}"
        )
    if member.role in models:
        return models[member.role]
    if len(models) == 1:
        return next(iter(models.values()))
    raise BadSpecification(
        f"member {member.role}", f"which model drives it? Give `model`, one of {', '.join(sorted(models))}"
    )
