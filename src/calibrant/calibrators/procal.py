"""The confidence repaired for how near a row lies to the calibration rows: sparse regions are often too sure (ProCal).

Formula, with c the confidence and d the proximity: ``density_ratio`` c' = W_1 f_1(c, d) / (W_1 f_1(c, d) + W_0 f_0(c,
d)), f Gaussian densities of the right and the wrong calibration rows and W their weights; ``bin_mean_shift`` c' = c +
lambda (A - F), A the share of right rows and F the mean confidence in a cell of confidence and proximity. The other
classes share the rest in proportion to their scores. Source: Xiong et al. 2023, and their code where it differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.local_kernel import RowsMap, relative, squared_distances
from calibrant.calibrators.unit_neighbours import nearest, nearest_others, unit
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, TINY, Ops, expit
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import mass_edges
from calibrant.solvers.top_class import top_outcome, top_shares, with_confidence
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

METHODS, FORMS = ("density_ratio", "bin_mean_shift"), ("paper", "released")
_PER_CELL = 25  # rows for which there is a cell, on average
_PAPER, _RELEASED = (10, 15), (5, 15)  # bins of the proximity, and of the confidence within each
_POWERS = {"paper": -1 / 5, "released": -1 / 6}  # of n, in the bandwidth 1.06 times the deviation
_STILL = 1e-12  # a deviation below which a column never moves


def _proximity(ops: Ops, squared: Any, form: str, count: int) -> Any:
    """Return exp(-mean distance), or the mean of exp(-squared distance) (n, 1), of squared distances (n, count)."""
    if form == "released":
        return ops.sum(ops.exp(ops.constant(0.0) - squared)) * ops.constant(1 / count)
    distances = ops.exp(ops.log(ops.maximum(squared, ops.constant(TINY))) * ops.constant(0.5))
    return ops.exp(ops.sum(distances) * ops.constant(-1 / count))


class Cells(NamedTuple):
    """Edges of the proximity (1, a - 1) and of the confidence in each of its bins (a, b - 1), closed on the right."""

    proximity: Floats
    confidence: Floats


def _cells(confidence: Floats, proximity: Floats, weights: Floats, most: tuple[int, int]) -> Cells:
    """Return cells of about equal weight, fewer than ``most`` where rows are few."""
    count = max(1.0, float(weights.sum()) / _PER_CELL)
    outer = max(1, min(most[0], int(np.sqrt(count))))
    inner = max(1, min(most[1], int(count / outer)))
    across = mass_edges(proximity, weights, outer) if outer > 1 else np.empty(0)
    place = np.searchsorted(across, proximity)
    edges = np.full((len(across) + 1, inner - 1), np.inf)
    for a in range(len(edges)):
        mine = place == a
        if inner > 1 and mine.any():
            found = mass_edges(confidence[mine], weights[mine], inner)
            edges[a, : len(found)] = found
    return Cells(across[None], edges)


def _in_cells(ops: Ops, cells: Cells, confidence: Any, proximity: Any, table: Floats) -> Any:
    """Return the entry (n, 1) of a table (a, b) for the cell of each row."""
    bins = len(cells.confidence)
    at = ops.place(proximity, cells.proximity, right=False)  # (n, 1)
    chosen = ops.stacked([ops.pick(row[None], at) for row in np.eye(bins)])  # (n, a)
    within = ops.place(ops.stacked([confidence] * bins), cells.confidence, right=False)  # (n, a)
    return ops.sum(chosen * ops.pick(table, within))


def _shifts(
    cells: Cells, confidence: Floats, proximity: Floats, right: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Return A and F of each cell (a, b), 0 in one without rows."""
    a = np.searchsorted(cells.proximity[0], proximity)
    b = np.array([np.searchsorted(cells.confidence[i], c) for i, c in zip(a, confidence, strict=True)])
    shape = (len(cells.confidence), cells.confidence.shape[1] + 1)
    place = a * shape[1] + b
    sums = [
        np.bincount(place, weights * column, shape[0] * shape[1]) for column in (np.ones_like(right), right, confidence)
    ]
    mass = np.where(sums[0] > 0, sums[0], 1.0)
    return (sums[1] / mass).reshape(shape), (sums[2] / mass).reshape(shape)


