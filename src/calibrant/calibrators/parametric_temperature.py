"""A temperature that depends on the row: on the margin between its two likeliest classes and on its entropy.

Formula: q = softmax(beta_i u), log beta_i = log beta + a + b phi_1 + c phi_2, with phi_1 = log sqrt(1 + margin^2) and
phi_2 the entropy, both of softmax(beta u), the temperature map, standardised on the calibration rows and drawn in by
3 tanh(phi / 3). An even function of the margin stays smooth where the two likeliest classes change places.
Sources: Tomani, Cremers and Buettner 2022, Balanya, Maronas and Ramos 2024 for temperatures that depend on the scores;
the features and the ridge are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import NUMPY, Ops, expit, log_softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.row_temperature import row_temperatures
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_WIDEST = 3.0  # standard deviations from the mean that a feature can seem to be


def _features(ops: Ops, log_p: Any, beta: float) -> Any:
    """Return log sqrt(1 + margin^2) and the entropy (n, 2) of log-probabilities times beta (n, k)."""
    v = log_softmax(ops, log_p * ops.constant(beta))
    others = ops.where(ops.constant(0.5) <= ops.top(v), ops.constant(-np.inf), v)
    margin = ops.largest(v) - ops.largest(others)
    wide = ops.log(ops.constant(1.0) + margin * margin) * ops.constant(0.5)
    return ops.stacked([wide, ops.constant(0.0) - ops.sum(ops.exp(v) * v)])


def _bounded(ops: Ops, features: Any, mean: Floats, scale: Floats) -> Any:
    """Return standardised features (n, 2), drawn in to within `_WIDEST` of 0: new rows can be far from the fit's."""
    off = (features - ops.constant(mean)) / ops.constant(scale * (_WIDEST / 2))
    return (expit(ops, off) - ops.constant(0.5)) * ops.constant(2 * _WIDEST)


def _raw_features(rows: FitRows, beta: float) -> Floats:
    return np.concatenate([_features(NUMPY, rows.log_probabilities(block), beta) for block in rows.slices()])


@dataclass(frozen=True, kw_only=True, eq=False)
class ParametricTemperatureMap(CalibrationMap):
    """softmax(beta exp(level + 3 tanh((features - mean) / (3 scale)) . slopes) u); all but beta and level (2,).

    The features are log sqrt(1 + margin^2) and the entropy of softmax(beta u), in nats.
    """

    beta: float
    level: float
    slopes: Floats
    mean: Floats
    scale: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(bool(np.isfinite(self.level)), "level", "be finite", self.level)
        for name in ("slopes", "mean", "scale"):
            array = getattr(self, name)
            require(array.shape == (2,) and bool(np.isfinite(array).all()), name, "be two finite numbers", array)
        require(bool((self.scale > 0).all()), "scale", "be positive", self.scale)
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return beta_i u."""
        off = _bounded(ops, _features(ops, log_p, self.beta), self.mean, self.scale)  # (n, 2)
        change = ops.sum(off * ops.constant(self.slopes)) + ops.constant(self.level)
        return log_p * (ops.exp(change) * ops.constant(self.beta))

    @property
    def n_parameters(self) -> int:
        """The temperature and two slopes: 3."""
        return 3


@register(
    "calibrator",
    "parametric_temperature",
    compared="",
    reference="tomani2022",
    preserves_argmax=True,
    contains_identity=True,
    depends_on_row_count=True,
    differentiable=True,
    parameters="3",
    wants_rows="1000",
    cost="O(n k) a pass, about 10 passes",
    guarantee="training log loss never above the temperature map's; the predicted class stays",
    assumes="sharpness changes smoothly with margin and entropy",
    suits="networks that are wrong differently on hard rows",
)
@dataclass(frozen=True, kw_only=True)
class ParametricTemperatureScaling(Calibrator):
    """Divide the logits by a temperature that depends smoothly on the margin and the entropy of the row.

    Choose it where the predicted class must stay and sure rows are wrong by another factor than unsure ones: one
    temperature then is a compromise.

    Parameters
    ----------
    ridge : pseudo-rows that hold the three numbers at the temperature map: ridge / (2 n) times the sum of the squares
        of the changes of log T that a usual row undergoes.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The loss is convex in each row's beta, not in the three numbers; the fit starts at the temperature map and descends,
    so that it is never worse on the rows of the fit than that. The order of the classes stays in every row, but not the
    order of the rows by confidence. Weights scale out: the ridge counts Kish's effective rows, and a weight of 2 is
    therefore not a row seen twice.
    """

    ridge: float = 50.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.ridge < np.inf, "ridge", "be positive and finite", self.ridge)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> ParametricTemperatureMap:
        """Return the map of the best temperatures."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(batch)
        beta = inverse_temperature(rows).beta
        raw = _raw_features(rows, beta)
        mean = rows.weights @ raw
        scale = np.sqrt(rows.weights @ np.square(raw - mean))
        scale[scale < 1e-6] = 1.0  # a feature that never moves
        off = np.column_stack([np.ones(len(raw)), _bounded(NUMPY, raw, mean, scale)])
        found = row_temperatures(rows, off, beta, self.ridge / rows.effective)
        message = "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"
        record = self.fit_record(predictions, converged=found.converged, iterations=found.passes, message=message)
        return ParametricTemperatureMap(
            beta=beta,
            level=float(found.theta[0]),
            slopes=found.theta[1:],
            mean=mean,
            scale=scale,
            floor=floor,
            record=record,
        )
