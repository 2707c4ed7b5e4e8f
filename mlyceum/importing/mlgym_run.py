"""One run of MLGym as one of our episodes: its specification, its journal, its result.

Nothing is invented. The number of a run stands where our records have seeds, for MLGym kept none; artefacts have names
that say that they were not kept; tokens and cost are of the whole run, in the result's spending.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from benchmarks.reference import TaskFacts, facts_of, reference
from engine.budget import Budget
from engine.bus import RUNTIME
from engine.effects import Command, CommandOutcome, Evaluation, ModelAnswer, ModelCall, Scored
from engine.episode import BRIEF, JUDGE, Ending, EpisodeResult, EpisodeSpec
from engine.errors import UnknownName
from engine.journal import AnyRecord, Closed, Decided, Finished, Opened, Posted, Started
from engine.member import Feedback
from engine.messages import FUNCTIONS, ArtefactHash, Brief, MemberId
from engine.models.interface import (
    AssistantMessage,
    Completion,
    Message,
    Settings,
    SystemMessage,
    Usage,
    UserMessage,
)
from engine.seeds import Seeds
from engine.task import Measured, Score, Split
from engine.team import MemberSpec, StrategySpec, TeamSpec
from roles.mlgym import MLGYM
from roles.mlgym.parsing import Answer, parse_answer
from roles.mlgym.runs import RunFiles
from roles.mlgym.shell import EXITS
from roles.mlgym.trajectory import HistoryMessage, Results, Step, Trajectory

SOLO = MemberId("solo")
IMPORT = MemberId("import")
PROVIDER = "published"
"""Of model names, before the slash: nobody can be asked under them."""
STARTER = ArtefactHash("not kept: starter")
NO_SEED = 0
_SAMPLING = re.compile(r"(?:^|__)(?P<what>[tpc])-(?P<value>\d+(?:\.\d+)?)(?=__|$)")
_SCORED = "Evaluation Score: {"
_LIMIT_EXITS = ("exit_context", "exit_cost", "exit_api", "exit_error")
"""Exits at which MLGym put a sentence of its own where an answer would stand."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was found: what its files say, and what they are called."""

    files: RunFiles
    number: int
    """Which run of its model on its task; as its folder says, else counted."""
    trajectory: Trajectory | None
    results: Results | None
    digests: dict[str, str]
    """SHA-256 (hex, 16 digits) of each file."""

    @property
    def entries(self) -> tuple[dict[str, float | None], ...]:
        """Every score, in order."""
        if self.trajectory is not None:
            return self.trajectory.info.score
        return self.results.agent if self.results is not None else ()

    @property
    def baseline(self) -> dict[str, float | None]:
        """What the task's baseline scored, where it was kept."""
        return (self.results.baseline if self.results is not None else None) or {}

    @property
    def facts(self) -> TaskFacts | None:
        """What we know of its task."""
        try:
            return facts_of(self.files.task)
        except UnknownName:
            return None

    @property
    def metric(self) -> str | None:
        """Of its task; for a task that we do not know the baseline's first that it scored in, else its own first."""
        if self.facts is not None:
            return self.facts.metric
        scored = list(dict.fromkeys(name for entry in self.entries for name in entry))
        return next((name for name in (*self.baseline, *scored) if name in scored), None)


def digest_of_file(data: bytes) -> str:
    """What a record names a file by."""
    return hashlib.sha256(data).hexdigest()[:16]


def spec_of(run: Run) -> EpisodeSpec:
    """What the episode is called and follows from."""
    said = {match["what"]: float(match["value"]) for match in _SAMPLING.finditer(run.files.name)}
    team = TeamSpec(
        name=re.sub(r"[^A-Za-z0-9._=+-]+", "-", run.files.model).lstrip("._=+-")[:100] or "unknown",
        members=(MemberSpec(role="solo", functions=FUNCTIONS, policy="model"),),
        strategy=StrategySpec(kind=MLGYM),
        patches=("a run of MLGym's own agent, imported",),
    )
    return EpisodeSpec(
        task=run.facts.id if run.facts is not None else run.files.task,
        team=team,
        seeds=Seeds(task=run.number, team=run.number, evaluation=run.number),
        protocol="mlgym",
        budget=Budget(cost_usd=said.get("c") or None),
        model=f"{PROVIDER}/{run.files.model}",
        hashes={"imported": "mlgym", "seeds": "the number of the run", **run.digests},
    )


def result_of(run: Run, spec: EpisodeSpec) -> EpisodeResult:
    """What came of it."""
    validations = validations_of(run)
    last = run.entries[-1] if run.entries else None
    status = _status(run)
    return EpisodeResult(
        episode=spec.id,
        spec=spec,
        outcome=outcome_of(status),
        reason=_reason(status),
        selected=_artefact(run, len(run.entries), "final"),
        final=_score(run, last),
        feedback=tuple(
            Feedback(
                evaluation=number,
                artefact=_artefact(run, number, "feedback"),
                value=_score(run, entry).value,
                failure=_score(run, entry).failure,
            )
            for number, entry in enumerate(validations, start=1)
        ),
        messages=1 if _brief(run, spec) is not None else 0,
        evaluations=len(validations),
        spending=_spending(run),
        deterministic=False,
    )


