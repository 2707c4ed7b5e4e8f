"""An episode's folder as typed values: read from its journal, also while that is being written.

The journal is the evidence; the index, once the episode has ended, adds its scores. Strings in here are as the
members wrote them: make them plain (`mlyceum.plain_text.plain_struct`) before a terminal sees them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.effects import (
    CommandOutcome,
    Evaluation,
    Failure,
    ModelAnswer,
    ModelCall,
    Scored,
)
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import RecordDamaged
from engine.index import open_index
from engine.journal import AnyRecord, Closed, Fired, Opened, read_journal
from engine.messages import Brief, MemberId
from engine.record_view import Act, Decision, Sent, read_decisions, read_effects, read_messages
from engine.research_tree import ResearchNode, research_nodes
from engine.seeds import Seeds
from engine.task import Score
from mlyceum.folders import INDEX, JOURNAL, STUDY, study_of

__all__ = [
    "Act",
    "Decision",
    "EpisodeView",
    "FeedbackScore",
    "FinalScore",
    "Head",
    "MemberSpending",
    "Sent",
    "State",
    "episode_view",
    "failures",
    "read_episode",
    "read_records",
    "read_result",
    "read_results",
    "read_specs",
]

State: TypeAlias = Literal["ended", "unfinished"]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a record is a record of."""

    spec: str
    """SHA-256 (hex) of the specification."""
    seeds: Seeds
    deterministic: bool
    """False where results are released as they arrive."""
    version: int
    messages: int


class FeedbackScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feedback evaluation."""

    evaluation: int
    artefact: str
    member: MemberId
    score: Score
    nodes: tuple[int, ...] = ()
    """Nodes of the research tree with this artefact."""


class FinalScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A score on what the team never saw."""

    split: str
    artefact: str
    score: Score


class MemberSpending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one member's model has taken, as its answers say."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0


class EpisodeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is recorded of an episode."""

    episode: str
    folder: str
    state: State
    head: Head | None = None
    """None while not a line is written."""
    spec: EpisodeSpec | None = None
    """From the index, the study's file or the journal's head."""
    brief: Brief | None = None
    messages: tuple[Sent, ...] = ()
    nodes: tuple[ResearchNode, ...] = ()
    decisions: tuple[Decision, ...] = ()
    effects: tuple[Act, ...] = ()
    feedback: tuple[FeedbackScore, ...] = ()
    finals: tuple[FinalScore, ...] = ()
    models: dict[str, tuple[MemberId, ...]] = {}
    """Models that answered, and whom they drove."""
    spending: dict[str, float] = {}
    by_member: dict[MemberId, MemberSpending] = {}
    """Of members that a model drives."""
    deadlines_struck: int = 0
    outcome: str = ""
    reason: str = ""
    seconds: float = 0.0
    result: EpisodeResult | None = None


def read_episode(folder: Path) -> EpisodeView:
    """The view of one episode's folder.

    Args:
        folder: with ``journal.jsonl``; the study around it, where there is one, adds specification and result.

    Raises:
        RecordDamaged: when journal or index cannot be read beyond a torn tail.
    """
    study = study_of(folder)
    result = read_result(study, folder.name) if study is not None else None
    spec = (
        result.spec
        if result is not None
        else read_specs(study).get(folder.name)
        if study is not None
        else None
    )
    return episode_view(
        read_records(folder), episode=folder.name, folder=str(folder), spec=spec, result=result
    )


def read_records(folder: Path) -> tuple[AnyRecord, ...]:
    """Every whole line of an episode's journal; nothing where it has none yet.

    Raises:
        RecordDamaged: naming the file and the line.
    """
    path = folder / JOURNAL
    try:
        return tuple(read_journal(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RecordDamaged(
            f"{path} cannot be read: {error.strerror or error}; check its permissions"
        ) from error


def read_results(study: Path) -> tuple[EpisodeResult, ...]:
    """Every result in a study's index; none where there is no index yet.

    Raises:
        RecordDamaged: when the index is no index.
    """
    path = study / INDEX
    if not path.is_file():
        return ()
    try:
        with open_index(path, read_only=True) as index:
            return index.results()
    except RecordDamaged as error:
        if "no such table" in str(error):
            return ()  # made this moment, by a run that has not come further
        raise


def read_result(study: Path, episode: str) -> EpisodeResult | None:
    """The result of one episode, if it has ended."""
    return next((result for result in read_results(study) if result.episode == episode), None)


class _StudyFile(msgspec.Struct, frozen=True):
    episodes: tuple[EpisodeSpec, ...] = ()


def read_specs(study: Path) -> dict[str, EpisodeSpec]:
    """The specifications in a study's file, by episode; nothing where it has none that can be read."""
    try:
        content = msgspec.json.decode((study / STUDY).read_bytes(), type=_StudyFile)
    except (OSError, msgspec.DecodeError):
        return {}
    return {spec.id: spec for spec in content.episodes}


