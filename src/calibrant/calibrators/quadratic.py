"""Platt's sigmoid with a curved line: a parabola in the log-odds for each class against the rest.

Formula: q_c = sigma(a_c + b_c s_c + c_c h(s_c)), s_c = log p_c - log(1 - p_c), h(s) = s^2 within the range of the
calibration rows and its tangent beyond, then rows divided by their sums.
Source: Berta, Holzmueller, Bach and Jordan 2026 for how well it does on two classes; tangents and prior are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import NUMPY, Ops, expit, log_odds, normalized
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.one_vs_rest import ClassesMinimum, OneVsRest, Plane, planes
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_UNBOUNDED = np.full((3, 1), -np.inf)


def _best(rows: FitRows, odds: Plane, pseudo_rows: float, ridge: float) -> ClassesMinimum:
    """Return slopes, curvatures and shifts (3, k)."""
    start = np.zeros((3, rows.k))
    start[0] = inverse_temperature(rows).beta
    size = rows.weights @ np.square(odds, dtype=np.float64)  # (k,), the mean square of the log-odds
    weights = np.zeros((3, rows.k))
    weights[1] = ridge * size**2 / rows.effective
    return OneVsRest(rows, [odds, np.square(odds)]).best(start, pseudo_rows, weights, _UNBOUNDED)


@dataclass(frozen=True, kw_only=True, eq=False)
class QuadraticMap(CalibrationMap):
    """sigma(shift + slope s + curvature h(s)), rows divided by their sums; all (k,), and so are ``low`` and ``high``.

    h is s^2 where low <= s <= high, and its tangent beyond.
    """

    slope: Floats
    curvature: Floats
    shift: Floats
    low: Floats
    high: Floats

    def __post_init__(self) -> None:
        k = self.record.k
        for name in ("slope", "curvature", "shift", "low", "high"):
            array = getattr(self, name)
            require(array.shape == (k,), name, f"have shape ({k},)", f"shape {array.shape}")
            require(bool(np.isfinite(array).all()), name, "be finite")
        require(bool((self.low <= self.high).all()), "low", "be at most high")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the sigmoids over their row sums."""
        s = log_odds(ops, log_p)
        held = ops.minimum(ops.maximum(s, ops.constant(self.low)), ops.constant(self.high))
        bent = held * (s + s - held)  # s^2 inside, the tangent outside
        odds = s * ops.constant(self.slope) + bent * ops.constant(self.curvature) + ops.constant(self.shift)
        return normalized(ops, expit(ops, odds), ops.exp(log_p))

    @property
    def n_parameters(self) -> int:
        """Three a class: 3k."""
        return 3 * self.record.k


@register(
    "calibrator",
    "quadratic",
    compared="",
    reference="berta2026",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="3k",
    wants_rows="30k",
    cost="O(n k) a pass, about 10 passes",
    assumes="each class's odds are wrong by a parabola",
    suits="binary scores, some hundred rows",
)
@dataclass(frozen=True, kw_only=True)
class QuadraticScaling(Calibrator):
    """Fit a sigmoid of a parabola in the log-odds for each class against the rest, then rescale the rows to sum to 1.

    q_c = sigma(a_c + b_c s_c + c_c s_c^2), s_c = log p_c - log(1 - p_c). For two classes, where scores are wrong by
    another factor when they are certain than when they are not. It need not be increasing: a higher score may get a
    lower probability, where the rows say so.

    Parameters
    ----------
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says.
    ridge : pseudo-rows that hold the parabola near a line: ridge / (2 n) times (c S^2)^2, S^2 the mean square of the
        class's log-odds, so that 1 expects a bend of about 1 in log-odds at a usual score.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Beyond the log-odds seen in the fit the parabola goes on as its tangent: certain scores are where a parabola runs
    away. Each class is fitted to its own log loss, so the log loss of the rescaled rows may rise above the
    identity's. A class without calibration rows keeps its column: the prior holds it. Prior and ridge count Kish's
    effective rows; a weight of 2 is therefore not a row seen twice. Memory: two arrays like the scores.
    """

    prior: float = 20.0
    ridge: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        for name in ("prior", "ridge"):
            value = getattr(self, name)
            require(0 < value < np.inf, name, "be positive and finite", value)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> QuadraticMap:
        """Return the map of the best parabolas."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(batch)
        odds = planes(rows, lambda u: log_odds(NUMPY, u))
        found = _best(rows, odds, self.prior * rows.k, self.ridge)
        slope, curvature, shift = found.x
        low, high = odds.min(0).astype(np.float64), odds.max(0).astype(np.float64)
        record = self.fit_record(predictions, **found.outcome)
        return QuadraticMap(
            slope=slope, curvature=curvature, shift=shift, low=low, high=high, floor=floor, record=record
        )
