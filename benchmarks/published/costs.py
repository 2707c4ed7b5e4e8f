"""What a model's runs cost, beside the area under its profile."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import msgspec

from benchmarks.published.behaviour import Behaviour
from engine.errors import EngineDefect


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model; means are over its runs with a trajectory."""

    method: str
    runs: int
    tokens_sent: float | None
    tokens_received: float | None
    listed_cost_usd: float | None
    """Mean of a run, from its tokens and the list of prices; None without a price. This is what MLGym's figure shows."""
    recorded_cost_usd: float | None
    """Mean of a run as its own record has it: other prices, and hidden reasoning counted."""
    best_attempt_aup: float | None
    best_submission_aup: float | None


def costs(
    runs: Sequence[Behaviour],
    methods: Iterable[str],
    *,
    attempt: Mapping[str, float],
    submission: Mapping[str, float],
) -> tuple[CostRow, ...]:
    """A row for each model in the order given.

    Args:
        runs: of all models.
        methods: to list.
        attempt: area under the profile of best attempts, by model.
        submission: the same of best submissions.
    """
    return tuple(
        _row(
            method,
            [run for run in runs if run.method == method and run.tokens_sent is not None],
            attempt.get(method),
            submission.get(method),
        )
        for method in methods
    )


@cache
def list_prices() -> dict[str, tuple[float, float]]:
    """USD per million tokens sent and received, by model."""
    path = Path(__file__).with_name("prices.toml")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, tuple[float, float]])
    except (OSError, msgspec.DecodeError) as error:
        raise EngineDefect(
            f"{path.name} of this installation cannot be read ({error}); install again"
        ) from error


def _row(method: str, runs: Sequence[Behaviour], attempt: float | None, submission: float | None) -> CostRow:
    sent = _mean([run.tokens_sent for run in runs])
    received = _mean([run.tokens_received for run in runs])
    price = list_prices().get(method)
    listed = None
    if price is not None and sent is not None and received is not None:
        listed = (sent * price[0] + received * price[1]) / 1e6
    return CostRow(
        method=method,
        runs=len(runs),
        tokens_sent=sent,
        tokens_received=received,
        listed_cost_usd=listed,
        recorded_cost_usd=_mean([run.recorded_cost_usd for run in runs]),
        best_attempt_aup=attempt,
        best_submission_aup=submission,
    )


def _mean(values: Sequence[float | int | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None
