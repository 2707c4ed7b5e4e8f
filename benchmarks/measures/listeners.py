"""Who hears what: the subscribers of each topic, read off a team as data."""

from engine.episode import BRIEF
from engine.messages import TOPICS, MemberId, Topic
from engine.team import TeamSpec
from roles.assemble import STRATEGY, policy_of
from roles.catalogue import MODELLED, RULED, SOLO
from roles.strategies import OPINIONATED


def listeners_of(team: TeamSpec) -> dict[Topic, tuple[MemberId, ...]]:
    """Members by the topics that reach them; muted topics reach nobody, and a topology only whom it lets hear.

    What other interposers did to single copies is in the record's decisions, not here.
    """
    heard: dict[Topic, list[MemberId]] = {topic: [] for topic in (BRIEF, *TOPICS)}
    if team.strategy.kind == SOLO:
        heard[BRIEF] = [MemberId(team.members[0].role)]
    else:
        heard[BRIEF] = [STRATEGY]
        for member in team.members:
            topics = dict.fromkeys(OPINIONATED.get(team.strategy.kind, ()))
            for function in member.functions:
                policy = policy_of(member, function)
                kind = MODELLED.get(function) if policy == "model" else RULED.get((function, policy))
                topics |= dict.fromkeys(() if kind is None else kind.topics)
            for replica in range(1, member.replicas + 1):
                name = MemberId(member.role if replica == 1 else f"{member.role}.{replica}")
                for topic in topics:
                    heard.setdefault(topic, []).append(name)
    muted = {each.topic for each in team.interpositions if each.kind == "mute"}
    return {topic: tuple(members) for topic, members in heard.items() if topic not in muted and members}


def lets_pass(team: TeamSpec, sender: str, receiver: str) -> bool:
    """Whether the team's topologies let one role's published words reach another's."""
    pair = (sender.partition(".")[0], receiver.partition(".")[0])
    return all(pair in each.edges for each in team.interpositions if each.kind == "topology")
