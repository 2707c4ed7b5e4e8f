"""What may be tried in 3-SAT: the family of `heuristics`, and how the value is handed back."""

from typing import Final

from engine.messages import Point
from engine.task import Moves, MoveSpace, Parameter
from tasks.move_space import check_point
from tasks.three_sat.heuristics import BASELINE_POINT, FAMILY, render

HANDED_BACK: Final = Parameter(
    name="value_as",
    choices=("bool", "number"),
    note="type of the value that is handed back; the solver takes bools only",
)
SPACE: Final = MoveSpace(parameters=(*FAMILY.parameters, HANDED_BACK))


class HeuristicMoves:
    """The moves of 3-SAT; an `engine.task.Moves`."""

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        return SPACE

    def start(self) -> Point:
        """The starter's point."""
        return {**BASELINE_POINT, "value_as": "bool"}

    def write(self, point: Point) -> dict[str, bytes]:
        """``heuristic.py`` for a point.

        Raises:
            BadSpecification: when the point is not in the space.
        """
        check_point(SPACE, point)
        source = render(point)
        if point["value_as"] == "number":
            kept, _, last = source.rpartition("return ")
            choice, _, value = last.rstrip("\n").partition(", ")
            source = f"{kept}return {choice}, int({value})\n"
        return {"heuristic.py": source.encode()}

    def repair(self, point: Point, problem: str) -> Point | None:
        """Hands back a bool where a number was refused; there is no small cure for a rule that is too slow."""
        return (
            {**point, "value_as": "bool"} if "bool" in problem and point.get("value_as") == "number" else None
        )


SPACES: dict[str, Moves] = {"default": HeuristicMoves()}
