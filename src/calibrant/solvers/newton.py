"""The minimum of a smooth convex function of many numbers, by Newton steps whose equations conjugate gradients solve.

A step asks for the gradient and for products of the curvature with a vector, never for the curvature itself. The
equations are solved no better than the step can use: to a share of the gradient that falls as it does, so that the last
steps are quadratic. Source: Nocedal and Wright, Numerical Optimization, algorithm 7.1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Product = Callable[[Floats], Floats]

# The predicted decrease still to come, half of gradient . step, in nats.
CERTIFIED = 1e-10
MOST_STEPS = 100
MOST_PRODUCTS = 250  # of the curvature with a vector, for one step
_CLEAR = 1e-6  # of what is enough: the approximate inverse is blind to how classes compete
SUFFICIENT = 1e-4  # share of the decrease promised by the slope that a step must bring (Armijo's rule)
LEAST_SHARE = 2.0**-40  # of a step; below it only rounding is left


class Curvature(NamedTuple):
    """Products with a vector (m,): of the curvature at a point, and of about its inverse, symmetric and positive."""

    product: Product
    inverse: Product


class Convex(ABC):
    """A smooth convex function of m numbers."""

    @abstractmethod
    def value(self, x: Floats) -> float:
        """Return the value at x (m,)."""

    @abstractmethod
    def gradient(self, x: Floats) -> Floats:
        """Return the gradient (m,) at x, the point of the last call of `value`."""

    @abstractmethod
    def curvature(self, x: Floats) -> Curvature:
        """Return the curvature at x, the point of the last call of `gradient`."""


class NewtonMinimum(NamedTuple):
    """The minimum (m,), its value, the Newton steps, the products of all of them, and the predicted decrease left."""

    x: Floats
    value: float
    steps: int
    products: int
    decrease: float
    gradient: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED


def minimise_convex(function: Convex, start: Floats, enough: float = CERTIFIED) -> NewtonMinimum:
    """Return the minimum of a convex function, from a start (m,), up to ``enough`` nats of predicted decrease."""
    x, value, products, first = start, function.value(start), 0, 0.0
    for steps in range(MOST_STEPS):
        gradient = function.gradient(x)
        curvature = function.curvature(x)
        size = float(gradient @ curvature.inverse(gradient))
        if size / 2 <= _CLEAR * enough:  # no step is needed to see it
            return NewtonMinimum(x, value, steps, products, size / 2, float(np.abs(gradient).max(initial=0.0)))
        first = first or size
        step, used = _solved(curvature, -gradient, min(0.25, np.sqrt(size / first)) if first else 0.0)
        products += used
        slope = float(gradient @ step)
        if -slope / 2 <= enough:
            return NewtonMinimum(x, value, steps, products, -slope / 2, float(np.abs(gradient).max(initial=0.0)))
        share, there = 1.0, function.value(x + step)
        rounding = 4 * np.finfo(np.float64).eps * abs(value)
        while there > value + SUFFICIENT * share * slope + rounding and share >= LEAST_SHARE:
            share /= 2
            there = function.value(x + share * step)
        x, value = x + share * step, there
    gradient = function.gradient(x)
    return NewtonMinimum(x, value, MOST_STEPS, products, -slope / 2, float(np.abs(gradient).max(initial=0.0)))


def _solved(curvature: Curvature, target: Floats, accuracy: float) -> tuple[Floats, int]:
    """Return the solution of curvature @ x = target up to a share of the target, and the products it took.

    Conjugate gradients in coordinates where the approximate inverse is the identity.
    """
    x, residual = np.zeros_like(target), target.copy()
    preconditioned = curvature.inverse(residual)
    direction, size = preconditioned.copy(), float(residual @ preconditioned)
    enough = accuracy**2 * size
    for products in range(MOST_PRODUCTS):
        if size <= enough:
            return x, products
        image = curvature.product(direction)
        along = float(direction @ image)
        if along <= 0:  # rounding: the function is flat in this direction
            return (x if products else preconditioned), products
        x += (size / along) * direction
        residual -= (size / along) * image
        preconditioned = curvature.inverse(residual)
        size, before = float(residual @ preconditioned), size
        direction = preconditioned + (size / before) * direction
    return x, MOST_PRODUCTS
