"""One temperature and an intercept a class: repairs how often each class is predicted, on top of how surely.

Formula: q = softmax(beta u + b), u = log p, the minimum of the log loss plus a prior of m pseudo-rows labelled as the
temperature map says. Source: Alexandari, Kundaje and Shrikumar 2020; log-probabilities and the prior are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.calibrators.affine import affine_scores
from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.errors import require
from calibrant.formulas import Ops
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register
from calibrant.solvers.affine import AffineRows, HeldRows
from calibrant.solvers.chunk_sources import Source
from calibrant.solvers.chunks import ChunkedRows, read
from calibrant.solvers.quasi_newton import Diagonal, PairsMinimum, Point, minimise_pairs
from calibrant.solvers.rows import FitRows
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


def _best(rows: AffineRows, pseudo_rows: float) -> PairsMinimum:
    """Return beta and the intercepts (1 + k,): labels and pseudo-labels enter through their sums alone."""
    start = np.zeros(1 + rows.k)
    start[0] = rows.temperature().beta
    spread = rows.spread(float(start[0]))
    there, rho = _sums(rows, start), rows.pull(pseudo_rows)
    mass, moment = rows.label_sums()
    target = (1 - rho) * _together(moment, mass) + rho * _together(there.moment, there.mass)

    def loss(x: Floats) -> Point:
        sums = _sums(rows, x)
        curvature = np.concatenate([[spread], sums.curvature[2]])
        return Point(sums.log_normalizer - float(x @ target), _together(sums.moment, sums.mass) - target, curvature)

    rounding = float(np.finfo(rows.dtype).eps)  # the kernels' exponentials have the precision of the scores
    return minimise_pairs(loss, start, rounding * abs(there.log_normalizer), Diagonal.of)


def _together(moment: Floats, mass: Floats) -> Floats:
    return np.concatenate([[moment.sum()], mass])


def _sums(rows: AffineRows, x: Floats) -> kernels.AffineSums:
    return rows.affine_sums(np.full(rows.k, x[0]), x[1:].copy())


@dataclass(frozen=True, kw_only=True, eq=False)
class BiasCorrectedTemperatureMap(CalibrationMap):
    """softmax(beta u + shift), u = log p; ``shift`` (k,) sums to 0."""

    beta: float
    shift: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        require(bool(np.isfinite(self.beta)), "beta", "be finite", self.beta)
        require(self.shift.shape == (self.record.k,), "shift", f"have shape ({self.record.k},)", self.shift.shape)
        require(bool(np.isfinite(self.shift).all()), "shift", "be finite")
        check_zero(self.floor)

    @property
    def temperature(self) -> float:
        """The temperature T = 1 / beta."""
        return 1 / self.beta

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return beta u + shift."""
        return log_p * ops.constant(self.beta) + ops.constant(self.shift)

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return beta u + shift for logits, its softmax for probabilities, in the dtype of the scores (n, k)."""
        return affine_scores(predictions, self.floor, np.full(predictions.k, self.beta), self.shift)

    @property
    def n_parameters(self) -> int:
        """The temperature, and an intercept a class of which one is fixed by the sum: k."""
        return self.record.k


@register(
    "calibrator",
    "bias_corrected_temperature",
    compared="",
    reference="alexandari2020",
    contains_identity=True,
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    recovers_truth=True,
    fits_batches=True,
    parameters="k",
    wants_rows="10k",
    cost="O(n k) a pass, 10 to 40 passes",
    guarantee="training log loss never above the temperature map's",
    assumes="one sharpness for all classes, and class frequencies that are off",
    suits="first step before a label shift is estimated",
)
@dataclass(frozen=True, kw_only=True)
class BiasCorrectedTemperatureScaling(Calibrator):
    """Divide all logits by one temperature and add an intercept a class, fitted by log loss.

    q = softmax(u / T + b), u = log p. Choose it where classes come more or less often than the scores say; it is what
    corrections for shifted class frequencies start from.

    Parameters
    ----------
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says; they hold the map near that
        one where rows are few, separable or lack a class.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Convex; the intercepts are known up to one constant and reported with sum 0. A class without calibration rows keeps
    its column: the prior holds its intercept. The prior weighs itself against Kish's effective number of rows, so
    that scaling all weights changes nothing; a weight of 2 is therefore not a row seen twice.
    """

    prior: float = 20.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> BiasCorrectedTemperatureMap:
        """Return the map of the best temperature and intercepts."""
        batch, floor = prepared(predictions, self.zero)
        return self._map(predictions, HeldRows(FitRows.of(batch)), floor)

    def learn_batches(self, batches: Source) -> BiasCorrectedTemperatureMap:
        """Return the map of the best temperature and intercepts; `solvers.chunks` reads the batches."""
        rows = read(batches, self.zero, self.check)
        return self._map(rows, rows, rows.floor)

    def _map(self, fitted_on: Predictions | ChunkedRows, rows: AffineRows, floor: float) -> BiasCorrectedTemperatureMap:
        found = _best(rows, self.prior * rows.k)
        message = "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"
        record = self.fit_record(fitted_on, converged=found.converged, iterations=found.calls, message=message)
        beta, shift = float(found.x[0]), found.x[1:] - found.x[1:].mean()
        return BiasCorrectedTemperatureMap(beta=beta, shift=shift, floor=floor, record=record)