def validations_of(run: Run) -> tuple[dict[str, float | None], ...]:
    """The scores that were feedback: one for each step that shows one; the last is the end's where there is one more."""
    if run.trajectory is None:
        # Which of them was the submission is not known: the last counts as it, as it does in MLGym's own scores.
        return run.entries[:-1]
    shown = sum(_SCORED in (step.observation or "") for step in run.trajectory.trajectory)
    return run.entries[:shown]


def outcome_of(status: str | None) -> Ending:
    """Our word for how it ended."""
    if status == "submitted":
        return "submitted"
    is_limit = any(f"({limit})" in (status or "") for limit in ("max_steps", "exit_cost", "exit_context"))
    return "budget" if is_limit else "error"


def records_of(run: Run, spec: EpisodeSpec, result: EpisodeResult) -> Iterator[AnyRecord]:
    """The episode's journal."""
    yield Opened(
        episode=spec.id,
        spec=spec.digest(),
        seeds=spec.seeds,
        deterministic=False,
        specification=msgspec.Raw(spec.canonical()),
    )
    yield from _about(run)
    brief = _brief(run, spec)
    if brief is not None:
        yield Posted(seq=1, sender=RUNTIME, body=brief, topic=BRIEF)
    if run.trajectory is not None:
        yield from _Telling(run, run.trajectory, spec).records()
    final = Evaluation(artefact=result.selected, split="final", seed=NO_SEED)
    yield Started(member=JUDGE, ordinal=1, effect=final)
    yield Finished(member=JUDGE, ordinal=1, outcome=Scored(score=result.final))
    yield Closed(outcome=result.outcome, reason=result.reason)


class _Telling:
    """Tells a trajectory step by step."""

    def __init__(self, run: Run, trajectory: Trajectory, spec: EpisodeSpec) -> None:
        self._run, self._trajectory, self._spec = run, trajectory, spec
        self._ordinal = 0
        self._known = self._validated = 0
        said = {match["what"]: float(match["value"]) for match in _SAMPLING.finditer(run.files.name)}
        self._settings = Settings(temperature=said.get("t"), top_p=said.get("p"))

    def records(self) -> Iterator[AnyRecord]:
        asked = _questions(self._trajectory)
        steps = self._trajectory.trajectory
        answers = self._trajectory.answers()
        for place in range(max(len(steps), len(answers))):
            step = steps[place] if place < len(steps) else None
            new = asked[place] if place < len(asked) else _after(steps, place)
            yield from self._turn(new, step, answers[place] if place < len(answers) else None)

    def _turn(
        self, new: tuple[Message, ...], step: Step | None, answer: HistoryMessage | None
    ) -> Iterator[AnyRecord]:
        text = step.response if step is not None else (answer.content if answer is not None else None) or ""
        action = step.action if step is not None else _action_in(text)
        if action in _LIMIT_EXITS:
            yield Decided(member=IMPORT, what="exit", chosen=action, rule=text)
            return
        yield from self._asked(new, text)
        if action in EXITS:
            rule = "the environment's; the answer before it was not carried out"
            yield Decided(member=IMPORT, what="exit", chosen=action, rule=rule)
            return
        yield from self._did(action, step)
        if step is not None and _SCORED in (step.observation or ""):
            yield from self._scored()

    def _asked(self, new: tuple[Message, ...], text: str) -> Iterator[AnyRecord]:
        assert self._spec.model is not None  # an imported episode names the run's
        call = ModelCall(
            model=self._spec.model, conversation=1, offset=self._known, new=new, settings=self._settings
        )
        completion = Completion(
            message=AssistantMessage(text=text),
            stop_reason="other",
            usage=Usage(is_estimate=True),  # no tokens of single calls were kept
            cost_usd=None,
            model=self._run.files.model,
        )
        self._known += len(new) + 1
        self._ordinal += 1
        yield Started(member=SOLO, ordinal=self._ordinal, effect=call)
        yield Finished(member=SOLO, ordinal=self._ordinal, outcome=ModelAnswer(completion=completion))

    def _did(self, action: str, step: Step | None) -> Iterator[AnyRecord]:
        self._ordinal += 1
        command = Command(language="shell", source=action, wall_seconds=0.0)
        yield Started(member=SOLO, ordinal=self._ordinal, effect=command)
        if step is None:
            return  # the run died in it
        outcome = CommandOutcome(exit_code=None, stdout=step.observation or "", stderr="")
        measured = None if step.execution_time is None else Measured(seconds=round(step.execution_time, 3))
        yield Finished(member=SOLO, ordinal=self._ordinal, outcome=outcome, measured=measured)

    def _scored(self) -> Iterator[AnyRecord]:
        self._validated += 1
        if self._validated > len(self._run.entries):
            return
        entry = self._run.entries[self._validated - 1]
        artefact = _artefact(self._run, self._validated, "feedback")
        effect = Evaluation(artefact=artefact, split="feedback", seed=NO_SEED)
        self._ordinal += 1
        yield Started(member=SOLO, ordinal=self._ordinal, effect=effect)
        yield Finished(member=SOLO, ordinal=self._ordinal, outcome=Scored(score=_score(self._run, entry)))


