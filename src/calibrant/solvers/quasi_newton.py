"""The minimum of a smooth convex function of k pairs of numbers, by L-BFGS in the metric of its 2 x 2 blocks.

Each class has a slope and an intercept whose curvature differs by orders of magnitude between classes and between the
two. In coordinates where every block is the identity, full steps nearly always do, and ten to thirty calls suffice.

Written out rather than taken from scipy: its L-BFGS-B solves tiny systems through LAPACK at every step, and waking the
threads of a BLAS for them made a fit of six numbers take 50 ms in place of 4 on a loaded machine.
Source: Nocedal and Wright, Numerical Optimization, algorithm 7.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The predicted decrease still to come, half the squared gradient in the block metric, in nats. The blocks leave out how
# classes compete, and the true excess was up to twice the prediction on real sets: a factor of ten below 1e-9.
CERTIFIED = 1e-10
MOST_CALLS = 500
RENEWED = 12  # steps between two looks at the blocks; 10 to 15 took the fewest calls on 40 real sources
MEMORY = 15  # past steps that are kept: 30 vectors of 2 k numbers
SUFFICIENT = 1e-4  # share of the decrease promised by the slope that a step must bring (Armijo's rule)
LEAST_SHARE = 2.0**-30  # of a step; below it only rounding is left


class Point(NamedTuple):
    """Value, gradient (2, k) and the blocks (d11, d12, d22) (3, k) on the diagonal of the curvature, at one point."""

    value: float
    gradient: Floats
    curvature: Floats


class PairsMinimum(NamedTuple):
    """The minimum (2, k), the calls of the function, and the predicted decrease that was left, in nats."""

    x: Floats
    calls: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED


class Metric(Protocol):
    """Coordinates in which the curvature is about the identity."""

    def to_scaled(self, gradient: Floats) -> Floats:
        """Return the gradient in these coordinates."""

    def from_scaled(self, step: Floats) -> Floats:
        """Return the step in the original coordinates."""


class Diagonal(NamedTuple):
    """The roots of the diagonal of a curvature, of any shape."""

    roots: Floats

    @classmethod
    def of(cls, curvature: Floats) -> Diagonal:
        """Return the metric of a diagonal; what never moves is lifted to a condition of 1e10."""
        return cls(np.sqrt(np.maximum(curvature, 1e-10 * curvature.max() + np.finfo(np.float64).tiny)))

    def to_scaled(self, gradient: Floats) -> Floats:
        """Return the gradient in the coordinates where the diagonal is one."""
        return np.asarray(gradient / self.roots)

    def from_scaled(self, step: Floats) -> Floats:
        """Return the step in the original coordinates."""
        return np.asarray(step / self.roots)


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


class _Memory:
    """The last steps s with their changes of gradient y: an inverse curvature, applied by the two-loop recursion."""

    def __init__(self) -> None:
        self._pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)

    def add(self, step: Floats, change: Floats) -> None:
        product = _dot(step, change)
        if product > np.finfo(np.float64).tiny:  # a convex function never turns back; rounding can
            self._pairs.append((step, change, product))

    def direction(self, gradient: Floats) -> Floats:
        """Return minus the inverse curvature times the gradient."""
        q, shares = gradient.copy(), []
        for step, change, product in reversed(self._pairs):
            shares.append(_dot(step, q) / product)
            q -= shares[-1] * change
        if self._pairs:
            _, change, product = self._pairs[-1]
            q *= product / _dot(change, change)
        for (step, change, product), share in zip(self._pairs, reversed(shares), strict=True):
            q += (share - _dot(change, q) / product) * step
        return -q


def minimise_pairs(
    function: Callable[[Floats], Point], start: Floats, noise: float, metric: Callable[[Floats], Metric] = Blocks.of
) -> PairsMinimum:
    """Return the minimum of a convex ``function`` of an array (2, k), or of the shape that another ``metric`` takes.

    ``noise`` is how far rounding may move a value. The blocks of the metric are those of the start, and are taken anew
    every ``RENEWED`` steps: far from the start, where classes are nearly separable, they may have changed by a lot.
    """
    x, here, calls, steps, share = start, function(start), 1, 0, 1.0
    blocks, memory = metric(here.curvature), _Memory()
    while True:
        gradient = blocks.to_scaled(here.gradient)
        left = _dot(gradient, gradient) / 2
        if left <= CERTIFIED or share < LEAST_SHARE or calls >= MOST_CALLS:
            return PairsMinimum(x, calls, left)
        direction = memory.direction(gradient)
        there = function(x + share * blocks.from_scaled(direction))
        calls += 1
        if there.value > here.value + SUFFICIENT * share * _dot(gradient, direction) + noise:
            share /= 2
            continue
        memory.add(share * direction, blocks.to_scaled(there.gradient) - gradient)
        x, here, share, steps = x + share * blocks.from_scaled(direction), there, 1.0, steps + 1
        if steps % RENEWED == 0:
            blocks, memory = metric(here.curvature), _Memory()


def _dot(a: Floats, b: Floats) -> float:
    return float((a * b).sum())
