"""Debiased squared canonical calibration error on cubes of the simplex, with its interval.

With residuals r = e_y - p and cubes b of weight share s_b, the error is sum_b s_b |E(r | b)|^2. In each cube
    U_b = (|sum w r|^2 - sum w^2 |r|^2) / ((sum w)^2 - sum w^2),
the mean of r_i . r_j over pairs of different rows, is unbiased for |E(r | b)|^2. Source: Lee, Huang, Hassani and
Dobriban (2023), whose plug-in has n_b^2 in the place of n_b (n_b - 1).

Interval. By Hoeffding's decomposition, with d = E(r | b) and S = Cov(r | b), the variance of the estimate is
    sum_b s_b^2 [4 d'Sd h_b + 2 tr(S^2) h_b^2] + h (sum_b s_b |d|^4 - error^2),   h = sum w^2 / (sum w)^2 (1/n),
where the second term alone is left at a calibrated model (the estimate is then of order 1/n, not 1/sqrt(n): Sun,
Chaudhari, Barnett and Dobriban, 2024). Along d = c d_hat the first is proportional to the error and the third to its
square, so the variance is B + a t + c t^2 at an error of t; the interval holds the t >= 0 that
(estimate - t)^2 <= z^2 (B + a t + c t^2) does not reject, and so passes from one regime to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from calibrant.errors import is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.cube_sums import CubeSums
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected

Floats = NDArray[np.float64]

_FEWEST_ROWS = 200  # under this, the normal limit is not checked
_MOST_COLUMNS = 100  # of the residuals: the products of their columns are r^2 numbers a cube
_MOST_ALONE = 0.005  # share of the weight in cubes with one row: they count 0, and have larger gaps than most


def interval(sums: CubeSums, value: float, level: float) -> tuple[float, float] | str:
    """Return the interval, the t >= 0 with (value - t)^2 <= z^2 (B + a t + c t^2), or why there is none."""
    s, gaps, z = sums.shares, sums.squared_gaps, float(ndtri((1 + level) / 2))
    plug_in = float(s @ gaps)
    w = sums.batch.row_weights / sums.batch.row_weights.mean()
    constant = float(s**2 @ sums.degenerate_variance())
    slope = 4 * float(s**2 @ sums.linear_variance()) / plug_in if plug_in else 0.0
    between = float(w @ w / w.sum() ** 2) * (float(s @ gaps**2) / plug_in**2 - 1) if plug_in else 0.0
    lead, half = 1 - z**2 * max(between, 0.0), value + z**2 * slope / 2
    inner = half**2 - lead * (value**2 - z**2 * constant)
    if lead <= 0:  # the variance grows as fast as the squared distance
        return "so few rows have gaps that they do not bound the error"
    high = (half + max(inner, 0.0) ** 0.5) / lead
    if inner < 0 or high <= 0:
        return "the value is lower than noise alone would make it"
    return max((half - inner**0.5) / lead, 0.0), high


@register("measure", "squared_canonical", reference="lee2023", cost="O(n k); the interval O(n k^2), up to 100 columns")
@dataclass(frozen=True, kw_only=True)
class SquaredCanonicalError(CollectedMeasure):
    """Debiased squared canonical calibration error, on cubes of the simplex, with an interval.

    The mean over rows of |E(e_y - p | cube of p)|^2; every cube by the mean product of the residuals of its pairs of
    rows, which is unbiased, so that the value may be negative. It is the error of the cubes' mean vectors: errors that
    cancel inside a cube are not seen, and finer cubes see more with more noise.

    Parameters
    ----------
    top : use the ``top`` largest probabilities of each row, in descending order, and whether the label is there;
        1 is the confidence, None (default) the whole vector in the order of the classes.
    bins : cubes a side, of width 1 / bins (default 5).
    level : of the interval in the details; `evaluate` shows the interval at its own level.

    Notes
    -----
    Details: ``low`` and ``high``, an interval for the error with these cubes at ``level``, checked by simulation at
    calibrated and miscalibrated truths (docs/theory/tests.md); ``alone``, the share of the weight in cubes that hold
    one row, which count 0. The interval is left out, with a note, under 200 rows, over 100 columns, and where more than
    0.5 % of the weight is alone: rare cubes have the largest gaps, and the estimate is then too low. Weights are
    importances. Soft labels stand in the place of e_y. Rows are kept.

    References
    ----------
    Lee, Huang, Hassani and Dobriban (2023); interval: after Sun, Chaudhari, Barnett and Dobriban (2024).
    """

    bounds = (-2.0, 2.0)
    bootstraps = False
    repeats = False

    top: int | None = None
    bins: int = 5
    level: float = 0.95

    def __post_init__(self) -> None:
        whole = self.top is None or (is_whole(self.top) and self.top >= 1)
        require(whole, "top", "be a positive whole number, or None", self.top)
        require(is_whole(self.bins) and self.bins >= 1, "bins", "be a positive whole number", self.bins)
        require(0 < self.level < 1, "level", "lie between 0 and 1", self.level)

    @property
    def by_class(self) -> bool:
        """Whether the whole vector is looked at, in the order of the classes."""
        return self.top is None

    @property
    def estimand(self) -> str:
        """The same functional of the population, with these cubes."""
        what = "whole vector" if self.top is None else f"{self.top} largest probabilities"
        return f"mean squared gap of the {what} of the population, in cubes of width 1/{self.bins}"

    def measured(self, rows: Predictions) -> Measured:
        """Return the estimate with its interval; NaN where no cube holds two rows."""
        found = self._cubes(rows)
        value, alone = _value(found), max(0.0, 1 - float(found.shares.sum()))
        reason = _no_interval(found, alone)
        details: dict[str, Any] = {"cubes": len(found.mass), "alone": alone}
        shown = reason or interval(found, value, self.level)
        if isinstance(shown, str):
            return Measured(value, details, (f"no interval: {shown}",))
        details["low"], details["high"] = shown
        details["level"] = self.level
        return Measured(value, details)

    def own_interval(self, sums: Collected, level: float) -> tuple[float, float] | None:
        """Return the interval at this level."""
        details = replace(self, level=level).measured(sums.pooled).details
        return (details["low"], details["high"]) if "low" in details else None

    def of_rows(self, rows: Predictions) -> float:
        """Return the estimate without its interval."""
        return _value(self._cubes(rows))

    def relabelled_values(self, sums: Collected, drawn: Relabellings) -> Floats:
        """Return the value under each label vector (R,); cubes and expected labels are found once."""
        if self.top is not None:
            return super().relabelled_values(sums, drawn)
        there = drawn.predictions.row_weights > 0
        return self._cubes(drawn.predictions.without_absent_rows()).relabelled_values(drawn.labels[:, there])

    def _cubes(self, rows: Predictions) -> CubeSums:
        fits = self.top is None or self.top <= rows.k
        require(fits, "top", f"be at most the number of classes, {rows.k}", self.top)
        return CubeSums(rows, self.bins, self.top)


def _value(sums: CubeSums) -> float:
    return float(sums.shares @ sums.unbiased) if len(sums.mass) else float("nan")


def _no_interval(sums: CubeSums, alone: float) -> str:
    """Return why there is no interval, or nothing."""
    if not len(sums.mass):
        return "no cube holds two rows"
    if sums.batch.effective_rows < _FEWEST_ROWS:
        return f"fewer than {_FEWEST_ROWS} effective rows"
    if (sums.batch.k if sums.top is None else sums.top) > _MOST_COLUMNS:
        return f"more than {_MOST_COLUMNS} columns"
    return f"{alone:.1%} of the weight is in cubes that hold one row" if alone > _MOST_ALONE else ""
