"""MLGym's agent as a solo member: its loop, its limits and its ends.

One turn is one answer of the model and the one action in it, and costs one step. An answer of bad form is sent back
with what is wrong with it; after `BAD_ANSWERS` of them in a turn the work ends. However it ends, what the folder holds
is handed in, unless the agent gives up.
"""

from functools import cache
from pathlib import Path

from engine.errors import BudgetExceeded
from engine.member import Behaviour, EffectFailed, Member
from engine.messages import (
    PATCHES,
    RESULTS,
    SELECTIONS,
    ArtefactHash,
    Brief,
    Evidence,
    NodeId,
    Patch,
    RunResult,
    Selection,
)
from engine.models.interface import AssistantMessage, Conversation, UserMessage
from engine.task import Score
from roles.evidence import pool
from roles.mlgym.extras import Extras
from roles.mlgym.history import History
from roles.mlgym.parsing import Answer, FormatProblem, parse_answer
from roles.mlgym.places import MemberPlace
from roles.mlgym.settings import MlgymSettings
from roles.mlgym.shell import Exit, MlgymShell, Seen, ShellState
from roles.offline.coder import unified
from roles.offline.experimenter import evaluated
from roles.solo import wait_for_brief
from roles.tree import STARTER

BAD_ANSWERS = 3
"""Of one turn, after which the work ends."""
_PROMPTS = Path(__file__).parent / "prompts"
_WRONG: dict[FormatProblem, str] = {
    "no block": "there is no action in it: no block between lines of three backticks",
    "several blocks": "there is more than one block between lines of three backticks in it",
}


def mlgym_agent(settings: MlgymSettings) -> Behaviour:
    """The behaviour of MLGym's agent; it ends with a final selection."""

    async def behave(member: Member) -> None:
        brief = await wait_for_brief(member)
        await _Agent(member, brief, settings).work()

    return behave


@cache
def mlgym_prompt(name: str) -> str:
    """A prompt of the agent, with places to be filled in."""
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


