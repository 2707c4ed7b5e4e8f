"""Scores settings of the planted process; nothing that a team wrote is executed."""

from typing import Annotated, Literal

import msgspec
import numpy as np
import trio

from engine.task import Finding, Measured, Score
from engine.workspace.interface import Backend
from tasks.draws import stream
from tasks.evaluation import Evaluation
from tasks.game_settings import read_settings
from tasks.package import Settings
from tasks.planted.landscape import DECLARED_ERROR, MODES, Points, feedback, true_yield

Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``answer.json``."""

    mode: Literal["steady", "lucky", "leaky"]
    guard: Literal["on", "off"]
    depth: Annotated[int, msgspec.Meta(ge=0, le=9)]
    heat: Unit
    flow: Unit
    mix: Unit

    def points(self) -> Points:
        """The answer as one point of the landscape."""
        return Points(
            mode=np.array([MODES.index(self.mode)]),
            guard=np.array([self.guard == "on"]),
            depth=np.array([self.depth]),
            heat=np.array([self.heat]),
            flow=np.array([self.flow]),
            mix=np.array([self.mix]),
        )


class PlantedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[scoring]``: there is nothing to set."""


class PlantedScorer:
    """The yield: measured with noise as feedback, exact as a final."""

    version = 1
    outside = False

    async def score(self, evaluation: Evaluation, backend: Backend) -> tuple[Score, Measured]:  # noqa: ARG002 - needs none
        """One draw for feedback, the truth for every other split."""
        await trio.lowlevel.checkpoint()
        try:
            answer = msgspec.json.decode(evaluation.files["answer.json"], type=Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Score(value=None, failure=f"answer.json: {error}"), Measured()
        points = answer.points()
        if evaluation.split == "feedback":
            generator = stream(evaluation.seed, "planted noise", secret=evaluation.secret)
            value, standard_error = float(feedback(points, generator)[0]), DECLARED_ERROR
        else:
            value, standard_error = float(true_yield(points)[0]), 0.0
        if np.isnan(value):
            return Score(value=None, failure="the process broke: too deep without the guard"), Measured()
        findings = (
            (Finding(kind="output", detail="the yield was measured with the draws that it is scored by"),)
            if answer.mode == "leaky"
            else ()
        )
        return Score(value=value, standard_error=standard_error, findings=findings), Measured()


def make_scorer(settings: Settings) -> PlantedScorer:
    """The scorer."""
    read_settings(settings, PlantedSettings)
    return PlantedScorer()
