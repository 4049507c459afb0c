"""Grouping loss: how far do the rates of rows of like confidence differ from region to region of a feature space?

In each bin b of the confidence the rows are cut into regions r, and with the rates mu of being right
    LB = sum_b w_b sum_r w_br (mu_br - mu_b)^2
is a lower bound of the grouping loss E Var(P(right | x) | confidence), after two corrections: what noise adds to the
squares, and what the confidences within a bin explain, so that their differences are not taken for those of regions.
Source: Perez-Lebel, Le Morvan and Varoquaux (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_choices import LocalRows, SpaceChoices, pooled_order
from calibrant.metrics.mass_bins import width_bins
from calibrant.metrics.regions import Regions
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.rising_rates import RisingRates
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_STREAM = 0x67726F75  # keeps the halves apart from redrawn labels
_ALONE = "no bin of the confidence has two regions with two rows each"


class Half(NamedTuple):
    """Rows that regions were not made from (m,), the region of each, that of each region's bin, and the other rows."""

    rows: Ints
    region: Ints
    bin_of: Ints
    others: Ints


class Terms(NamedTuple):
    """The terms of the estimate, all in squared probability, and the share of the weight in bins with two regions."""

    lower_bound: float
    noise: float
    binning: float
    covered: float


@register("measure", "grouping_loss", reference="perezlebel2023", needs_features=True, cost="O(n (d regions + log n))")
@dataclass(frozen=True, kw_only=True)
class GroupingLoss(SpaceChoices, CollectedMeasure):
    """Grouping loss, a debiased lower bound: the variance of accuracy among regions of rows of like confidence.

    It needs features. A calibrated model can be right on average at each confidence and wrong in every region; that
    part of its Brier score is seen by no function of scores and labels alone. About 0 where the confidence says all
    there is to say, and then as often negative. ``details`` have the bound as it comes, ``lower_bound``, and what is
    subtracted, ``noise`` and ``binning``.

    Parameters
    ----------
    bins : of the confidence, of equal width. regions : in each bin, by k-means of the features.
    seed : of the halves of the rows, by their ids. Regions made from one half are measured on the other, both ways.
    space, dimensions, standardise : where distances are taken, as in `lce`.

    Notes
    -----
    More regions see finer differences, with more noise; any number gives a lower bound. The share of ``binning`` is the
    variance, within bins, of an isotonic regression of being right on the confidence over the other half, in place of
    the published nearest neighbours, which are noisier. Regions of fewer than two effective rows are left out. Weights
    count rows; a repeated row is not an independent one. Soft labels stand in the place of outcomes. The squared loss
    of the top class: other classes are not looked at.

    References
    ----------
    Perez-Lebel, Le Morvan and Varoquaux (2023).
    """

    bounds = (-1.0, 1.0)
    bootstraps = False
    repeats = False

    bins: int = 15
    regions: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(is_whole(self.regions) and self.regions >= 2, "regions", "be a whole number from 2 on", self.regions)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)

    @property
    def estimand(self) -> str:
        """The lower bound in the population."""
        return f"variance of accuracy among {self.regions} regions of features, in {self.bins} bins of confidence"

    def relabelled_values(self, sums: LocalRows, drawn: Relabellings) -> Floats:
        """Return the value under each label vector (R,), with the same regions."""
        rows = sums.pooled
        halves = kept(sums.memo, self, lambda: self.halves(rows))
        outcomes = drawn.correct[:, pooled_order(drawn.predictions)]
        return np.array([_value(self._terms(rows, halves, correct)) for correct in outcomes])

    def measured(self, rows: Predictions) -> Measured:
        """Return the value with its terms; NaN where no bin has two regions."""
        terms = self._terms(rows, self.halves(rows), ZeroOne().rows(rows))
        if not terms:
            return Measured(float("nan"), {}, (_ALONE,))
        both = Terms(*np.mean(terms, axis=0))
        details: dict[str, Any] = both._asdict()
        return Measured(_value(terms), details)

    def halves(self, rows: Predictions) -> list[Half]:
        """Return both halves with the regions that the other one makes; none of fewer than two rows."""
        if len(rows) < 2:
            return []
        first = kernels.uniforms(rows.row_keys, self.seed ^ _STREAM, 0) < 0.5
        space = self.fitted_space(rows)
        z = np.asarray(space.apply(cast(NDArray[np.floating], rows.features)), dtype=np.float64)
        bins, w = width_bins(rows.summary.confidence, self.bins), rows.row_weights
        return [self._half(z, w, bins, inside) for inside in (first, ~first)]

    def _half(self, z: Floats, w: Floats, bins: Ints, made: NDArray[np.bool_]) -> Half:
        region = np.zeros(len(z), np.int64)
        for b in np.unique(bins[made]):
            here = bins == b
            found = Regions.fit(z[here & made], w[here & made], self.regions)
            region[here] = found.nearest(z[here])
        rows = np.flatnonzero(~made)
        bin_of = np.repeat(np.arange(self.bins), self.regions)
        return Half(rows, (bins * self.regions + region)[rows], bin_of, np.flatnonzero(made))

    def _terms(self, rows: Predictions, halves: list[Half], correct: Floats) -> list[Terms]:
        found = [half_terms(half, rows.summary.confidence, correct, rows.row_weights, self.bins) for half in halves]
        return [terms for terms in found if terms is not None]


