"""A slope and an intercept for the log-probability of each class: repairs classes that are wrong in their own way.

Formula: q = softmax(w * u + b), u = log p, the minimum of the log loss plus a prior of m pseudo-rows labelled as the
temperature map says. Sources: Guo et al. 2017; Kull et al. 2019 for log-probabilities; the prior is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.affine import affine_scores
from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.errors import require
from calibrant.formulas import Ops
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register
from calibrant.solvers.affine import AffineRows, HeldRows, best_pairs
from calibrant.solvers.chunk_sources import Source
from calibrant.solvers.chunks import ChunkedRows, read
from calibrant.solvers.quasi_newton import PairsMinimum
from calibrant.solvers.rows import FitRows
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


def _best_pairs(rows: AffineRows, pseudo_rows: float) -> PairsMinimum:
    """Return the slopes and intercepts (2, k): labels and pseudo-labels enter through their sums alone."""
    centre = np.stack([np.full(rows.k, rows.temperature().beta), np.zeros(rows.k)])
    there = rows.affine_sums(*centre)
    rho = rows.pull(pseudo_rows)
    mass, moment = rows.label_sums()
    target = np.stack([(1 - rho) * moment + rho * there.moment, (1 - rho) * mass + rho * there.mass])  # (2, k)
    return best_pairs(rows, centre, target)


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorMap(CalibrationMap):
    """softmax(scale * u + shift), u = log p; ``scale`` and ``shift`` (k,), shift summing to 0."""

    scale: Floats
    shift: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        shapes = self.scale.shape == self.shift.shape == (self.record.k,)
        require(shapes, "scale and shift", f"have shape ({self.record.k},)", f"{self.scale.shape}, {self.shift.shape}")
        finite = bool(np.isfinite(self.scale).all() and np.isfinite(self.shift).all())
        require(finite, "scale and shift", "be finite")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return scale * u + shift."""
        return log_p * ops.constant(self.scale) + ops.constant(self.shift)

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return scale * u + shift for logits, its softmax for probabilities, in the dtype of the scores (n, k)."""
        return affine_scores(predictions, self.floor, self.scale, self.shift)

    @property
    def n_parameters(self) -> int:
        """A slope and an intercept a class, of which one intercept is fixed by the sum: 2k - 1."""
        return 2 * self.record.k - 1


@register(
    "calibrator",
    "vector",
    reference="guo2017",
    contains_identity=True,
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    recovers_truth=True,
    fits_batches=True,
    parameters="2k - 1",
    wants_rows="20k",
    cost="O(n k) a pass, 10 to 50 passes",
    guarantee="training log loss never above the temperature map's",
    assumes="each class has a sharpness and a bias of its own",
    suits="some classes off, 20 rows a class",
)
@dataclass(frozen=True, kw_only=True)
class VectorScaling(Calibrator):
    """Give each class its own slope and intercept on log-probabilities, fitted by log loss.

    q = softmax(w * u + b), u = log p. Choose it where classes differ in bias or sharpness and there are some twenty
    rows a class. With two classes it is beta calibration.

    Parameters
    ----------
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says; they hold the map near that
        one where rows are few, separable or lack a class, and cost under 1e-4 nats from some 500 rows a class on.
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

    def learn(self, predictions: Predictions) -> VectorMap:
        """Return the map of the best slopes and intercepts."""
        batch, floor = prepared(predictions, self.zero)
        return self._map(predictions, HeldRows(FitRows.of(batch)), floor)

    def learn_batches(self, batches: Source) -> VectorMap:
        """Return the map of the best slopes and intercepts; `solvers.chunks` reads the batches."""
        rows = read(batches, self.zero, self.check)
        return self._map(rows, rows, rows.floor)

    def _map(self, fitted_on: Predictions | ChunkedRows, rows: AffineRows, floor: float) -> VectorMap:
        found = _best_pairs(rows, self.prior * rows.k)
        scale, shift = found.x[0], found.x[1] - found.x[1].mean()
        message = "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"
        record = self.fit_record(fitted_on, converged=found.converged, iterations=found.calls, message=message)
        return VectorMap(scale=scale, shift=shift, floor=floor, record=record)
