"""Squared kernel local calibration error: are the residuals of rows alike that are near in features and scores?

With residuals r_i = e_{y_i} - p_i and kernels of features and of probabilities,
    KLCE^2 = sum_{i != j} w_i w_j l(x_i, x_j) k(p_i, p_j) r_i . r_j / sum_{i != j} w_i w_j,
whose expectation is 0 just if no region of features and scores has a mean residual, for kernels that tell all
distributions apart. Source: Vashistha and Farahi (2025), for two classes and scalar residuals, of which this is twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_choices import TOO_FEW
from calibrant.metrics.local_pairs import PairChoices, told_of
from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.vector_kernels import tiles
from calibrant.predictions import Predictions
from calibrant.registry import register

Floats = NDArray[np.float64]


def pair_form(residuals: Floats, weights: Floats, between: Callable[[slice, slice], Floats], cut: list[slice]) -> float:
    """Return the weighted mean over pairs of different rows of the kernel times r_i . r_j, for residuals (n, k).

    ``between`` gives the kernel of two slices of rows, of those that ``cut`` covers them with.
    """
    weighted, total = residuals * weights[:, None], 0.0
    for first, a in enumerate(cut):
        own = between(a, a)
        np.fill_diagonal(own, 0.0)
        total += float(np.sum(own * (weighted[a] @ weighted[a].T)))
        for b in cut[first + 1 :]:
            total += 2 * float(np.sum(between(a, b) * (weighted[a] @ weighted[b].T)))
    return total / float(weights.sum() ** 2 - weights @ weights)


@register("measure", "klce", reference="vashistha2025", needs_features=True, cost="O(n^2 (d + k))")
@dataclass(frozen=True, kw_only=True)
class KernelLocalError(PairChoices, CollectedMeasure):
    """Squared kernel local calibration error (KLCE²): mean over pairs of the product of residuals of near rows.

    It needs features. Unbiased: 0 on average at a model that is right around each row, so that it may be negative, and
    no floor is to be subtracted. It has no unit: judge it by the test ``klce_test``.

    Parameters
    ----------
    kernel, bandwidth, ess, space, dimensions, standardise : of the features, as in `lce`.
    simplex, width : of the probabilities, as ``kernel`` and ``bandwidth`` in `skce`; ``simplex=None`` compares all rows
        that are near in features, whatever their scores.

    Notes
    -----
    For two classes twice the published form, whose residuals are those of one class. Weights enter as w_i w_j, and a
    repeated row is not an independent one. Soft labels stand in the place of e_y. No bandwidth looks at the labels,
    so that the estimate is unbiased for the error with these bandwidths. O(n) memory beside n k.
    """

    bounds = (-2.0, 2.0)
    bootstraps = False
    repeats = False
    costly = True

    @property
    def by_class(self) -> bool:
        """The whole vector is looked at."""
        return True

    @property
    def estimand(self) -> str:
        """The expectation over two new rows."""
        scores = "" if self.simplex is None else f" and the {self.simplex.replace('_', ' ')} kernel of probabilities"
        return f"expectation of the {self.kernel} kernel of features{scores} times the product of residuals of two rows"

    def measured(self, rows: Predictions) -> Measured:
        """Return the estimate with the bandwidths; NaN where there is no pair of rows."""
        if len(rows) < 2:
            return Measured(float("nan"), {}, (TOO_FEW,))
        kernel, reader = self.pair_kernel(rows), Rows(rows)
        residuals = reader.residuals(slice(None), reader.probabilities(slice(None)))
        value = pair_form(residuals, rows.row_weights, kernel.between, tiles(len(rows), rows.k))
        return Measured(value, told_of(kernel))
