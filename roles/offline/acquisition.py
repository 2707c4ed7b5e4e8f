"""How attractive a point is to try next, given what the surrogate believes of it."""

import math
from typing import NamedTuple

import numpy as np

from roles.offline.surrogate import Array, Surrogate
from roles.space import Rows


class Taste(NamedTuple):
    """What makes a point attractive in one proposal: how much it may be expected to improve on a target."""

    target: float
    """Worth that is to be improved on."""

    def of(self, surrogate: Surrogate, rows: Rows) -> Array:
        """How attractive points are; more is better, and only differences and order have a meaning."""
        worth, doubt = surrogate.predict(rows)
        return _gain(worth, doubt, self.target)


def _gain(worth: Array, doubt: Array, target: float) -> Array:
    """Logarithm of the expected improvement on a target (Močkus 1975), which still ranks points where it is tiny."""
    z = np.clip((worth - target) / doubt, -30.0, 30.0)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    below = np.array([0.5 * (1.0 + math.erf(each / math.sqrt(2.0))) for each in z.tolist()])
    gain = np.maximum(z * below + density, 1e-300)
    # Far below the target the sum cancels; there the tail's own series holds.
    tail = -0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - 2.0 * np.log(np.maximum(-z, 1.0))
    return np.asarray(np.log(doubt) + np.where(z < -5.0, tail, np.log(gain)), dtype=np.float64)
