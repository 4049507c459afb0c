"""Beta calibration of each class against the rest: how scores near 0 and near 1 are bent are two matters.

Formula: q_c = sigma(a_c log p_c - b_c log(1 - p_c) + d_c), a, b >= 0, then rows divided by their sums. It is what
scores with beta distributions in and outside the class call for. Source: Kull, Silva Filho and Flach 2017; the prior,
the ridge and the sums are ours.
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
from calibrant.solvers.one_vs_rest import ClassesMinimum, OneVsRest, planes
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_LOWER = np.array([[0.0], [0.0], [-np.inf]])


def _best(rows: FitRows, pseudo_rows: float, ridge: float) -> ClassesMinimum:
    """Return a, b and d (3, k)."""
    beta = inverse_temperature(rows).beta
    start = np.array([[beta], [beta], [0.0]]) + np.zeros(rows.k)
    weights = np.array([[1.0], [1.0], [0.0]]) * ridge / (rows.effective * beta**2) + np.zeros(rows.k)
    features = [planes(rows, lambda u: u), planes(rows, lambda u: log_odds(NUMPY, u) - u)]
    return OneVsRest(rows, features).best(start, pseudo_rows, weights, _LOWER)


@dataclass(frozen=True, kw_only=True, eq=False)
class BetaMap(CalibrationMap):
    """sigma(rise log p - fall log(1 - p) + shift), rows divided by their sums; ``rise``, ``fall``, ``shift`` (k,)."""

    rise: Floats
    fall: Floats
    shift: Floats

    def __post_init__(self) -> None:
        k = self.record.k
        for name in ("rise", "fall", "shift"):
            array = getattr(self, name)
            require(array.shape == (k,), name, f"have shape ({k},)", f"shape {array.shape}")
            require(bool(np.isfinite(array).all()), name, "be finite")
        require(bool((self.rise >= 0).all() and (self.fall >= 0).all()), "rise and fall", "be at least 0")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the sigmoids over their row sums."""
        beyond = log_odds(ops, log_p) - log_p  # -log(1 - p)
        odds = log_p * ops.constant(self.rise) + beyond * ops.constant(self.fall) + ops.constant(self.shift)
        return normalized(ops, expit(ops, odds), ops.exp(log_p))

    @property
    def n_parameters(self) -> int:
        """Three a class: 3k."""
        return 3 * self.record.k


@register(
    "calibrator",
    "beta",
    compared="",
    reference="kull2017",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="3k",
    wants_rows="30k",
    cost="O(n k) a pass, about 10 passes",
    assumes="each class's odds are wrong by a monotone curve of two bends",
    suits="binary scores that pile up near 0 and 1",
)
@dataclass(frozen=True, kw_only=True)
class BetaCalibration(Calibrator):
    """Fit a sigmoid of log p and log(1 - p) for each class against the rest, then rescale the rows to sum to 1.

    q_c = sigma(a_c log p_c - b_c log(1 - p_c) + d_c) with a, b >= 0: Platt's sigmoid of the log-odds with one slope for
    scores near 0 and one for scores near 1, so that it can also be the identity. Made for two classes; for more,
    `vector` is the joint fit.

    Parameters
    ----------
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says.
    ridge : pseudo-rows that hold a and b near the temperature map's beta: ridge / (2 n) times ((a - beta) / beta)^2 and
        likewise for b. Where hardly a row has p near 1, the rows say nothing of b; without a ridge it may be anything.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The bounds a, b >= 0 are kept by the fit itself, an exact constrained optimum; the paper's refit without the
    negative one is the same where one bound binds. Each class is fitted to its own log loss, so the log loss of the
    rescaled rows may rise above the identity's. A class without calibration rows keeps its column: the prior holds
    it. Prior and ridge count Kish's effective rows; a weight of 2 is therefore not a row seen twice. Memory: two
    arrays like the scores.
    """

    prior: float = 20.0
    ridge: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        for name in ("prior", "ridge"):
            value = getattr(self, name)
            require(0 < value < np.inf, name, "be positive and finite", value)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> BetaMap:
        """Return the map of the best sigmoids."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(batch)
        found = _best(rows, self.prior * rows.k, self.ridge)
        rise, fall, shift = found.x
        record = self.fit_record(predictions, **found.outcome)
        return BetaMap(rise=rise, fall=fall, shift=shift, floor=floor, record=record)
