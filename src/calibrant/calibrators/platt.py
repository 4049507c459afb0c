"""Platt's sigmoid for each class against the rest, on log-odds: a slope and an intercept for every class on its own.

Formula: q_c = sigma(a_c s_c + b_c), s_c = log p_c - log(1 - p_c), then rows divided by their sums.
Source: Platt 1999; the log-odds in place of raw scores and the prior are ours (docs/theory/separable.md says why).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.errors import require
from calibrant.formulas import Ops, expit, log_odds, normalized
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register
from calibrant.solvers.columns import divided
from calibrant.solvers.logistic import Logistic, LogisticMinimum, minimise_each
from calibrant.solvers.odds import as_logits, label_odds
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared, without_zeros

Floats = NDArray[np.float64]


def _best_pairs(rows: FitRows, pseudo_rows: float | None) -> LogisticMinimum:
    """Return the slopes and intercepts (2, k); targets enter through their sums alone."""
    start = np.stack([np.ones(rows.k), np.zeros(rows.k)])
    if pseudo_rows is None:
        target = _platt_targets(rows)
    else:
        start[0] = inverse_temperature(rows).beta
        there, rho = _sums(rows, start), rows.pull(pseudo_rows)
        target = (1 - rho) * _label_targets(rows) + rho * np.stack([there.moment, there.mass])  # (2, k)

    rounding = np.finfo(rows.scores.dtype).eps  # the kernels' exponentials have the precision of the scores

    def loss(pairs: Floats) -> Logistic:
        sums = _sums(rows, pairs)
        gradient = np.stack([sums.moment, sums.mass]) - target
        noise = rounding * (sums.softplus + np.abs(pairs * target).sum(0))
        return Logistic(sums.softplus - (pairs * target).sum(0), gradient, sums.curvature, noise)

    return minimise_each(loss, start)


def _sums(rows: FitRows, pairs: Floats) -> kernels.LogisticSums:
    return kernels.logistic_pass(
        rows.scores, pairs[0], pairs[1], logits=True, total=rows.total, weights=rows.weights, floor=FLOOR
    )


def _label_targets(rows: FitRows) -> Floats:
    """Return the sums of the label mass times s, and of the label mass (2, k)."""
    return np.stack([label_odds(rows), rows.label_sums()[0]])


def _platt_targets(rows: FitRows) -> Floats:
    """Return the same sums of Platt's targets: (N+ + 1) / (N+ + 2) in the class, 1 / (N- + 2) outside."""
    inside = _label_targets(rows)
    nothing = np.zeros((2, rows.k))
    everywhere = np.stack([2 * _sums(rows, nothing).moment, np.ones(rows.k)])  # sigma is 1/2 everywhere at (0, 0)
    positive, negative = rows.effective * inside[1], rows.effective * (1 - inside[1])
    high: Floats = (positive + 1) / (positive + 2)
    low: Floats = 1 / (negative + 2)
    targets: Floats = high * inside + low * (everywhere - inside)
    return targets


@dataclass(frozen=True, kw_only=True, eq=False)
class PlattMap(CalibrationMap):
    """sigma(slope * s + intercept), rows divided by their sums; ``slope``, ``intercept`` (k,)."""

    slope: Floats
    intercept: Floats

    def __post_init__(self) -> None:
        shapes = self.slope.shape == self.intercept.shape == (self.record.k,)
        got = f"{self.slope.shape}, {self.intercept.shape}"
        require(shapes, "slope and intercept", f"have shape ({self.record.k},)", got)
        finite = bool(np.isfinite(self.slope).all() and np.isfinite(self.intercept).all())
        require(finite, "slope and intercept", "be finite")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return sigma(slope * s + intercept) over its row sums."""
        odds = log_odds(ops, log_p) * ops.constant(self.slope) + ops.constant(self.intercept)
        return normalized(ops, expit(ops, odds), ops.exp(log_p))

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the probabilities (n, k) in the dtype of the scores."""
        batch = as_logits(without_zeros(predictions, self.floor))
        total = batch.summary.total
        out = kernels.logistic_apply(batch.scores, self.slope, self.intercept, logits=True, total=total, floor=FLOOR)
        return divided(out, out.sum(1, dtype=np.float64), batch), "probability"

    @property
    def n_parameters(self) -> int:
        """A slope and an intercept a class: 2k."""
        return 2 * self.record.k


@register(
    "calibrator",
    "platt",
    reference="platt1999",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="2k",
    wants_rows="20k",
    cost="O(n k) a pass, about 10 passes",
    assumes="each class's odds are wrong by a line",
    suits="binary scores and margins",
)
@dataclass(frozen=True, kw_only=True)
class PlattScaling(Calibrator):
    """Fit a sigmoid of the log-odds for each class against the rest, then rescale the rows to sum to 1.

    q_c = sigma(a_c s_c + b_c), s_c = log p_c - log(1 - p_c). The classic for two classes; for more, `vector` fits the
    same number of parameters to the joint log loss and is usually better.

    Parameters
    ----------
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says. None: Platt's own smoothed
        targets in their place, (N+ + 1) / (N+ + 2) and 1 / (N- + 2); these ruin confident scores on few rows.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Each class is fitted to its own log loss, so the log loss of the rescaled rows may rise above the identity's. A
    class without calibration rows keeps its column: the prior holds its intercept. The prior, and N+ and N-, count
    Kish's effective rows, so that scaling all weights changes nothing; a weight of 2 is not a row seen twice.
    """

    prior: float | None = 20.0
    zero: float | None = None

    def __post_init__(self) -> None:
        holds = self.prior is None or 0 < self.prior < np.inf
        require(holds, "prior", "be positive and finite, or None", self.prior, way_out="None takes Platt's targets")
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> PlattMap:
        """Return the map of the best sigmoids."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(as_logits(batch))
        found = _best_pairs(rows, None if self.prior is None else self.prior * rows.k)
        message = "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"
        record = self.fit_record(predictions, converged=found.converged, iterations=found.calls, message=message)
        return PlattMap(slope=found.x[0], intercept=found.x[1], floor=floor, record=record)
