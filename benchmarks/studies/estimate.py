"""What a study would take: episodes, time from what was measured before, cost from the price file and the budget's caps."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec

from benchmarks.studies.resolving import Resolved
from benchmarks.studies.study import read_study
from benchmarks.studies.teams import is_driven_by_model, models_of
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import OutputUnusable, RecordDamaged
from engine.index import open_index
from engine.models.endpoint import Connection, connect, find_endpoint
from engine.models.errors import KeyMissing
from engine.models.prices import PRICES_VARIABLE, Price, find_price, load_prices

PUBLISHED_SD: Final = 0.25
"""Pooled within-cell standard deviation of the normalised score in MLGym's 676 published runs."""
_Z: Final = 1.959964 + 0.841621
"""Normal quantiles: 5 % two-sided, and power 80 %."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--dry-run`` tells."""

    name: str
    folder: str
    blocks: int
    pilot_blocks: int
    """Among ``blocks``."""
    episodes: int
    done: int
    """Already in the folder."""
    per_arm: dict[str, int]
    evaluations_at_most: int
    """Over the episodes that are left."""
    wall_seconds: float | None
    """Of the episodes that are left; None: nothing was measured."""
    time_basis: str
    cost_usd: float | None
    """Expected from measured tokens; None where nothing was measured."""
    cost_usd_at_most: float | None
    """By the caps of the budget; None where no cap holds it."""
    cost_basis: str
    prices: dict[str, str]
    """Model to its price, in words."""
    detectable: str
    """What difference so many blocks can show; empty where no model is asked."""


def estimate(resolved: Resolved, *, folder: Path, like: Sequence[Path] = ()) -> Estimate:
    """What is left to do, and what it would take.

    Args:
        resolved: the study.
        folder: where it would run; what is done there is not done again, and was measured.
        like: folders of earlier studies, measured too.
    """
    specs = resolved.plan.specs
    known, at_once = _measured(folder)
    done = {result.episode: result.spec for result in known}
    left = [spec for spec in specs if done.get(spec.id) != spec]
    measured = [*known]
    for other in like:
        more, other_at_once = _measured(other)
        measured += more
        at_once = at_once or other_at_once
    wall, time_basis = _time(left, measured, at_once)
    cost, at_most, cost_basis, prices = _cost(left, measured)
    design = resolved.design
    ours = {(spec.task, spec.seeds) for spec in specs}
    return Estimate(
        name=design.name,
        folder=str(folder),
        blocks=len(ours),
        pilot_blocks=sum(design.is_pilot(seeds) for _, seeds in ours),
        episodes=len(specs),
        done=len(specs) - len(left),
        per_arm={arm.name: sum(spec.team.name == arm.name for spec in specs) for arm in design.arms},
        evaluations_at_most=sum(spec.budget.evaluations or 0 for spec in left),
        wall_seconds=wall,
        time_basis=time_basis,
        cost_usd=cost,
        cost_usd_at_most=at_most,
        cost_basis=cost_basis,
        prices=prices,
        detectable=_detectable(resolved),
    )


def _measured(folder: Path) -> tuple[list[EpisodeResult], int | None]:
    """What has ended in a folder, and how many episodes its last run had at once."""
    path = folder / "index.sqlite"
    if not path.exists():
        return [], None
    try:
        with open_index(path, read_only=True) as index:
            results = list(index.results())
        runs = read_study(folder).runs
    except (OutputUnusable, RecordDamaged):
        return [], None
    limits = [limit.value for limit in runs[-1].limits if limit.name == "episodes"] if runs else []
    return results, limits[0] if limits else None


def _time(
    left: Sequence[EpisodeSpec], measured: Sequence[EpisodeResult], at_once: int | None
) -> tuple[float | None, str]:
    if not left:
        return 0.0, "nothing is left to do"
    if not measured or at_once is None:
        return None, "nothing was measured yet; run a pilot, or name a study's folder with --like"
    seconds = 0.0
    guessed = 0
    # A model's seconds say nothing about those of offline policies, nor the other way round.
    for is_modelled in (False, True):
        wanted = [spec for spec in left if is_driven_by_model(spec.team) == is_modelled]
        known = [result for result in measured if is_driven_by_model(result.spec.team) == is_modelled]
        if wanted and not known:
            kind = "a model drives" if is_modelled else "no model drives"
            return (
                None,
                f"nothing that {kind} was measured yet; run a pilot, or name a study's folder with --like",
            )
        if wanted:
            more, more_guessed = _seconds(wanted, known)
            seconds, guessed = seconds + more, guessed + more_guessed
    basis = f"{len(measured)} measured episodes, {at_once} at once, on the machine that ran them"
    if guessed:
        basis += (
            f"; {guessed} episodes are of tasks without a measurement, and taken as the mean of the others"
        )
    return seconds / at_once, basis


