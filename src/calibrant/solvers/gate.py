"""A gate between two forecasts: the share of the second, logistic in features of the row, by the log loss.

The probability of a label is p + a (q - p), a = s expit(o + c . phi), with s in [0, 1] and o given for each row. The
ridge, a pseudo-row for each number, makes the optimum finite where one forecast is always better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RIDGE = 1.0
_TINY = 1e-300


class Sides(NamedTuple):
    """Of each label (t,): its probability by the first forecast and by the second, s, o, phi (t, m), and weights.

    ``weights`` sum to the effective number of rows. The second may be an addition to the first, so that it can be
    negative; a mixture is at least ``least`` times the first.
    """

    first: Floats
    second: Floats
    most: Floats
    offset: Floats
    features: Floats
    weights: Floats
    least: float = 0.0


def gate(sides: Sides, start: Floats, bounds: list[tuple[float, float]]) -> Floats:
    """Return c (m,) of the least log loss, near ``start`` (m,) and within the bounds."""
    step = sides.second - sides.first
    lowest = np.maximum(sides.least * sides.first, _TINY)

    def loss(c: Floats) -> tuple[float, Floats]:
        share = scipy.special.expit(sides.offset + sides.features @ c)
        mixed = sides.first + sides.most * share * step
        slope = np.where(mixed > lowest, sides.weights * sides.most * share * (1 - share) * step, 0.0)
        mixed = np.maximum(mixed, lowest)
        off = c - start
        value = -float(sides.weights @ np.log(mixed)) + 0.5 * _RIDGE * float(off @ off)
        return value, _RIDGE * off - (slope / mixed) @ sides.features

    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-7}
    )
    return np.asarray(found.x, dtype=np.float64)