def _density(ops: Ops, rows: Any, held: Floats, log_weights: Floats, bandwidths: Floats) -> Any:
    """Return log of the weight times the density of held rows (m, 2) at rows (n, 2), up to a common factor (n, 1)."""
    squared = squared_distances(ops, rows / ops.constant(bandwidths), held / bandwidths)
    _, mass = relative(ops, ops.constant(log_weights) - squared * ops.constant(0.5))
    return mass - ops.constant(float(np.log(bandwidths).sum()))


def _bandwidths(held: Floats, weights: Floats, power: float) -> Floats:
    """Return 1.06 s n^power of each column (2,), 1 of one that never moves; n Kish's effective rows."""
    share = weights / weights.sum()
    spread = np.sqrt(share @ np.square(held - share @ held))
    return np.asarray(np.where(spread > _STILL, 1.06 * spread * (1 / (share @ share)) ** power, 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class ProCalMap(RowsMap):
    """Confidence by confidence and proximity, from the ``neighbours`` nearest of ``points`` (m, d) of length 1.

    Density ratio: ``held`` (m, 2) confidence and proximity, ``log_weights`` (m, 2) as wrong and as right rows, -inf for
    none, ``bandwidths`` (2, 2). Bins: edges of the proximity ``outer`` (1, a - 1), of the confidence ``inner`` (a, b -
    1), and c' = ``keeps`` c + ``levels`` (a, b). Confidences stay ``least`` from 0 and 1.
    """

    form: str
    neighbours: int
    held: Floats
    log_weights: Floats
    bandwidths: Floats
    outer: Floats
    inner: Floats
    levels: Floats
    keeps: float
    least: float

    def __post_init__(self) -> None:
        m = len(self.held)
        require(self.form in FORMS, "form", f"be one of {', '.join(FORMS)}", repr(self.form))
        require(self.points.ndim == 2 and bool(np.isfinite(self.points).all()), "points", "be finite")
        fits = self.held.shape == self.log_weights.shape == (m, 2) and self.bandwidths.shape == (2, 2)
        require(fits and bool((self.bandwidths > 0).all()), "held", "be two columns with bandwidths")
        a, b = self.levels.shape
        require(self.outer.shape == (1, a - 1) and self.inner.shape == (a, b - 1), "levels", "fit their edges")
        require(0 < self.least < 0.5 and 0 <= self.keeps <= 1, "least and keeps", "be shares", (self.least, self.keeps))
        require(0 <= self.neighbours <= len(self.points), "neighbours", "be as many as the points", self.neighbours)
        check_zero(self.floor)

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return int(self.points.shape[1])

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return rows with the confidence of their place."""
        if not self.neighbours:
            return ops.exp(log_p)
        c = ops.exp(ops.largest(log_p))
        d = _proximity(ops, nearest(ops, features, self.points, self.neighbours), self.form, self.neighbours)
        if len(self.held):
            rows = ops.stacked([c, d])
            wrong, right = (self._side(ops, rows, side) for side in (0, 1))
            new = expit(ops, right - wrong)
        else:
            new = c * ops.constant(self.keeps) + _in_cells(ops, Cells(self.outer, self.inner), c, d, self.levels)
        new = ops.minimum(ops.maximum(new, ops.constant(self.least)), ops.constant(1 - self.least))
        return with_confidence(ops, log_p, top_shares(ops, log_p), new)

    def _side(self, ops: Ops, rows: Any, side: int) -> Any:
        there = np.isfinite(self.log_weights[:, side])
        return _density(ops, rows, self.held[there], self.log_weights[there, side], self.bandwidths[side])

    @property
    def n_parameters(self) -> int:
        """All that is kept of the rows, and the bandwidths or the cells."""
        if not self.neighbours:
            return 0
        kept = int(self.points.size)
        return kept + (
            2 * len(self.held) + 4 if len(self.held) else int(self.levels.size + self.inner.size + self.outer.size)
        )


@register(
    "calibrator",
    "procal",
    compared="",
    reference="xiong2023",
    needs_features=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n d + 3 n + 4",
    wants_rows="1000",
    cost="O(n^2 d); the same to apply to n rows",
    assumes="how often a row is right depends on its confidence and its proximity alone",
    suits="classifiers that are too sure in sparse regions",
)
@dataclass(frozen=True, kw_only=True)
class ProCal(Calibrator):
    """Give a row the share of right predictions among calibration rows as sure and as near to others (ProCal).

    Choose it where rows in sparse regions are more wrong than their confidence says. What the other classes get is
    scaled, not calibrated; `local_pool` looks at where a row lies, not only at how near to others.

    Parameters
    ----------
    method : "density_ratio" for continuous scores, "bin_mean_shift" for scores of few values.
    form : "paper": proximity exp(-mean distance), bandwidths 1.06 s n^(-1/5), cells of 10 bins of the proximity, and
        a shift by ``share`` of the gap. "released": as the authors' code, the mean of exp(-squared distance),
        n^(-1/6), and the share of right rows in each of 5 bins of the proximity in place of a shift.
    neighbours : calibration rows that the proximity is taken from, at most all others.
    share : lambda, of the gap that a cell's confidence is moved by, in [0, 1].
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Features are scaled to length 1 in both forms. A calibration row's own proximity leaves it out. Confidences stay 1 /
    (n + 2) from 0 and 1, n Kish's effective rows. There are fewer cells where rows are few: one for 25. With only right
    or only wrong rows, or a single row, nothing is changed. Classes that tie for the top count each in part.
    """

    method: Literal["density_ratio", "bin_mean_shift"] = "density_ratio"
    form: Literal["paper", "released"] = "paper"
    neighbours: int = 10
    share: float = 0.5
    zero: float | None = None

    def __post_init__(self) -> None:
        require(self.method in METHODS, "method", f"be one of {', '.join(METHODS)}", repr(self.method))
        require(self.form in FORMS, "form", f"be one of {', '.join(FORMS)}", repr(self.form))
        whole = is_whole(self.neighbours) and self.neighbours >= 1
        require(whole, "neighbours", "be a whole number of at least 1", self.neighbours)
        require(0 <= self.share <= 1, "share", "lie in [0, 1]", self.share)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> ProCalMap:
        """Return the densities or the cells."""
        batch, floor = prepared(predictions, self.zero)
        assert batch.features is not None
        right, confidence = top_outcome(batch)
        weights = batch.row_weights * (batch.effective_rows / batch.row_weights.sum())
        points, m = unit(NUMPY, batch.features.astype(np.float64)), min(self.neighbours, len(batch) - 1)
        usable = m > 0 and 0 < float(weights @ right) < float(weights.sum())
        told: dict[str, Any] = {"form": self.form, "floor": floor, "record": self.fit_record(predictions)}
        least = 1 / (float(weights.sum()) + 2)
        if not usable:
            return ProCalMap(**told, **_nothing(points[:0]), neighbours=0, least=least)
        proximity = _proximity(NUMPY, nearest_others(points, m), self.form, m)[:, 0]
        fields = _nothing(points)
        if self.method == "density_ratio":
            fields.update(self._densities(confidence, proximity, right, weights))
        else:
            fields.update(self._shifted(confidence, proximity, right, weights))
        return ProCalMap(**told, **fields, neighbours=m, least=least)

    def _densities(self, confidence: Floats, proximity: Floats, right: Floats, weights: Floats) -> dict[str, Any]:
        held = np.stack([confidence, proximity], axis=1)
        sides = np.stack([weights * (1 - right), weights * right], axis=1)  # (n, 2)
        power = _POWERS[self.form]
        with np.errstate(divide="ignore"):
            logs = np.log(sides)
        bandwidths = [_bandwidths(held[side > 0], side[side > 0], power) for side in sides.T]
        return {"held": held, "log_weights": logs, "bandwidths": np.stack(bandwidths)}

    def _shifted(self, confidence: Floats, proximity: Floats, right: Floats, weights: Floats) -> dict[str, Any]:
        cells = _cells(confidence, proximity, weights, _PAPER if self.form == "paper" else _RELEASED)
        share, mean = _shifts(cells, confidence, proximity, right, weights)
        paper = self.form == "paper"
        levels = self.share * (share - mean) if paper else share
        return {
            "outer": cells.proximity,
            "inner": cells.confidence,
            "levels": levels,
            "keeps": 1.0 if paper else 0.0,
        }


def _nothing(points: Floats) -> dict[str, Any]:
    """Return the fields of a map with neither densities nor cells."""
    return {
        "points": points,
        "held": np.empty((0, 2)),
        "log_weights": np.empty((0, 2)),
        "bandwidths": np.ones((2, 2)),
        "outer": np.empty((1, 0)),
        "inner": np.empty((1, 0)),
        "levels": np.zeros((1, 1)),
        "keeps": 1.0,
    }
