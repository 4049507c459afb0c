"""Intervals from bootstrap replicates, centred where the estimand is.

A mean is unbiased, and the percentiles of its replicates are skewed as it is itself: they are its interval, and never
leave the range of the measure. A binned calibration error is a norm of noisy gaps
and so biased upwards, and its replicates more so. Its interval inverts a test: the true gaps are taken to be g, a
replicate of the estimate is the norm of g + e with e the centred bootstrap noise of the gaps, in bins of the
bootstrap's weights, and the interval holds |g| for all g that are not rejected. How strong the bias is depends on the
shape of the true gaps, which the data do not tell: three are asked, and the interval holds what any of them allows. One
scales the observed gaps; one moves all of them by the same multiple of their standard deviation, so that small ones
vanish first and a few large ones are left; one scales the gaps of a logistic recalibration that all columns share,
which have none of the noise. With no gaps this is the test of perfect calibration, so that the
interval leaves 0 just where the value leaves the noise. In bins with under five outcomes of the rarer kind among the
labels the bootstrap cannot see the noise (labels that never occur cannot be redrawn); there e is taken from the labels
redrawn from the probabilities, scaled to the rate that was seen, and where such bins carry more than two fifths of the
null level no interval is given. Outcomes are counted in units, of which the bootstrap tells how many there are: rows of
unequal weight are fewer (Kish), and so are rows that share an id. docs/theory/coverage.md has the study.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from calibrant.metrics import CalibrationError
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Shape = Callable[[float], Floats]  # gaps (C, B) of a size: only clear ones, if any, at 0, as observed at 1

BLIND = "no valid interval here: the replicates do not carry the noise of the value"
TOO_LOW = "no interval: the value is lower than noise alone would make it at a calibrated model"

_FEWEST_OUTCOMES = 5.0 - 1e-6  # five, counted from weighted sums that round
_MOST_SPARSE_SHARE = 0.4
_LARGEST_SIZE = 16.0
_FURTHEST = 10.0  # standard deviations that all gaps move by at size 0: no gap this clear is noise
_PRECISION = 1e-6  # of a size: far less than the noise of a few hundred replicates
_SURE = 1e-9  # a score this near 0 or 1 is as good as either, and has a logit
_CLEAR = 3.0  # standard errors by which weights must vary more than those of independent equal rows
_ROUNDING = 1e-12  # of sums in another order: replicates that differ by no more do not vary


def percentile(replicates: Floats, level: float) -> Interval | None:
    """Return the percentile bootstrap interval, or None where replicates are not finite or do not vary."""
    if not len(replicates):
        return None
    low, high = quantiles(replicates, level)
    return None if _flat(low, high) or not np.isfinite(replicates).all() else (low, high)


def _flat(low: float, high: float) -> bool:
    return bool(high - low <= _ROUNDING * abs(high))


def quantiles(replicates: Floats, level: float) -> Interval:
    """Return the central quantiles of the replicates at a level."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(low), float(high)


def binned(
    metric: CalibrationError, sums: BinSums, boot: Sequence[BinSums], null: Sequence[BinSums], level: float
) -> Interval | str:
    """Return the interval of a binned calibration error, what any shape of the gaps allows, or why there is none."""
    gaps, weights = sums.gaps, np.stack([drawn.weight for drawn in boot])
    value, units = float(metric.function_of_gaps(sums)(gaps)), independent_units(sums, weights)
    if not np.isfinite(value) or sparse_share(metric, sums, units, null) > _MOST_SPARSE_SHARE:
        return BLIND
    noise = _noise(sums, units, boot, null)  # (R, C, B)
    replicated = metric.function_of_gaps(sums, weights)
    aimed_at = metric.function_of_gaps(sums, truth=True)

    def bound(shape: Shape, quantile: float) -> float:
        size = _solve(lambda size: _quantile(replicated(shape(size) + noise), quantile) - value)
        return float(aimed_at(shape(size)))

    shapes = _scaled(gaps), _shifted(gaps, noise.std(0)), _scaled(_recalibrated(sums))
    upper, lower = (1 + level) / 2, (1 - level) / 2
    low, high = min(bound(shape, upper) for shape in shapes), max(bound(shape, lower) for shape in shapes)
    if high <= 0 and noise.any():
        return TOO_LOW
    return BLIND if _flat(low, high) else (low, high)


def _quantile(values: Floats, level: float) -> float:
    """Return the smallest value (R,) up to which a share of ``level`` lies."""
    place = max(int(np.ceil(level * len(values) - _ROUNDING)) - 1, 0)
    return float(np.partition(values, place)[place])


def _scaled(gaps: Floats) -> Shape:
    return lambda size: size * gaps


