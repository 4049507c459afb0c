"""Bins of the confidence for each predicted class on its own: how often is this class right when it is this sure?

Formula: in a bin of predicted class c of weight W and share of right labels y, the confidence h becomes
(W y + m h) / (W + m); the other classes share the rest in proportion to their scores.
Source: Gupta and Ramdas 2022; the smoothing and the other classes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import class_scores, mass_edges
from calibrant.solvers.columns import effective_weights, label_mass
from calibrant.solvers.top_class import top_shares, with_confidence
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


def _bins(h: Floats, right: Floats, weights: Floats, points: int, smoothing: float) -> tuple[Floats, Floats, Floats]:
    """Return edges (bins - 1,), and level and slope (bins,) of the confidences ``h`` (rows,) of one predicted class."""
    bins = max(1, int(weights.sum() * (1 + 1e-9)) // points)  # whole sums of weights carry rounding
    edges = mass_edges(h, weights, bins) if bins > 1 else np.empty(0)
    place = np.searchsorted(edges, h)
    mass, hits = (np.bincount(place, weights * column, bins) for column in (np.ones_like(h), right))
    total: Floats = (mass + smoothing).astype(np.float64)
    return edges, hits / total, smoothing / total


def _padded(rows: list[Floats], width: int, fill: float) -> Floats:
    return np.stack([np.append(row, np.full(width - len(row), fill)) for row in rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class TopLabelHistogramMap(CalibrationMap):
    """Confidence h of predicted class c becomes ``levels[c, b] + slopes[c, b] h`` in bin b.

    ``edges`` (k, bins - 1), rising, infinite where a class has fewer bins; bins are closed on the right. ``levels`` and
    ``slopes`` (k, bins).
    """

    edges: Floats
    levels: Floats
    slopes: Floats

    def __post_init__(self) -> None:
        k = self.record.k
        shapes = self.levels.ndim == 2 and self.levels.shape == self.slopes.shape and len(self.levels) == k
        got = f"{self.edges.shape}, {self.levels.shape}, {self.slopes.shape}"
        shapes = shapes and self.edges.shape == (k, self.levels.shape[1] - 1)
        require(shapes, "edges, levels and slopes", f"have {k} rows and one level more than edges", got)
        rising = not np.isnan(self.edges).any() and bool((self.edges[:, 1:] >= self.edges[:, :-1]).all())
        require(rising, "edges", "be numbers that do not fall")
        within = bool(((self.levels >= 0) & (self.slopes >= 0) & (self.levels + self.slopes <= 1 + 1e-12)).all())
        require(within, "levels and slopes", "keep a confidence within [0, 1]")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return rows with the confidence of their bin."""
        p = ops.exp(log_p)
        at = ops.place(p, self.edges, right=False)
        return with_confidence(
            ops, log_p, top_shares(ops, log_p), ops.pick(self.levels, at) + ops.pick(self.slopes, at) * p
        )

    @property
    def n_parameters(self) -> int:
        """Number of bins over all predicted classes."""
        return int(np.isfinite(self.edges).sum()) + len(self.edges)


@register(
    "calibrator",
    "top_label_histogram",
    compared="",
    reference="gupta2022",
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n + k",
    wants_rows="100k",
    cost="O(n k + n log n)",
    assumes="nothing within a bin of a predicted class",
    suits="a guarantee for the predicted class alone",
)
@dataclass(frozen=True, kw_only=True)
class TopLabelHistogram(Calibrator):
    """Bin the confidence of each predicted class on its own, and give it the share of right predictions there.

    Choose it where people act on the predicted class and its confidence, and both are to be true together: of the rows
    said to be class c with confidence h, a share h is. What the other classes get is scaled, not calibrated.

    Parameters
    ----------
    points : rows a bin, at least. A predicted class with fewer rows than two bins need has one bin.
    smoothing : pseudo-rows in each bin, labelled as the confidence says.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    A class that is never predicted on the calibration rows keeps its confidence; every class keeps its column. The
    predicted class may change: where its new confidence is lower than what the likeliest of the others then gets, that
    one is on top, with a probability that no calibration row speaks for. Classes that tie for the top share the row.
    Rows and smoothing count Kish's effective rows, so that scaling all weights changes nothing.
    """

    points: int = 50
    smoothing: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(is_whole(self.points) and self.points >= 2, "points", "be a whole number of at least 2", self.points)
        require(0 < self.smoothing < np.inf, "smoothing", "be positive and finite", self.smoothing)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> TopLabelHistogramMap:
        """Return the map of the bins."""
        (batch, floor), weights = prepared(predictions, self.zero), effective_weights(predictions)
        found = []
        shares = class_scores(batch, lambda log_p: top_shares(NUMPY, log_p))
        for c, p in enumerate(class_scores(batch, np.exp)):
            rows = np.flatnonzero(shares[c])
            mass = weights[rows] * shares[c, rows]
            found.append(_bins(p[rows], label_mass(batch, c)[rows], mass, self.points, self.smoothing))
        edges, levels, slopes = (list(part) for part in zip(*found, strict=True))
        width = max(len(row) for row in levels)
        return TopLabelHistogramMap(
            edges=_padded(edges, width - 1, np.inf),
            levels=_padded(levels, width, 0.0),
            slopes=_padded(slopes, width, 1.0),
            floor=floor,
            record=self.fit_record(predictions),
        )
