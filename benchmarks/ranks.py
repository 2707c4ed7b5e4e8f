"""Orders over methods from their orders on single tasks: Borda, Plackett-Luce, and MLGym's mean rank.

MLGym's tables carry rows called "BORDA" and "Plackett-Luce" that hold one and the same order by mean
position, and put methods without a score in an arbitrary order at the end. That order is kept under its own
name, `mlgym_mean_rank`; `borda` and `plackett_luce` are the methods of those names.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.scores import TaskScores, by_direction, methods_of, usable
from engine.errors import BadSpecification, EngineError
from engine.task import Direction

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class NoMaximum(EngineError):
    """Raised when a likelihood has no maximum, because some methods always beat all others."""


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """The order of some methods on one task, best first; a method in neither part was not compared."""

    placed: tuple[tuple[str, ...], ...]
    """Groups of equal score, best first."""
    unplaced: tuple[str, ...] = ()
    """Known to come after all placed ones, in an order that is not known (they have no score)."""


class MeanRanks(msgspec.Struct, frozen=True, kw_only=True):
    """MLGym's aggregate order of methods."""

    order: tuple[str, ...]
    """Best first; equal means keep the order of the tables."""
    mean_position: dict[str, float]
    """Mean position over tasks, from 0 (MLGym calls the order by it "Plackett-Luce")."""
    points: dict[str, float]
    """Sum over tasks of (methods - position): MLGym's "BORDA", the same order by construction."""


class PlackettLuce(msgspec.Struct, frozen=True, kw_only=True):
    """Worths fitted by maximum likelihood."""

    order: tuple[str, ...]
    worths: dict[str, float]
    """By method, positive, summing to 1: the chance to be best when all are compared."""
    log_likelihood: float
    """Natural log of the likelihood of the rankings (without the ghost's share)."""
    iterations: int
    converged: bool
    ghost: float
    """Wins and losses of every method against a made-up one (0: plain maximum likelihood)."""


def task_order(table: TaskScores) -> tuple[str, ...]:
    """Methods from best to worst; ties and methods without a score keep the table's order."""
    scored = {method: score for method, score in table.scores.items() if usable(score) is not None}
    ordered = by_direction({m: s for m, s in scored.items() if s is not None}, table.direction)
    return (*ordered, *(method for method in table.scores if method not in scored))


def task_ranking(table: TaskScores) -> Ranking:
    """The order of a table with its ties kept, and methods without a score unplaced at the end."""
    groups: dict[float, list[str]] = {}
    for method, score in table.scores.items():
        value = usable(score)
        if value is not None:
            groups.setdefault(value, []).append(method)
    values = sorted(groups, reverse=_descending(table.direction))
    return Ranking(
        placed=tuple(tuple(groups[value]) for value in values),
        unplaced=tuple(method for method, score in table.scores.items() if usable(score) is None),
    )


def borda(rankings: Iterable[Ranking]) -> dict[str, float]:
    """Borda points, best method first.

    On each ranking a method gains one point for every compared method below it and half a point for every
    one tied with it; unplaced methods count as tied with each other (Borda 1784, ties sharing their points).
    """
    points: dict[str, float] = {}
    for ranking in rankings:
        groups = [*ranking.placed, ranking.unplaced]
        below = sum(map(len, groups))
        for group in groups:
            below -= len(group)
            for method in group:
                points[method] = points.get(method, 0.0) + below + (len(group) - 1) / 2
    return _best_first(points)


def mlgym_mean_rank(tables: Sequence[TaskScores]) -> MeanRanks:
    """The order that MLGym's tables call both "BORDA" and "Plackett-Luce": the mean position.

    Positions come from `task_order`. MLGym appends methods without a score in set order, which is
    arbitrary between processes; here they keep the table's order, so the result is reproducible.
    """
    methods = methods_of(tables)
    points = dict.fromkeys(methods, 0.0)
    for table in tables:
        order = task_order(table)
        for position, method in enumerate(order):
            points[method] += len(order) - position
    mean = {method: len(methods) - points[method] / len(tables) for method in methods}
    return MeanRanks(order=tuple(sorted(mean, key=mean.__getitem__)), mean_position=mean, points=points)


