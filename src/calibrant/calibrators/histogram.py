"""A few bins for each class against the rest: every score in a bin gets the share of labels seen there.

Formula: a bin of weight W, label mean y and mean score s gets (W y + m s) / (W + m); rows divided by their sums.
Sources: Zadrozny and Elkan 2001; Gupta and Ramdas 2021 for the guarantee; the smoothing is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import Ops, normalized
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import ROUNDING, class_scores, mass_edges
from calibrant.solvers.columns import effective_weights, label_mass
from calibrant.solvers.zeros import check_zero, prepared_by_order

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def _levels(p: Floats, outcome: Floats, weights: Floats, edges: Floats, smoothing: float) -> tuple[Floats, Counts]:
    """Return the smoothed label mean of each bin (bins,), where it is empty the score of its middle, and its rows."""
    bins = len(edges) + 1
    place = np.searchsorted(edges, p)  # right-closed: edge < p <= next edge
    mass, labels, scores = (np.bincount(place, weights * column, bins) for column in (1.0, outcome, p))
    ends = np.clip(np.concatenate([[0.0], edges, [1.0]]), 0.0, 1.0)
    middle = (ends[:-1] + ends[1:]) / 2
    mean = np.where(mass > 0, scores / np.where(mass > 0, mass, 1.0), middle)
    total = mass + smoothing
    levels = np.where(total > 0, (labels + smoothing * mean) / np.where(total > 0, total, 1.0), mean)
    return levels, np.bincount(place, minlength=bins)


@dataclass(frozen=True, kw_only=True, eq=False)
class HistogramMap(CalibrationMap):
    """Class c maps p to ``levels[c, b]`` where ``edges[c, b - 1] < p <= edges[c, b]``.

    ``edges`` (k, bins - 1) rising, infinite where a class has fewer bins; ``levels`` (k, bins). ``rows`` (k, bins) are
    the rows that count for `guarantee`, ``smoothing`` the pseudo-rows beside them.
    """

    edges: Floats
    levels: Floats
    rows: Counts
    smoothing: float

    def __post_init__(self) -> None:
        k = self.record.k
        shapes = self.levels.ndim == 2 and self.edges.shape == (k, self.levels.shape[1] - 1) and len(self.levels) == k
        got = f"{self.edges.shape}, {self.levels.shape}"
        require(shapes, "edges and levels", f"have {k} rows and one level more than edges", got)
        rising = not np.isnan(self.edges).any() and bool((self.edges[:, 1:] >= self.edges[:, :-1]).all())
        require(rising, "edges", "be numbers that do not fall")
        require(bool(((self.levels >= 0) & (self.levels <= 1)).all()), "levels", "lie in [0, 1]")
        counted = self.rows.shape == self.levels.shape and bool((self.rows >= 0).all())
        require(counted, "rows", "count the rows of each bin", f"shape {self.rows.shape}")
        require(0 <= self.smoothing < np.inf, "smoothing", "be at least 0 and finite", self.smoothing)
        check_zero(self.floor)

    def guarantee(self, alpha: float) -> Floats:
        """Return how far each level (k, bins) can be from the truth, for all bins of a class at once, but for alpha.

        With probability 1 - alpha over the calibration rows, |levels[c, b] - P(class c | p_c in bin b)| is at most
        (sqrt(m log(2 B / alpha) / 2) + n - m + smoothing) / (n + smoothing) in every bin b of class c: B bins, n rows
        in the bin, of which m are not the one that sets its edge. Rows on edges left out (n = m) and without smoothing
        this is the bound of Gupta and Ramdas, sqrt(log(2 B / alpha) / (2 m)) with m at least floor(n / B) - 1. For all
        classes at once take alpha / k. It concerns the levels, not the rows after their division by their sums.

        1, which says nothing, for a bin without rows, for weighted rows and, as edges of equal mass need scores of a
        continuous distribution, for a class whose calibration scores are not all different.

        Raises
        ------
        DataError : if alpha does not lie in (0, 1).
        """
        require(0 < alpha < 1, "alpha", "lie in (0, 1)", alpha)
        bins = np.isfinite(self.edges).sum(1, keepdims=True) + 1  # (k, 1)
        inner = np.maximum(self.rows - (np.arange(self.rows.shape[1]) < bins - 1), 0)
        drift = np.sqrt(inner * np.log(2 * bins / alpha) / 2) + (self.rows - inner) + self.smoothing
        none = self.rows == 0
        return np.where(none, 1.0, np.minimum(1.0, drift / np.where(none, 1.0, self.rows + self.smoothing)))

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the level of each bin over the row sums."""
        p = ops.exp(log_p)
        return normalized(ops, ops.pick(self.levels, ops.place(p, self.edges, right=False)), p)

    @property
    def n_parameters(self) -> int:
        """Number of bins over all classes that a score can reach."""
        return int(np.isfinite(self.edges).sum()) + len(self.edges)


