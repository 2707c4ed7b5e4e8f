"""How figures are written: enough digits to tell scores apart, none that mean nothing."""

import math
from collections.abc import Mapping

from engine.task import Score


def number(value: float | None, *, digits: int = 4) -> str:
    """A figure: whole above 1,000, else with ``digits`` decimals below 10 and fewer above."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1000 or (value == int(value) and size >= 100):
        return f"{value:,.0f}"
    return f"{value:.{digits if size < 10 else max(1, digits - 2)}f}"


def with_error(value: float | None, standard_error: float, *, count: int = 1) -> str:
    """A figure with its standard error, and of how many it is the mean."""
    text = number(value)
    if value is not None and standard_error > 0:
        text += f" ±{number(standard_error)}"
    return text if count <= 1 else f"{text} ({count})"


def score_text(score: Score) -> str:
    """A score, or why there is none."""
    return f"none: {score.failure}" if score.value is None else with_error(score.value, score.standard_error)


def difference(value: float, other: float) -> str:
    """The signed difference of two figures."""
    gap = value - other
    return f"{'+' if gap >= 0 else '-'}{number(abs(gap))}"


def spending_text(spending: Mapping[str, float]) -> str:
    """What was spent, by axis, in words."""
    words = {"cost_usd": "USD", "device_seconds": "device-seconds", "wall_seconds": "seconds"}
    parts = [
        f"{amount:.4f} USD" if axis == "cost_usd" else f"{amount:,g} {words.get(axis, axis)}"
        for axis, amount in spending.items()
    ]
    return ", ".join(parts) or "nothing"
