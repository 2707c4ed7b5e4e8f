"""Scores over budget: what stood after each feedback evaluation, by the team's own feedback."""

from collections.abc import Iterable, Sequence

import msgspec

from engine.episode import EpisodeResult
from engine.messages import Selection
from mlyceum.reading import EpisodeView

STARTER = ""


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The curve after so many evaluations."""

    evaluations: int
    value: float | None
    """Mean of all feedback on what stood then; None where it got none."""


class MeanCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Several episodes' curves, one by one and in the mean."""

    arm: str
    episodes: tuple[str, ...]
    finals: tuple[float | None, ...]
    mean: tuple[CurvePoint, ...]
    counts: tuple[int, ...]
    """Episodes that have a value after so many evaluations."""


def _curve(
    feedback: Iterable[tuple[str, float | None]], standing: Sequence[tuple[int, str]], last: int
) -> tuple[CurvePoint, ...]:
    got: dict[str, list[float]] = {}
    for artefact, value in feedback:
        if value is not None:
            got.setdefault(artefact, []).append(value)
    means = {artefact: sum(values) / len(values) for artefact, values in got.items()}
    points: list[CurvePoint] = []
    place, stands = 0, STARTER
    for evaluations in range(last + 1):
        while place < len(standing) and standing[place][0] <= evaluations:
            stands = standing[place][1]
            place += 1
        points.append(CurvePoint(evaluations=evaluations, value=means.get(stands)))
    return tuple(points)


def curve_of_view(view: EpisodeView) -> tuple[CurvePoint, ...]:
    """The curve of an episode, ended or not."""
    evaluations = [act.order for act in view.effects if getattr(act.effect, "split", "") == "feedback"]
    standing = [
        (sum(order < sent.order for order in evaluations), str(sent.body.artefact))
        for sent in view.messages
        if isinstance(sent.body, Selection)
    ]
    feedback = [(each.artefact, each.score.value) for each in view.feedback]
    return _curve(feedback, standing, len(evaluations))


def curve_of_result(result: EpisodeResult) -> tuple[CurvePoint, ...]:
    """The curve of an episode that has ended, from its row alone."""
    standing = [(each.evaluations, str(each.artefact)) for each in result.standing]
    return _curve(
        [(str(each.artefact), each.value) for each in result.feedback], standing, result.evaluations
    )


def mean_curve(arm: str, results: Sequence[EpisodeResult]) -> MeanCurve:
    """The mean over episodes after each number of evaluations; one that ended sooner keeps what it handed in."""
    curves = [curve_of_result(result) for result in results]
    last = max((len(curve) for curve in curves), default=0)
    mean: list[CurvePoint] = []
    counts: list[int] = []
    for at in range(last):
        values = [value for curve in curves if (value := curve[min(at, len(curve) - 1)].value) is not None]
        counts.append(len(values))
        mean.append(CurvePoint(evaluations=at, value=sum(values) / len(values) if values else None))
    return MeanCurve(
        arm=arm,
        episodes=tuple(result.episode for result in results),
        finals=tuple(result.final.value for result in results),
        mean=tuple(mean),
        counts=tuple(counts),
    )
