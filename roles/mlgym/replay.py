"""A published trajectory's answers, played one by one through the MLGym agent's shell.

What the shell shows is handed back beside what was recorded. Whether the two mean the same is for
`benchmarks.mlgym_replay` to say.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from roles.mlgym.parsing import Answer, parse_answer
from roles.mlgym.shell import EXITS, MlgymShell, Seen
from roles.mlgym.trajectory import Step

MAX_STEPS: Final = 50
"""Of every published run; a step beyond is not done, and ends the run."""
HOME: Final = "/home/agent/workspace"
"""The workspace as recorded paths know it."""

Metrics: TypeAlias = dict[str, float]


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation in the replay came to."""

    metrics: Metrics | None = None
    text: str = ""
    """What the evaluator said, where there are no metrics."""
    timed_out: bool = False


Evaluate: TypeAlias = Callable[[], Awaitable[Evaluated]]
Ending = Literal["", "submit", "max_steps", "exit", "timeout"]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One step played again."""

    number: int
    """From 1."""
    recorded: Step
    action: str
    """What the answer says, as we read it."""
    seen: Seen
    evaluated: Evaluated | None = None
    ending: Ending = ""


def action_of(step: Step) -> str:
    """What a step's answer asks for: read from the raw answer; an exit, and what cannot be read, as recorded.

    An exit is no answer of the model's: the agent of MLGym put it in the place of one that it could not use.
    """
    if step.action.strip() in EXITS or not step.response:
        return step.action
    answer = parse_answer(step.response)
    return answer.action if isinstance(answer, Answer) else step.action


async def replay(
    steps: Sequence[Step],
    shell: MlgymShell,
    evaluate: Evaluate,
    *,
    max_steps: int = MAX_STEPS,
    done: Callable[[Played], None] = lambda _played: None,
) -> tuple[Played, ...]:
    """Play steps in order, until one ends the run.

    Args:
        steps: as recorded.
        shell: started, in a workspace with the task's files.
        evaluate: what ``validate`` and ``submit`` do, on the workspace as it is.
        max_steps: the step after so many ends the run without being done.
        done: told of each step.
    """
    played: list[Played] = []
    for number, step in enumerate(steps, start=1):
        played.append(await _play(number, step, shell, evaluate, is_over=number > max_steps))
        done(played[-1])
        if played[-1].ending:
            break
    return tuple(played)


async def _play(number: int, step: Step, shell: MlgymShell, evaluate: Evaluate, *, is_over: bool) -> Played:
    action = action_of(step)
    if is_over:
        seen = Seen(text="", state=shell.state)
        return Played(
            number=number,
            recorded=step,
            action=action,
            seen=seen,
            evaluated=await evaluate(),
            ending="max_steps",
        )
    seen = await shell.act(action)
    if not seen.asked:
        return Played(number=number, recorded=step, action=action, seen=seen)
    if seen.asked in ("skip", "exit_forfeit"):
        return Played(number=number, recorded=step, action=action, seen=seen, ending="exit")
    evaluated = await evaluate()
    ending: Ending = "exit"
    if seen.asked in ("validate", "submit"):
        ending = "submit" if seen.asked == "submit" else ""
    if seen.asked == "validate" and evaluated.timed_out:
        ending = "timeout"  # MLGym's shell does not come back from it
    return Played(number=number, recorded=step, action=action, seen=seen, evaluated=evaluated, ending=ending)
