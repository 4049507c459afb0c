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
        return _loss(self, predictor, np.exp(-np.abs(predictor)))


class _Point(NamedTuple):
    """Coefficients (c, m), their linear predictors and probabilities (c, n), and the function there (c,)."""

    x: Floats
    predictor: Floats
    p: Floats
    value: Floats


def ridge_logistic(rows: Rows, penalty: Floats, start: Floats) -> Ridge:
    """Return the minima of the log losses plus half the ``penalty`` (m,) times the squared coefficients."""
    at, steps = _point(rows, penalty, start), 0
    while True:
        pull, spread = rows.weights * (at.p - rows.outcome), rows.weights * at.p * (1 - at.p)
        curvature = np.matmul((rows.features * spread[:, :, None]).transpose(0, 2, 1), rows.features)
        curvature += np.diag(penalty)
        gradient = np.matmul(pull[:, None], rows.features)[:, 0] + penalty * at.x
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        decrease = (gradient * step).sum(1) / 2
        if bool((decrease <= CERTIFIED).all()) or steps == MOST_STEPS:
            moved = np.matmul(rows.features, np.linalg.inv(curvature))
            lever = np.einsum("cnm,cnm->cn", rows.features, moved)
            left_out = rows.loss(at.predictor + lever * pull / np.maximum(1 - lever * spread, LEAST_SHARE))
            return Ridge(at.x, left_out, steps, decrease)
        at, steps = _lowered(rows, penalty, at, step, decrease), steps + 1


def _point(rows: Rows, penalty: Floats, x: Floats) -> _Point:
    predictor = rows.predictor(x)
    small = np.exp(-np.abs(predictor))
    p = np.where(predictor < 0, small, 1.0) / (1 + small)
    value = _loss(rows, predictor, small) + (penalty * x * x).sum(1) / 2
    return _Point(x, predictor, p, value)


def _loss(rows: Rows, predictor: Floats, small: Floats) -> Floats:
    """Return the weighted sums of the log losses (c,), ``small`` being exp(-|predictor|)."""
    summed: Floats = (np.maximum(predictor, 0) + np.log(1 + small) - rows.outcome * predictor) @ rows.weights
    return summed


def _lowered(rows: Rows, penalty: Floats, at: _Point, step: Floats, decrease: Floats) -> _Point:
    """Return the point less the step, or less the half, the quarter, ... of it that lowers the function enough."""
    share, rounding = np.ones((len(step), 1)), 4 * np.finfo(np.float64).eps * np.abs(at.value)
    while True:
        there = _point(rows, penalty, at.x - share * step)
        high = there.value > at.value - SUFFICIENT * share[:, 0] * decrease + rounding
        high &= decrease > CERTIFIED  # what has converged moves by rounding alone
        if not high.any() or share.min() < LEAST_SHARE:
            return there
        share[high] /= 2