def _about(run: Run) -> Iterator[AnyRecord]:
    """What a reader of the record must know."""
    where = ", ".join(filter(None, (run.files.trajectory, run.files.results)))
    yield Decided(
        member=IMPORT,
        what="import",
        chosen="mlgym",
        rule=(
            f"read from {where}. Scores are as published. Not kept by MLGym, and not made up here: seeds (0 stands for "
            "them, and in the head the number of the run), artefacts, times of answers, tokens and cost of single calls, "
            "limits of steps and commands, answers of bad form that were asked again"
        ),
    )
    facts = run.facts
    if facts is not None:
        kind: Literal["self_reported", "published"] = "self_reported" if facts.self_reported else "published"
        rule = facts.note or "by MLGym's evaluator, on the split that was also the feedback"
        yield Decided(member=IMPORT, what="scores", chosen=kind, rule=rule)
        for known in reference().invalid:
            if (known.task, known.method, known.run) == (facts.id, run.files.model, run.number):
                yield Decided(member=IMPORT, what="scores", chosen="known invalid", rule=known.reason)


def _brief(run: Run, spec: EpisodeSpec) -> Brief | None:
    """What opens the episode; None for a task of which we do not know which way is better."""
    facts = run.facts
    if facts is None:
        return None
    texts = [
        each.content
        for each in (run.trajectory.history if run.trajectory is not None else ())
        if each.role == "user" and not each.is_demo and each.content
    ]
    baseline = run.baseline.get(facts.metric)
    return Brief(
        task=spec.task,
        text=texts[0] if texts else "(not kept)",
        metric=facts.metric,
        direction=facts.direction,
        baseline=facts.baseline if baseline is None else baseline,
        starter=STARTER,
        evaluations=0,
    )


def _questions(trajectory: Trajectory) -> list[tuple[Message, ...]]:
    """What came between one answer and the next, as far as it was kept."""
    questions: list[tuple[Message, ...]] = []
    new: list[Message] = []
    for each in trajectory.history:
        text = each.content or ""
        if each.role == "assistant" and not each.is_demo:
            questions.append(tuple(new))
            new = []
        elif each.role == "assistant":
            new.append(AssistantMessage(text=text))
        else:
            new.append(SystemMessage(text=text) if each.role == "system" else UserMessage(text=text))
    return questions


def _after(steps: tuple[Step, ...], place: int) -> tuple[Message, ...]:
    """What the step before showed, where the conversation was not kept."""
    return (UserMessage(text=steps[place - 1].observation or ""),) if 0 < place <= len(steps) else ()


def _action_in(text: str) -> str:
    parsed = parse_answer(text)
    return parsed.action if isinstance(parsed, Answer) else ""


def _artefact(run: Run, number: int, split: Split) -> ArtefactHash:
    """A name for what was scored, which nobody kept; the end's own where the end was scored by itself."""
    if split == "final" and number > len(validations_of(run)):
        return ArtefactHash("not kept: end")
    return ArtefactHash(f"not kept: validation {number}" if number else STARTER)


def _score(run: Run, entry: dict[str, float | None] | None) -> Score:
    metric = run.metric
    if entry is None or metric is None:
        return Score(value=None, failure=_reason(_status(run)) or "no score was kept", scorer_version=0)
    value = entry.get(metric)
    others = {name: each for name, each in entry.items() if name != metric and each is not None}
    failure = "" if value is not None else f"the entry has no {metric}"
    return Score(value=value, metrics=others, failure=failure, scorer_version=0)


def _status(run: Run) -> str | None:
    return run.trajectory.info.exit_status if run.trajectory is not None else None


def _reason(status: str | None) -> str:
    if status is None:
        return "how it ended was not kept"
    return status or "the run died of an error of its environment"


def _spending(run: Run) -> dict[str, float]:
    if run.trajectory is None:
        return {}
    stats = run.trajectory.info.model_stats
    spent = {"steps": float(sum(step.action not in EXITS for step in run.trajectory.trajectory))}
    if stats.tokens_sent is not None:
        spent["tokens"] = float(stats.tokens_sent + (stats.tokens_received or 0))
    if stats.task_cost is not None:
        spent["cost_usd"] = stats.task_cost
    return spent
