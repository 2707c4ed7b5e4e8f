"""The scoring settings that the game tasks share."""

from typing import TypeVar

import msgspec

from engine.errors import BadSpecification
from engine.task import Split
from engine.workspace.interface import Limits
from tasks.package import Settings

T = TypeVar("T")

ROUNDS = 10
WALL_PER_CPU = 20.0
"""A loaded machine must not turn a slow player into a late one: CPU time strikes long before."""
PUBLISHED_GAMES = 10_000


class GameSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[scoring]`` of a game task."""

    opponent: str
    """Name of the opponent of feedback and final."""
    feedback_games: int = 2_000
    feedback_cpu_seconds: float = 3.0
    final_cpu_seconds: float = 300.0
    """Of final and held-out scores, which play many more games."""

    def limits(self, split: Split) -> Limits:
        """What one evaluation of a split may use."""
        cpu = self.feedback_cpu_seconds if split == "feedback" else self.final_cpu_seconds
        return Limits(
            wall_seconds=WALL_PER_CPU * min(cpu, 30.0),
            cpu_seconds=cpu,
            memory_bytes=512 << 20,
            processes=8,
            file_bytes=1 << 20,
            output_bytes=16 << 10,
            disk_bytes=8 << 20,
        )


def read_settings(settings: Settings, kind: type[T]) -> T:
    """``[scoring]`` as a value of ``kind``.

    Raises:
        BadSpecification: for a field that the scorer does not know, or of a wrong type.
    """
    try:
        return msgspec.convert(dict(settings), kind)
    except msgspec.ValidationError as error:
        raise BadSpecification("[scoring]", str(error)) from error
