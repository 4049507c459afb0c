"""Isotonic regression with one row more: its value at that row, wherever the row is put, whichever label it has.

P_0 = (0, 0), ..., P_m are the cumulative sums of weights and labels of m distinct scores in rising order. With a row of
weight 1 and label 1 put to score i, the isotonic value there is the slope of the line that touches, from below, both
the points P_a - (1, 1), a < i, and the points P_b, b >= i. As i rises the left point moves right and so does the right
one, over corners of the greatest convex minorant of all points; so one sweep finds all values.
Source: Vovk, Petej and Fedorova 2015.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def with_one_more(mass: Floats, hits: Floats) -> tuple[Floats, Floats]:
    """Return the isotonic values at each score (m,) with a row of label 0 put there, and with one of label 1.

    ``mass`` (m,) positive and ``hits`` (m,) are weights and weighted label sums of distinct scores in rising order.
    """
    below = 1 - _with_a_hit(mass[::-1], (mass - hits)[::-1])[::-1]
    return np.maximum(below, 0.0), np.minimum(_with_a_hit(mass, hits), 1.0)


def _with_a_hit(mass: Floats, hits: Floats) -> Floats:
    x, y = np.cumsum(mass).tolist(), np.cumsum(hits).tolist()  # of P_1, ..., P_m
    ends = scipy.optimize.isotonic_regression(hits / mass, weights=mass).blocks[1:]
    corners: list[int] = (ends[::-1] - 1).tolist()  # the next one last
    left_x, left_y, values = -1.0, -1.0, []
    for here_x, here_y in zip(x, y, strict=True):
        right = corners[-1]
        while len(corners) > 1:
            after, run, rise = corners[-2], x[right] - left_x, y[right] - left_y
            if (y[after] - left_y) * run > rise * (x[after] - left_x):
                break
            corners.pop()
            right = after
        run, rise = x[right] - left_x, y[right] - left_y
        values.append(rise / run)
        if (here_y - 1 - left_y) * run <= rise * (here_x - 1 - left_x):
            left_x, left_y = here_x - 1, here_y - 1
    return np.array(values)