class _Agent:
    """One episode."""

    def __init__(self, member: Member, brief: Brief, settings: MlgymSettings) -> None:
        self._member, self._brief, self._settings = member, brief, settings
        self._extras = Extras(member, has_memory=settings.memory)
        tools = MlgymShell.files_for(settings.shell())
        self._place = MemberPlace(member, member.task.starter, tools)
        self._shell = MlgymShell(self._place, settings=settings.shell())
        self._history = History(self._instructions(), observations=settings.observations)
        self._nodes: dict[ArtefactHash, NodeId] = {brief.starter: STARTER}
        self._evidence: dict[ArtefactHash, Evidence] = {}
        self._validated = brief.starter
        """What was scored last."""

    async def work(self) -> None:
        """Turn after turn until something ends it, then hand in."""
        step, ended = 0, ""
        while not ended:
            if step >= self._settings.steps:
                ended = "max_steps"
                break
            try:
                with self._member.one_step():
                    ended = await self._turn(step)
            except BudgetExceeded as error:
                ended = "max_steps" if error.resource == "steps" else "exit_cost"
            step += 1
        await self._hand_in(ended)

    async def _turn(self, step: int) -> str:
        """One answer and its action; what ended the work, where something did."""
        if step == 0:
            state = await self._shell.start()
            self._history.see(self._task_text(state))
        answer = await self._answer()
        if not isinstance(answer, Answer):
            return answer
        text = await self._extras.act(answer.action)
        seen = await self._shell.act(answer.action) if text is None else self._plain(text)
        if seen.asked == "validate":
            validated = await self._validate()
            seen_text = "\n".join(filter(None, (seen.text, validated)))
        elif seen.asked:
            return seen.asked
        else:
            seen_text = seen.text
        seen_text = seen_text or "The command ended and printed nothing."
        self._history.see(f"{seen_text}\n{_state_lines(seen.state, step + 1, self._settings.steps)}")
        return ""

    async def _answer(self) -> Answer | Exit:
        """What the model wants to do. Answers of bad form, and what is said to them, do not stay in the history."""
        conversation = self._history.conversation()
        asked = conversation
        for _ in range(BAD_ANSWERS):
            answer = await self._generate(asked)
            if not isinstance(answer, AssistantMessage):
                return answer
            parsed = parse_answer(answer.text)
            if isinstance(parsed, Answer):
                self._history.say(answer)
                return parsed
            asked = (*conversation, answer, UserMessage(text=_mend(parsed.problem)))
        return "exit_format"

    async def _generate(self, conversation: Conversation) -> AssistantMessage | Exit:
        try:
            completion = await self._member.generate(conversation, settings=self._settings.model())
        except EffectFailed as error:
            return "exit_context" if error.kind == "ContextOverflow" else "exit_api"
        # The answer with which the money ran out is paid for and not carried out.
        return completion.message if self._member.scope.left("cost_usd") > 0 else "exit_cost"

    # -- scores -----------------------------------------------------------------------------------------------------

    async def _validate(self) -> str:
        if self._place.trouble:
            return f"Your files cannot be scored as they are: {self._place.trouble.strip()}"
        artefact = self._member.store.put(self._place.handed_in())
        node = await self._node(artefact)
        score, problem = await evaluated(self._member, artefact)
        if score is None:
            return f"Not scored: {problem}"
        self._validated = artefact
        if score.value is None:
            result = RunResult(node=node, evidence=None, evaluations=1, failure=problem)
            await self._member.post(result, topic=RESULTS)
            return f"Your files were not scored; the scorer said: {problem}"
        known = self._evidence.get(artefact)
        values = (*(known.values if known is not None else ()), score.value)
        evidence = pool(values, declared=score.standard_error, node=node, artefact=artefact)
        self._evidence[artefact] = evidence
        result = RunResult(node=node, evidence=evidence, evaluations=1, failure=problem)
        await self._member.post(result, topic=RESULTS)
        return self._score_text(score, problem)

    def _score_text(self, score: Score, problem: str) -> str:
        metric = self._member.task.card.metric
        further = "".join(f", {name} {value:.6g}" for name, value in score.metrics.items() if name != metric)
        remark = f"\nThe scorer remarked: {problem}" if problem else ""
        return (
            f"Your files were scored.\nBaseline: {metric} {self._brief.baseline:.6g}\n"
            f"Score: {metric} {score.value:.6g}{further}{remark}"
        )

    async def _hand_in(self, ended: str) -> None:
        """Select what the folder holds; where the agent gave up, what it had scored last."""
        gave_up = ended in ("skip", "exit_forfeit")
        artefact = self._validated if gave_up else self._member.store.put(self._place.handed_in())
        status = "submitted" if ended == "submit" else ended if gave_up else f"autosubmission ({ended})"
        node = await self._node(artefact)
        self._member.decide("exit", status, rule="how the agent's work ended, as MLGym names it")
        choice = Selection(node=node, artefact=artefact, rule=status, candidates=(node,), final=True)
        await self._member.post(choice, topic=SELECTIONS)

    async def _node(self, artefact: ArtefactHash) -> NodeId:
        """The node of an artefact; a new artefact is published as a patch of what was scored last."""
        if artefact not in self._nodes:
            node = NodeId(len(self._nodes))
            self._nodes[artefact] = node
            before, after = self._member.store.get(self._validated), self._member.store.get(artefact)
            patch = Patch(node=node, base=self._validated, artefact=artefact, diff=unified(before, after))
            await self._member.post(patch, topic=PATCHES)
        return self._nodes[artefact]

    # -- words ------------------------------------------------------------------------------------------------------

    def _plain(self, text: str) -> Seen:
        return Seen(text=text, state=self._shell.state)

    def _instructions(self) -> str:
        settings = self._settings
        return mlgym_prompt("system").format(
            window=settings.window,
            short_seconds=settings.short_seconds,
            training_seconds=settings.training_seconds,
            steps=settings.steps,
            extra=self._extras.described(),
        )

    def _task_text(self, state: ShellState) -> str:
        brief = self._brief
        return mlgym_prompt("task").format(
            brief=brief.text.strip(),
            metric=brief.metric,
            better="higher" if brief.direction == "max" else "lower",
            baseline=f"{brief.baseline:.6g}",
            state=_state_lines(state, 0, self._settings.steps),
        )


def _mend(problem: FormatProblem) -> str:
    return (
        f"Your answer was not carried out: {_WRONG[problem]}. Answer again: what you think, then exactly one action in "
        "one block."
    )


def _state_lines(state: ShellState, step: int, steps: int) -> str:
    return (
        f"(Step {step} of {steps} done, {steps - step} left)\n(Open file: {state.open_file})\n"
        f"(Current directory: {state.working_dir})\nbash-$"
    )
