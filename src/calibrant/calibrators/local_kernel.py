"""What maps share that hold their calibration rows and look at those around a new one.

Formula: z = (features - mean) projection, log k_j = log w_j - |z - z_j|² / (2 h²), mass = sum_j k_j in rows, averages =
sum_j k_j v_j / mass. Everything is taken relative to the largest k_j: an isolated row has the averages of the rows that
are nearest to it, and a mass that is next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.feature_map import FeatureMap
from calibrant.errors import require
from calibrant.formulas import NUMPY, TOGETHER, Ops
from calibrant.neighbourhood import Space
from calibrant.neighbourhood.local_sums import Weighing, exact, exact_averages
from calibrant.neighbourhood.references import References, single_suffices, squared_norms
from calibrant.predictions import Predictions
from calibrant.solvers.rows import log_probabilities
from calibrant.solvers.zeros import prepared

Floats = NDArray[np.float64]

_FARTHEST = 1e9  # coordinates beyond it are all the same: nothing is near
_PAIRS = 1 << 20  # of a block, in float64: 8 MB each of a few temporaries
_FEWEST = 20  # rows below which nothing local can be told
SEARCHED = 1500  # rows on which bandwidths are compared, each with all others as neighbours
_REACHED = 500  # rows whose distances tell where to look for a bandwidth
_STEP = 1.5  # ratio of the bandwidths of the grid


def coordinates(ops: Ops, features: Any, mean: Floats, projection: Floats) -> Any:
    """Return the coordinates (n, q) of features (n, d)."""
    z = ops.product(features - ops.constant(mean), projection)
    return ops.minimum(ops.maximum(z, ops.constant(-_FARTHEST)), ops.constant(_FARTHEST))


def squared_distances(ops: Ops, z: Any, points: Floats) -> Any:
    """Return the squared distances (n, m) of coordinates (n, q) from points (m, q)."""
    lengths = ops.sum(z * z) + ops.constant(np.square(points).sum(1))
    return ops.maximum(lengths - ops.product(z, 2 * points.T), ops.constant(0.0))


def log_kernels(ops: Ops, squared: Any, log_weights: Floats, bandwidth: float) -> Any:
    """Return log k_j (n, m)."""
    return ops.constant(log_weights) - squared * ops.constant(0.5 / bandwidth**2)


def relative(ops: Ops, logs: Any) -> tuple[Any, Any]:
    """Return the shares (n, m) of all points in the mass, and its logarithm (n, 1)."""
    top = ops.largest(logs)
    weights = ops.exp(logs - top)
    total = ops.sum(weights)
    return weights / total, top + ops.log(total)


@dataclass(frozen=True, kw_only=True, eq=False)
class RowsMap(FeatureMap):
    """A map of features that holds calibration rows, ``points`` (m, q)."""

    points: Floats

    def repaired(self, batch: Predictions, rows: slice) -> Floats:
        """Return what the formula gives for some rows, in blocks of a few pairs with all points."""
        assert batch.features is not None
        log_p, features = log_probabilities(batch, rows), batch.features[rows]
        step = TOGETHER * max(1, _PAIRS // (TOGETHER * max(len(self.points), features.shape[1])))
        parts = [slice(start, start + step) for start in range(0, len(log_p), step)]
        return np.concatenate([self.formula(NUMPY, log_p[at], features[at].astype(np.float64)) for at in parts])


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelMap(RowsMap):
    """A map that holds calibration rows: ``points`` (n, q), in the space of ``mean`` (d,) and ``projection`` (d, q).

    ``log_weights`` (n,) are those of the rows, whose weights sum to their effective number; ``bandwidth`` is that of a
    Gaussian kernel, in the units of the space.
    """

    mean: Floats
    projection: Floats
    log_weights: Floats
    bandwidth: float

    def __post_init__(self) -> None:
        d, q = self.mean.size, self.projection.shape[-1]
        shapes = self.projection.shape == (d, q) and self.points.shape == (len(self.log_weights), q)
        require(shapes, "points", f"have shape ({len(self.log_weights)}, {q})", self.points.shape)
        finite = all(np.isfinite(each).all() for each in (self.mean, self.projection, self.points, self.log_weights))
        require(finite, "points", "be finite")
        require(0 < self.bandwidth < np.inf, "bandwidth", "be positive and finite", self.bandwidth)

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return int(self.mean.size)

    def logs(self, ops: Ops, features: Any) -> Any:
        """Return the log-kernels (n, m) of the points around features (n, d)."""
        z = coordinates(ops, features, self.mean, self.projection)
        return log_kernels(ops, squared_distances(ops, z, self.points), self.log_weights, self.bandwidth)


def no_rows(predictions: Predictions) -> dict[str, Any]:
    """Return the fields of a `KernelMap` without rows: all but its record and its floor."""
    assert predictions.features is not None
    d = predictions.features.shape[1]
    return {
        "mean": np.zeros(d),
        "projection": np.zeros((d, 0)),
        "points": np.zeros((0, 0)),
        "log_weights": np.zeros(0),
        "bandwidth": 1.0,
    }


class Terms(NamedTuple):
    """The labels as terms of a log-likelihood: row and class (t,) and weights (t,), which sum to 1."""

    row: NDArray[np.int64]
    label: NDArray[np.int64]
    weights: Floats

    def picked(self, values: Floats) -> Floats:
        """Return the value (t,) of each term's class in its row, of values (n, k)."""
        return np.asarray(values[self.row, self.label])

    def log_loss(self, probabilities: Floats) -> float:
        """Return the mean log loss of probabilities (n, k)."""
        with np.errstate(divide="ignore"):
            return -float(self.weights @ np.log(self.picked(probabilities)))