def episode_view(
    records: Sequence[AnyRecord],
    *,
    episode: str,
    folder: str,
    spec: EpisodeSpec | None,
    result: EpisodeResult | None,
) -> EpisodeView:
    """The view that some records make.

    Args:
        records: in the journal's order, from its first line.
        episode: the episode's name.
        folder: where it lies, as the user would write it.
        spec: what it follows from, where known.
        result: what came of it, where it has ended.
    """
    messages = read_messages(records)
    effects = read_effects(records)
    nodes = research_nodes([(each.sender, each.body, each.cause) for each in messages])
    opened = next((record for record in records if isinstance(record, Opened)), None)
    closed = next((record for record in records if isinstance(record, Closed)), None)
    measured = closed.measured if closed is not None else None
    last = max((record.measured.at for record in records if record.measured is not None), default=0.0)
    return EpisodeView(
        episode=opened.episode if opened is not None else episode,
        folder=folder,
        state="ended" if result is not None or closed is not None else "unfinished",
        head=_head(opened) if opened is not None else None,
        spec=spec if spec is not None or opened is None else _own_spec(opened),
        brief=next((each.body for each in messages if isinstance(each.body, Brief)), None),
        messages=messages,
        nodes=nodes,
        decisions=read_decisions(records),
        effects=effects,
        feedback=_feedback(effects, nodes),
        finals=_finals(effects),
        models=_models(effects),
        spending=result.spending if result is not None else _spending(effects),
        by_member=_by_member(effects),
        deadlines_struck=sum(isinstance(record, Fired) for record in records),
        outcome=closed.outcome if closed is not None else result.outcome if result is not None else "",
        reason=closed.reason if closed is not None else result.reason if result is not None else "",
        seconds=measured.seconds if measured is not None else last,
        result=result,
    )


def _head(opened: Opened) -> Head:
    return Head(
        spec=opened.spec,
        seeds=opened.seeds,
        deterministic=opened.deterministic,
        version=opened.version,
        messages=opened.messages,
    )


def _own_spec(opened: Opened) -> EpisodeSpec | None:
    """The specification that a journal's head carries, where it has one that can be read."""
    try:
        return msgspec.json.decode(opened.specification, type=EpisodeSpec)
    except msgspec.DecodeError:
        return None


def _feedback(effects: Sequence[Act], nodes: Sequence[ResearchNode]) -> tuple[FeedbackScore, ...]:
    series: list[FeedbackScore] = []
    number = 0
    for act in effects:
        if not isinstance(act.effect, Evaluation) or act.effect.split != "feedback":
            continue
        number += 1
        if isinstance(act.outcome, Scored):
            artefact = act.effect.artefact
            holders = tuple(int(node.id) for node in nodes if node.artefact == artefact)
            series.append(
                FeedbackScore(
                    evaluation=number,
                    artefact=artefact,
                    member=act.member,
                    score=act.outcome.score,
                    nodes=holders,
                )
            )
    return tuple(series)


def _finals(effects: Sequence[Act]) -> tuple[FinalScore, ...]:
    return tuple(
        FinalScore(split=act.effect.split, artefact=act.effect.artefact, score=act.outcome.score)
        for act in effects
        if isinstance(act.effect, Evaluation)
        and act.effect.split != "feedback"
        and isinstance(act.outcome, Scored)
    )


def _models(effects: Sequence[Act]) -> dict[str, tuple[MemberId, ...]]:
    driven: dict[str, dict[MemberId, None]] = {}
    for act in effects:
        if isinstance(act.effect, ModelCall):
            driven.setdefault(act.effect.model, {})[act.member] = None
    return {model: tuple(members) for model, members in driven.items()}


def _spending(effects: Sequence[Act]) -> dict[str, float]:
    """What an unfinished episode has spent so far; one that ended has it in its result."""
    spent = dict.fromkeys(("evaluations", "tokens", "cost_usd", "steps"), 0.0)
    for act in effects:
        if isinstance(act.effect, Evaluation):
            spent["evaluations"] += act.effect.split == "feedback"
        else:
            spent["steps"] += isinstance(act.effect, ModelCall) or isinstance(act.outcome, CommandOutcome)
        if isinstance(act.outcome, ModelAnswer):
            usage = act.outcome.completion.usage
            spent["tokens"] += usage.input_tokens + usage.output_tokens
            spent["cost_usd"] += act.outcome.completion.cost_usd or 0.0
    return {axis: amount for axis, amount in spent.items() if amount}


def _by_member(effects: Sequence[Act]) -> dict[MemberId, MemberSpending]:
    spent: dict[MemberId, MemberSpending] = {}
    for act in effects:
        if isinstance(act.outcome, ModelAnswer):
            before, completion = spent.get(act.member, MemberSpending()), act.outcome.completion
            usage = completion.usage
            spent[act.member] = MemberSpending(
                calls=before.calls + 1,
                input_tokens=before.input_tokens + usage.input_tokens,
                output_tokens=before.output_tokens + usage.output_tokens,
                cached_tokens=before.cached_tokens + usage.cached_tokens,
                reasoning_tokens=before.reasoning_tokens + usage.reasoning_tokens,
                cost_usd=before.cost_usd + (completion.cost_usd or 0.0),
            )
    return spent


def failures(view: EpisodeView) -> tuple[tuple[Act, Failure], ...]:
    """Effects that could not be had, with why."""
    return tuple((act, act.outcome) for act in view.effects if isinstance(act.outcome, Failure))
