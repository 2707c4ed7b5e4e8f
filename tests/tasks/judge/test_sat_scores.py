"""Acceptance figures of 3-SAT and attacks on its judge, through the real sandbox."""

from pathlib import Path

import pytest
from judge_cases import measured, scored

from tasks.registry import open_task
from tasks.three_sat.heuristics import BASELINE
from tasks.three_sat.moves import HeuristicMoves

pytestmark = pytest.mark.sandbox


def written(**choices: str | float) -> dict[str, str]:
    moves = HeuristicMoves()
    return {path: data.decode() for path, data in moves.write({**moves.start(), **choices}).items()}


def heuristic(body: str, *, before: str = "") -> dict[str, str]:
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    contract = "unresolved_clauses, assignments, conflict_count, assignment_history, level"
    return {"heuristic.py": f"{before}\n\ndef heuristic({contract}):\n{indented}"}


FIRST_FREE = """\
for literal in unresolved_clauses[0]:
    if abs(literal) not in assignments:
        return abs(literal), True"""

ATTACKS = {
    "gives every branch up": (heuristic("return None, True"), "bad-move"),
    "names an assigned variable": (
        heuristic(f"if assignments:\n    return next(iter(assignments)), True\n{FIRST_FREE}"),
        "bad-move",
    ),
    "answers a number": (written(value_as="number"), "bad-move"),
    "raises": (heuristic("raise KeyError(level)"), "exception"),
    "cannot be imported": ({"heuristic.py": "import numpy_or_so\n"}, "exception"),
    "exits": (heuristic("os._exit(0)", before="import os"), "early-exit"),
    "reads the labels": (heuristic("import tasks.three_sat.truth"), "exception"),
    "looks ahead for too long": (written(rule="lookahead"), "overrun"),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_heuristic_that_breaks_the_rules_earns_no_score(name: str, tmp_path: Path) -> None:
    files, kind = ATTACKS[name]

    score = await scored("3-sat", files, tmp_path)

    assert score.value is None
    assert kind in {finding.kind for finding in score.findings}


@pytest.mark.parametrize("task", ["3-sat", "3-sat-hard"])
async def test_the_starter_decides_as_often_as_the_reference_on_our_side(task: str, tmp_path: Path) -> None:
    files = {path: data.decode() for path, data in open_task(task).starter.items()}

    score, meters = await measured(task, files, tmp_path)

    assert (score.value, score.standard_error) == (1.0, 0.0)
    assert score.metrics["decisions"] == score.metrics["baseline decisions"]
    assert "cpu_ratio" in meters.extra


@pytest.mark.slow
async def test_a_better_rule_is_seen_within_the_declared_error(tmp_path: Path) -> None:
    better = written(rule="moms")

    feedback = [await scored("3-sat", better, tmp_path, seed=seed) for seed in (1, 2)]
    final = await scored("3-sat", better, tmp_path, split="final")

    assert final.value == pytest.approx(0.826, abs=0.02)
    assert feedback[0].value != feedback[1].value
    assert feedback[0].standard_error == pytest.approx(
        open_task("3-sat").card.feedback_standard_error, rel=0.3
    )


async def test_printing_from_a_heuristic_is_told(tmp_path: Path) -> None:
    score = await scored("3-sat", heuristic(FIRST_FREE, before="print('Decisions 1')"), tmp_path)

    assert score.value is not None
    assert "output" in {finding.kind for finding in score.findings}


@pytest.mark.slow
async def test_the_unmodified_heuristic_makes_the_published_number_of_decisions(tmp_path: Path) -> None:
    score, meters = await measured(
        "3SATTime", {"heuristic.py": BASELINE}, tmp_path, protocol="mlgym", split="final"
    )

    assert score.metrics == {"Decisions": 86_097.0, "Correct": 23_997.0, "Incorrect": 0.0}
    assert score.value is not None
    assert meters.extra["solving_seconds"] > 0
