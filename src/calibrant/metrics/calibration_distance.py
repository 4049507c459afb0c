"""Smooth calibration error as a supremum, and what it says about the distance to perfect calibration.

smCE = sup over w from [0, 1] into [-1, 1], |w(f) - w(g)| <= |f - g|, of E w(f) (y - f). With the sorted scores f_i,
gaps d_i = f_(i+1) - f_i and cumulative residuals R_i its linear programme has the dual

    min over h_1 .. h_(n-1) of  sum_i d_i |R_i - h_i| + sum_(i=1)^n |h_i - h_(i-1)|,   h_0 = 0, h_n = R_n,

total variation denoising of R, solved from left to right: the best value up to h_i = h is C + 1/2 sum_j m_j |h - x_j|
with total mass 2. The term of R_i adds mass 2 d_i at R_i; the next |h' - h| bounds the slope by 1, which takes mass
d_i from either end. Source: Blasiok, Gopalan, Hu and Nakkiran (2023), A unifying theory of distance from calibration.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column

Floats = NDArray[np.float64]


@register("measure", "smooth_ce", reference="blasiok2023unifying")
@dataclass(frozen=True, kw_only=True)
class SmoothCe(PairsMeasure):
    """Smooth calibration error (smCE): the largest mean of residual times a 1-Lipschitz function of the score.

    A measure of how far the scores are from calibrated ones, continuous in the scores, without bins or kernel; half
    of it to twice it holds the lower distance d, the least E|f - v| over calibrated v on any joint space:

    * smCE <= 2 d: for calibrated v, E w(f)(y - f) = E (w(f) - w(v))(y - f) + E w(v)(v - f) <= 2 E|f - v|.
    * d <= 2 smCE: by linear programming duality (source, section 7).
    * the distance to the nearest calibrated function of the scores is at most 2 sqrt(2 d) + d: with scores rounded to
      cells of width h at a random offset and replaced by the rate of the cell it is at most h + d + 2 d / h.

    ``details`` gives these bounds for the rows at hand. Biased upwards, about n^(-1/2) at a calibrated model. Cost:
    O(n log n).
    """

    bootstraps = False
    costly = True

    @property
    def estimand(self) -> str:
        """The supremum in the population."""
        return f"smooth calibration error (supremum) of the {self.notion.replace('_', '-')} scores in the population"

    def of_column(self, column: Column) -> float:
        """Return the supremum."""
        return supremum(column.scores, column.residuals)

    def details(self, column: Column) -> dict[str, Any]:
        """Return the bounds that the value gives for the distance to calibration."""
        value = self.of_column(column)
        lower = 2 * value  # at most this
        return {
            "lower_distance_at_least": value / 2,
            "lower_distance_at_most": lower,
            "distance_at_most": min(1.0, 2 * (2 * lower) ** 0.5 + lower),
        }


def supremum(scores: Floats, residuals: Floats) -> float:
    """Return the largest sum_i w(f_i) r_i over 1-Lipschitz w into [-1, 1], for increasing scores (m,)."""
    cumulative = np.cumsum(residuals)
    points = np.concatenate([[0.0], cumulative[:-1]])  # x_j, the first for h_0 = 0
    order = np.argsort(points)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    x, mass = points[order].tolist(), [0.0] * len(order)
    first, *rest = ranks.tolist()
    mass[first] = 2.0
    lowest, highest, constant = [first], [-first], 0.0
    for rank, gap in zip(rest, np.diff(scores).tolist(), strict=True):
        mass[rank] = 2 * gap
        heapq.heappush(lowest, rank)
        heapq.heappush(highest, -rank)
        constant += _taken(highest, -1, x, mass, gap) - _taken(lowest, 1, x, mass, gap)
    left = float(np.abs(cumulative[-1] - np.array(x)) @ np.array(mass))
    return 0.5 * (constant + left)


def _taken(heap: list[int], sign: int, x: list[float], mass: list[float], amount: float) -> float:
    """Take mass from one end of the points, return the sum of it times where; some are used up from the other end."""
    moment = 0.0
    while amount > 0:
        rank = sign * heap[0]
        taken = min(mass[rank], amount)
        moment += taken * x[rank]
        mass[rank] -= taken
        amount -= taken
        if mass[rank] == 0:
            heapq.heappop(heap)
    return moment
