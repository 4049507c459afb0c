"""Fits of softmax(W f + b) to labels by log loss, with the off-diagonal and intercept penalties of Kull et al. 2019.

Two places to shrink to. *Identity*: the loss is that of the rows and of pseudo-rows labelled as beta f says, plus
lambda / (k (k - 1)) times the sum of the squared entries of W off the diagonal and mu / k times that of b. *Zero*:
lambda / k^2 times the sum of all squared entries of W, mu / k that of b, and no pseudo-rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.newton import CERTIFIED, Convex, Curvature, NewtonMinimum, minimise_convex
from calibrant.solvers.rows import FitRows
from calibrant.solvers.softmax_regression import Labels, SoftmaxRegression
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.terms import Intercepts, Matrix, PerClass, Term

Floats = NDArray[np.float64]
Plane = NDArray[np.floating]
Towards = Literal["identity", "zero"]

_LEAST = 1e-12  # the ridge of the free diagonal: enough for a class whose feature never moves, nothing to any other


@dataclass(frozen=True, eq=False)
class Tilted(Convex):
    """A convex function plus ``tilt`` (m,) times its argument."""

    function: Convex
    tilt: Floats

    def value(self, x: Floats) -> float:
        """Return the value."""
        return self.function.value(x) + float(self.tilt @ x)

    def gradient(self, x: Floats) -> Floats:
        """Return the gradient."""
        return self.function.gradient(x) + self.tilt

    def curvature(self, x: Floats) -> Curvature:
        """Return the curvature, which is the function's."""
        return self.function.curvature(x)


class LinearLogits(NamedTuple):
    """The matrix (k, k), row j for the j-th feature, the intercepts (k,), and how they were found."""

    matrix: Floats
    shift: Floats
    found: NewtonMinimum


class LinearFit:
    """The rows, the features (n, k) of the classes, and where to shrink to."""

    def __init__(self, rows: FitRows, features: Plane, towards: Towards, pseudo_rows: float) -> None:
        self.rows, self.features, self.towards = rows, features, towards
        self.beta = inverse_temperature(rows).beta if towards == "identity" else 0.0
        self._base = features * features.dtype.type(self.beta)
        self._labels = Labels(rows.labels, rows.soft, rows.weights)
        function = self._function(0.0, 0.0)
        nothing = np.zeros(len(function.ridges))
        function.value(nothing)
        # Pseudo-rows of share rho replace the labels' sums by (1 - rho) labels + rho base: less rho times the gradient.
        share = rows.pull(pseudo_rows) if towards == "identity" else 0.0
        self._tilt = -share * function.gradient(nothing)

    def best(
        self, lambda_: float, mu: float, start: NewtonMinimum | None = None, enough: float = CERTIFIED
    ) -> LinearLogits:
        """Return the best matrix and intercepts for two penalties, up to ``enough`` nats of predicted decrease."""
        function = self._function(lambda_, mu)
        first = np.zeros(len(function.ridges)) if start is None else start.x
        found = minimise_convex(Tilted(function, self._tilt), first, enough)
        *diagonal, matrix, shift = function.parts(found.x)
        if diagonal:
            matrix = matrix + np.diag(self.beta + diagonal[0])
        return LinearLogits(matrix, shift - shift.mean(), found)

    def _function(self, lambda_: float, mu: float) -> SoftmaxRegression:
        k = self.rows.k
        intercepts = Intercepts(k, len(self.features), mu / k)
        if self.towards == "zero":
            terms: list[Term] = [Matrix(self.features, k, lambda_ / k**2), intercepts]
        else:
            off = Matrix(self.features, k, lambda_ / (k * (k - 1)), off_diagonal=True)
            terms = [PerClass(self.features, _LEAST), off, intercepts]
        return SoftmaxRegression(self._base, self._labels, terms)
