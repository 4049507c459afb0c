"""A temperature for each row, log-linear in features of the row: log beta_i = log beta + theta . phi_i.

The log loss of row i, lse(beta_i u_i) - beta_i u_iy, has in log beta_i the derivative r_i = beta_i (E_p u - u_y) and
the second derivative beta_i^2 Var_p(u) + r_i. It is convex in beta_i but not in theta: steps are Newton's where the
curvature is positive definite, else those of its mean over labels drawn from the map itself, beta_i^2 Var_p(u). Every
step lowers the loss, so that the answer is never worse than the start theta = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.rows import FitRows

Floats = NDArray[np.float64]

CERTIFIED = 1e-10  # the predicted decrease still to come, in nats
MOST_STEPS = 100
SUFFICIENT = 1e-4  # share of the decrease promised by the slope that a step must bring (Armijo's rule)
LEAST_SHARE = 2.0**-40


class RowTemperatures(NamedTuple):
    """``theta`` (m,), the passes over the rows, and the predicted decrease that was left, in nats."""

    theta: Floats
    passes: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED


class Point(NamedTuple):
    """Value, gradient (m,), curvature (m, m) and its mean over the labels that the map expects, at one theta."""

    value: float
    gradient: Floats
    curvature: Floats
    expected: Floats


def row_temperatures(rows: FitRows, features: Floats, beta: float, ridge: float) -> RowTemperatures:
    """Return the best theta for features (n, m), with ``ridge`` / 2 times its squared length."""
    x, here, passes = np.zeros(features.shape[1]), _at(rows, features, beta, np.zeros(features.shape[1]), ridge), 1
    left = np.inf
    while passes < MOST_STEPS:
        step = _step(here)
        slope = float(here.gradient @ step)
        left = -slope / 2
        if left <= CERTIFIED:
            break
        share, rounding = 1.0, 4 * np.finfo(np.float64).eps * abs(here.value)
        there = _at(rows, features, beta, x + step, ridge)
        passes += 1
        while not there.value <= here.value + SUFFICIENT * share * slope + rounding and share >= LEAST_SHARE:
            share /= 2
            there = _at(rows, features, beta, x + share * step, ridge)
            passes += 1
        x, here = x + share * step, there
    return RowTemperatures(x, passes, left)


def _step(at: Point) -> Floats:
    """Return Newton's step, or the one of the expected curvature where Newton's may not descend."""
    definite = bool(np.linalg.eigvalsh(at.curvature)[0] > 0)
    return np.asarray(-np.linalg.solve(at.curvature if definite else at.expected, at.gradient))


def _at(rows: FitRows, features: Floats, beta: float, theta: Floats, ridge: float) -> Point:
    m = len(theta)
    value, gradient = ridge * float(theta @ theta) / 2, ridge * theta
    expected, extra = ridge * np.eye(m), np.zeros((m, m))
    betas = beta * np.exp(features @ theta)  # (n,)
    for block in rows.slices():
        b, w, phi = betas[block], rows.weights[block], features[block]
        u = rows.log_probabilities(block)  # (b, k)
        scaled = b[:, None] * u
        shifted = np.exp(scaled - scaled.max(1, keepdims=True))
        sums = shifted.sum(1)
        at_label = rows.at_label(u, block)
        mean = (shifted * u).sum(1) / sums
        spread = (shifted * np.square(u - mean[:, None])).sum(1) / sums
        value += float(w @ (np.log(sums) + scaled.max(1) - b * at_label))
        slope = w * b * (mean - at_label)
        gradient = gradient + slope @ phi
        expected += (phi * (w * b * b * spread)[:, None]).T @ phi
        extra += (phi * slope[:, None]).T @ phi
    return Point(value, gradient, expected + extra, expected)
