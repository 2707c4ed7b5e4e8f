"""A Gaussian process over a mixed, conditional move space: what a point may be worth, and how sure that is.

The kernel is half additive, half product over the axes (Durrande, Ginsbourger & Roustant 2012; Duvenaud, Nickisch &
Rasmussen 2011): main effects are learnt from few points in many axes, interactions where they show. An axis that
counts in one point only is as far as it can be. Relevances and the mix are fitted by coordinate ascent on the
marginal likelihood, a few steps each time, going on from the last fit.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from roles.space import Rows, Space

Array = npt.NDArray[np.float64]

RELEVANCES = (0.02, 0.15, 0.6, 2.0, 6.0)
"""How fast the worth of a point changes along an axis: exponents of the kernel over the whole range of the axis."""
MIXES = (0.1, 0.4, 0.7, 0.95)
"""Share of the variance that main effects explain."""
DULL = 0.35
"""Share of the points whose worths count as equally bad."""
SCALES = (0.5, 1.0, 2.5)
"""Standard deviation of the function as a multiple of the data's."""


class Surrogate:
    """A fitted belief about the worth of points; fit again as results come in.

    Args:
        space: the axes.
        sweeps: axes whose relevance is tried anew at each fit.
    """

    def __init__(self, space: Space, *, sweeps: int = 6) -> None:
        self._space, self._sweeps = space, sweeps
        self._relevance = np.full(len(space), 1, dtype=np.int64)
        self._mix, self._scale = 1, 1
        self._next_axis = 0
        self._rows: Rows = np.empty((0, len(space)))
        self._solved: Array = np.empty(0)
        self._inverse: Array = np.empty((0, 0))
        self._mean, self._spread = 0.0, 1.0

    def fit(self, rows: Rows, worths: Sequence[float], errors: Sequence[float]) -> None:
        """Learn from points: worths (more is better) and the standard errors of them, at least one point.

        Worths far below the best are pulled up: how bad a bad point is does not help to find good ones.
        """
        raw = np.asarray(worths, dtype=np.float64)
        pulled = np.maximum(raw, max(raw.max() - 2.0 * raw.std(), float(np.quantile(raw, DULL))))
        self._mean = float(pulled.mean())
        self._spread = float(pulled.std()) or max(abs(self._mean), 1.0) * 0.1
        values = (pulled - self._mean) / self._spread
        noise = (np.maximum(np.asarray(errors), 1e-4 * self._spread) / self._spread) ** 2
        apart = self._apart(rows, rows)
        self._tune(apart, values, noise)
        kernel = self._kernel(apart) + np.diag(noise)
        self._rows = rows
        self._inverse = np.asarray(np.linalg.inv(kernel), dtype=np.float64)
        self._solved = self._inverse @ values

    def predict(self, rows: Rows) -> tuple[Array, Array]:
        """Expected worth and its standard deviation, each of shape ``(n,)``."""
        if not len(self._rows):
            return np.full(len(rows), self._mean), np.full(len(rows), self._spread)
        cross = self._kernel(self._apart(rows, self._rows))
        mean = cross @ self._solved
        variance = SCALES[self._scale] ** 2 - np.einsum(
            "ij,jk,ik->i", cross, self._inverse, cross, optimize=True
        )
        return self._mean + self._spread * mean, self._spread * np.sqrt(np.maximum(variance, 1e-10))

    def _apart(self, rows: Rows, others: Rows) -> Array:
        """Squared distance on each axis, in [0, 1]; shape ``(axes, n, m)``."""
        live, live_others = self._space.live(rows), self._space.live(others)
        steps = np.abs(rows[:, None, :] - others[None, :, :])
        apart = np.where(
            self._space.nominal, (steps > 0).astype(np.float64), (steps / self._space.steps) ** 2
        )
        both = live[:, None, :] & live_others[None, :, :]
        one = live[:, None, :] ^ live_others[None, :, :]
        return np.moveaxis(np.where(both, apart, one.astype(np.float64)), 2, 0)

    def _kernel(self, apart: Array) -> Array:
        relevance = np.array(RELEVANCES)[self._relevance]
        weights = 1.0 - np.exp(-relevance)
        total = float(weights.sum())
        flat = apart.reshape(len(apart), -1)
        exponents = flat * relevance[:, None]
        additive = weights @ np.exp(-2.0 * exponents) / total
        product = np.exp(-exponents.sum(axis=0))
        mix = MIXES[self._mix]
        whole: Array = SCALES[self._scale] ** 2 * (mix * additive + (1.0 - mix) * product)
        return whole.reshape(apart.shape[1:])

    def _tune(self, apart: Array, values: Array, noise: Array) -> None:
        best = self._likelihood(apart, values, noise)
        best = self._try_levels("_mix", len(MIXES), best, apart, values, noise)
        best = self._try_levels("_scale", len(SCALES), best, apart, values, noise)
        for _ in range(min(self._sweeps, len(self._space))):
            axis = self._next_axis
            self._next_axis = (self._next_axis + 1) % len(self._space)
            for level in (self._relevance[axis] - 1, self._relevance[axis] + 1):
                if not 0 <= level < len(RELEVANCES):
                    continue
                kept = self._relevance[axis]
                self._relevance[axis] = level
                likelihood = self._likelihood(apart, values, noise)
                if likelihood > best:
                    best = likelihood
                else:
                    self._relevance[axis] = kept

    def _try_levels(
        self, name: str, levels: int, best: float, apart: Array, values: Array, noise: Array
    ) -> float:
        kept: int = getattr(self, name)
        for level in (kept - 1, kept + 1):
            if 0 <= level < levels:
                before: int = getattr(self, name)
                setattr(self, name, level)
                likelihood = self._likelihood(apart, values, noise)
                if likelihood > best:
                    best = likelihood
                else:
                    setattr(self, name, before)
        return best

    def _likelihood(self, apart: Array, values: Array, noise: Array) -> float:
        """Log marginal likelihood, constants aside, with a mild prior for axes that matter little."""
        kernel = self._kernel(apart) + np.diag(noise)
        try:
            factor = np.linalg.cholesky(kernel)
        except np.linalg.LinAlgError:
            return -np.inf
        half = np.linalg.solve(factor, values)
        prior = -0.15 * float(self._relevance.sum())
        return float(-0.5 * half @ half - np.log(np.diag(factor)).sum()) + prior