def _seconds(left: Sequence[EpisodeSpec], measured: Sequence[EpisodeResult]) -> tuple[float, int]:
    """Seconds of all episodes one after the other, and for how many nothing like them was measured."""
    # Per evaluation, since budgets may differ: most of an episode's time is spent in them.
    by_cell, by_task = _means(measured, lambda result: result.measured.seconds / max(result.evaluations, 1))
    overall = fmean(by_task.values())
    seconds = 0.0
    guessed = 0
    for spec in left:
        each = by_cell.get((spec.task, spec.team.name), by_task.get(spec.task))
        guessed += each is None
        seconds += (overall if each is None else each) * (spec.budget.evaluations or 1)
    return seconds, guessed


def _means(
    results: Iterable[EpisodeResult], value: Callable[[EpisodeResult], float]
) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Means by (task, arm), and by task."""
    cells: dict[tuple[str, str], list[float]] = {}
    tasks: dict[str, list[float]] = {}
    for result in results:
        cells.setdefault((result.spec.task, result.spec.team.name), []).append(value(result))
        tasks.setdefault(result.spec.task, []).append(value(result))
    return {key: fmean(each) for key, each in cells.items()}, {
        key: fmean(each) for key, each in tasks.items()
    }


def _cost(
    left: Sequence[EpisodeSpec], measured: Sequence[EpisodeResult]
) -> tuple[float | None, float | None, str, dict[str, str]]:
    """Expected cost, cost at most, what they rest on, and prices."""
    asked = [spec for spec in left if is_driven_by_model(spec.team)]
    if not asked:
        return 0.0, 0.0, "no model is asked", {}
    prices = {name: _price(name) for name in sorted({name for spec in asked for name in models_of(spec)})}
    words = {name: _words(price) for name, price in prices.items()}
    at_most: float | None = 0.0
    for spec in asked:
        cap = _cap(spec, [prices[name] for name in models_of(spec)])
        at_most = None if at_most is None or cap is None else at_most + cap
    basis = "at most: caps of the budget"
    if at_most is None:
        basis = "no cap holds the cost; give budget.cost_usd, or budget.tokens with a known price"
    paid = [result for result in measured if "cost_usd" in result.spending]
    if not paid:
        return None, at_most, f"{basis}; expected: nothing was measured yet", words
    by_cell, by_task = _means(paid, lambda result: result.spending["cost_usd"])
    overall = fmean(by_task.values())
    cost = sum(by_cell.get((spec.task, spec.team.name), by_task.get(spec.task, overall)) for spec in asked)
    return cost, at_most, f"{basis}; expected: what {len(paid)} measured episodes cost", words


def _cap(spec: EpisodeSpec, prices: Sequence[Price | None]) -> float | None:
    """The most that an episode may cost; the last call may go past it, and is paid."""
    caps: list[float] = []
    if spec.budget.cost_usd is not None:
        caps.append(spec.budget.cost_usd)
    dearest = [max(price.input, price.output) for price in prices if price is not None]
    if spec.budget.tokens is not None and len(dearest) == len(prices):
        caps.append(spec.budget.tokens * max(dearest) / 1e6)
    return min(caps) if caps else None


def _price(name: str) -> Price | None:
    endpoint = find_endpoint(name.partition("/")[0])
    variable = os.environ.get(PRICES_VARIABLE)
    try:
        connection = connect(endpoint, base_url=None, environ=os.environ)
    except KeyMissing:  # a price needs no key
        connection = Connection(endpoint=endpoint, base_url=endpoint.base_url, key=None, is_loopback=False)
    return find_price(name, connection=connection, prices=load_prices(Path(variable) if variable else None))


def _words(price: Price | None) -> str:
    if price is None:
        return f"unknown; put it into a file and name that in {PRICES_VARIABLE}"
    return f"{price.input:g} USD for a million tokens in, {price.output:g} out"


def _detectable(resolved: Resolved) -> str:
    """What a study that pays for its answers should know before it does."""
    if not any(is_driven_by_model(spec.team) for spec in resolved.plan.specs):
        return ""
    runs = len(resolved.design.seeds) * len(resolved.design.tasks)
    effect = _Z * PUBLISHED_SD * math.sqrt(2 / runs)
    return (
        f"{runs} runs an arm can show a difference of {effect:.2f} in the normalised score (5 % two-sided, power 80 %, "
        f"SD {PUBLISHED_SD:g} as in the published runs); 0.1 takes {math.ceil(2 * (_Z * PUBLISHED_SD / 0.1) ** 2)}"
    )
