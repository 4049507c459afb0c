"""Smooth calibration error: residuals smoothed by a kernel whose width is the error itself.

With the reflected Gaussian kernel K on [0, 1], r_s(t) = mean_i K_s(t, f_i) (y_i - f_i) and smECE_s = integral of
|r_s|; the answer is the fixed point s = smECE_s, which is unique, for smECE_s does not grow with s. The kernel is the
heat kernel of [0, 1] with insulated ends: in the cosine basis it multiplies coefficient m by exp(-(pi m s)^2 / 2).
Source: Blasiok and Nakkiran (2023), Smooth ECE: principled reliability diagrams via kernel smoothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
_TOGETHER = 8  # transforms at a time: 4 MB
_GUESSING = 1 << 8  # cells on which the width is guessed
_RESOLVED = 1 / 128  # width from which these cells leave out nothing
_LOW = 1e-4  # of the sum of absolute residuals, where the search starts from if the net one is smaller
_NEAR = 1e-5  # relative precision of the guess
_STEPS = 8  # of the secant from the guess: three as a rule
_ABSOLUTE, _RELATIVE = 1e-15, 1e-14  # precision of the width
_UNDERFLOW = 39.0  # exp(-x^2 / 2) is 0 from here on


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
        return float(column.kept("smooth calibration error", lambda: self.of_columns([column])[0]))

    def of_columns(self, columns: Sequence[Column]) -> Floats:
        """Return the fixed point of each column."""
        cells, values = _Cells.of(columns[0].scores), list[float]()
        for start in range(0, len(columns), _TOGETHER):
            residuals = np.stack([column.residuals for column in columns[start : start + _TOGETHER]])  # (r, m)
            pairs = zip(cells.cosines(residuals), residuals, strict=True)
            values += [_fixed_point(modes, one) for modes, one in pairs]
        return np.array(values)

    def details(self, column: Column) -> dict[str, Any]:
        """Return the width of the kernel."""
        return {"sigma": self.of_column(column)}


def cosines(scores: Floats, masses: Floats) -> Floats:
    """Return the cosine coefficients (M,) of point masses (m,): sum_i masses_i cos(pi j f_i), j = 0, 1, ...

    The masses go to the two nearest centres of M equal cells, so that mass and first moment are kept; at the ends,
    where one of the two is outside, to the last centre, as the reflection has it.
    """
    return np.asarray(_Cells.of(scores).cosines(masses[None])[0])


@dataclass(frozen=True, eq=False)
class _Cells:
    """The lower of the two cells of each score (m,), and the part of its mass that goes to the next one (m,)."""

    cell: NDArray[np.int64]
    right: Floats

    @classmethod
    def of(cls, scores: Floats) -> _Cells:
        place = np.clip(scores * _FINE - 0.5, 0.0, _FINE - 1.0)
        cell = np.minimum(place.astype(np.int64), _FINE - 2)
        return cls(cell, place - cell)

    def cosines(self, masses: Floats) -> Floats:
        """Return the coefficients (r, M) of several masses (r, m)."""
        grid = np.empty((len(masses), _FINE))
        for row, mass in zip(grid, masses, strict=True):
            right = mass * self.right
            row[:] = np.bincount(self.cell, mass - right, minlength=_FINE)
            row[1:] += np.bincount(self.cell, right, minlength=_FINE)[:-1]  # the last cell is nobody's lower one
        transform: Floats = scipy.fft.dct(grid, type=2, axis=1, overwrite_x=True)
        return transform / 2


def smoothed(modes: Floats, sigma: float) -> Floats:
    """Return the curve with these cosine coefficients (M,) after smoothing, at the centres of M cells."""
    some = min(len(modes), int(_UNDERFLOW / (np.pi * sigma)) + 2) if sigma > 0 else len(modes)
    damped = np.zeros_like(modes)
    damped[:some] = np.exp(-0.5 * (np.pi * sigma * np.arange(some)) ** 2) * modes[:some]
    curve: Floats = scipy.fft.dct(damped, type=3, overwrite_x=True)
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


def _fixed_point(modes: Floats, residuals: Floats) -> float:
    """Return the width that is its own smECE, from cosine coefficients (M,) and residuals (m,).

    Smoothing keeps the net residual and adds nothing to the sum of absolute ones.
    """
    low, high = abs(float(residuals.sum())), float(np.abs(residuals).sum())
    if low >= high or high == 0.0:
        return high
    low, high = 0.5 * low, 1.5 * high  # the true ends may round to either side
    guess, slope = _guess(modes[:_GUESSING], float(np.sqrt(max(low, _LOW * high) * high)))
    if guess > _RESOLVED or _excess(modes[:_COARSE], _NARROW) > 0:
        modes = modes[:_COARSE]
    found = _secant(modes, guess, slope)
    if found is not None:
        return found
    return float(scipy.optimize.brentq(lambda width: _excess(modes, width), low, high, xtol=_ABSOLUTE, rtol=_RELATIVE))


def _secant(modes: Floats, width: float, slope: float) -> float | None:
    """Return the fixed point from a guess and the slope of the excess there, None where that leads nowhere."""
    off = _excess(modes, width)
    for _ in range(_STEPS):
        if abs(off) <= _ABSOLUTE + _RELATIVE * width:  # so near is the fixed point, for no slope exceeds -1
            return width
        step = -off / slope
        if not 0 < width + step != width:
            return None
        width, before = width + step, off
        off = _excess(modes, width)
        slope = min((off - before) / step, -1.0)
    return None


def _excess(modes: Floats, width: float) -> float:
    return area(smoothed(modes, width)) - width


def _guess(modes: Floats, width: float) -> tuple[float, float]:
    """Return about the fixed point, from a few modes and a first width, and the slope of the excess there.

    A secant in logarithms, where the area of smoothed noise is a line: it falls as the root of the width.
    """
    slope, off = -1.5, _log_excess(modes, width)
    for _ in range(_STEPS):
        if abs(off) <= _NEAR or off == -np.inf:
            break
        step, before = -off / slope, off
        width *= math.exp(step)
        off = _log_excess(modes, width)
        slope = min((off - before) / step, -1.0)
    return width, slope


def _log_excess(modes: Floats, width: float) -> float:
    found = area(smoothed(modes, width))
    return math.log(found / width) if found > 0 else -math.inf
