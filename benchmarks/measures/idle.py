"""Experimenters with nothing to do while hypotheses waited to be tested: from measured times."""

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from benchmarks.measures.intervals_of_time import Stretch, length, overlap, union
from engine.effects import Evaluation
from engine.messages import EXPERIMENT, Hypothesis, MemberId, Patch, RunRequest
from engine.research_tree import ResearchNode


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """Measured: depends on the machine and its load. Seconds are summed over experimenters."""

    experimenters: tuple[MemberId, ...]
    """Members that took a request for evidence, or scored by themselves."""
    elapsed_seconds: float | None
    """From the first message to the last."""
    busy_share: float | None
    """Evaluations under way, as a share of elapsed time times experimenters."""
    idle_while_hypotheses_waited: float | None
    """Seconds without an evaluation under way while a hypothesis was on record that had not begun to be evaluated."""
    idle_while_code_waited: float | None
    """Of those, seconds while its code was finished, so that nothing but the experimenter was missing."""
    idle_share: float | None
    """``idle_while_hypotheses_waited`` as a share of elapsed time times experimenters."""


def idle(record: EpisodeRecord) -> Idle:
    """Idle time of experimenters, as in the utilisation of a server that has customers waiting (Kleinrock 1975).

    An experimenter is busy while one of its evaluations is under way, waits for a place to score left out. A hypothesis
    waits from its message until the first evaluation of its artefact begins, or, where none ever does, until the last
    message about its node. None where the record has no times, or nobody experiments.
    """
    experimenters = _experimenters(record)
    ends = [message.at for message in record.messages]
    elapsed = max(ends) - min(ends) if ends and record.is_timed else 0.0
    if not experimenters or elapsed <= 0:
        return Idle(
            experimenters=experimenters, elapsed_seconds=None, busy_share=None, idle_while_hypotheses_waited=None,
            idle_while_code_waited=None, idle_share=None,
        )  # fmt: skip
    busy = {member: _busy(record, member) for member in experimenters}
    waiting = union(stretch for node in record.nodes for stretch in _waiting(record, node, Hypothesis))
    written = union(stretch for node in record.nodes for stretch in _waiting(record, node, Patch))
    idle_for = sum(length(waiting) - overlap(waiting, busy[member]) for member in experimenters)
    capacity = elapsed * len(experimenters)
    return Idle(
        experimenters=experimenters,
        elapsed_seconds=elapsed,
        busy_share=sum(map(length, busy.values())) / capacity,
        idle_while_hypotheses_waited=idle_for,
        idle_while_code_waited=sum(length(written) - overlap(written, busy[m]) for m in experimenters),
        idle_share=idle_for / capacity,
    )


def _experimenters(record: EpisodeRecord) -> tuple[MemberId, ...]:
    asked = {m.receiver for m in record.messages if isinstance(m.body, RunRequest) and m.receiver is not None}
    scored = {act.member for act in record.effects if isinstance(act.effect, Evaluation)}
    named: set[MemberId] = set()
    if record.spec is not None:
        roles = {member.role for member in record.spec.team.members if EXPERIMENT in member.functions}
        named = {member for member in record.members if member.partition(".")[0] in roles}
    return tuple(sorted(asked | scored | named))


def _busy(record: EpisodeRecord, member: MemberId) -> tuple[Stretch, ...]:
    return union(
        (act.at, act.at + act.seconds)
        for act in record.effects
        if act.member == member and isinstance(act.effect, Evaluation)
    )


def _waiting(
    record: EpisodeRecord, node: ResearchNode, since: type[Hypothesis] | type[Patch]
) -> tuple[Stretch, ...]:
    about = [m for m in record.messages if getattr(m.body, "node", None) == node.id]
    began = next((m.at for m in about if isinstance(m.body, since) and _is_ready(m.body)), None)
    if began is None or (since is Patch and node.artefact is None):
        return ()
    starts = [
        act.at
        for act in record.effects
        if isinstance(act.effect, Evaluation) and act.effect.artefact == node.artefact and act.at >= began
    ]
    if starts:
        return ((began, min(starts)),)
    return ((began, max(m.at for m in about)),)


def _is_ready(body: object) -> bool:
    return not isinstance(body, Patch) or body.artefact is not None
