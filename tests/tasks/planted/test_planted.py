"""The planted landscape does what its card says, and the judge scores it without a sandbox."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store import ArtefactStore
from engine.task import Score, Split
from tasks.planted.landscape import MODES, Points, draw_uniformly, feedback, true_yield
from tasks.planted.moves import SPACE, PlantedMoves
from tasks.planted.reference import best_of
from tasks.registry import open_task
from tasks.scoring import open_judge

BEST = {"mode": "steady", "guard": "on", "depth": 3, "heat": 0.35, "flow": 0.7, "mix": 0.48}


async def scored(tmp_path: Path, answer: object, split: Split = "final", seed: int = 1) -> Score:
    store = ArtefactStore(tmp_path)
    judge = open_judge("planted", store=store, backend=None)  # type: ignore[arg-type]  # it needs none
    assert not judge.outside
    score, _ = await judge.score(
        store.put({"answer.json": msgspec.json.encode(answer)}), split=split, seed=seed
    )
    return score


async def test_the_optimum_and_the_baseline_are_what_the_card_says(tmp_path: Path) -> None:
    card = open_task("planted").card

    assert (await scored(tmp_path, BEST)).value == pytest.approx(card.optimum)
    assert (await scored(tmp_path, PlantedMoves().start())).value == pytest.approx(card.baseline)


@pytest.mark.parametrize(
    ("mode", "shown", "worth"), [("steady", 1.0, 1.0), ("lucky", 0.85, 0.85), ("leaky", 1.3, 0.7)]
)
async def test_each_lure_shows_and_is_worth_what_was_planted(
    tmp_path: Path, mode: str, shown: float, worth: float
) -> None:
    answer = {**BEST, "mode": mode}

    values = [(await scored(tmp_path, answer, "feedback", seed)).value or 0.0 for seed in range(400)]

    spread = 0.40 if mode == "lucky" else 0.05
    assert np.mean(values) == pytest.approx(shown, abs=4 * spread / 20)
    assert np.std(values) == pytest.approx(spread, rel=0.2)
    assert (await scored(tmp_path, answer)).value == pytest.approx(worth)
    crossed = [finding for finding in (await scored(tmp_path, answer)).findings if not finding.advisory]
    assert bool(crossed) == (mode == "leaky")


async def test_without_the_guard_a_deep_process_breaks_and_its_repair_holds(tmp_path: Path) -> None:
    point = {**BEST, "guard": "off", "depth": 7}

    broken = await scored(tmp_path, point)
    mended = PlantedMoves().repair(point, open_task("planted").check.split('return "')[-2].split('"')[0])

    assert broken.value is None
    assert "guard" in broken.failure
    assert mended is not None
    assert (await scored(tmp_path, mended)).value is not None


@pytest.mark.parametrize(
    "answer",
    [{}, {**BEST, "heat": 2}, {**BEST, "depth": 3.5}, {**BEST, "more": 1}, [], "x", {**BEST, "mode": "best"}],
)
async def test_an_answer_that_breaks_the_rules_earns_no_score(tmp_path: Path, answer: object) -> None:
    score = await scored(tmp_path, answer)

    assert score.value is None
    assert score.failure.startswith("answer.json:")


@given(
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(MODES),
            "guard": st.sampled_from(["on", "off"]),
            "depth": st.integers(0, 9),
            "heat": st.floats(0, 1),
            "flow": st.floats(0, 1),
            "mix": st.floats(0, 1),
        }
    )
)
def test_every_point_of_the_space_is_written_as_it_is(point: dict[str, str | int | float]) -> None:
    files = PlantedMoves().write(dict(point))

    assert msgspec.json.decode(files["answer.json"]) == point
    assert len(SPACE.parameters) == len(point)


def test_nothing_is_better_than_the_optimum() -> None:
    points = draw_uniformly(100_000, np.random.default_rng(1))

    assert np.nanmax(true_yield(points)) <= 1.0
    assert np.isnan(true_yield(points)).mean() == pytest.approx(0.25, abs=0.01)


def test_a_rule_that_falls_for_no_lure_ends_higher_by_about_what_was_planted() -> None:
    def expected(**rule: object) -> float:
        return best_of(60, floor=0.04, generator=np.random.default_rng(1), repetitions=4_000, **rule).mean  # type: ignore[arg-type]

    blind = expected()
    audited = expected(reads_audit=True)
    repeated = expected(runs_each=16)
    careful = expected(reads_audit=True, runs_each=16)

    assert blind < audited < careful < 1.0
    assert careful - audited > 0.15  # what repeating is worth to one who reads the audit
    assert careful - repeated > 0.20  # what reading the audit is worth to one who repeats


def test_feedback_repeats_by_its_generator() -> None:
    point = Points(*(np.array([value]) for value in (1, True, 3, 0.3, 0.3, 0.3)))  # type: ignore[arg-type]

    assert feedback(point, np.random.default_rng(5)) == feedback(point, np.random.default_rng(5))
