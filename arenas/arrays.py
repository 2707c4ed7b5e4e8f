"""Names of the array types; shapes are in the docstrings of those who take them."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

IndexArray = npt.NDArray[np.intp]
"""Positions of games in a batch."""

MoveArray = npt.NDArray[np.int8]
"""Moves of a batch: ``(games,)`` in a matrix game, ``(games, fields)`` in Blotto; a leading axis is rounds."""