def _value(terms: list[Terms]) -> float:
    return float(np.mean([one.lower_bound - one.noise - one.binning for one in terms])) if terms else float("nan")


def half_terms(half: Half, confidence: Floats, correct: Floats, weights: Floats, bins: int) -> Terms | None:
    """Return the terms of one half, for columns (n,) of all rows; None where no bin has two regions."""
    y, w, region = correct[half.rows], weights[half.rows], half.region
    cells = len(half.bin_of)
    effective = _over(_sums(region, w, cells) ** 2, _sums(region, w**2, cells))
    several = np.bincount(half.bin_of, effective >= 2 - 1e-9, bins) >= 2  # two equal weights, up to rounding
    used = ((effective >= 2 - 1e-9) & several[half.bin_of])[region]
    if not used.any():
        return None
    covered = float(w[used].sum() / w.sum())
    y, w, region, rows = y[used], w[used] / w[used].sum(), region[used], half.rows[used]
    of_region, of_bin = _variances(y, w, region, cells), _variances(y, w, half.bin_of[region], bins)
    lower = float(of_region.mass @ of_region.rate**2 - of_bin.mass @ of_bin.rate**2)
    noise = float(of_region.mass @ of_region.variance - of_bin.mass @ of_bin.variance)
    known = half.others if len(half.others) else half.rows
    explained = RisingRates.fit(confidence[known], correct[known], weights[known]).at(confidence[rows])
    within = _variances(explained, w, half.bin_of[region], bins)
    binning = float(w @ explained**2 - within.mass @ within.rate**2)
    return Terms(lower, noise, max(binning, 0.0), covered)


class _Cells(NamedTuple):
    """Share of the weight, mean, and estimated variance of that mean, of each cell; 0 of an empty one."""

    mass: Floats
    rate: Floats
    variance: Floats


def _variances(y: Floats, w: Floats, cell: Ints, cells: int) -> _Cells:
    """Return the cells of outcomes y (m,); with q = sum w^2 / (sum w)^2 the variance is q / (1 - q) mean (y - rate)^2.

    For outcomes of 0 and 1 and equal weights, rate (1 - rate) / (rows - 1).
    """
    mass = _sums(cell, w, cells)
    rate = _over(_sums(cell, w * y, cells), mass)
    spread = _over(_sums(cell, w * (y - rate[cell]) ** 2, cells), mass)
    q = _over(_sums(cell, w**2, cells), mass**2)
    return _Cells(mass, rate, _over(q * spread, 1 - q))


def _sums(cell: Ints, values: Floats, cells: int) -> Floats:
    return np.asarray(np.bincount(cell, values, cells), dtype=np.float64)


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
