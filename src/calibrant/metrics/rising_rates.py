"""The rate of outcomes as a rising function of a score: isotonic regression, between its points on straight lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RisingRates:
    """Distinct scores (m,), rising, and the fitted rate at each."""

    scores: Floats
    rates: Floats

    @classmethod
    def fit(cls, scores: Floats, outcomes: Floats, weights: Floats) -> RisingRates:
        """Return the isotonic regression of outcomes (n,) on scores (n,); equal scores have one rate."""
        distinct, place = np.unique(scores, return_inverse=True)
        mass = np.bincount(place, weights)
        means = np.bincount(place, weights * outcomes) / mass
        return cls(distinct, np.asarray(scipy.optimize.isotonic_regression(means, weights=mass).x))

    def at(self, scores: Floats) -> Floats:
        """Return the rates at scores (m,), the first or the last one beyond the ends."""
        return np.interp(scores, self.scores, self.rates)