@register(
    "calibrator",
    "histogram",
    reference="zadrozny2001",
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most bins k",
    wants_rows="50 bins k",
    cost="O(k n log n)",
    guarantee="each level within a stated distance of the truth: the map's `guarantee(alpha)`",
    assumes="nothing within a bin",
    suits="a coarse table with a finite-sample guarantee",
)
@dataclass(frozen=True, kw_only=True)
class HistogramBinning(Calibrator):
    """Replace each class probability by the share of its labels in the same bin, smoothed.

    The simplest non-parametric map, easy to check by hand, and one with a guarantee for finite samples, whatever the
    classifier (Gupta and Ramdas 2021): ``guarantee(alpha)`` of the map. It throws away the order within a bin;
    `isotonic` keeps it and is nearly always better.

    Parameters
    ----------
    bins : number of bins a class, 2 or more.
    edges : "mass" puts the same weight in every bin, without splitting ties; "width" cuts [0, 1] evenly.
    smoothing : pseudo-rows at the mean score of each bin, labelled as the score says; they keep the log loss finite.
        0: plain shares; one that is 0 then becomes the smallest positive number.
    zero : what stands for an exact zero, in (0, 1). None: 1e-30, or less below smaller scores, so that the other scores
        of a row keep their values, and equal scores stay equal.

    Notes
    -----
    Bins are closed on the right. A class without calibration rows keeps its column, at m s / (W + m) in each bin. The
    smoothing counts against Kish's effective rows, so that scaling all weights changes nothing.
    """

    bins: int = 15
    edges: Literal["mass", "width"] = "mass"
    smoothing: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(isinstance(self.bins, int) and self.bins >= 2, "bins", "be a whole number of at least 2", self.bins)
        require(self.edges in ("mass", "width"), "edges", "be 'mass' or 'width'", repr(self.edges))
        require(0 <= self.smoothing < np.inf, "smoothing", "be at least 0 and finite", self.smoothing)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> HistogramMap:
        """Return the map of the smoothed bins."""
        (batch, floor), weights = prepared_by_order(predictions, self.zero), effective_weights(predictions)
        k, bins, even = batch.k, self.bins, np.arange(1, self.bins) / self.bins * (1 + ROUNDING)
        edges, levels, rows = np.empty((k, bins - 1)), np.empty((k, bins)), np.zeros((k, bins), np.int64)
        for c, p in enumerate(class_scores(batch, np.exp)):
            edges[c] = mass_edges(p, weights, bins) if self.edges == "mass" else even
            levels[c], found = _levels(p, label_mass(batch, c), weights, edges[c], self.smoothing)
            if batch.weights is None and (self.edges == "width" or len(np.unique(p)) == len(p)):
                rows[c] = found
        record = self.fit_record(predictions)
        return HistogramMap(edges=edges, levels=levels, rows=rows, smoothing=self.smoothing, floor=floor, record=record)
