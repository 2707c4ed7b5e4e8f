"""The arms: the full team, its controls, and each role removed in both senses."""

from typing import Final, NamedTuple


class Arm(NamedTuple):
    """One way to do research on a task."""

    name: str
    team: str
    without: tuple[str, ...] = ()


ABSORBED_BY: Final = {
    "hypothesizer": "coder",
    "coder": "hypothesizer",
    "experimenter": "coder",
    "reviewer": "experimenter",
}
"""Who takes a removed role's function over."""

FULL: Final = Arm("full", "full")
ARMS: Final = (
    FULL,
    *(Arm(f"no {role} (vacuous)", "full", (f"{role}=vacuous",)) for role in ABSORBED_BY),
    *(
        Arm(f"no {role} (absorbed)", "full", (f"{role}=absorbed:{into}",))
        for role, into in ABSORBED_BY.items()
    ),
    Arm("solo", "solo"),
    Arm("best of n", "best-of-n"),
    Arm("random search", "random-search"),
)
