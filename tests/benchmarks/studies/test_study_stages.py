"""Sequential studies for real, on `planted`: looks as planned, stops when the answer is there, taken looks stand."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.studies.arm_rows import StudySummary
from benchmarks.studies.arms import FieldFault
from benchmarks.studies.conducting import conduct
from benchmarks.studies.design import ArmDesign, Contrast, Design, Sequential, Shard
from benchmarks.studies.implied import study_text
from benchmarks.studies.looks import planned_looks
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.resolving import resolve
from benchmarks.studies.running import limits_for
from benchmarks.studies.study import read_study
from benchmarks.studies.study_file import load_study
from engine.budget import Budget
from engine.errors import BadSpecification
from engine.seeds import Seeds

PLAN = Sequential(looks=(2, 4, 6), significance=0.5)
"""A level at which six blocks can decide something."""


def study(*, treatment: str, control: str, plan: Sequential = PLAN, seeds: int = 6) -> Design:
    """Two teams on the planted landscape."""
    return Design(
        name="tiny",
        tasks=("planted",),
        arms=tuple(ArmDesign(name=name, team=name) for name in (treatment, control)),
        contrasts=(Contrast(name="main", treatment=treatment, control=control, primary=True),),
        seeds=tuple(Seeds(task=n, team=n, evaluation=n) for n in range(1, seeds + 1)),
        budget=Budget(evaluations=12),
        sequential=plan,
    )


async def run(design: Design, folder: Path, *, look: str | None = "study") -> StudySummary:
    return await conduct(
        resolve(design),
        folder=folder,
        limits=limits_for(4),
        reporter=Quiet(),
        workspace="process",
        look=look,
    )


async def test_without_a_difference_every_look_is_taken_and_all_seeds_are_run(tmp_path: Path) -> None:
    """Best of n and random search draw alike at first: with few evaluations they often end alike."""
    twins = study(treatment="best-of-n", control="random-search", plan=Sequential(looks=(2, 4, 6)))

    summary = await run(twins, tmp_path)

    taken = planned_looks(tmp_path)
    assert [look.seeds for look in taken] == [2, 4, 6]
    assert not any(look.stops for look in taken)  # two blocks cannot give less than 0.5, six less than 0.03
    assert summary.complete_blocks == 6
    assert len(read_study(tmp_path).episodes) == 12


async def test_a_study_that_has_its_answer_stops_and_stays_stopped(tmp_path: Path) -> None:
    lax = Sequential(looks=(3, 4), significance=0.99)  # so that three blocks can decide
    design = study(treatment="full", control="solo", plan=lax, seeds=4)

    first = await run(design, tmp_path)
    again = await run(design, tmp_path)

    (look,) = planned_looks(tmp_path)
    assert look.stops
    assert look.p < look.nominal_p
    assert len(read_study(tmp_path).episodes) == 6  # three seeds of two arms
    assert first.rows == again.rows
    assert any("the study stopped early, at 3 of 4 seeds" in note for note in again.notes)


def test_looks_need_a_primary_comparison_must_rise_and_end_with_all_seeds() -> None:
    design = study(treatment="full", control="solo")
    exploratory = tuple(msgspec.structs.replace(each, primary=False) for each in design.contrasts)

    for wrong, words in (
        (msgspec.structs.replace(design, contrasts=exploratory), "none is named"),
        (msgspec.structs.replace(design, sequential=Sequential(looks=(4, 2, 6))), "must rise"),
        (msgspec.structs.replace(design, sequential=Sequential(looks=(2, 4))), "end with all of them"),
        (
            msgspec.structs.replace(design, sequential=Sequential(looks=(6,), significance=1.0)),
            "outside 0 to 1",
        ),
    ):
        with pytest.raises(FieldFault, match=words):
            resolve(wrong)
    with pytest.raises(FieldFault, match="a shard cannot see"):
        resolve(design, shard=Shard(number=1, of=2))


async def test_a_blind_sequential_study_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadSpecification, match="leave one of the two out"):
        await run(study(treatment="full", control="solo"), tmp_path / "study", look=None)

    assert not (tmp_path / "study").exists()


def test_a_file_says_the_looks_and_all_seeds_are_added_as_the_last_one(tmp_path: Path) -> None:
    design = resolve(study(treatment="full", control="solo")).design
    path = tmp_path / "study.toml"
    path.write_text(study_text(design).replace("looks = [2, 4, 6]", "looks = [2, 4]"))

    assert load_study(path).design == design
