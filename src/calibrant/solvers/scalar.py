"""The minimum of a convex function of one positive number, by steps in its logarithm inside a bracket.

Steps in log x suit a scale: they cannot leave x > 0, and an inverse temperature of 0.01 is found as fast as one of 100.
Near the minimum a step of Halley's method, which knows the curve of the derivative too, cubes its error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

# Steps in log x, from the first up to the last, doubled each time that they fall short: 1e-200 is ten steps from 1.
FIRST_REACH, LAST_REACH = math.log(4.0), 100.0
# Where Newton's step promises less than this many nats there is nothing left to find but rounding.
FLAT = 1e-14
NEAR = 0.1  # a step in log x within which the derivatives tell where the minimum is
MOST_STEPS = 200


class Minimum(NamedTuple):
    """Where the minimum is (0.0 if the function does not fall on the right of zero), and how it was found."""

    x: float
    steps: int
    converged: bool


def minimise(slope: Callable[[float], tuple[float, float, float]], start: float, certified: float) -> Minimum:
    """Return the minimum over x > 0 of a convex function with three derivatives ``slope(x)``.

    The derivative must be positive for large x. Whether it is negative at 0 is asked only when the search goes far
    below the start. The last step is taken and not checked by another call: a step of s in log x leaves an error of the
    order of s^3 in log x, so of curvature x^2 s^6 / 2 in the function, which must be within ``certified``.
    """
    low, high, x = 0.0, math.inf, start
    falls_at_zero, reach = None, FIRST_REACH
    for step in range(1, MOST_STEPS + 1):
        gradient, curvature, third = slope(x)
        low, high = (x, high) if gradient < 0 else (low, x)
        move = _newton(gradient, x * curvature)
        near = abs(move) < NEAR
        if near:
            move = _halley(move, x * third / curvature if curvature > 0 else 0.0)
        if (near and curvature * x * x * move**6 <= 2 * certified) or abs(gradient * x * move) <= 2 * FLAT:
            return Minimum(x * math.exp(move) if near else x, step, True)
        bounded = min(max(move, -reach), reach)
        reach = reach if bounded == move else min(2 * reach, LAST_REACH)
        x = _inside(x * math.exp(bounded), low, high)
        if low == 0 and x < start / 16 and falls_at_zero is None:
            falls_at_zero = slope(0.0)[0] < 0
            if not falls_at_zero:
                return Minimum(0.0, step + 1, True)
    return Minimum(x, MOST_STEPS, False)


def _newton(gradient: float, curvature: float) -> float:
    """Return Newton's step, infinite where the curvature has underflowed, 0 at a gradient of 0."""
    if gradient == 0 or curvature > 0:
        return -gradient / curvature if gradient else 0.0
    return math.copysign(math.inf, -gradient)


def _halley(newton: float, bend: float) -> float:
    """Return Halley's step in log x: Newton's, corrected for ``bend``, the share by which the curvature changes."""
    return newton / (1 + min(max(newton * (1 + bend) / 2, -0.5), 0.5))


def _inside(x: float, low: float, high: float) -> float:
    """Return x if it lies inside the bracket, else a point that does."""
    if low < x < high:
        return x
    return math.sqrt(low * high) if low > 0 else high / 4
