"""Anytime curves of a study: the normalised score of what stood after so many feedback evaluations.

Final scores of what stood on the way are in the record only where they were taken (a study that asked for curves, or
``scores.jsonl``). Where one is missing the curves are of *feedback*: what the team itself saw, noisy and, of an artefact
that was chosen for it, too high. The report says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from benchmarks.offline.arms import ARMS
from benchmarks.offline.curves import CURVE_SEED
from benchmarks.report.evidence import Evidence
from benchmarks.report.sources import Source
from benchmarks.statistics.anytime import CurvePoint, mean_curve, on_grid
from benchmarks.statistics.from_results import block_of
from benchmarks.statistics.outcomes import FloatArray
from benchmarks.studies.teams import Drivers, make_team
from engine.episode import EpisodeResult
from engine.seeds import Seeds

CurveKind: TypeAlias = Literal["final", "feedback"]
_MARKS = (1, 2, 3, 5, 8, 12, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000)
_Steps: TypeAlias = tuple[FloatArray, FloatArray]
"""Evaluations at which the score changed, and the scores from then on."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The curves of all arms on one grid.

    Attributes:
        kind: of which score.
        grid: feedback evaluations, shape ``(points,)``.
        scores: by arm, normalised, shape ``(tasks, blocks, points)``; NaN: not run.
        tasks: names along the first axis.
    """

    kind: CurveKind
    grid: FloatArray
    scores: Mapping[str, FloatArray]
    tasks: tuple[str, ...]

    def mean(self, arm: str, task: str | None = None) -> tuple[CurvePoint, ...]:
        """The mean curve of an arm, over all tasks or on one, with pointwise intervals."""
        scores = self.scores[arm]
        chosen = scores if task is None else scores[[self.tasks.index(task)]]
        return mean_curve(chosen, self.grid)


class _ScoreKey(msgspec.Struct):
    task: str
    artefact: str
    split: str
    seed: int = 0


class _ScoreValue(msgspec.Struct):
    value: float | None = None


class _ScoreLine(msgspec.Struct):
    """What a line of ``scores.jsonl`` says that curves need."""

    key: _ScoreKey
    score: _ScoreValue


_line_decoder = msgspec.json.Decoder(_ScoreLine)


def make_curves(evidence: Evidence) -> Curves | None:
    """The curves; None where no task has a reference or nothing was evaluated."""
    tasks = evidence.headline_tasks
    results = [result for result in evidence.results if result.spec.task in tasks]
    most = max((result.evaluations for result in results), default=0)
    if not most:
        return None
    grid = np.array([float(n) for n in (*(mark for mark in _MARKS if mark < most), most)])
    steps = _final_steps(evidence, results)
    kind: CurveKind = "feedback" if steps is None else "final"
    if steps is None:
        steps = {result.episode: _feedback_steps(evidence, result) for result in results}
    blocks = {
        task: sorted(
            {block_of(r.spec.seeds) for r in results if r.spec.task == task}, key=lambda b: (len(b), b)
        )
        for task in tasks
    }
    most_blocks = max(map(len, blocks.values()))
    scores = {arm: np.full((len(tasks), most_blocks, len(grid)), np.nan) for arm in evidence.arms}
    for result in results:
        place = tasks.index(result.spec.task), blocks[result.spec.task].index(block_of(result.spec.seeds))
        spent, values = steps[result.episode]
        scores[result.spec.team.name][place] = on_grid(spent, values, grid, start=0.0)
    return Curves(kind=kind, grid=grid, scores=scores, tasks=tasks)


def _final_steps(evidence: Evidence, results: Sequence[EpisodeResult]) -> dict[str, _Steps] | None:
    """By episode; None where the final score of anything that stood is not in the record."""
    taken = _taken_afterwards(evidence)
    known: dict[Path, dict[tuple[str, str], float | None]] = {}
    folders = {result.episode: source for source in evidence.sources.each for result in source.results}
    steps: dict[str, _Steps] = {}
    for result in results:
        if result.episode in taken:
            steps[result.episode] = taken[result.episode]
            continue
        source = folders[result.episode]
        finals = known.setdefault(source.folder, _finals(source))
        scale = evidence.scales[result.spec.task]
        found = [(chosen.evaluations, (scale.card.id, chosen.artefact)) for chosen in result.standing]
        if not all(key in finals for _, key in found):
            return None
        values = [scale.normalise(finals[key]) for _, key in found]
        steps[result.episode] = _steps(
            [n for n, _ in found], [scale.floor if v is None else v for v in values]
        )
    return steps


def _steps(spent: Sequence[float], values: Sequence[float]) -> _Steps:
    return np.array(spent, dtype=np.float64), np.array(values, dtype=np.float64)


def _taken_afterwards(evidence: Evidence) -> dict[str, _Steps]:
    """Curves that `benchmarks.offline` put beside a study, by episode."""
    curves = [(source, curve) for source in evidence.sources.each for curve in source.curves]
    if not curves:
        return {}
    episodes = {
        (r.spec.task, r.spec.team.name, r.spec.seeds.team): r.episode
        for r in evidence.results
        if r.spec.seeds == Seeds(task=r.spec.seeds.team, team=r.spec.seeds.team, evaluation=r.spec.seeds.team)
    }
    teams = _offline_teams()
    steps: dict[str, _Steps] = {}
    for _, curve in curves:
        episode = episodes.get((curve.task, teams.get(curve.arm, curve.arm), curve.seed))
        scale = evidence.scales.get(curve.task)
        if episode is None or scale is None:
            continue
        values = [scale.normalise(value) for value in curve.finals]
        steps[episode] = _steps(curve.evaluations, [scale.floor if v is None else v for v in values])
    return steps


@lru_cache(maxsize=1)
def _offline_teams() -> dict[str, str]:
    """What `benchmarks.offline` calls an arm, to the name of its team."""
    return {arm.name: make_team(arm.team, drivers=Drivers(), without=arm.without).name for arm in ARMS}


def _finals(source: Source) -> dict[tuple[str, str], float | None]:
    """Final scores in ``scores.jsonl``, by task and artefact: one seed for all where taken afterwards."""
    finals: dict[tuple[str, str], float | None] = {}
    try:
        with (source.folder / "scores.jsonl").open("rb") as file:
            for line in file:
                if b'"final"' not in line:
                    continue
                try:
                    entry = _line_decoder.decode(line)
                except msgspec.DecodeError:
                    continue  # a torn last line, while a run writes
                if entry.key.split == "final":
                    key = (entry.key.task, entry.key.artefact)
                    if entry.key.seed == CURVE_SEED or key not in finals:
                        finals[key] = entry.score.value
    except OSError:
        return {}
    return finals


def _feedback_steps(evidence: Evidence, result: EpisodeResult) -> _Steps:
    """The mean feedback of what stood, over the evaluations that it had had by then."""
    scale = evidence.scales[result.spec.task]
    spent: list[float] = []
    values: list[float] = []
    for chosen in result.standing:
        seen = [
            each.value
            for each in result.feedback
            if each.artefact == chosen.artefact
            and each.evaluation <= chosen.evaluations
            and each.value is not None
        ]
        score = scale.normalise(sum(seen) / len(seen)) if seen else None
        spent.append(float(chosen.evaluations))
        values.append(scale.floor if score is None else score)
    return _steps(spent, values)
