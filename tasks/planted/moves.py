"""What may be tried in the planted process: its six settings, the whole of each range."""

from typing import Final

import msgspec

from engine.messages import Point
from engine.task import Moves, MoveSpace, Parameter
from tasks.move_space import check_point
from tasks.planted.landscape import MODES

SPACE: Final = MoveSpace(
    parameters=(
        Parameter(name="mode", choices=MODES),
        Parameter(name="guard", choices=("on", "off")),
        Parameter(name="depth", low=0, high=9, integer=True),
        Parameter(name="heat", low=0.0, high=1.0),
        Parameter(name="flow", low=0.0, high=1.0),
        Parameter(name="mix", low=0.0, high=1.0),
    )
)
START: Final[Point] = {"mode": "steady", "guard": "on", "depth": 8, "heat": 0.8, "flow": 0.2, "mix": 0.8}


class PlantedMoves:
    """Settings as JSON; an `engine.task.Moves`."""

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        return SPACE

    def start(self) -> Point:
        """The starter's point."""
        return dict(START)

    def write(self, point: Point) -> dict[str, bytes]:
        """``answer.json`` for a point.

        Raises:
            BadSpecification: when the point is not in the space.
        """
        check_point(SPACE, point)
        ordered = {parameter.name: point[parameter.name] for parameter in SPACE.parameters}
        return {"answer.json": msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n"}

    def repair(self, point: Point, problem: str) -> Point | None:
        """Puts the guard on where the depth needs it."""
        return {**point, "guard": "on"} if "guard" in problem and point.get("guard") == "off" else None


SPACES: dict[str, Moves] = {"default": PlantedMoves()}
