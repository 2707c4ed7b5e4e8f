"""What every task promises. Subclass `TaskSuite` in a test file and say which task.

The self-check is run as a plain process: what it checks here is code of ours.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadSpecification
from engine.messages import Point
from engine.task import Moves, Parameter, Task
from tasks.artefacts import refusal
from tasks.package import TaskPackage
from tasks.scoring import load_scorer

DRAWN = 12


def draw(moves: Moves, generator: np.random.Generator) -> Point:
    """A uniform point, with a value on every axis."""
    return {axis.name: _draw(axis, generator) for axis in moves.space.parameters}


def _draw(axis: Parameter, generator: np.random.Generator):
    if axis.choices:
        return axis.choices[int(generator.integers(len(axis.choices)))]
    assert axis.low is not None
    assert axis.high is not None
    if axis.integer:
        return int(generator.integers(int(axis.low), int(axis.high) + 1))
    if axis.log:
        return float(np.exp(generator.uniform(np.log(axis.low), np.log(axis.high))))
    return float(generator.uniform(axis.low, axis.high))


def checked(task: Task, files: dict[str, bytes], folder: Path) -> tuple[int, str]:
    """Exit status of the self-check beside these files, and the last line that it prints."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-s", "-B", "-c", task.check],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()[-1]


class TaskSuite:
    """A battery over one task."""

    @pytest.fixture
    def task(self) -> TaskPackage:
        """The task under test."""
        raise NotImplementedError

    def test_its_card_says_what_it_is(self, task: TaskPackage) -> None:
        card = task.card

        assert card.title
        assert card.summary
        assert card.version >= 1
        assert card.feedback_standard_error > 0
        better = card.optimum is None or (card.optimum > card.baseline) == (card.direction == "max")
        assert better

    def test_its_brief_and_fact_card_are_there(self, task: TaskPackage) -> None:
        assert len(task.brief) > 400
        assert "## Versions" in task.fact_card or "version" in task.fact_card.lower()
        assert all(name in task.brief for name in task.rules.required)

    def test_its_starter_is_an_artefact_that_keeps_the_rules(self, task: TaskPackage, tmp_path: Path) -> None:
        assert refusal(task.starter, task.rules) == ""
        assert checked(task, dict(task.starter), tmp_path)[0] == 0

    def test_its_start_point_is_written_as_the_starter(self, task: TaskPackage) -> None:
        assert task.moves.write(task.moves.start()) == dict(task.starter)

    def test_every_axis_has_a_name_and_a_range_of_its_own(self, task: TaskPackage) -> None:
        axes = task.moves.space.parameters
        names = [axis.name for axis in axes]

        assert len(set(names)) == len(names)
        for axis in axes:
            assert bool(axis.choices) != (axis.low is not None and axis.high is not None)
            assert set(axis.only_if) < set(names)
            assert set(task.moves.start()) == set(names)

    def test_the_space_has_the_same_digest_whenever_it_is_asked(self, task: TaskPackage) -> None:
        assert task.moves.space.digest() == task.moves.space.digest()

    def test_every_point_is_written_as_an_artefact_always_the_same(self, task: TaskPackage) -> None:
        generator = np.random.default_rng(1)

        for _ in range(200):
            point = draw(task.moves, generator)
            files = task.moves.write(point)
            assert refusal(files, task.rules) == ""
            assert files == task.moves.write(point)
            for path in files:
                if path.endswith(".py"):
                    compile(files[path], path, "exec")

    def test_a_point_outside_the_space_is_refused(self, task: TaskPackage) -> None:
        start = task.moves.start()

        for axis in task.moves.space.parameters:
            with pytest.raises(BadSpecification):
                task.moves.write({**start, axis.name: "nothing of the kind"})
        with pytest.raises(BadSpecification):
            task.moves.write({**start, "no such axis": 1})

    def test_what_its_check_refuses_is_cured_by_its_repairs_or_given_up(
        self, task: TaskPackage, tmp_path: Path
    ) -> None:
        generator = np.random.default_rng(2)
        refused = cured = 0

        for _ in range(DRAWN):
            point: Point | None = draw(task.moves, generator)
            first = True
            for _ in range(4):
                assert point is not None
                status, problem = checked(task, task.moves.write(point), tmp_path)
                if status == 0:
                    cured += not first
                    break
                refused += first
                first = False
                assert problem
                point = task.moves.repair(point, problem)
                if point is None:
                    break
            else:
                pytest.fail(f"four repairs did not end: {problem}")

        assert 0 < refused < DRAWN
        assert cured <= refused

    def test_its_scorer_is_there(self, task: TaskPackage) -> None:
        assert load_scorer(task).version >= 1
