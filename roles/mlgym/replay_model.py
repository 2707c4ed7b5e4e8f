"""``recorded/FILE.traj``: a model that gives a published run's answers, so that the run becomes an episode of ours.

With ``--team mlgym`` each answer is done in our workspace and everything is on our record. Which answer comes next is
counted from the answers in the conversation, so a rerun goes on where its record ends.
"""

from pathlib import Path
from typing import Final

from engine.errors import UserError
from engine.models.interface import AssistantMessage
from engine.models.scripted import Request, Scripted
from roles.mlgym.parsing import Answer, parse_answer
from roles.mlgym.shell import EXITS
from roles.mlgym.trajectory import LARGEST_BYTES, Trajectory, read_trajectory

PROVIDER: Final = "recorded"
SUBMIT: Final = "The record ends here.\n\n```\nsubmit\n```"
"""After the last answer, where the run did not hand in by itself."""


def is_recorded(name: str) -> bool:
    """Whether a model's name means a recorded run."""
    return name.partition("/")[0] == PROVIDER


def open_recorded(name: str) -> Scripted:
    """The model of a name ``recorded/FILE.traj``.

    Raises:
        UserError: there is no such file, or it is no trajectory.
    """
    path = Path(name.partition("/")[2])
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is larger than {LARGEST_BYTES} bytes; is it a trajectory?")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"--model {name}: {path} cannot be read: {error.strerror or error}") from error
    return recorded_model(read_trajectory(data, where=str(path)), name=name)


def recorded_model(trajectory: Trajectory, *, name: str = f"{PROVIDER}/trajectory") -> Scripted:
    """A model that gives a run's answers in their order, then submits."""
    answers = recorded_answers(trajectory)

    def answer(request: Request) -> str:
        given = sum(isinstance(message, AssistantMessage) for message in request.conversation)
        return answers[given] if given < len(answers) else SUBMIT

    return Scripted(answer, name=name)


def recorded_answers(trajectory: Trajectory) -> tuple[str, ...]:
    """What the model said at each step that was done; one that no action can be read from is left out.

    A step that a limit ended has a sentence of MLGym's in the place of an answer, and is left out too.
    """
    return tuple(
        step.response
        for step in trajectory.trajectory
        if step.action.strip() not in EXITS and isinstance(parse_answer(step.response), Answer)
    )
