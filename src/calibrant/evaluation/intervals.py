"""Intervals from bootstrap replicates, centred where the estimand is.

A mean has the basic interval, 2 v - quantiles of the replicates. A binned calibration error is a norm of noisy gaps
and so biased upwards, and its replicates more so. Its interval inverts a test: the truth is taken to be c times the
observed gaps g, a replicate of the estimate is the norm of c g + e with e the centred bootstrap noise of the gaps, and
the interval holds c |g| for the c that are not rejected. At c = 0 this is the test of perfect calibration, so that
the interval leaves 0 just where the value leaves the noise. In bins with under five expected outcomes of either kind
the bootstrap cannot see the noise (labels that never occur cannot be redrawn); there e is taken from the labels
redrawn from the probabilities, and where such bins carry more than a quarter of the null level no interval is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics import CalibrationError
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Interval = tuple[float, float]

_FEWEST_OUTCOMES = 5.0
_MOST_SPARSE_SHARE = 0.25
_LARGEST_FACTOR = 16.0
_ROUNDING = 1e-12  # of sums in another order: replicates that differ by no more do not vary


def basic(value: float, replicates: Floats, level: float) -> Interval | None:
    """Return the basic bootstrap interval, or None where it is not finite or the replicates do not vary."""
    low, high = quantiles(replicates, level)
    flat = high - low <= _ROUNDING * abs(high)
    if not (np.isfinite(value) and np.isfinite(replicates).all()) or flat:
        return None
    return 2 * value - high, 2 * value - low


def quantiles(replicates: Floats, level: float) -> Interval:
    """Return the central quantiles of the replicates at a level."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def scaled_gaps(
    metric: CalibrationError, sums: BinSums, boot: Sequence[BinSums], null: Sequence[BinSums], level: float
) -> Interval | None:
    """Return the interval of a binned calibration error by inversion along c times its gaps, or None if too sparse."""
    if sparse_share(metric, sums, null) > _MOST_SPARSE_SHARE:
        return None
    gaps, noise = sums.gaps, _noise(sums, boot, null)
    value = float(metric.value_at(gaps, sums))

    def bound(quantile: float) -> float:
        def estimate(factor: float) -> float:
            drawn = metric.value_at(factor * gaps + noise, sums)  # (R,)
            return float(np.quantile(drawn, quantile, method="inverted_cdf"))

        return float(metric.true_value_at(_solve(estimate, value) * gaps, sums))

    return bound((1 + level) / 2), bound((1 - level) / 2)


def sparse_share(metric: CalibrationError, sums: BinSums, null: Sequence[BinSums]) -> float:
    """Return the share of the null level that comes from bins with too few expected outcomes of either kind."""
    gaps = np.stack([drawn.gaps for drawn in null])  # (R, C, B)
    sparse = _sparse(sums)
    all_of_it = np.mean(metric.true_value_at(gaps, sums))
    rest = np.mean(metric.true_value_at(np.where(sparse, 0.0, gaps), sums))
    return float(1 - rest / all_of_it) if all_of_it > 0 else 0.0


def _sparse(sums: BinSums) -> NDArray[np.bool_]:
    """Return which bins (C, B) expect under five outcomes of either kind, counted in rows."""
    rarer = np.minimum(sums.mean_scores, 1 - sums.mean_scores)
    return sums.rows * rarer < _FEWEST_OUTCOMES


def _noise(sums: BinSums, boot: Sequence[BinSums], null: Sequence[BinSums]) -> Floats:
    """Return the centred noise of the gaps (R, C, B)."""
    gaps, sparse = sums.gaps, _sparse(sums)
    drawn = [np.where(b.filled, b.gaps - gaps, 0.0) for b in boot]
    redrawn = [null[i % len(null)].gaps for i in range(len(boot))]
    return np.stack([np.where(sparse, r, d) for d, r in zip(drawn, redrawn, strict=True)])


def _solve(estimate: Callable[[float], float], value: float, steps: int = 20) -> float:
    """Return the factor at which the estimate reaches the value, by bisection; 0 if it is there already."""
    low, high = 0.0, 1.0
    if estimate(low) >= value:
        return low
    while high < _LARGEST_FACTOR and estimate(high) < value:
        low, high = high, 2 * high
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if estimate(middle) < value else (low, middle)
    return 0.5 * (low + high)
