"""A temperature that grows with the distance of a row from the calibration rows: unusual inputs are less sure.

Formula: q = softmax(z / T(x)), T(x) = T (1 + v (s(x) - s_0)), s the squared distance of the features, scaled to length
1, from the calibration row that is the m-th nearest, s_0 its least value on the calibration rows, v >= 0.
Source: Tomani, Waseda, Shen and Cremers 2023, with one layer of features; the fit by log loss and its ridge are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.local_kernel import RowsMap
from calibrant.calibrators.unit_neighbours import nearest, nearest_others, unit
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.distance_temperature import distance_temperature
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


class _Scale(NamedTuple):
    """The least distance and what one unit of it is."""

    least: float
    unit: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityAwareTemperatureMap(RowsMap):
    """softmax(``beta`` u / (1 + ``growth`` r)), r = max(s - ``least``, 0) / ``unit``.

    s is the squared distance from the ``neighbours``-th nearest of ``points`` (n, d), features of length 1.
    """

    beta: float
    growth: float
    least: float
    unit: float
    neighbours: int
    gives = "logit"

    def __post_init__(self) -> None:
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(0 <= self.growth < np.inf, "growth", "be at least 0 and finite", self.growth)
        require(0 <= self.least < np.inf and 0 < self.unit < np.inf, "least and unit", "be distances")
        within = 1 <= self.neighbours <= len(self.points) or self.growth == 0
        require(within, "neighbours", f"lie in 1..{len(self.points)}", self.neighbours)
        require(self.points.ndim == 2 and bool(np.isfinite(self.points).all()), "points", "be finite")
        check_zero(self.floor)

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return int(self.points.shape[1])

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return beta u / (1 + growth r)."""
        if self.growth == 0:
            return log_p * ops.constant(self.beta)
        distance = ops.column(nearest(ops, features, self.points, self.neighbours), self.neighbours - 1)
        off = distance - ops.constant(self.least)
        off = ops.maximum(off, ops.constant(0.0)) * ops.constant(self.growth / self.unit)
        return log_p * ops.constant(self.beta) / (off + ops.constant(1.0))

    @property
    def n_parameters(self) -> int:
        """The temperature, its growth with its unit and origin, and the rows."""
        return 4 + int(self.points.size)


@register(
    "calibrator",
    "density_aware_temperature",
    compared="",
    reference="tomani2023",
    needs_features=True,
    preserves_argmax=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n d + 4",
    wants_rows="500",
    cost="O(n^2 d); the same to apply to n rows",
    guarantee="training log loss, distances left out, never above the temperature map's; the predicted class stays",
    assumes="rows far from the calibration rows are less sure than their scores say",
    suits="new rows that may be unlike the calibration rows, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class DensityAwareTemperature(Calibrator):
    """Divide the logits by a temperature that grows with the distance from the calibration rows (DAC).

    Choose it where new rows may be unlike the calibration rows and the predicted class must stay. It says less the
    farther a row is off; it does not learn in which direction a region is wrong.

    Parameters
    ----------
    neighbours : which of the nearest calibration rows the distance is taken from, at most all others.
    ridge : pseudo-rows that hold log T at that of all rows, and the growth at 0.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    One layer of features, as the rows have them, and the calibration rows themselves, where the paper takes all layers
    and training rows; by log loss, where its code takes squared error. A row's own distance leaves it out. The growth
    is that for a standard deviation of the distances; weights do not change the distances.
    """

    neighbours: int = 10
    ridge: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        whole = is_whole(self.neighbours) and self.neighbours >= 1
        require(whole, "neighbours", "be a whole number of at least 1", self.neighbours)
        require(0 < self.ridge < np.inf, "ridge", "be positive and finite", self.ridge)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> DensityAwareTemperatureMap:
        """Return the best growth."""
        batch, floor = prepared(predictions, self.zero)
        assert batch.features is not None
        rows, points = FitRows.of(batch), unit(NUMPY, batch.features.astype(np.float64))
        beta, m = inverse_temperature(rows).beta, min(self.neighbours, len(points) - 1)
        s = nearest_others(points, m)[:, -1] if m else np.zeros(len(points))
        scale = _scale(s, rows.weights)
        found = distance_temperature(rows, beta, (s - scale.least) / scale.unit, self.ridge / rows.effective)
        return DensityAwareTemperatureMap(
            points=points if found.growth else points[:0],
            beta=found.beta,
            growth=found.growth,
            least=scale.least,
            unit=scale.unit,
            neighbours=max(m, 1),
            floor=floor,
            record=self.fit_record(predictions, converged=found.converged, iterations=found.steps),
        )


def _scale(distances: Floats, weights: Floats) -> _Scale:
    mean = weights @ distances
    spread = float(np.sqrt(weights @ np.square(distances - mean)))
    return _Scale(float(distances.min()), spread if spread > 1e-9 else 1.0)
