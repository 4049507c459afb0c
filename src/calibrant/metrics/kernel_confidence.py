"""Maximum mean calibration error: residuals weighed by a Laplacian kernel of the scores.

MMCE^2 = sum_ij d_i d_j exp(-|f_i - f_j| / width) / n^2, d = y - f, all pairs and each row with itself: the norm of the
mean of d K(f, .) in the space of the kernel. In the order of the scores, L_i = exp(-(f_i - f_(i-1)) / width)
(L_(i-1) + d_(i-1)) is the sum over the rows below, so that the pairs need O(n log n).
Source: Kumar, Sarawagi and Jain (2018), Trainable calibration measures for neural networks from kernel mean embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column

Floats = NDArray[np.float64]


@register("measure", "mmce", reference="kumar2018")
@dataclass(frozen=True, kw_only=True)
class Mmce(PairsMeasure):
    """Maximum mean calibration error (MMCE): the kernel norm of the residuals, Laplacian kernel of the scores.

    The root of a V-statistic: exact over all pairs of rows. Pairs of a row with itself make it biased upwards,
    E MMCE^2 = mean f (1 - f) / n at a calibrated model: compare with the null level. Cost: O(n log n).

    The paper also has a variant for training, which weighs right and wrong rows apart; this is the plain one.

    Parameters
    ----------
    width : of the kernel exp(-|f - g| / width), positive.
    """

    bootstraps = False
    width: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.width < np.inf, "width", "be a positive number", self.width)

    @property
    def estimand(self) -> str:
        """The norm in the population."""
        return f"kernel norm of the {self.notion.replace('_', '-')} residuals of the population, width {self.width:g}"

    def of_column(self, column: Column) -> float:
        """Return the norm."""
        return float(self.of_columns([column])[0])

    def of_columns(self, columns: Sequence[Column]) -> Floats:
        """Return the norm of each column."""
        d = np.stack([column.residuals for column in columns])  # (R, m)
        squares = (d * d).sum(-1) + 2 * (d * below(columns[0].scores, d, self.width)).sum(-1)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))  # the kernel is positive definite: under 0 is rounding


def below(scores: Floats, masses: Floats, width: float) -> Floats:
    """Return sum_(j < i) masses_j exp(-(f_i - f_j) / width) for increasing scores (m,) and masses (..., m).

    By doubling: after a step of length s each entry covers the 2 s entries before it. All factors are at most 1, so
    that no width overflows.
    """
    with np.errstate(over="ignore", under="ignore"):
        decay = np.exp(-np.diff(scores, prepend=scores[:1]) / width)  # (m,) from the entry before
    sums = np.zeros_like(masses)
    sums[..., 1:] = masses[..., :-1] * decay[1:]
    step = 1
    while step < len(decay):
        sums[..., step:] += decay[step:] * sums[..., :-step]
        decay[step:] *= decay[:-step]
        step *= 2
    return sums
