"""Calibration errors from cumulative differences: no bins, no kernel.

With the scores in order, C(t) = mean_i (y_i - f_i) 1{f_i <= t}; equal scores enter together. At a calibrated model the
path is like Brownian motion of variance s^2 = mean f (1 - f) / n at its end, so that both measures are of order s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column

Floats = NDArray[np.float64]


@register("measure", "ks", reference="gupta2021")
@dataclass(frozen=True, kw_only=True)
class KolmogorovSmirnov(PairsMeasure):
    """Kolmogorov-Smirnov calibration error: the largest |cumulative difference| over the sorted scores, max |C(t)|.

    The largest net excess or lack of outcomes among the rows under a score (Gupta et al., 2021; ECCE-MAD of
    Arrieta-Ibarra et al., 2022). Gaps of both signs may cancel in C, so it is at most the calibration error of norm 1.
    Biased upwards: about 1.25 (mean f (1 - f) / n)^(1/2) at a calibrated model: compare with the null level.
    ``details`` say at which score the path is furthest and its signed value there. Cost: O(n log n).
    """

    bootstraps = False

    @property
    def estimand(self) -> str:
        """The maximum in the population."""
        return f"largest absolute cumulative difference over {self.notion.replace('_', '-')} scores of the population"

    def of_column(self, column: Column) -> float:
        """Return the largest absolute cumulative difference."""
        return float(np.abs(np.cumsum(column.residuals)).max())

    def details(self, column: Column) -> dict[str, Any]:
        """Return where the path is furthest from 0, and its value there (negative: over-confident below)."""
        path = np.cumsum(column.residuals)
        furthest = int(np.argmax(np.abs(path)))
        return {"score": float(column.scores[furthest]), "difference": float(path[furthest])}


@register("measure", "kuiper", reference="arrietaibarra2022")
@dataclass(frozen=True, kw_only=True)
class Kuiper(PairsMeasure):
    """Kuiper calibration error: the range of the cumulative differences, max C(t) - min C(t), the start 0 included.

    The largest |mean residual 1{score in I}| over all intervals I of scores: what a decision with any pair of cut-offs
    can lose. Called ECCE-R (Arrieta-Ibarra et al., 2022) and cut-off calibration error (Rossellini et al., 2025).
    Biased upwards: about 1.6 (mean f (1 - f) / n)^(1/2) at a calibrated model: compare with the null level. ``details``
    give the interval, its lower end excluded (None: from the lowest score on), and its residuals' sum over all weight.
    Cost: O(n log n).
    """

    bootstraps = False

    @property
    def estimand(self) -> str:
        """The range in the population."""
        return f"range of cumulative differences over {self.notion.replace('_', '-')} scores of the population"

    def of_column(self, column: Column) -> float:
        """Return the range."""
        path = _from_zero(column)
        return float(path.max() - path.min())

    def details(self, column: Column) -> dict[str, Any]:
        """Return the worst interval of scores and the sum of its residuals over all weight."""
        path = _from_zero(column)
        low, high = sorted((int(np.argmin(path)), int(np.argmax(path))))
        return {
            "above": float(column.scores[low - 1]) if low else None,
            "up_to": float(column.scores[high - 1]) if high else None,
            "difference": float(path[high] - path[low]),
        }


def _from_zero(column: Column) -> Floats:
    """Return the path (m + 1,) from its start."""
    return np.concatenate([[0.0], np.cumsum(column.residuals)])
