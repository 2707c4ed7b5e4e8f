"""A sequential study, stage by stage: seeds are run up to the next planned look, the look is taken, and it may be over.

The test at a look is the one that a report gives the primary comparison (signs flipped over blocks, on the normalised
scale); what it must fall below comes from `benchmarks.statistics.sequential`. A look that was taken stands: taken again,
it says the same.
"""

import dataclasses
from pathlib import Path

import numpy as np

from benchmarks.report.evidence import make_evidence
from benchmarks.report.sources import read_sources
from benchmarks.statistics.comparison import paired_differences
from benchmarks.statistics.permutation import sign_flip_test
from benchmarks.statistics.sequential import boundaries
from benchmarks.studies.design import Contrast, Sequential
from benchmarks.studies.looks import Planned, planned_looks
from benchmarks.studies.plan import Plan
from benchmarks.studies.resolving import Resolved
from engine.errors import BadSpecification

FLIPS_SEED = 19_350_101
"""Of the signs that a look flips: the same record gives the same look."""


def next_look(folder: Path, plan: Sequential) -> int | None:
    """Seeds up to which to run: those of the first look that was not taken; None where the study has its answer.

    Raises:
        RecordDamaged: the folder's looks cannot be read.
    """
    taken = planned_looks(folder)
    if any(look.stops for look in taken) or len(taken) >= len(plan.looks):
        return None
    return plan.looks[len(taken)]


def up_to(resolved: Resolved, seeds: int) -> Plan:
    """The plan with only so many seeds, and the pilots."""
    design = resolved.design
    kept = {*design.pilot_seeds, *design.seeds[:seeds]}
    specs = tuple(spec for spec in resolved.plan.specs if spec.seeds in kept)
    return dataclasses.replace(resolved.plan, specs=specs)


def seeds_run(folder: Path) -> int:
    """How many seeds the looks that were taken had seen; 0 before the first.

    Raises:
        RecordDamaged: the folder's looks cannot be read.
    """
    taken = planned_looks(folder)
    return taken[-1].seeds if taken else 0


def take_look(folder: Path, plan: Sequential, primary: Contrast, seeds: int) -> Planned:
    """Test the primary comparison at the look after so many seeds. Nothing is written.

    Args:
        folder: of the study, with every episode of those seeds done and none of later ones.
        plan: the looks.
        primary: what is tested.
        seeds: one of the plan's.

    Raises:
        BadSpecification: no task has a reference, so that there is no common scale to test on.
    """
    outcomes = make_evidence(read_sources(folder)).outcomes
    if outcomes is None:
        raise BadSpecification(
            "sequential", "no task of the study has a reference score, so that there is nothing to test on"
        )
    differences = paired_differences(outcomes, primary.treatment, primary.control)
    found = sign_flip_test(differences, generator=np.random.default_rng(FLIPS_SEED))
    place = plan.looks.index(seeds)
    fractions = [each / plan.looks[-1] for each in plan.looks[: place + 1]]
    needed = boundaries(fractions, significance=plan.significance)[-1].nominal_p
    return Planned(seeds=seeds, p=found.p, nominal_p=needed, stops=found.p < needed)
