"""From an episode's journal to rows: everything but polars, so that exports and tests can do without."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from engine.bus import RUNTIME
from engine.effects import (
    Command,
    CommandOutcome,
    Evaluation,
    Failure,
    ModelAnswer,
    ModelCall,
    Scored,
)
from engine.journal import AnyRecord, Finished, Posted, Started
from engine.messages import (
    Answer,
    AnyBody,
    ArtefactHash,
    Brief,
    Dropped,
    Expired,
    Failed,
    Hypothesis,
    Patch,
    Question,
    Review,
    RunRequest,
    RunResult,
    Selection,
)
from engine.task import Measured
from mlyceum.frame_rows import (
    CallRow,
    CommandRow,
    CurveRow,
    DecisionRow,
    ExperimentRow,
    MessageRow,
    NodeRow,
    Row,
    ScoreRow,
)
from mlyceum.reading import Act, EpisodeView, Sent
from mlyceum.research_tree import ResearchNode

_NOT_MEASURED = Measured()


def message_rows(view: EpisodeView) -> Iterator[MessageRow]:
    """One for each message."""
    for sent in view.messages:
        body = msgspec.json.encode(sent.body).decode()
        yield MessageRow(
            episode=view.episode,
            order=sent.order,
            seq=sent.seq,
            sender=sent.sender,
            receiver=sent.receiver,
            to=sent.to,
            topic=sent.topic,
            cause=sent.cause or None,
            at=sent.at,
            type=type(sent.body).__name__,
            node=getattr(sent.body, "node", None),
            text=body_text(sent.body),
            body=body,
            body_bytes=len(body.encode()),
        )


def body_text(body: AnyBody) -> str | None:  # noqa: PLR0911 - one line for each kind of message
    """What a message says in words; None where it carries none. As its author wrote it."""
    match body:
        case Brief(text=text) | Question(text=text) | Answer(text=text):
            return text
        case Hypothesis(claim=claim):
            return claim
        case Patch(problem=problem):
            return problem or None
        case RunResult(failure=failure):
            return failure or None
        case Review(verdict=verdict, objections=objections):
            return "; ".join((verdict, *(f"{each.kind}: {each.text}" for each in objections)))
        case Selection(rule=rule):
            return rule
        case Dropped(reason=reason) | Failed(reason=reason):
            return reason
        case Expired(deadline_seconds=seconds):
            return f"nobody answered within {seconds:g} s"
        case _:
            return None


def _meters(records: Sequence[AnyRecord]) -> Mapping[tuple[str, int], Measured]:
    """What was measured of each effect that has an outcome."""
    return {
        (record.member, record.ordinal): record.measured
        for record in records
        if isinstance(record, Finished) and record.measured is not None
    }


def _state(act: Act) -> str:
    return "open" if act.outcome is None else "refused" if isinstance(act.outcome, Failure) else "done"


def call_rows(view: EpisodeView, records: Sequence[AnyRecord]) -> Iterator[CallRow]:
    """One for each call to a model."""
    meters = _meters(records)
    for act in view.effects:
        if not isinstance(act.effect, ModelCall):
            continue
        effect = act.effect
        done = act.outcome.completion if isinstance(act.outcome, ModelAnswer) else None
        meter = meters.get((act.member, act.ordinal), _NOT_MEASURED)
        yield CallRow(
            episode=view.episode,
            order=act.order,
            member=act.member,
            ordinal=act.ordinal,
            state=_state(act),
            model=effect.model,
            answered_by=done.model if done else None,
            conversation=effect.conversation,
            new_messages=len(effect.new),
            tools=effect.tools,
            stop_reason=done.stop_reason if done else None,
            input_tokens=done.usage.input_tokens if done else None,
            output_tokens=done.usage.output_tokens if done else None,
            reasoning_tokens=done.usage.reasoning_tokens if done else None,
            cached_tokens=done.usage.cached_tokens if done else None,
            is_estimate=done.usage.is_estimate if done else None,
            cost_usd=done.cost_usd if done else None,
            at=act.at,
            seconds=meter.seconds if act.outcome is not None else None,
            waited_seconds=meter.waited_seconds if act.outcome is not None else None,
            attempts=meter.attempts if act.outcome is not None else None,
            text=done.message.text if done else None,
            tool_calls=msgspec.json.encode(done.message.tool_calls).decode() if done else None,
            failure=act.outcome.message if isinstance(act.outcome, Failure) else None,
        )


def command_rows(view: EpisodeView, records: Sequence[AnyRecord]) -> Iterator[CommandRow]:
    """One for each command in the shared workspace."""
    meters = _meters(records)
    for act in view.effects:
        if not isinstance(act.effect, Command):
            continue
        ended = act.outcome if isinstance(act.outcome, CommandOutcome) else None
        meter = meters.get((act.member, act.ordinal), _NOT_MEASURED)
        yield CommandRow(
            episode=view.episode,
            order=act.order,
            member=act.member,
            ordinal=act.ordinal,
            state=_state(act),
            language=act.effect.language,
            artefact=act.effect.artefact,
            exit_code=ended.exit_code if ended else None,
            limit=ended.limit if ended else None,
            truncated=ended.truncated if ended else None,
            at=act.at,
            seconds=meter.seconds if act.outcome is not None else None,
            cpu_seconds=meter.cpu_seconds if act.outcome is not None else None,
            max_rss_bytes=meter.max_rss_bytes if act.outcome is not None else None,
            source=act.effect.source,
            stdout=ended.stdout if ended else None,
            stderr=ended.stderr if ended else None,
        )


def experiment_rows(view: EpisodeView) -> Iterator[ExperimentRow]:
    """One for each request for evidence."""
    answers: dict[int, Sent] = {}
    for sent in view.messages:
        if sent.cause and isinstance(sent.body, RunResult):
            answers.setdefault(sent.cause, sent)
    for sent in view.messages:
        body = sent.body
        if not isinstance(body, RunRequest):
            continue
        answer = answers.get(sent.seq)
        result = answer.body if answer is not None and isinstance(answer.body, RunResult) else None
        evidence = result.evidence if result is not None else None
        yield ExperimentRow(
            episode=view.episode,
            seq=sent.seq,
            answer_seq=answer.seq if answer is not None else None,
            node=body.node,
            artefact=body.artefact,
            experimenter=answer.sender if answer is not None else None,
            evaluations_at_most=body.evaluations_at_most,
            evaluations=result.evaluations if result is not None else None,
            replicates=len(evidence.values) if evidence is not None else None,
            mean=evidence.mean if evidence is not None else None,
            standard_error=evidence.standard_error if evidence is not None else None,
            rival_node=body.rival.node if body.rival is not None else None,
            rival_mean=body.rival.mean if body.rival is not None else None,
            failure=(result.failure or None) if result is not None else None,
            at=sent.at,
            seconds=round(answer.at - sent.at, 6) if answer is not None else None,
        )


def score_rows(view: EpisodeView, records: Sequence[AnyRecord]) -> Iterator[ScoreRow]:
    """One for each scoring by the judge."""
    meters = _meters(records)
    holders = _first_holders(view.nodes)
    selected = selected_artefact(view)
    number = 0
    for act in view.effects:
        if not isinstance(act.effect, Evaluation):
            continue
        effect = act.effect
        number += effect.split == "feedback"
        score = act.outcome.score if isinstance(act.outcome, Scored) else None
        failed = act.outcome.message if isinstance(act.outcome, Failure) else None
        meter = meters.get((act.member, act.ordinal), _NOT_MEASURED)
        yield ScoreRow(
            episode=view.episode,
            order=act.order,
            member=act.member,
            ordinal=act.ordinal,
            state=_state(act),
            split=effect.split,
            evaluation=number if effect.split == "feedback" else None,
            artefact=effect.artefact,
            node=holders.get(effect.artefact),
            is_selected=effect.artefact == selected,
            seed=effect.seed,
            value=score.value if score else None,
            standard_error=score.standard_error if score and score.value is not None else None,
            failure=(score.failure or None) if score else failed,
            findings=sum(not each.advisory for each in score.findings) if score else 0,
            scorer_version=score.scorer_version if score else None,
            at=act.at,
            seconds=meter.seconds if act.outcome is not None else None,
            waited_seconds=meter.waited_seconds if act.outcome is not None else None,
            cpu_seconds=meter.cpu_seconds if act.outcome is not None else None,
            max_rss_bytes=meter.max_rss_bytes if act.outcome is not None else None,
        )


def selected_artefact(view: EpisodeView) -> str | None:
    """What was handed in, or, in an episode that has not ended, what stands."""
    if view.result is not None:
        return view.result.selected
    chosen = [sent.body.artefact for sent in view.messages if isinstance(sent.body, Selection)]
    return chosen[-1] if chosen else view.brief.starter if view.brief is not None else None


def _first_holders(nodes: Sequence[ResearchNode]) -> dict[str, int]:
    holders: dict[str, int] = {}
    for node in nodes:
        for artefact in (*(patch.artefact for patch in node.patches), node.artefact):
            if artefact is not None:
                holders.setdefault(artefact, int(node.id))
    return holders


def node_rows(view: EpisodeView) -> Iterator[NodeRow]:
    """One for each node of the research tree."""
    depths: dict[int, int] = {0: 0}
    for node in view.nodes:
        above = int(node.parents[0]) if node.parents else 0
        # A record is read as it is written: a node may name one that is not there, or a later one.
        depths[int(node.id)] = depths.get(above, 0) + 1 if node.id else 0
        hypothesis, evidence = node.hypothesis, node.evidence
        review = node.reviews[-1] if node.reviews else None
        point = hypothesis.point if hypothesis is not None else None
        if node.patch is not None and node.patch.point is not None:
            point = node.patch.point
        yield NodeRow(
            episode=view.episode,
            node=node.id,
            operator=node.operator,
            parents=tuple(node.parents),
            depth=depths[int(node.id)],
            status=node.status,
            author=node.author,
            family=hypothesis.family if hypothesis is not None else None,
            claim=hypothesis.claim if hypothesis is not None else None,
            predicted=hypothesis.predicted if hypothesis is not None else None,
            point=msgspec.json.encode(point).decode() if point is not None else None,
            artefact=node.artefact,
            versions=len(node.patches),
            evaluations=node.evaluations,
            values=evidence.values if evidence is not None else (),
            mean=evidence.mean if evidence is not None else None,
            standard_error=evidence.standard_error if evidence is not None else None,
            verdict=review.verdict if review is not None else None,
            confidence=review.confidence if review is not None else None,
            objections=tuple(each.kind for each in review.objections) if review is not None else (),
            prediction=review.prediction if review is not None else None,
            stood=node.stood,
            handed_in=node.handed_in,
            failure=node.failure or None,
        )


def decision_rows(view: EpisodeView) -> Iterator[DecisionRow]:
    """One for each decision."""
    for decision in view.decisions:
        yield DecisionRow(
            episode=view.episode,
            order=decision.order,
            member=decision.member,
            what=decision.what,
            chosen=decision.chosen,
            rule=decision.rule,
            worth=decision.candidates.get(decision.chosen),
            alternatives=len(decision.candidates),
            candidates=msgspec.json.encode(decision.candidates).decode(),
        )


def curve_rows(
    view: EpisodeView, records: Sequence[AnyRecord], finals: Mapping[ArtefactHash, float]
) -> Iterator[CurveRow]:
    """One for each number of feedback evaluations, from none to all.

    Args:
        view: of the episode.
        records: its journal.
        finals: final scores of artefacts that are known.
    """
    if view.brief is None:
        return
    walk = _Walk(view.brief.starter)
    for record in records:
        walk.take(record)
    yield from walk.rows(view.episode, finals, 1.0 if view.brief.direction == "max" else -1.0)


class _Step(msgspec.Struct):
    """What one feedback evaluation asked, and what had been spent and chosen before the next."""

    artefact: ArtefactHash | None
    asked_at: float
    answered_at: float | None = None
    value: float | None = None
    standing: str = ""
    steps: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


class _Walk:
    """Goes along a journal and keeps a step for each feedback evaluation; the first is before all of them."""

    def __init__(self, starter: ArtefactHash) -> None:
        self._steps = [_Step(artefact=None, asked_at=0.0, standing=starter)]
        self._asked: dict[tuple[str, int], _Step] = {}

    def take(self, record: AnyRecord) -> None:
        """Take note of one line."""
        last = self._steps[-1]
        match record:
            case Started(effect=Evaluation(split="feedback") as effect):
                at = record.measured.at if record.measured is not None else 0.0
                step = msgspec.structs.replace(
                    last, artefact=effect.artefact, asked_at=at, answered_at=None, value=None
                )
                step.steps += 1
                self._steps.append(step)
                self._asked[record.member, record.ordinal] = step
            case Finished(outcome=Scored(score=score)) if (record.member, record.ordinal) in self._asked:
                step = self._asked[record.member, record.ordinal]
                meter = record.measured or _NOT_MEASURED
                step.value, step.answered_at = (
                    score.value,
                    step.asked_at + meter.seconds + meter.waited_seconds,
                )
            case Finished(outcome=ModelAnswer(completion=completion)):
                last.steps += 1
                last.tokens += completion.usage.input_tokens + completion.usage.output_tokens
                last.cost_usd += completion.cost_usd or 0.0
            case Finished(outcome=CommandOutcome()):
                last.steps += 1
            case Posted(body=Selection(artefact=artefact)) if record.sender != RUNTIME:
                last.standing = artefact
            case _:
                pass

    def rows(self, episode: str, finals: Mapping[ArtefactHash, float], sign: float) -> Iterator[CurveRow]:
        """The curve; what an evaluation found counts from its number on, however late its answer came."""
        best: float | None = None
        got: dict[str, list[float]] = {}
        for number, step in enumerate(self._steps):
            if step.artefact is not None and step.value is not None:
                got.setdefault(step.artefact, []).append(step.value)
                best = step.value if best is None or sign * step.value > sign * best else best
            of_standing = got.get(step.standing, [])
            yield CurveRow(
                episode=episode,
                evaluation=number,
                at=step.answered_at,
                value=step.value,
                best_feedback=best,
                standing=step.standing,
                standing_mean=sum(of_standing) / len(of_standing) if of_standing else None,
                standing_final=finals.get(ArtefactHash(step.standing)),
                steps=step.steps,
                tokens=step.tokens,
                cost_usd=round(step.cost_usd, 9),
            )


def journal_rows(  # noqa: PLR0911 - one line for each frame
    frame: str, view: EpisodeView, records: Sequence[AnyRecord], finals: Mapping[ArtefactHash, float]
) -> Iterator[Row]:
    """The rows of one episode in a frame that is made from journals."""
    match frame:
        case "messages":
            return message_rows(view)
        case "calls":
            return call_rows(view, records)
        case "commands":
            return command_rows(view, records)
        case "experiments":
            return experiment_rows(view)
        case "scores":
            return score_rows(view, records)
        case "nodes":
            return node_rows(view)
        case "decisions":
            return decision_rows(view)
        case _:
            return curve_rows(view, records, finals)
