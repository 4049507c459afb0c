"""One temperature for all logits: softer where a classifier is over-confident, sharper where it is under-confident.

Formula: q = softmax(beta z), beta = 1/T the minimum of mean_i [lse(beta z_i) - beta z_iy], convex in beta.
Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrant import kernels
from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.errors import require
from calibrant.formulas import Ops
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register
from calibrant.solvers.chunk_sources import Source
from calibrant.solvers.chunks import ChunkedRows, read
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import InverseTemperature, inverse_temperature
from calibrant.solvers.zeros import check_zero, kept_positive, prepared, without_zeros


@dataclass(frozen=True, kw_only=True, eq=False)
class TemperatureMap(CalibrationMap):
    """Multiply the logits by ``beta`` = 1/T > 0; ``floor`` stands for exact zeros."""

    beta: float
    gives = "logit"

    def __post_init__(self) -> None:
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        check_zero(self.floor)

    @property
    def temperature(self) -> float:
        """The temperature T = 1 / beta."""
        return 1 / self.beta

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return beta u."""
        return log_p * ops.constant(self.beta)

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return beta z for logits, softmax(beta log p) for probabilities, in the dtype of the scores (n, k)."""
        scores = without_zeros(predictions, self.floor).scores
        if predictions.logits:
            return scores * scores.dtype.type(self.beta), "logit"
        scale, shift = np.full(predictions.k, self.beta), np.zeros(predictions.k)
        out = kernels.affine_softmax(scores, scale, shift, logits=False, floor=FLOOR)
        return kept_positive(out), "probability"

    @property
    def n_parameters(self) -> int:
        """The temperature: 1."""
        return 1


@register(
    "calibrator",
    "temperature",
    reference="guo2017",
    preserves_argmax=True,
    contains_identity=True,
    depends_on_row_count=True,
    differentiable=True,
    recovers_truth=True,
    fits_batches=True,
    parameters="1",
    wants_rows="100",
    cost="O(n k) a pass, two or three passes",
    guarantee="training log loss never above the identity's; the predicted class stays",
    assumes="one sharpness for all classes and rows",
    suits="networks, few rows, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class TemperatureScaling(Calibrator):
    """Divide all logits by one temperature, fitted by log loss.

    q = softmax(z / T). The exact maximum likelihood wherever that is finite and positive, to 1e-9 in log loss. Choose
    it first: it is hard to over-fit and keeps the predicted class. It cannot repair a bias between classes.

    Parameters
    ----------
    prior : number of pseudo-rows, labelled as the scores themselves say, that pull T to 1. None: none, except at an
        edge where the likelihood has no maximum (all rows ranked right, or scores that do not tell the label), where
        20 act. A number asks for that many always.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    A prior weighs itself against Kish's effective number of rows, so that scaling all weights changes nothing; where it
    acts, a weight of 2 is not a row seen twice. Batches are read three times or so and not held: what stays is three
    numbers a row and a sample of at most 128 MB. The map is that of all rows in one batch, to rounding.
    """

    prior: float | None = None
    zero: float | None = None

    def __post_init__(self) -> None:
        holds = self.prior is None or 0 < self.prior < np.inf
        require(holds, "prior", "be positive and finite, or None", self.prior, way_out="None pulls only at the edge")
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> TemperatureMap:
        """Return the map of the best temperature; `solvers.temperature` has the mathematics."""
        batch, floor = prepared(predictions, self.zero)
        return self._map(predictions, inverse_temperature(FitRows.of(batch), self.prior), floor)

    def learn_batches(self, batches: Source) -> TemperatureMap:
        """Return the map of the best temperature; `solvers.chunks` reads the batches."""
        rows = read(batches, self.zero, self.check)
        return self._map(rows, rows.temperature(self.prior), rows.floor)

    def _map(self, rows: Predictions | ChunkedRows, found: InverseTemperature, floor: float) -> TemperatureMap:
        message = "pulled to T = 1 by the prior" if found.pulled else ""
        record = self.fit_record(rows, converged=found.converged, iterations=found.passes, message=message)
        return TemperatureMap(beta=found.beta, floor=floor, record=record)
