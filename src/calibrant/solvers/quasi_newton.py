"""The minimum of a smooth convex function of k pairs of numbers, by L-BFGS in the metric of its 2 x 2 blocks.

Each class has a slope and an intercept whose curvature differs by orders of magnitude between classes and between the
two. In coordinates where every block is the identity, L-BFGS needs a few tens of calls, whatever the classes' sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The predicted decrease still to come, half the squared gradient in the block metric, in nats.
CERTIFIED = 1e-9
MOST_CALLS = 500
MEMORY = 20  # past steps that L-BFGS keeps: 40 vectors of 2 k numbers


class PairsMinimum(NamedTuple):
    """The minimum (2, k), the calls of the function, and the predicted decrease that was left, in nats."""

    x: Floats
    calls: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED


class Blocks(NamedTuple):
    """Cholesky factors of k symmetric 2 x 2 blocks: [[a, 0], [b, c]], each (k,)."""

    a: Floats
    b: Floats
    c: Floats

    @classmethod
    def of(cls, curvature: Floats) -> Blocks:
        """Return the factors of the blocks with rows (d11, d12, d22) of ``curvature`` (3, k).

        A block that is singular to rounding (a class whose score never moves) is lifted to a condition of 1e10.
        """
        d11, d12, d22 = curvature
        lift = 1e-10 * (d11 + d22) + np.finfo(np.float64).tiny
        a = np.sqrt(d11 + lift)
        b = d12 / a
        return cls(a, b, np.sqrt(np.maximum(d22 + lift - b * b, lift)))

    def to_scaled(self, gradient: Floats) -> Floats:
        """Return the gradient (2, k) in the coordinates where the blocks are the identity."""
        first = gradient[0] / self.a
        return np.stack([first, (gradient[1] - self.b * first) / self.c])

    def from_scaled(self, step: Floats) -> Floats:
        """Return the step (2, k) in the original coordinates."""
        second = step[1] / self.c
        return np.stack([(step[0] - self.b * second) / self.a, second])


def minimise_pairs(function: Callable[[Floats], tuple[float, Floats]], start: Floats, blocks: Blocks) -> PairsMinimum:
    """Return the minimum of a convex ``function`` of an array (2, k) that returns its value and gradient (2, k).

    ``blocks`` is the block diagonal of the curvature near the start.
    """
    shape = start.shape

    def scaled(x: Floats) -> tuple[float, Floats]:
        value, gradient = function(start + blocks.from_scaled(x.reshape(shape)))
        return value, blocks.to_scaled(gradient).ravel()

    gentle = np.sqrt(CERTIFIED / start.size)  # so that all coordinates together stay within CERTIFIED
    options = {"maxfun": MOST_CALLS, "maxiter": MOST_CALLS, "maxcor": MEMORY, "gtol": gentle, "ftol": 0.0}
    found = scipy.optimize.minimize(scaled, np.zeros(start.size), jac=True, method="L-BFGS-B", options=options)
    decrease = float(found.jac @ found.jac) / 2
    return PairsMinimum(start + blocks.from_scaled(found.x.reshape(shape)), int(found.nfev), decrease)
