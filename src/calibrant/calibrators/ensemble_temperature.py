"""A mixture of three: the scores at a temperature, the scores themselves, and the uniform distribution.

Formula: q = w_1 softmax(beta u) + w_2 softmax(u) + w_3 / k, w >= 0 with sum 1. By log loss beta is the temperature
map's and w the best mixture with a prior; by Brier score w is the best for each beta, and beta the best with its w.
Source: Zhang, Kailkhura and Han 2020; the prior is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import NUMPY, Ops, log_softmax, softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.mixture import nearest_mixture
from calibrant.solvers.pool import pool_weights
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

# The Brier score of a temperature may have several valleys: the best of a grid around the log loss's beta is refined.
# Sharper than twice that beta, sure rows that were all right by luck would decide.
_GRID = np.linspace(-math.log(8), math.log(2), 9)
_FINE = 1e-7  # of log beta


class Found(NamedTuple):
    """beta, the weights (3,), and how they were found."""

    beta: float
    weights: Floats
    converged: bool
    steps: int


def _by_log_loss(rows: FitRows, prior: float) -> Found:
    beta = inverse_temperature(rows)
    told, weights = _label_log_probabilities(rows, beta.beta)
    best = pool_weights(told, weights * rows.effective, 3 * prior)
    return Found(beta.beta, best, beta.converged, beta.passes)


def _label_log_probabilities(rows: FitRows, beta: float) -> tuple[Floats, Floats]:
    """Return the log-probability of the label by each of the three (m, 3), and the weights (m,).

    A soft label is a row for each of its classes.
    """
    told, weights = [], []
    for block in rows.slices():
        u, w = rows.log_probabilities(block), rows.weights[block]
        pair = np.stack([log_softmax(NUMPY, beta * u), u], axis=2)  # (b, k, 2)
        if rows.labels is not None:
            told.append(pair[np.arange(len(u)), rows.labels[block]])
            weights.append(w)
        else:
            assert rows.soft is not None
            some = rows.soft[block] > 0
            told.append(pair[some])
            weights.append((rows.soft[block] * w[:, None])[some])
    both = np.concatenate(told)
    return np.column_stack([both, np.full(len(both), -math.log(rows.k))]), np.concatenate(weights)


def _by_brier(rows: FitRows) -> Found:
    """Return the best of a grid of log beta, refined between its neighbours."""
    centre = math.log(inverse_temperature(rows).beta)
    losses = [_nearest(rows, math.exp(centre + off))[1] for off in _GRID]
    middle = int(np.argmin(losses))
    bounds = centre + _GRID[max(middle - 1, 0)], centre + _GRID[min(middle + 1, len(_GRID) - 1)]
    searched = scipy.optimize.minimize_scalar(
        lambda x: _nearest(rows, math.exp(x))[1], bounds=bounds, method="bounded", options={"xatol": _FINE}
    )
    beta = math.exp(searched.x if searched.fun < losses[middle] else centre + _GRID[middle])
    return Found(beta, _nearest(rows, beta)[0], bool(searched.success), len(_GRID) + int(searched.nfev))


def _nearest(rows: FitRows, beta: float) -> tuple[Floats, float]:
    """Return the best weights for beta, and their Brier score up to a constant."""
    gram, target = np.full((3, 3), 1 / rows.k), np.array([0.0, 0.0, 1 / rows.k])
    gram[:2, :2] = 0.0
    for block in rows.slices():
        u, w = rows.log_probabilities(block), rows.weights[block]
        pair = [softmax(NUMPY, beta * u), np.exp(u)]
        for i, p in enumerate(pair):
            target[i] += w @ rows.at_label(p, block)
            for j, q in enumerate(pair):
                gram[i, j] += w @ np.einsum("ij,ij->i", p, q)
    return nearest_mixture(gram, target)


@dataclass(frozen=True, kw_only=True, eq=False)
class EnsembleTemperatureMap(CalibrationMap):
    """weights[0] softmax(beta u) + weights[1] softmax(u) + weights[2] / k; ``weights`` (3,) on the simplex."""

    beta: float
    weights: Floats

    def __post_init__(self) -> None:
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(self.weights.shape == (3,), "weights", "have shape (3,)", f"shape {self.weights.shape}")
        # Three roundings: a file that holds other weights is damaged.
        holds = bool((self.weights >= 0).all() and abs(self.weights.sum() - 1) < 1e-9)
        require(holds, "weights", "be at least 0 with sum 1", self.weights)
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the mixture."""
        warm = softmax(ops, log_p * ops.constant(self.beta)) * ops.constant(self.weights[0])
        return (
            warm + softmax(ops, log_p) * ops.constant(self.weights[1]) + ops.constant(self.weights[2] / self.record.k)
        )

    @property
    def n_parameters(self) -> int:
        """The temperature, and three weights of which one is fixed by the sum: 3."""
        return 3


@register(
    "calibrator",
    "ensemble_temperature",
    compared="",
    reference="zhang2020",
    preserves_argmax=True,
    depends_on_row_count=True,
    differentiable=True,
    parameters="3",
    wants_rows="100",
    cost="O(n k) a pass; by log loss four passes, by Brier score about 40",
    guarantee="the order of the classes stays in every row; by log loss every class has at least w_3 / k",
    assumes="one sharpness for all classes, some rows unlike the others",
    suits="networks with many classes, Brier score, order kept",
)
@dataclass(frozen=True, kw_only=True)
class EnsembleTemperatureScaling(Calibrator):
    """Mix the scores at one temperature with the scores as they are and with the uniform distribution.

    q = w_1 softmax(z / T) + w_2 softmax(z) + w_3 / k. Choose it in place of `temperature` where a share of the rows is
    wrong whatever their scores say, by bad labels or strange inputs: that is what w_3 stands for.

    Parameters
    ----------
    loss : "log_loss": the temperature of `temperature`, then the best weights. "brier": temperature and weights
        together, as in the paper; with beta between an eighth of and twice the temperature map's.
    prior : pseudo-rows of each of the three that keep its weight positive, by log loss; on 12 real sources a tenth of a
        row lost nothing. By Brier score there is none, and few sure rows may end too sure.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    By log loss w_3 is at least prior / (n + 3 prior), n Kish's effective rows; a weight of 2 is therefore not a row
    seen twice. Given the temperature the weights are the one optimum of a convex function, by either loss. The order
    of the classes stays in every row. With soft labels a fit by log loss holds three numbers for each class of
    positive mass.
    """

    loss: Literal["log_loss", "brier"] = "log_loss"
    prior: float = 0.1
    zero: float | None = None

    def __post_init__(self) -> None:
        require(self.loss in ("log_loss", "brier"), "loss", "be 'log_loss' or 'brier'", repr(self.loss))
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> EnsembleTemperatureMap:
        """Return the map of the best mixture."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(batch)
        found = _by_brier(rows) if self.loss == "brier" else _by_log_loss(rows, self.prior)
        message = "" if found.converged else "the search stopped before its optimum was certified"
        record = self.fit_record(predictions, converged=found.converged, iterations=found.steps, message=message)
        return EnsembleTemperatureMap(beta=found.beta, weights=found.weights, floor=floor, record=record)
