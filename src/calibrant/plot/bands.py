"""Consistency bands: what the bins of a perfectly calibrated model with the same scores show.

If the predictions are calibrated, the outcomes of a bin are independent draws with the scores as their chances, and
their number has the Poisson-binomial distribution, which is computed here, not simulated. The idea of the band:
Broecker and Smith (2007), Increasing the reliability of reliability diagrams.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
CELLS = 64  # cells of a bin whose rows share their mean score: widens a band by less than 1 %
_REACH = 12.0  # standard deviations from the mean within which the distribution is computed: 1e-30 is left out


def check(predictions: Predictions, level: float, replicates: int = 1) -> None:
    """Raise ``DataError`` without labels, or for a level or a number of replicates that makes no band."""
    require(predictions.labels is not None, "predictions", "have labels to be drawn", way_out="pass labels=")
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(replicates >= 1, "replicates", "be at least 1", replicates)


def known(predictions: Predictions) -> bool:
    """Return whether redrawn labels are as noisy as the labels at hand.

    Soft labels are less noisy than labels drawn from the scores, nobody knows by how much: no picture of them has a
    band or tells what is beyond chance.
    """
    return not predictions.soft


def unknown(*shape: int) -> tuple[Floats, Floats]:
    """Return the limits of a band that nobody knows: NaN."""
    return np.full(shape, np.nan), np.full(shape, np.nan)


def fine_edges(edges: Floats) -> Floats:
    """Return the edges (B * CELLS + 1,) of the cells of bins with edges (B+1,)."""
    steps = np.arange(CELLS) / CELLS
    return np.append((edges[:-1, None] + np.diff(edges)[:, None] * steps).ravel(), edges[-1])


def of_cells(fine: BinSums, level: float) -> tuple[Floats, Floats]:
    """Return the band (B,), (B,) of the outcome rates of the bins of one column whose cells were summed.

    Rows of unequal weight in a bin count as Kish's effective number of rows with their mean score.
    """
    rows, weight, score = (plane[0].reshape(-1, CELLS) for plane in (fine.rows, fine.weight, fine.score))
    squares = weight if fine.square_weight is None else fine.square_weight[0].reshape(-1, CELLS)
    means = np.clip(np.divide(score, weight, out=np.zeros_like(score), where=rows > 0), 0, 1)
    trials = effective(weight.sum(1), squares.sum(1))
    mean = np.divide(score.sum(1), weight.sum(1), out=np.zeros(len(trials)), where=trials > 0)
    low, high = binomial(trials, mean, level)
    for b in np.flatnonzero((trials == rows.sum(1)) & (trials > 0)):
        there = rows[b] > 0
        low[b], high[b] = poisson_binomial(rows[b][there], means[b][there], level)
    return low, high


def of_sums(sums: BinSums, level: float) -> tuple[Floats, Floats]:
    """Return the binomial band (C, B), (C, B) of the outcome rates, all rows of a bin at its mean score.

    The scores of a bin differ by its width at most, which widens the band by less than half that share of itself.
    """
    return binomial(trials_of(sums), sums.mean_scores, level)


def trials_of(sums: BinSums) -> NDArray[np.int64]:
    """Return the effective rows of each bin (C, B)."""
    if sums.square_weight is None:
        raise AssertionError("weighted sums were gathered without squared weights")
    return effective(sums.weight, sums.square_weight)


def effective(weight: Floats, square_weight: Floats) -> NDArray[np.int64]:
    """Return Kish's effective number of rows, rounded, at least 1 where there is weight."""
    exact = np.divide(weight**2, square_weight, out=np.zeros_like(weight), where=square_weight > 0)
    return np.where(exact > 0, np.maximum(np.rint(exact), 1), 0).astype(np.int64)


def binomial(trials: NDArray[np.int64], chance: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the central quantiles of the share of successes, 0 where there is no trial."""
    n, p = np.maximum(trials, 1), np.clip(chance, 0, 1)
    there = trials > 0
    low, high = (scipy.stats.binom.ppf(q, n, p) / n for q in ((1 - level) / 2, (1 + level) / 2))
    # at 0 % scipy answers -1: no success is the least
    return np.where(there, np.maximum(low, 0), 0.0), np.where(there, np.maximum(high, 0), 0.0)


def poisson_binomial(rows: NDArray[np.int64], chances: Floats, level: float) -> tuple[float, float]:
    """Return the central quantiles of the share of successes of rows (g,) with chances (g,) of their own."""
    n = int(rows.sum())
    first, pmf = _distribution(rows, chances)
    total = np.cumsum(pmf)
    low, high = np.searchsorted(total, [(1 - level) / 2, (1 + level) / 2]) + first
    return min(low, n) / n, min(high, n) / n


def _distribution(rows: NDArray[np.int64], chances: Floats) -> tuple[int, Floats]:
    """Return the number from which on, and with which probability, so many successes occur.

    The characteristic function on as many frequencies as there are numbers within reach of the mean; what lies
    beyond would be folded in (Hong, 2013, On computing the distribution function for the Poisson binomial).
    """
    mean, spread = float(rows @ chances), np.sqrt(float(rows @ (chances * (1 - chances))))
    reach = _REACH * spread + 3 * _REACH
    first, last = max(0, int(mean - reach)), min(int(rows.sum()), int(mean + reach) + 1)
    size = last - first + 1
    turn = 2 * np.pi * np.arange(size // 2 + 1) / size  # (f,)
    p = chances[:, None]  # (g, 1)
    with np.errstate(divide="ignore"):
        log_size = 0.5 * rows @ np.log(np.maximum(1 - 2 * p * (1 - p) * (1 - np.cos(turn)), 0))
    angle = rows @ np.arctan2(p * np.sin(turn), 1 - p + p * np.cos(turn))
    folded = np.fft.irfft(np.exp(log_size) * np.exp(-1j * angle), size)
    return first, np.maximum(folded[np.arange(first, last + 1) % size], 0)
