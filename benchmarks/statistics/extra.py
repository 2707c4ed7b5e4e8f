"""The one place where scipy is asked for: it comes with the extra ``study``, and only when a quantile is needed."""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from engine.errors import UserError

NORMAL: Final = NormalDist()


class ExtraMissing(UserError):
    """Raised when scipy is needed and not installed."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"{purpose} needs scipy; install it with: pip install 'mlyceum[study]'")


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t.

    Args:
        probability: in (0, 1).
        freedom: degrees of freedom, more than 0; infinite: the normal law.

    Raises:
        ExtraMissing: without scipy.
    """
    if math.isinf(freedom):
        return NORMAL.inv_cdf(probability)
    try:
        from scipy.special import stdtrit
    except ImportError as error:
        raise ExtraMissing("a quantile of Student's t") from error
    return float(stdtrit(freedom, probability))


def t_tail(statistic: float, freedom: float) -> float:
    """Chance that ``|t|`` is at least ``|statistic|``.

    Raises:
        ExtraMissing: without scipy.
    """
    try:
        from scipy.special import stdtr
    except ImportError as error:
        raise ExtraMissing("a p-value of Student's t") from error
    return 2.0 * float(stdtr(freedom, -abs(statistic)))


def noncentral_t_cdf(statistic: float, freedom: float, shift: float) -> float:
    """Chance that a noncentral t is at most ``statistic``; 0 far below the shift, where scipy gives up (NaN).

    Raises:
        ExtraMissing: without scipy.
    """
    try:
        from scipy.special import nctdtr
    except ImportError as error:
        raise ExtraMissing("the power of a t test") from error
    chance = float(nctdtr(freedom, shift, statistic))
    return 0.0 if math.isnan(chance) else chance
