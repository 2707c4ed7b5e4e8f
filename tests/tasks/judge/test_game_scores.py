"""Acceptance figures of the three games, through the real sandbox."""

from pathlib import Path

import pytest
from judge_cases import ALWAYS_0, ALWAYS_1, measured, player, scored

from tasks.registry import open_task

pytestmark = pytest.mark.sandbox

GAMES = ("battle-of-sexes", "prisoners-dilemma", "colonel-blotto")
FOUR_STRONG = player("return [0, 0, 30, 30, 30, 30]")


def starter(task: str) -> dict[str, str]:
    return {path: data.decode() for path, data in open_task(task).starter.items()}


@pytest.mark.parametrize("task", GAMES)
async def test_the_baseline_agrees_with_the_published_score(task: str, tmp_path: Path) -> None:
    card = open_task(task).card

    score = await scored(task, starter(task), tmp_path, protocol="mlgym", split="final")

    assert card.published_baseline is not None
    assert score.value is not None
    # Two evaluations of 10,000 games are compared, both as noisy.
    assert abs(score.value - card.published_baseline) < 3 * 2**0.5 * score.standard_error


@pytest.mark.parametrize(
    "task", [*GAMES, *(pytest.param(f"{game}-hard", marks=pytest.mark.slow) for game in GAMES)]
)
async def test_the_final_of_the_starter_is_the_cards_baseline(task: str, tmp_path: Path) -> None:
    score = await scored(task, starter(task), tmp_path, split="final")

    assert score.value is not None
    assert 0 < score.standard_error <= 0.001
    assert score.value == pytest.approx(open_task(task).card.baseline, abs=4 * score.standard_error + 0.0002)


async def test_always_0_is_worth_exactly_1_44_in_the_battle_of_the_sexes(tmp_path: Path) -> None:
    score = await scored("battle-of-sexes", ALWAYS_0, tmp_path, split="final")

    assert (score.value, score.standard_error) == (pytest.approx(1.44, abs=1e-12), 0.0)


async def test_always_defecting_is_worth_the_optimum_of_the_dilemma(tmp_path: Path) -> None:
    score = await scored("prisoners-dilemma", ALWAYS_1, tmp_path, split="final")

    assert score.value == pytest.approx(2.6251382282996207, abs=1e-9)
    assert score.standard_error == 0.0


async def test_four_strong_fields_are_worth_0_247_in_blotto(tmp_path: Path) -> None:
    score = await scored("colonel-blotto", FOUR_STRONG, tmp_path, split="final")

    assert score.value == pytest.approx(0.2474, abs=0.0015)
    assert 0 < score.standard_error < 0.001


@pytest.mark.parametrize(
    ("task", "files"),
    [("battle-of-sexes", ALWAYS_0), ("prisoners-dilemma", ALWAYS_1), ("colonel-blotto", FOUR_STRONG)],
)
async def test_feedback_is_fresh_noisy_and_as_noisy_as_declared(
    task: str, files: dict[str, str], tmp_path: Path
) -> None:
    first, again, other = [await scored(task, files, tmp_path, seed=seed) for seed in (1, 1, 2)]

    assert first == again
    assert first.value != other.value
    assert first.standard_error == pytest.approx(open_task(task).card.feedback_standard_error, rel=0.4)


async def test_the_held_out_value_is_the_mean_over_the_pool(tmp_path: Path) -> None:
    score = await scored("battle-of-sexes", ALWAYS_0, tmp_path, split="held-out")

    assert len(score.metrics) >= 5
    assert score.value == pytest.approx(sum(score.metrics.values()) / len(score.metrics))
    assert score.metrics["stubborn"] == pytest.approx(0.4)


async def test_published_blotto_does_not_check_the_length_and_verified_does(tmp_path: Path) -> None:
    five = player("return [24, 24, 24, 24, 24]")

    published = await scored("colonel-blotto", five, tmp_path, protocol="mlgym", split="final")
    verified = await scored("colonel-blotto", five, tmp_path)

    assert published.value is not None
    assert verified.value is None
    assert {finding.kind for finding in verified.findings} == {"bad-move"}


async def test_times_are_in_the_meters_and_never_in_the_score(tmp_path: Path) -> None:
    score, meters = await measured("battle-of-sexes", ALWAYS_0, tmp_path)

    assert meters.cpu_seconds > 0
    assert meters.max_rss_bytes > 0
    assert set(score.metrics) == {"games"}
