"""The minima of k convex functions of a slope and an intercept each, by damped Newton steps for all of them at once.

One call of the function serves every class; a class whose step does not lower its own loss takes half of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The predicted decrease still to come, summed over classes, in nats; Newton squares its share at every step.
CERTIFIED = 1e-9
MOST_CALLS = 200
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring (Armijo's rule)


class Logistic(NamedTuple):
    """Values (k,), gradients (2, k) and curvatures (d11, d12, d22) (3, k) of the k functions at one point.

    ``noise`` (k,) is how far rounding may move a value: a step whose gain drowns in it is not refused.
    """

    value: Floats
    gradient: Floats
    curvature: Floats
    noise: Floats


class LogisticMinimum(NamedTuple):
    """The minima (2, k), the calls of the function, and the predicted decrease that was left, in nats."""

    x: Floats
    calls: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED


def minimise_each(function: Callable[[Floats], Logistic], start: Floats) -> LogisticMinimum:
    """Return the minimum of each of k convex functions of x (2, k). The last Newton step is taken unchecked."""
    x, here = start, function(start)
    step, predicted = _newton(here)
    share = np.ones(x.shape[1])  # of the Newton step, by class
    for calls in range(1, MOST_CALLS):
        settled = (share == 1) | (predicted <= here.noise)  # a promise that drowns in rounding cannot be checked
        if predicted.sum() <= CERTIFIED and bool(settled.all()):
            return LogisticMinimum(x + step, calls, float(predicted.sum()))
        there = function(x + share * step)
        lower = there.value <= here.value - 2 * SUFFICIENT * share * predicted + here.noise
        x = np.where(lower, x + share * step, x)
        here = Logistic(*(np.where(lower, new, old) for new, old in zip(there, here, strict=True)))
        share = np.where(lower, 1.0, share / 2)
        step, predicted = _newton(here)
    return LogisticMinimum(x, MOST_CALLS, float(predicted.sum()))


def _newton(at: Logistic) -> tuple[Floats, Floats]:
    """Return the Newton steps (2, k) and the decrease of each function that they predict (k,)."""
    d11, d12, d22 = at.curvature
    lift = 1e-12 * (d11 + d22) + np.finfo(np.float64).tiny  # a class whose score never moves has a singular block
    d11, d22 = d11 + lift, d22 + lift
    first, second = at.gradient
    determinant = np.maximum(d11 * d22 - d12 * d12, lift * (d11 + d22))
    step = -np.stack([d22 * first - d12 * second, d11 * second - d12 * first]) / determinant
    return step, -(at.gradient * step).sum(0) / 2
