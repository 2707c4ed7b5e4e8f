"""Are role effects that were planted found? Read from a folder that `benchmarks.offline` made."""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.statistics import (
    Interval,
    RemovalEffect,
    Sense,
    mean_of_tasks_interval,
    outcomes_of_results,
    removal_effects,
)
from engine.errors import BadSpecification
from engine.index import open_index
from tasks.planted.reference import best_of
from tasks.registry import open_task

TASK: Final = "planted"
FULL: Final = "full"
REMOVED: Final[dict[tuple[str, Sense], str]] = {
    ("hypothesizer", "vacuous"): "full.hypothesizer-vacuous",
    ("coder", "vacuous"): "full.coder-vacuous",
    ("experimenter", "vacuous"): "full.experimenter-vacuous",
    ("reviewer", "vacuous"): "full.reviewer-vacuous",
}
SEARCHES: Final = {"random-search": (60, 1), "best-of-n": (30, 2)}
"""Control teams whose rule the landscape's law gives a mean for: draws, and measurements of each."""


class KnownMean(msgspec.Struct, frozen=True, kw_only=True):
    """A control whose mean is known beforehand."""

    team: str
    expected: float
    """Yield, computed from the landscape's law by `tasks.planted.reference`, no team run."""
    found: Interval
    """Yield."""


class PlantedEffects(msgspec.Struct, frozen=True, kw_only=True):
    """What was found where the truth is known."""

    folder: str
    known: tuple[KnownMean, ...]
    removals: tuple[RemovalEffect, ...]


def planted_effects(folder: Path, *, seed: int) -> PlantedEffects:
    """Known means and the effects of removing each role, on the normalised scale.

    Args:
        folder: of the study, with ``index.sqlite``.
        seed: of the resamples.

    Raises:
        BadSpecification: there is no study, or an arm is missing.
    """
    path = folder / "index.sqlite"
    if not path.exists():
        raise BadSpecification(
            str(folder), "holds no study; make one with: python -m benchmarks.offline --tasks planted"
        )
    with open_index(path, read_only=True) as index:
        results = index.results()
    card = open_task(TASK).card
    outcomes = outcomes_of_results(results, {TASK: card})
    generator = np.random.default_rng(seed)
    scale = 1.0 - card.baseline
    known = [
        KnownMean(
            team=team,
            expected=best_of(
                draws,
                runs_each=runs,
                floor=card.baseline,
                repairs=True,
                generator=np.random.default_rng(1),
            ).mean,
            found=mean_of_tasks_interval(outcomes.of(team) * scale + card.baseline),
        )
        for team, (draws, runs) in SEARCHES.items()
    ]
    return PlantedEffects(
        folder=folder.name,
        known=tuple(known),
        removals=removal_effects(outcomes, FULL, REMOVED, generator=generator),
    )
