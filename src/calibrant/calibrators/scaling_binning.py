"""A smooth map first, learnt on one half of the rows; then bins of what it gives on the other, which need no labels.

Formula: in each of B bins of equal mass of g_c(p), the mean of g_c(p) over the bin; rows divided by their sums. g is a
map learnt by another method.
Source: Kumar, Liang and Ma 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import folds
from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.errors import is_whole, require, sentence
from calibrant.formulas import NUMPY, Ops, normalized, softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import class_scores, mass_edges
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


def _smooth(ops: Ops, learnt: CalibrationMap, log_p: Any) -> Any:
    """Return the probabilities (n, k) of the map in front."""
    found = learnt.formula(ops, log_p)
    return softmax(ops, found) if learnt.gives == "logit" else found


def _means(p: Floats, weights: Floats, edges: Floats) -> Floats:
    """Return the mean of a column of probabilities in each bin (bins,), 0 in one that nothing reaches."""
    place, bins = np.searchsorted(edges, p), len(edges) + 1
    mass, total = (np.bincount(place, column, bins) for column in (weights, weights * p))
    means: Floats = total / np.where(mass > 0, mass, 1.0)
    return means


@dataclass(frozen=True, kw_only=True, eq=False)
class ScalingBinningMap(CalibrationMap):
    """Class c maps g_c in front of it to ``levels[c, b]`` where ``edges[c, b - 1] < g_c <= edges[c, b]``.

    ``smooth`` is g; ``edges`` (k, bins - 1) rising, infinite where a class has fewer bins; ``levels`` (k, bins).
    """

    smooth: CalibrationMap
    edges: Floats
    levels: Floats

    def __post_init__(self) -> None:
        k = self.record.k
        require(self.smooth.record.k == k, "smooth", f"be a map of {k} classes", self.smooth.record.k)
        shapes = self.levels.ndim == 2 and self.edges.shape == (k, self.levels.shape[1] - 1) and len(self.levels) == k
        got = f"{self.edges.shape}, {self.levels.shape}"
        require(shapes, "edges and levels", f"have {k} rows and one level more than edges", got)
        rising = not np.isnan(self.edges).any() and bool((self.edges[:, 1:] >= self.edges[:, :-1]).all())
        require(rising, "edges", "be numbers that do not fall")
        require(bool(((self.levels >= 0) & (self.levels <= 1)).all()), "levels", "lie in [0, 1]")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the level of each bin over the row sums."""
        p = _smooth(ops, self.smooth, log_p)
        return normalized(ops, ops.pick(self.levels, ops.place(p, self.edges, right=False)), p)

    @property
    def n_parameters(self) -> int:
        """Number of bins that a score can reach, and the parameters of the map in front."""
        return int(np.isfinite(self.edges).sum()) + len(self.edges) + self.smooth.n_parameters


@register(
    "calibrator",
    "scaling_binning",
    compared="",
    reference="kumar2019",
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most bins k + 2 k",
    wants_rows="200k",
    cost="that of the method in front, and O(k n log n)",
    assumes="the function in front is nearly right",
    suits="a coarse table with fewer rows than a histogram needs",
)
@dataclass(frozen=True, kw_only=True)
class ScalingBinning(Calibrator):
    """Fit a smooth map, then round what it gives to a few values, so that its calibration error can be measured.

    Choose it where the calibration of the outcome has to be proved: a map of finitely many values has an error that can
    be estimated, and for a given bound this one needs about 1 / bound^2 + bins rows, where `histogram` needs
    bins / bound^2. The map in front alone has the lower log loss.

    Parameters
    ----------
    method : the smooth map in front, a spec: "temperature", "vector", "platt", ...
    bins : number of bins a class, 2 or more, of equal weight; ties are never split.
    seed : of the split into halves; it depends on it and on the ids of the rows alone.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Declines fewer than two distinct rows. Bins are closed on the right. A class without calibration rows is treated as
    the map in front treats it, and keeps its column. The predicted class may change, by ties within bins above all.
    """

    method: str = "temperature"
    bins: int = 15
    seed: int = 0
    zero: float | None = None

    def __post_init__(self) -> None:
        calibrator(self.method)
        require(is_whole(self.bins) and self.bins >= 2, "bins", "be a whole number of at least 2", self.bins)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        check_zero(self.zero)

    def declines(self, predictions: Predictions) -> str:
        """Return why the method does not suit the batch, as a sentence, or the empty string."""
        rows = len(np.unique(predictions.without_absent_rows().row_keys))
        few = "" if rows > 1 else sentence("predictions", "have two distinct rows for scaling_binning", rows)
        return super().declines(predictions) or few or calibrator(self.method).declines(predictions)

    def learn(self, predictions: Predictions) -> ScalingBinningMap:
        """Return the map of the first half, binned on the second."""
        batch, floor = prepared(predictions, self.zero)
        # Halves that do not look at the labels: then they do not depend on the names of the classes.
        second = folds.assign(replace(batch, labels=None, _memo={}), 2, seed=self.seed) == 1
        smooth, binned = calibrator(self.method).fit(batch.take(~second)), batch.take(second)
        edges, levels = np.empty((batch.k, self.bins - 1)), np.empty((batch.k, self.bins))
        for c, p in enumerate(class_scores(binned, lambda log_p: _smooth(NUMPY, smooth, log_p))):
            edges[c] = mass_edges(p, binned.row_weights, self.bins)
            levels[c] = _means(p, binned.row_weights, edges[c])
        return ScalingBinningMap(
            smooth=smooth,
            edges=edges,
            levels=levels,
            floor=floor,
            record=self.fit_record(
                predictions,
                converged=smooth.record.converged,
                iterations=smooth.record.iterations,
                message=smooth.record.message,
            ),
        )
