"""A few bins for each class against the rest: every score in a bin gets the share of labels seen there.

Formula: a bin of weight W, label mean y and mean score s gets (W y + m s) / (W + m); rows divided by their sums.
Source: Zadrozny and Elkan 2001; the smoothing is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.errors import require
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register
from calibrant.solvers.columns import columns, effective_weights, label_mass, map_columns
from calibrant.solvers.zeros import check_zero, floor_of

Floats = NDArray[np.float64]

# Cumulative weights within this share of a target count as having reached it: their sums carry rounding.
_REACHED = 1e-12


def _mass_edges(p: Floats, weights: Floats, bins: int) -> Floats:
    """Return the inner edges (bins - 1,) of bins of equal weight, scores themselves, so that ties are never split.

    Where ties leave fewer bins, the last edges are infinite.
    """
    order = np.argsort(p)
    reached = np.cumsum(weights[order])
    targets = np.arange(1, bins) / bins * reached[-1] * (1 - _REACHED)
    edges = np.unique(p[order[np.searchsorted(reached, targets)]])
    edges = edges[edges < p[order[-1]]]  # nothing lies above the largest score
    return np.append(edges, np.full(bins - 1 - len(edges), np.inf))


def _levels(p: Floats, outcome: Floats, weights: Floats, edges: Floats, smoothing: float) -> Floats:
    """Return the smoothed label mean of each bin (bins,); a bin without rows gets the score of its middle."""
    bins = len(edges) + 1
    place = np.searchsorted(edges, p)  # right-closed: edge < p <= next edge
    mass, labels, scores = (np.bincount(place, weights * column, bins) for column in (1.0, outcome, p))
    ends = np.clip(np.concatenate([[0.0], edges, [1.0]]), 0.0, 1.0)
    middle = (ends[:-1] + ends[1:]) / 2
    mean = np.where(mass > 0, scores / np.where(mass > 0, mass, 1.0), middle)
    return (labels + smoothing * mean) / (mass + smoothing)


@dataclass(frozen=True, kw_only=True, eq=False)
class HistogramMap(CalibrationMap):
    """Class c maps p to ``levels[c, b]`` where ``edges[c, b - 1] < p <= edges[c, b]``.

    ``edges`` (k, bins - 1) rising, infinite where a class has fewer bins; ``levels`` (k, bins).
    """

    edges: Floats
    levels: Floats
    floor: float

    def __post_init__(self) -> None:
        k = self.record.k
        shapes = self.levels.ndim == 2 and self.edges.shape == (k, self.levels.shape[1] - 1) and len(self.levels) == k
        got = f"{self.edges.shape}, {self.levels.shape}"
        require(shapes, "edges and levels", f"have {k} rows and one level more than edges", got)
        rising = not np.isnan(self.edges).any() and bool((self.edges[:, 1:] >= self.edges[:, :-1]).all())
        require(rising, "edges", "be numbers that do not fall")
        require(bool(((self.levels >= 0) & (self.levels <= 1)).all()), "levels", "lie in [0, 1]")
        check_zero(self.floor)

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the probabilities (n, k) in the dtype of the scores."""
        return map_columns(predictions, self.floor, self._mapped), "probability"

    def _mapped(self, c: int, p: Floats) -> Floats:
        levels: Floats = self.levels[c, np.searchsorted(self.edges[c], p)]
        return levels

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
)
@dataclass(frozen=True, kw_only=True)
class HistogramBinning(Calibrator):
    """Replace each class probability by the share of its labels in the same bin, smoothed.

    The simplest non-parametric map, easy to check by hand. It throws away the order within a bin; `isotonic` keeps it
    and is nearly always better.

    Parameters
    ----------
    bins : number of bins a class, 2 or more.
    edges : "mass" puts the same weight in every bin, without splitting ties; "width" cuts [0, 1] evenly.
    smoothing : pseudo-rows at the mean score of each bin, labelled as the score says; they keep the log loss finite.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

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
        require(0 < self.smoothing < np.inf, "smoothing", "be positive and finite", self.smoothing)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> HistogramMap:
        """Return the map of the smoothed bins."""
        floor, weights = floor_of(predictions, self.zero), effective_weights(predictions)
        edges, levels = np.empty((predictions.k, self.bins - 1)), np.empty((predictions.k, self.bins))
        even = np.arange(1, self.bins) / self.bins
        for c, p in columns(predictions.probabilities, floor):
            edges[c] = _mass_edges(p, weights, self.bins) if self.edges == "mass" else even
            levels[c] = _levels(p, label_mass(predictions, c), weights, edges[c], self.smoothing)
        return HistogramMap(edges=edges, levels=levels, floor=floor, record=self.fit_record(predictions))
