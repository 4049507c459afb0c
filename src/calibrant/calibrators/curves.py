"""Maps that send each class's score through a piecewise linear curve and divide rows by their sums: one record for all.

With x the log-odds, probability or log-probability and g the curve of a class, or of all classes, the values are
sigma(g(x) + tilt x), g(x) or exp(g(x)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.calibrators.base import CalibrationMap, Scores
from calibrant.errors import require
from calibrant.formulas import Ops, expit, interpolated, normalized, softmax
from calibrant.predictions import Kind, Predictions
from calibrant.solvers.isotonic import log_odds
from calibrant.solvers.zeros import check_zero, kept_positive, without_zeros

Floats = NDArray[np.float64]

SCALES: dict[str, kernels.CurveScale] = {"odds": "odds", "probability": "probability", "log": "log"}


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveMap(CalibrationMap):
    """Class c has the knots ``offsets[c]:offsets[c + 1]`` of ``centres`` and ``levels``; ends are flat.

    ``offsets`` (k + 1,) int64, or (2,) for one curve of all classes; ``scale`` says what centres and levels are:
    "odds", log-odds; "probability"; "log", logarithms, for one curve alone. ``tilt`` makes one curve rise everywhere.
    """

    offsets: NDArray[np.int64]
    centres: Floats
    levels: Floats
    scale: str = "odds"
    tilt: float = 0.0

    def __post_init__(self) -> None:
        k, offsets = self.record.k, self.offsets
        require(self.scale in SCALES, "scale", f"be one of {', '.join(SCALES)}", repr(self.scale))
        shapes = offsets.shape == (2,) or (offsets.shape == (k + 1,) and self.scale != "log" and self.tilt == 0)
        require(shapes, "offsets", f"be of one curve or of {k}", f"shape {offsets.shape}")
        rising = offsets[0] == 0 and bool((np.diff(offsets) > 0).all())
        require(rising, "offsets", "rise from 0, one knot a curve at least")
        matched = self.centres.shape == self.levels.shape == (int(offsets[-1]),)
        got = f"{self.centres.shape}, {self.levels.shape}"
        require(matched, "centres and levels", f"have shape ({offsets[-1]},)", got)
        finite = bool(np.isfinite(self.centres).all() and np.isfinite(self.levels).all())
        require(finite and 0 <= self.tilt < 1, "centres, levels and tilt", "be finite")
        steps = np.delete(np.diff(self.centres), offsets[1:-1] - 1)  # but for those from curve to curve
        require(bool((steps > 0).all()), "centres", "rise within each curve")
        inside = self.scale != "probability" or (self.levels.min() >= 0 and self.centres.min() >= 0)
        require(inside, "centres and levels", "be probabilities")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the probabilities: the values of the curves over their row sums."""
        x = log_p if self.scale == "log" else ops.exp(log_p) if self.scale == "probability" else log_odds(ops, log_p)
        y = interpolated(ops, x, *self._tables()) + x * ops.constant(self.tilt)
        if self.scale == "log":
            return softmax(ops, y)
        return normalized(ops, y if self.scale == "probability" else expit(ops, y), ops.exp(log_p))

    def _tables(self) -> tuple[Floats, Floats]:
        """Return knots and levels (k, most): a class with fewer repeats its last level, at infinity."""
        sizes, k = np.diff(self.offsets), self.record.k
        place = np.arange(sizes.max())
        at = self.offsets[:-1, None] + np.minimum(place, sizes[:, None] - 1)
        knots, levels = np.where(place < sizes[:, None], self.centres[at], np.inf), self.levels[at]
        return np.broadcast_to(knots, (k, len(place))), np.broadcast_to(levels, (k, len(place)))

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the probabilities (n, k) in the dtype of the scores."""
        batch, scale = without_zeros(predictions, self.floor), SCALES[self.scale]
        total = batch.summary.total if batch.logits else None
        curves = (self.offsets, self.centres, self.levels)
        out = kernels.apply_curves(batch.scores, *curves, scale=scale, tilt=self.tilt, total=total)
        return kept_positive(out), "probability"

    @property
    def n_parameters(self) -> int:
        """Number of levels; of logarithms one less, which the rows' sums take away."""
        return len(self.levels) - (self.scale == "log")
