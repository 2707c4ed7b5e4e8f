"""A message, an effect or a node in one line of words."""

from collections.abc import Mapping

from engine.effects import (
    AnyEffect,
    AnyOutcome,
    ClockReading,
    Command,
    CommandOutcome,
    Evaluation,
    Failure,
    Found,
    Lookup,
    ModelAnswer,
    ModelCall,
    Reading,
    Scored,
    Status,
    StatusReading,
)
from engine.messages import (
    Answer,
    AnyBody,
    Argument,
    Bid,
    BidRequest,
    Brief,
    Dropped,
    Evidence,
    Expired,
    Failed,
    Hypothesis,
    IdeaRequest,
    Motion,
    Note,
    Patch,
    Question,
    Review,
    ReviewRequest,
    RunRequest,
    RunResult,
    Selection,
    Value,
    Vote,
    WorkOrder,
)
from mlyceum.plain_text import one_line
from mlyceum.viewer.numbers import number, score_text, with_error


def message_text(body: AnyBody) -> str:  # noqa: PLR0911, PLR0912 - one line for each kind of message
    """What a message says."""
    match body:
        case Brief(task=task, evaluations=evaluations):
            return f"Brief {task}, {evaluations} evaluations"
        case IdeaRequest(node=node, operator=operator, parents=parents):
            return f"IdeaRequest #{node} {operator}{_of(parents)}"
        case Hypothesis(node=node, claim=claim, predicted=predicted):
            expects = "" if predicted is None else f" predicts {number(predicted)}:"
            return f"Hypothesis #{node}{expects} {one_line(claim)}"
        case WorkOrder(node=node, operator=operator, problem=problem):
            return f"WorkOrder #{node} {operator}{_because(problem)}"
        case Patch(node=node, artefact=artefact, checked=checked, problem=problem):
            if artefact is None:
                return f"Patch #{node} none{_because(problem)}"
            return f"Patch #{node} {artefact[:8]}{' checked' if checked else ''} {diff_size(body.diff)}"
        case RunRequest(node=node, evaluations_at_most=most):
            return f"RunRequest #{node} at most {most}"
        case RunResult(node=node, evidence=evidence, failure=failure):
            return f"RunResult #{node} {evidence_text(evidence)}{_because(failure)}"
        case ReviewRequest(node=node, evaluations_left=left):
            return f"ReviewRequest #{node}, {left} evaluations left"
        case Review(node=node, verdict=verdict, objections=objections):
            return f"Review #{node} {verdict}{_because('; '.join(each.text for each in objections))}"
        case Selection(node=node, rule=rule, final=final):
            return f"Selection #{node}{' FINAL' if final else ''} by {one_line(rule)}"
        case Motion(question=question, stage=stage, candidates=candidates):
            about = ", ".join(f"#{each.node}" for each in candidates)
            return f"Motion to {question}, {stage}: {about}"
        case Argument(function=function, claims=claims):
            said = "; ".join(f"#{each.node} {number(each.gain)} {one_line(each.text)}" for each in claims)
            return f"Argument of {function}{_because(said)}"
        case Vote(function=function, choice=choice, gain=gain):
            return f"Vote of {function} {'abstains' if choice is None else f'for #{choice}, expects {number(gain)}'}"
        case BidRequest(node=node, evaluations_left=left):
            return f"BidRequest #{node}, {left} evaluations left"
        case Bid(function=function, operator=operator, value=value, why=why):
            if operator is None:
                return f"Bid of {function} none{_because(why)}"
            return f"Bid of {function} {operator}{_of(body.parents)} worth {number(value)}{_because(why)}"
        case Question(text=text):
            return f"Question {one_line(text)}"
        case Answer(text=text):
            return f"Answer {one_line(text)}"
        case Note(text=text):
            return f"Note {one_line(text)}"
        case Dropped(seq=seq, reason=reason):
            return f"Dropped {seq}{_because(reason)}"
        case Expired(seq=seq, deadline_seconds=seconds):
            return f"Expired {seq} after {seconds:g} s"
        case Failed(member=member, reason=reason, action=action):
            return f"Failed {member}, {action}{_because(reason)}"


def effect_text(effect: AnyEffect, outcome: AnyOutcome | None) -> str:
    """What a member did to the outside, and what came of it."""
    match effect:
        case ModelCall(model=model):
            doing = f"asks {model}"
        case Command(language=language, artefact=artefact):
            doing = f"runs {language}{'' if artefact is None else f' on {artefact[:8]}'}"
        case Evaluation(artefact=artefact, split=split):
            doing = f"scores {artefact[:8]} ({split})"
        case ClockReading():
            doing = "reads the clock"
        case StatusReading():
            doing = "asks for devices and budget"
        case Lookup(query=query):
            doing = f"looks up {one_line(query, 60)!r}"
    return f"{doing} → {_outcome_text(outcome)}"


def _outcome_text(outcome: AnyOutcome | None) -> str:  # noqa: PLR0911 - one return a kind
    match outcome:
        case None:
            return "under way"
        case ModelAnswer(completion=completion):
            usage, said = completion.usage, completion.message
            calls = ", ".join(one_line(call.name, 24) for call in said.tool_calls)
            told = f"calls {calls}" if calls else f"{one_line(said.text, 40)!r}"
            return f"{told} ({usage.input_tokens}+{usage.output_tokens} tokens, {completion.stop_reason})"
        case CommandOutcome(exit_code=code, limit=limit):
            return f"exit {code}" if limit is None else f"cut by the limit on {limit}"
        case Scored(score=score):
            return score_text(score)
        case Reading(seconds=seconds):
            return f"{seconds:.1f} s"
        case Status(devices=devices):
            return ", ".join(f"{each.count} x {one_line(each.name, 24)}" for each in devices)
        case Found(papers=papers):
            return f"{len(papers)} papers"
        case Failure(kind=kind, message=message):
            return f"{kind}: {one_line(message)}"


def evidence_text(evidence: Evidence | None) -> str:
    """Feedback so far, as mean, standard error and number of evaluations."""
    if evidence is None:
        return "no evidence"
    return with_error(evidence.mean, evidence.standard_error, count=len(evidence.values))


def point_text(point: Mapping[str, Value] | None) -> str:
    """A place in the move space."""
    if point is None:
        return "-"
    return ", ".join(f"{name}={number(v) if isinstance(v, float) else v}" for name, v in point.items())


def diff_size(diff: str) -> str:
    """How many lines a diff adds and takes."""
    lines = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    return f"+{sum(line.startswith('+') for line in lines)} -{sum(line.startswith('-') for line in lines)}"


def _of(parents: tuple[int, ...]) -> str:
    return f" of {', '.join(f'#{parent}' for parent in parents)}" if parents else ""


def _because(reason: str) -> str:
    return f": {one_line(reason)}" if reason else ""
