"""Logistic regressions with a ridge, from an offset, and their log loss on rows left out, without leaving any out.

The loss of row i when left out comes from one Newton step away from the fit of all rows, in closed form. Many
regressions of the same rows are solved at once.
Source: Pregibon 1981; Rad and Maleki 2020.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CERTIFIED = 1e-9  # nats of predicted decrease still to come, in each regression
MOST_STEPS = 50
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring (Armijo's rule)
LEAST_SHARE = 2.0**-30  # of a step; below it only rounding is left


class Ridge(NamedTuple):
    """The coefficients (c, m), the log loss summed over rows left out (c,), the Newton steps and decrease left (c,)."""

    x: Floats
    left_out: Floats
    steps: int
    decrease: Floats


class Rows(NamedTuple):
    """For c regressions: features (c, n, m), offsets (c, n), outcomes in [0, 1] (c, n); weights (n,) for all."""

    features: Floats
    offset: Floats
    outcome: Floats
    weights: Floats

    def predictor(self, x: Floats) -> Floats:
        """Return the linear predictors (c, n)."""
        predictor: Floats = self.offset + np.matmul(self.features, x[:, :, None])[:, :, 0]
        return predictor

    def loss(self, predictor: Floats) -> Floats:
        """Return the weighted sums of the log losses (c,) of linear predictors (c, n)."""
        softplus = np.maximum(predictor, 0) + np.log(1 + np.exp(-np.abs(predictor)))
        summed: Floats = (softplus - self.outcome * predictor) @ self.weights
        return summed


def ridge_logistic(rows: Rows, penalty: Floats, start: Floats) -> Ridge:
    """Return the minima of the log losses plus half the ``penalty`` (m,) times the squared coefficients."""
    x, steps = start, 0
    while True:
        predictor = rows.predictor(x)
        p = _sigmoid(predictor)
        pull, spread = rows.weights * (p - rows.outcome), rows.weights * p * (1 - p)
        curvature = np.matmul((rows.features * spread[:, :, None]).transpose(0, 2, 1), rows.features)
        curvature += np.diag(penalty)
        gradient = np.matmul(pull[:, None], rows.features)[:, 0] + penalty * x
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        decrease = (gradient * step).sum(1) / 2
        if bool((decrease <= CERTIFIED).all()) or steps == MOST_STEPS:
            lever = (
                rows.features * np.linalg.solve(curvature, rows.features.transpose(0, 2, 1)).transpose(0, 2, 1)
            ).sum(2)
            left_out = rows.loss(predictor + lever * pull / np.maximum(1 - lever * spread, LEAST_SHARE))
            return Ridge(x, left_out, steps, decrease)
        x, steps = _lowered(rows, penalty, x, step, decrease), steps + 1


def _lowered(rows: Rows, penalty: Floats, x: Floats, step: Floats, decrease: Floats) -> Floats:
    """Return x (c, m) less the step, or less the half, the quarter, ... of it that lowers the function enough."""

    def function(x: Floats) -> Floats:
        value: Floats = rows.loss(rows.predictor(x)) + (penalty * x * x).sum(1) / 2
        return value

    here, share = function(x), np.ones((len(x), 1))
    rounding = 4 * np.finfo(np.float64).eps * np.abs(here)
    while True:
        there = function(x - share * step)
        high = (there > here - SUFFICIENT * share[:, 0] * decrease + rounding) & (decrease > CERTIFIED)
        if not high.any() or share.min() < LEAST_SHARE:
            return x - share * step
        share[high] /= 2


def _sigmoid(x: Floats) -> Floats:
    small = np.exp(-np.abs(x))
    p: Floats = np.where(x < 0, small, 1.0) / (1 + small)
    return p
