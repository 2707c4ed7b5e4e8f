"""A rate counted over simulated studies, with its own simulation error."""

import math

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many of so many studies."""

    count: int
    studies: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.count / self.studies

    @property
    def error(self) -> float:
        """Standard error of the share, from simulating only so many studies."""
        return math.sqrt(max(self.share * (1 - self.share), 0.25 / self.studies) / self.studies)

    def percent(self) -> str:
        """For a table."""
        return f"{100 * self.share:.1f}"