def plackett_luce(
    rankings: Sequence[Ranking],
    *,
    ghost: float = 0.0,
    tolerance: float = 1e-10,
    max_iterations: int = 100_000,
) -> PlackettLuce:
    """Worths of the Plackett-Luce model by maximum likelihood (MM algorithm, Hunter 2004).

    A ranking is a series of choices: the best of all, the best of the rest, and so on; each method is chosen
    with probability worth / sum of worths of those left. Partial rankings: a method that is not named is not
    among those left; unplaced methods are left at every choice and never chosen. Ties: the members of a group
    are each chosen from the same set, the group included (Breslow's 1974 treatment of ties, which does not
    depend on the order in which tied methods are listed).

    The iteration stops when every method's wins differ from their expectation under the fitted worths by at
    most ``tolerance`` times its wins (the likelihood equations), or after ``max_iterations``.

    Args:
        rankings: at least one, of at least two methods in all.
        ghost: that many wins and losses of each method against one made-up method, which ties all methods
            together where the plain maximum does not exist (Turner et al. 2020); 0 for none.
        tolerance: relative residual of the likelihood equations at which the fit is done.
        max_iterations: bound on the iterations; the result says whether the fit had converged.

    Raises:
        BadSpecification: when no method is ranked.
        NoMaximum: when some methods always beat all others (Hunter's assumption 1 fails) and ``ghost`` is 0.
    """
    methods = tuple(dict.fromkeys(m for r in rankings for m in (*_flat(r.placed), *r.unplaced)))
    if not methods:
        raise BadSpecification("rankings", "there is no method to compare; give at least one ranking")
    index = {method: column for column, method in enumerate(methods)}
    left, chosen = _choices(rankings, index)
    if ghost == 0 and not _is_connected(left, chosen):
        raise NoMaximum(
            "Plackett-Luce: some methods always beat all others, so the likelihood has no maximum; "
            "compare on more tasks, or pass ghost=0.5"
        )
    worths, iterations, converged = _fit(left, chosen, ghost, tolerance, max_iterations)
    total = left @ worths
    per_choice = chosen @ np.log(worths) - chosen.sum(axis=1) * np.log(total)
    fitted = _best_first(dict(zip(methods, worths.tolist(), strict=True)))
    return PlackettLuce(
        order=tuple(fitted),
        worths=fitted,
        log_likelihood=float(per_choice.sum()),
        iterations=iterations,
        converged=converged,
        ghost=ghost,
    )


def _fit(
    left: FloatArray, chosen: FloatArray, ghost: float, tolerance: float, max_iterations: int
) -> tuple[FloatArray, int, bool]:
    """Worths ``(methods,)`` summing to 1, iterations made, whether they converged."""
    wins = chosen.sum(axis=0) + ghost
    times = chosen.sum(axis=1)
    worths = np.full(left.shape[1], 1.0 / left.shape[1])
    for iteration in range(1, max_iterations + 1):
        # The ghost's worth is held at the geometric scale of the fit, 1 / methods, and drops out at the end.
        weights = left.T @ (times / (left @ worths)) + 2 * ghost / (worths + 1.0 / len(worths))
        residual = np.abs(wins - worths * weights)
        if np.all(residual <= tolerance * wins):
            return worths / worths.sum(), iteration, True
        worths = wins / weights
        if ghost == 0:
            worths /= worths.sum()
    return worths / worths.sum(), max_iterations, False


def _choices(rankings: Sequence[Ranking], index: Mapping[str, int]) -> tuple[FloatArray, FloatArray]:
    """Who was left and who was chosen at each choice, both of shape ``(choices, methods)``, 0 or 1."""
    left_rows: list[FloatArray] = []
    chosen_rows: list[FloatArray] = []
    for ranking in rankings:
        left = np.zeros(len(index))
        left[[index[method] for method in (*_flat(ranking.placed), *ranking.unplaced)]] = 1.0
        for group in ranking.placed:
            if left.sum() < 2:  # the last one left is no choice
                break
            chosen = np.zeros(len(index))
            chosen[[index[method] for method in group]] = 1.0
            left_rows.append(left.copy())
            chosen_rows.append(chosen)
            left -= chosen
    shape = (len(left_rows), len(index))
    return np.array(left_rows).reshape(shape), np.array(chosen_rows).reshape(shape)


def _is_connected(left: FloatArray, chosen: FloatArray) -> bool:
    """Whether from every method a chain of "was chosen where the other was left" leads to every other."""
    reach: BoolArray = (chosen.T @ left) > 0
    for _ in range(max(1, len(reach).bit_length())):
        reach = reach | ((reach.astype(np.float64) @ reach.astype(np.float64)) > 0)
    return bool(np.all(reach | np.eye(len(reach), dtype=np.bool_)))


def _flat(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(method for group in groups for method in group)


def _best_first(values: Mapping[str, float]) -> dict[str, float]:
    return {method: values[method] for method in sorted(values, key=lambda m: -values[m])}


def _descending(direction: Direction) -> bool:
    return direction == "max"
