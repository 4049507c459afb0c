"""Choosing the bandwidth: by the effective sample size of an ordinary row, or by leave-one-out log loss.

Both look at up to `SAMPLED` evenly spaced rows, each against all others, and leave the curve that they followed.
Sources: the golden section of Kiefer (1953); leave-one-out likelihood for kernels of Stone (1974).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.neighbourhood.kernel import KernelName
from calibrant.neighbourhood.local_sums import Weighing, class_frequencies
from calibrant.neighbourhood.references import Coordinates, References, Rows, single_suffices

Floats = NDArray[np.float64]

SAMPLED = 1000  # rows that the criterion is averaged over
SHARES = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3])  # of the base rate in the frequencies
_STEP = 1.5  # ratio of bandwidths on the grid
_CLOSE = 0.02  # relative error of the bandwidth at which the search ends
_MOST = 60
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Bandwidth:
    """A bandwidth and how it was found.

    Attributes
    ----------
    value : in the units of the space.
    curve : (g, 2) the bandwidths that were tried, rising, and the criterion at each: the median effective sample size,
        or the mean leave-one-out log loss in nats; empty for a bandwidth that was given.
    share : of the base rate in the frequencies with which that log loss was least; 0 where it was not asked for.
    """

    value: float
    curve: Floats
    share: float = 0.0


class Sample(NamedTuple):
    """References and some of them as queries: coordinates (m, d), row numbers (m,), weights (m,) that sum to 1."""

    references: References
    queries: Coordinates
    own: Rows
    weights: Floats

    @classmethod
    def of(cls, references: References, weights: Floats) -> Sample:
        """Return evenly spaced rows of the references."""
        own = np.unique(np.linspace(0, references.n - 1, min(references.n, SAMPLED)).astype(np.int64))
        return cls(references, references.rows[own], own, weights[own] / weights[own].sum())


class Reach(NamedTuple):
    """Distances in a sample: the least and the largest, the median to the nearest row, and the median; positive."""

    least: float
    nearest: float
    median: float
    largest: float


def choose(
    how: str,
    laid: Callable[[bool], References],
    norms: Coordinates,
    kernel: KernelName,
    labels: NDArray[Any],
    weights: Floats,
    k: int,
    size: float,
) -> Bandwidth:
    """Return the bandwidth for references that ``laid`` makes in single precision or not, by "size" or "log_loss".

    ``norms`` (n,) are their squared norms. 1 where no two rows differ.
    """
    require(how in ("log_loss", "size"), "bandwidth", "be a number, 'log_loss' or 'size'", repr(how))
    require(size >= 1, "size", "be at least 1", size)
    sample = Sample.of(laid(False), weights)
    reach = reach_of(sample)
    if reach is None:
        return Bandwidth(value=1.0, curve=np.empty((0, 2)))
    if single_suffices(norms, kernel, reach.nearest / 4):
        sample = Sample.of(laid(True), weights)
    if how == "size":
        return by_size(sample, reach, kernel, size)
    return by_log_loss(sample, reach, kernel, labels, class_frequencies(labels, weights, k))


def by_size(sample: Sample, reach: Reach, kernel: KernelName, target: float) -> Bandwidth:
    """Return the bandwidth at which the median leave-one-out effective sample size is ``target``, by bisection.

    The target is cut to half the number of other rows. Within two per cent of the bandwidth, or of the target.
    """
    target = max(1.0, min(target, (sample.references.n - 1) / 2))
    followed: dict[float, float] = {}

    def size(log_h: float) -> float:
        h = float(np.exp(log_h))
        followed[h] = float(_weighted_median(_sizes(sample, Weighing(kernel, h)), sample.weights))
        return followed[h]

    low, high = np.log(reach.least / 100), np.log(reach.largest * 10)
    while high - low > _CLOSE and len(followed) < _MOST:
        middle = (low + high) / 2
        found = size(middle)
        if abs(np.log(max(found, 1e-9) / target)) < _CLOSE / 4:
            break
        low, high = (middle, high) if found < target else (low, middle)
    curve = np.array(sorted(followed.items()))
    return Bandwidth(
        value=float(curve[np.abs(np.log(np.maximum(curve[:, 1], 1e-9) / target)).argmin(), 0]), curve=curve
    )


def by_log_loss(sample: Sample, reach: Reach, kernel: KernelName, labels: NDArray[Any], base_rate: Floats) -> Bandwidth:
    """Return the bandwidth of the least leave-one-out log loss of the frequencies mixed with the base rate.

    ``labels`` (n,) or soft (n, k); ``base_rate`` (k,). A class whose only row is left out has frequency 0, so a share
    of the base rate, the best of `SHARES`, is mixed in. A grid by factors of 1.5, from a quarter of the distance to the
    nearest row to twice the median distance, then golden section around the best point.
    """
    shares: dict[float, float] = {}
    followed: dict[float, float] = {}

    def loss(log_h: float) -> float:
        h = float(np.exp(log_h))
        if h not in followed:
            losses = _log_losses(sample, Weighing(kernel, h), labels, base_rate)  # (shares,)
            followed[h], shares[h] = float(losses.min()), float(SHARES[losses.argmin()])
        return followed[h]

    low, high = np.log(reach.nearest / 4), np.log(2 * reach.median)
    grid = np.linspace(low, high, max(3, int(np.ceil((high - low) / np.log(_STEP))) + 1))
    best = int(np.argmin([loss(log_h) for log_h in grid]))
    golden_section(loss, grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    value = min(followed, key=lambda h: (followed[h], -h))
    return Bandwidth(value=value, curve=np.array(sorted(followed.items())), share=shares[value])


def golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum in [low, high] is least, within `_CLOSE`."""
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_a, at_b = function(a), function(b)
    while high - low > _CLOSE:
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - _GOLDEN * (high - low)
            at_a = function(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + _GOLDEN * (high - low)
            at_b = function(b)
    return float(a if at_a <= at_b else b)


def reach_of(sample: Sample) -> Reach | None:
    """Return the reach of the distances that are not 0, or None where there are none."""
    least, nearest, median, largest = np.inf, [], [], 0.0
    for block in sample.references.blocks(sample.queries, sample.own):
        squared = block.squared(sample.references).astype(np.float64)
        positive = (squared > _rounding(block.norms)[:, None]) & np.isfinite(squared)
        some = positive.any(1)
        squared, positive = squared[some], positive[some]
        if len(squared):
            rows_nearest = np.where(positive, squared, np.inf).min(1)
            least, largest = min(least, rows_nearest.min()), max(largest, squared[positive].max())
            nearest.append(rows_nearest)
            median.append([np.median(row[keep]) for row, keep in zip(squared, positive, strict=True)])
    if not nearest:
        return None
    of = [least, np.median(np.concatenate(nearest)), np.median(np.concatenate(median)), largest]
    return Reach(*(float(np.sqrt(each)) for each in of))


def _rounding(norms: Coordinates) -> Floats:
    """Return the squared distance (m,) below which two rows cannot be told apart."""
    return np.asarray(8 * np.finfo(norms.dtype).eps * norms, dtype=np.float64)


def _sizes(sample: Sample, weighing: Weighing) -> Floats:
    blocks = sample.references.blocks(sample.queries, sample.own)
    return np.concatenate([weighing.sums(sample.references, block).effective_size for block in blocks])


def _log_losses(sample: Sample, weighing: Weighing, labels: NDArray[Any], base_rate: Floats) -> Floats:
    """Return the mean log loss with each share of the base rate (shares,)."""
    found, references, k = np.zeros(len(SHARES)), sample.references, len(base_rate)
    for block in references.blocks(sample.queries, sample.own):
        own, w = sample.own[block.rows], sample.weights[block.rows]
        if labels.ndim == 1:
            of_label = (np.arange(len(own)), labels[own])
            theta = weighing.sums(references, block, k=k).frequencies(base_rate)[of_label][:, None]
            base, q = base_rate[labels[own]][:, None], np.ones((len(own), 1))
        else:
            theta = weighing.averages(references, block, labels.astype(references.rows.dtype), base_rate)[1]
            base, q = base_rate, labels[own]
        for s, share in enumerate(SHARES):
            mixed = np.where(q > 0, (1 - share) * theta + share * base, 1.0)
            found[s] -= w @ (q * np.log(mixed)).sum(1)
    return found


def _weighted_median(values: Floats, weights: Floats) -> float:
    """Return the lower weighted median."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulative, 0.5 * cumulative[-1] * (1 - 1e-9))]])