@dataclass(frozen=True, eq=False)
class LocalRows:
    """Calibration rows with their places in a space that was fitted on them.

    They stand in the order of their keys, so that a fit does not depend on the order in which they came. ``weights``
    (n,) sum to their effective number.
    """

    batch: Predictions
    floor: float
    space: Space
    points: Floats
    weights: Floats

    @classmethod
    def of(cls, predictions: Predictions, zero: float | None, dimensions: int) -> LocalRows | None:
        """Return the rows, or None where they are too few or their features never move."""
        batch, floor = prepared(predictions.take(np.argsort(predictions.row_keys, kind="stable")), zero)
        features = batch.features
        assert features is not None
        if len(np.unique(batch.row_keys)) < _FEWEST or not np.ptp(features, axis=0).any():
            return None
        space = Space.fit(features, dimensions=dimensions, weights=batch.weights)
        points = coordinates(NUMPY, features.astype(np.float64), space.mean, space.projection)
        w = batch.row_weights
        return cls(batch, floor, space, points, w * (w.sum() / (w @ w)))

    @property
    def log_weights(self) -> Floats:
        """Log of the weights (n,)."""
        return np.log(self.weights)

    def placed(self, bandwidth: float) -> dict[str, Any]:
        """Return the fields of a `KernelMap` but its record."""
        return {
            "mean": self.space.mean,
            "projection": self.space.projection,
            "points": self.points,
            "log_weights": self.log_weights,
            "bandwidth": bandwidth,
            "floor": self.floor,
        }

    def some(self, most: int = SEARCHED) -> NDArray[np.int64]:
        """Return the numbers of all rows, or of ``most`` evenly spaced ones."""
        n = len(self.points)
        return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))

    def terms(self, rows: NDArray[np.int64]) -> Terms:
        """Return the terms of some rows, numbered from 0."""
        labels, w = self.batch.labels, self.weights[rows]
        assert labels is not None
        if labels.ndim == 1:
            return Terms(np.arange(len(rows)), labels[rows], w / w.sum())
        row, label = np.nonzero(labels[rows])
        return Terms(row, label, w[row] * labels[rows][row, label] / w.sum())

    def effective(self, rows: NDArray[np.int64]) -> float:
        """Return Kish's effective number of some rows."""
        w = self.weights[rows]
        return float(w.sum() ** 2 / (w @ w))

    def squared(self, rows: NDArray[np.int64]) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of some rows with their squared distances (b, n) from all, infinite from themselves."""
        step = max(1, _PAIRS // len(self.points))
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            found: Floats = squared_distances(NUMPY, self.points[block], self.points)
            found[np.arange(len(block)), block] = np.inf
            yield slice(start, start + len(block)), found

    def left_out(self, rows: NDArray[np.int64], bandwidth: float, values: Floats | None) -> tuple[Floats, Floats]:
        """Return the averages (r, c) of values (n, c) around some rows without themselves, and the log mass (r, 1).

        None: class frequencies (r, k), from hard labels.
        """
        single = single_suffices(squared_norms(self.points), "gaussian", bandwidth)
        labels = self.batch.hard_labels if values is None else None
        references = References.of(self.points, self.weights, labels, single=single)
        around = references, Weighing("gaussian", bandwidth), references.rows[rows], rows
        if values is None:
            found = exact(*around, np.zeros(self.batch.k))
        else:
            found = exact_averages(*around, values, np.zeros(values.shape[1]))
        return found.frequencies, found.log_mass[:, None]

    def bandwidth(self, loss: Callable[[float], float]) -> float:
        """Return the bandwidth of the least loss: on a grid by factors of 1.5, then halfway between its best and next.

        The grid goes from a quarter of the median distance of a row to the nearest other to twice the median distance.
        """
        near, usual = self._reach()
        grid = np.geomspace(near / 4, 2 * usual, max(3, int(np.log(8 * usual / near) / np.log(_STEP)) + 1))
        found = {float(h): loss(float(h)) for h in grid}
        for power in (0.5, 0.25):
            best = min(found, key=lambda h: found[h])
            for factor in (_STEP**power, _STEP**-power):
                found[best * factor] = loss(best * factor)
        return min(found, key=lambda h: found[h])

    def _reach(self) -> tuple[float, float]:
        """Return the median distance to the nearest other row at a distance, and the median distance."""
        near, usual = [], []
        for _, squared in self.squared(self.some(_REACHED)):
            apart = np.where(squared > 1e-12 * self.space.total, squared, np.inf)
            near.append(apart.min(1))
            usual.append(np.median(np.where(np.isinf(squared), 0.0, squared), axis=1))
        nearest = np.concatenate(near)
        return (
            float(np.sqrt(np.median(nearest[np.isfinite(nearest)]))),
            float(np.sqrt(max(np.median(np.concatenate(usual)), np.median(nearest[np.isfinite(nearest)])))),
        )
