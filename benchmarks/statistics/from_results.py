"""Outcomes of episodes: the arm is the team's name, the block is (task, seeds), the value is the normalised final score."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from benchmarks.normalised import normalised_score
from benchmarks.scores import is_better
from benchmarks.statistics.outcomes import FloatArray, Observation, Outcomes, make_outcomes
from engine.episode import EpisodeResult
from engine.errors import BadSpecification
from engine.seeds import Seeds
from engine.task import ScoringProtocol, TaskCard


def block_of(seeds: Seeds) -> str:
    """A block's name within its task: the seed where all three are one, else the three."""
    if seeds.task == seeds.team == seeds.evaluation:
        return str(seeds.task)
    return f"{seeds.task}-{seeds.team}-{seeds.evaluation}"


def reference_of(card: TaskCard, protocol: ScoringProtocol) -> tuple[float, float]:
    """Baseline (scores 0) and reference (scores 1) of a task: the optimum, or the best valid published score.

    Raises:
        BadSpecification: the task has neither, or its reference is not better than its baseline.
    """
    baseline = card.baseline
    if protocol == "mlgym" and card.published_baseline is not None:
        baseline = card.published_baseline
    best = card.best_published
    if best is not None and card.mlgym_metric_is_wall_time and protocol == "verified":
        # Wall times of an unknown machine: only their ratio to the published baseline means something here.
        best = None if card.published_baseline is None else baseline * best / card.published_baseline
    for reference in (card.optimum, best):
        if reference is not None and is_better(reference, baseline, card.direction):
            return baseline, reference
    raise BadSpecification(
        card.id, "has no optimum or published score better than its baseline; its scores cannot be normalised"
    )


def outcomes_of_results(
    results: Iterable[EpisodeResult],
    cards: Mapping[str, TaskCard],
    *,
    clip: Mapping[str, tuple[float, float]] | None = None,
    block: Callable[[Seeds], str] = block_of,
) -> Outcomes:
    """Normalised final scores of finished episodes; 0 is the task's baseline, 1 its optimum (or best published score).

    Intention to treat: an episode whose artefact earned no score holds the floor that its task states, else the baseline.
    Episodes that the outside let down have no result and are missing.

    Args:
        results: finished episodes, of one protocol.
        cards: by task name.
        clip: by task, bounds of the normalised score where its tails are heavy.
        block: the name of a block; another one where arms share fewer seeds than all three.

    Raises:
        BadSpecification: no result, two protocols, or a task that cannot be normalised.
    """
    given = list(results)
    protocols: set[ScoringProtocol] = {each.spec.protocol for each in given}
    if len(protocols) > 1:
        raise BadSpecification("results", "two protocols of scoring cannot be compared; choose one")
    floors = {task: _floor(cards[task], protocol) for protocol in protocols for task in _tasks(given)}
    return make_outcomes(
        (
            Observation(
                method=each.spec.team.name,
                task=each.spec.task,
                block=block(each.spec.seeds),
                score=_normalised(
                    each.final.value,
                    cards[each.spec.task],
                    each.spec.protocol,
                    (clip or {}).get(each.spec.task),
                ),
            )
            for each in given
        ),
        floors=floors,
    )


def optimism_of_results(
    results: Iterable[EpisodeResult], cards: Mapping[str, TaskCard], method: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best single feedback score, final of its artefact, and final of what was handed in; normalised.

    Shapes ``(tasks, seeds)``, NaN where one is not recorded: what `selection_optimism` takes.

    Raises:
        BadSpecification: a task that cannot be normalised, or no result of the method.
    """
    mine = [each for each in results if each.spec.team.name == method]
    if not mine:
        raise BadSpecification("results", f"none is of {method}")
    tasks = _tasks(mine)
    rows = {task: [_promise(each, cards[task]) for each in mine if each.spec.task == task] for task in tasks}
    found = np.full((3, len(tasks), max(map(len, rows.values()))), np.nan)
    for place, task in enumerate(tasks):
        found[:, place, : len(rows[task])] = np.array(rows[task]).T
    return found[0], found[1], found[2]


def _promise(result: EpisodeResult, card: TaskCard) -> tuple[float, float, float]:
    best = result.best_feedback
    seen = [each.value for each in result.feedback if each.artefact == best and each.value is not None]
    if best is None or not seen:
        return (np.nan, np.nan, np.nan)
    highest = max(seen) if card.direction == "max" else min(seen)
    held = result.final if best == result.selected else result.best_feedback_final
    finals = (highest, None if held is None else held.value, result.final.value)
    values = [_normalised(each, card, result.spec.protocol, None) for each in finals]
    return tuple(np.nan if each is None else each for each in values)  # type: ignore[return-value] # three in, three out


def _normalised(
    score: float | None, card: TaskCard, protocol: ScoringProtocol, clip: tuple[float, float] | None
) -> float | None:
    baseline, reference = reference_of(card, protocol)
    return normalised_score(
        score, baseline=baseline, reference=reference, direction=card.direction, clip=clip
    )


def _floor(card: TaskCard, protocol: ScoringProtocol) -> float:
    value = 0.0 if card.floor is None else _normalised(card.floor, card, protocol, None)
    return 0.0 if value is None else value


def _tasks(results: Iterable[EpisodeResult]) -> list[str]:
    return list(dict.fromkeys(each.spec.task for each in results))
