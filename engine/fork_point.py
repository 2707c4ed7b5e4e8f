"""Where an episode leaves another: what a fork's specification says of its origin."""

import msgspec

from engine.seeds import Seeds
from engine.team import TeamSpec


class ForkPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The same research up to a message, and by whom."""

    origin: str
    """Name of the episode that it leaves."""
    spec: str
    """SHA-256 (hex) of that episode's specification."""
    at: int
    """The last message that both have; from then on the fork's own team and seeds count."""
    record: str
    """SHA-256 (hex) of that episode's record up to the message, its head and its meters left out."""
    team: TeamSpec
    """Who did the research until then."""
    seeds: Seeds
    """Where the randomness came from until then."""
    patches: tuple[str, ...] = ()
    """What the fork's team has been changed by, in words; none: the same team goes on."""