def _recalibrated(sums: BinSums) -> Floats:
    """Return the gaps (C, B) of one logistic recalibration of all columns, s (1 - s) (a + b logit s) to first order.

    It is fitted by least squares, each gap weighted by its rows over the variance s (1 - s) of an outcome.
    """
    score = np.clip(sums.mean_scores, _SURE, 1 - _SURE)
    variance = score * (1 - score)
    basis = np.where(sums.filled, variance * np.stack([np.ones_like(score), logit(score)]), 0.0)  # (2, C, B)
    weighted = (basis * (sums.rows / variance)).reshape(2, -1)
    slopes = np.linalg.lstsq(weighted @ basis.reshape(2, -1).T, weighted @ sums.gaps.ravel(), rcond=None)[0]
    fitted: Floats = np.tensordot(slopes, basis, 1)
    return fitted


def _shifted(gaps: Floats, spread: Floats) -> Shape:
    """Return the gaps made smaller or larger by the same multiple of their standard deviation, small ones to zero."""
    return lambda size: np.sign(gaps) * np.maximum(np.abs(gaps) + (size - 1) * _FURTHEST * spread, 0.0)


def independent_units(sums: BinSums, weights: Floats) -> Floats:
    """Return how many independent rows of equal weight would vary as much as those of each bin (C, B).

    The weights (R, C, B) of the bootstrap vary by sum w^2 over ids, where equal weights of n rows without ids vary by
    W^2 / n. The bins' rows are taken at their word until the replicates are clear that they are worth less.
    """
    variance = np.mean((weights - sums.weight) ** 2, axis=0)
    effect = np.divide(variance * sums.rows, sums.weight**2, out=np.ones_like(variance), where=sums.filled)
    return sums.rows / np.where(effect > 1 + _CLEAR * np.sqrt(2 / len(weights)), effect, 1.0)


def sparse_share(metric: CalibrationError, sums: BinSums, units: Floats, null: Sequence[BinSums]) -> float:
    """Return the share of the null level that comes from bins whose noise the bootstrap does not see."""
    gaps = np.stack([drawn.gaps for drawn in null])  # (R, C, B)
    sparse = _sparse(sums, units)
    value = metric.function_of_gaps(sums, truth=True)
    all_of_it, rest = np.mean(value(gaps)), np.mean(value(np.where(sparse, 0.0, gaps)))
    return float(1 - rest / all_of_it) if all_of_it > 0 else 0.0


def _sparse(sums: BinSums, units: Floats) -> NDArray[np.bool_]:
    """Return which bins (C, B) show under five outcomes of the rarer kind: resampled, others would never occur."""
    seen = sums.outcome_rates
    return np.asarray(units * np.minimum(seen, 1 - seen) < _FEWEST_OUTCOMES)


def _noise(sums: BinSums, units: Floats, boot: Sequence[BinSums], null: Sequence[BinSums]) -> Floats:
    """Return the centred noise of the gaps (R, C, B)."""
    gaps, sparse, scale = sums.gaps, _sparse(sums, units), _redrawn_scale(sums, units)
    unbiased = np.sqrt(units / np.maximum(units - 1, 1))  # resampled means vary by (n - 1) / n too little
    drawn = [np.where(b.filled, unbiased * (b.gaps - gaps), 0.0) for b in boot]
    redrawn = [scale * null[i % len(null)].gaps for i in range(len(boot))]
    return np.stack([np.where(sparse, r, d) for d, r in zip(drawn, redrawn, strict=True)])


def _redrawn_scale(sums: BinSums, units: Floats) -> Floats:
    """Return what redrawn labels of a bin (C, B) are scaled by to have the noise of its own labels.

    The rate of the rarer outcome is the one seen, with one further outcome at the rate that the model expects.
    """
    common = sums.mean_scores >= 0.5
    expected = np.where(common, 1 - sums.mean_scores, sums.mean_scores)
    seen = units * np.where(common, 1 - sums.outcome_rates, sums.outcome_rates)
    rate = expected * (seen + 1) / (units * expected + 1)
    variance = expected * (1 - expected)
    ratio: Floats = np.divide(rate * (1 - rate), variance, out=np.zeros_like(rate), where=variance > 0)
    return np.sqrt(ratio)


def _solve(excess: Callable[[float], float]) -> float:
    """Return the size at which an increasing function reaches 0, by false position (Illinois), or 0."""
    low, high, below = 0.0, 1.0, excess(0.0)
    if below >= 0:
        return low
    while (above := excess(high)) < 0 and high < _LARGEST_SIZE:
        low, high, below = high, 2 * high, above
    kept = 0  # times in turn that the same end was kept; then its excess counts half, or it would stay for ever
    while high - low > _PRECISION * high and above > 0:
        size = low - below * (high - low) / (above - below)
        found = excess(size)
        if found < 0:
            low, below, above = size, found, above / 2 if kept > 0 else above
            kept = 1
        else:
            high, above, below = size, found, below / 2 if kept < 0 else below
            kept = -1
    return high
