"""Smooth calibration error: residuals smoothed by a kernel whose width is the error itself.

With the reflected Gaussian kernel K on [0, 1], r_s(t) = mean_i K_s(t, f_i) (y_i - f_i) and smECE_s = integral of
|r_s|; the answer is the fixed point s = smECE_s, which is unique, for smECE_s does not grow with s. The kernel is the
heat kernel of [0, 1] with insulated ends: in the cosine basis it multiplies coefficient m by exp(-(pi m s)^2 / 2).
Source: Blasiok and Nakkiran (2023), Smooth ECE: principled reliability diagrams via kernel smoothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column

Floats = NDArray[np.float64]

_FINE = 1 << 16  # cells that the residuals go to
_COARSE = 1 << 13  # cells on which a curve of a width from _NARROW on is integrated
_NARROW = 1 / 1024


@register("measure", "smece", reference="blasiok2023")
@dataclass(frozen=True, kw_only=True)
class SmoothEce(PairsMeasure):
    """Smooth calibration error (smECE): mean gap after smoothing by a kernel as wide as the error itself.

    Residuals of the scores are smoothed by a reflected Gaussian of width s, and s is where the area under the
    smoothed gap equals s. No bins and no option; it bounds the distance d of the scores to perfectly calibrated ones:
    d/2 <= smECE <= 2 sqrt(d). Biased upwards like every plug-in norm, about n^(-1/3) at a calibrated model: compare
    with the null level. The residuals are put on 65,536 cells: against direct sums and quadrature the value is off by
    about 2e-11 / smECE. Cost: one sort, O(n log n). ``details["sigma"]`` is the width.

    relplot, and what builds on it, searches the width on a grid and so is off by up to 0.001.
    """

    bootstraps = False

    @property
    def estimand(self) -> str:
        """The fixed point in the population."""
        return f"smooth calibration error of the {self.notion.replace('_', '-')} scores in the population"

    def of_column(self, column: Column) -> float:
        """Return the fixed point."""
        modes = cosines(column.scores, column.residuals)
        low, high = abs(float(column.residuals.sum())), float(np.abs(column.residuals).sum())
        return _fixed_point(modes, low, high)

    def details(self, column: Column) -> dict[str, Any]:
        """Return the width of the kernel."""
        return {"sigma": self.of_column(column)}


def cosines(scores: Floats, masses: Floats) -> Floats:
    """Return the cosine coefficients (M,) of point masses (m,): sum_i masses_i cos(pi j f_i), j = 0, 1, ...

    The masses go to the two nearest centres of M equal cells, so that mass and first moment are kept; at the ends,
    where one of the two is outside, to the last centre, as the reflection has it.
    """
    place = np.clip(scores * _FINE - 0.5, 0.0, _FINE - 1.0)
    cell = np.minimum(place.astype(np.int64), _FINE - 2)
    right = masses * (place - cell)
    grid = np.bincount(cell, masses - right, minlength=_FINE) + np.bincount(cell + 1, right, minlength=_FINE)
    transform: Floats = scipy.fft.dct(grid, type=2)
    return transform / 2


def smoothed(modes: Floats, sigma: float) -> Floats:
    """Return the curve with these cosine coefficients (M,) after smoothing, at the centres of M cells."""
    kept = np.exp(-0.5 * (np.pi * sigma * np.arange(len(modes))) ** 2) * modes
    curve: Floats = scipy.fft.dct(kept, type=3)
    return curve


def area(curve: Floats) -> float:
    """Return the integral over [0, 1] of the absolute value of a smooth curve given at the centres of M cells (M,).

    The midpoint rule is exact for smooth curves that are reflected at both ends; the kink of the absolute value at a
    sign change adds (Euler and Maclaurin) slope * width^2 * (u (1 - u) - 1/6), u its place between two centres.
    """
    size = np.abs(curve)
    at = np.flatnonzero(curve[:-1] * curve[1:] < 0)
    step = size[at] + size[at + 1]
    place = size[at] / step
    return float(size.sum() - (step * (place * (1 - place) - 1 / 6)).sum()) / len(curve)


def _fixed_point(modes: Floats, low: float, high: float) -> float:
    """Return the width that is its own smECE; smoothing keeps the net residual ``low`` and adds nothing to ``high``."""
    if low >= high or high == 0.0:
        return high
    if area(smoothed(modes[:_COARSE], _NARROW)) > _NARROW:
        modes = modes[:_COARSE]

    def excess(sigma: float) -> float:
        return area(smoothed(modes, sigma)) - sigma

    low, high = 0.5 * low, 1.5 * high  # the true ends may round to either side
    return float(scipy.optimize.brentq(excess, low, high, xtol=1e-15, rtol=1e-14))
