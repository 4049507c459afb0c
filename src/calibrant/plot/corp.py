"""The CORP diagram: the confidence recalibrated by isotonic regression, which chooses the bins itself.

The curve is the least-squares fit, among all that never fall, of how often the top class is right. Its band is that
of a calibrated model: outcomes redrawn from the scores and refitted. Source: Dimitriadis, Gneiting and Jordan (2021),
Stable reliability diagrams for probabilistic classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.isotonic_decomposition import CorpMiscalibration, isotonic
from calibrant.plot import bands, groups
from calibrant.plot.groups import Groups
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
_BARS = 50
_GRID = 201


@dataclass(frozen=True, eq=False, kw_only=True)
class CorpDiagram:
    """The recalibrated confidence and its consistency band.

    Attributes
    ----------
    scores, rates : (m,) corners of the curve; between them it is straight.
    grid, low, high, level : (g,) scores, and the band at each: central quantiles of redrawn curves, NaN for soft
        labels.
    curve : (g,) the curve on the grid.
    edges, shares : (B+1,), (B,) the histogram of the scores.
    miscalibration, discrimination, uncertainty : of all rows; the mean squared error of the confidence is the first
        minus the second plus the third. Those of the measure ``corp_miscalibration``.
    n : rows of positive weight.
    least_score : 1/k.
    """

    scores: Floats
    rates: Floats
    grid: Floats
    curve: Floats
    low: Floats
    high: Floats
    level: float
    edges: Floats
    shares: Floats
    miscalibration: float
    discrimination: float
    uncertainty: float
    n: int
    least_score: float

    @property
    def banded(self) -> bool:
        """Whether there is a band."""
        return not np.isnan(self.low).any()

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Where on the grid the curve lies outside its band (g,)."""
        return (self.curve < self.low) | (self.curve > self.high)


def prepare(predictions: Predictions, *, level: float = 0.95, replicates: int = 200, seed: int = 0) -> CorpDiagram:
    """Return the isotonic curve of (confidence, correct) with its consistency band.

    Parameters
    ----------
    predictions : labelled rows. Beyond 4,096 distinct scores, neighbours are joined into as many groups of equal
        weight.
    level, replicates, seed : of the band.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    pairs, column = groups.of_confidence(predictions)
    fitted = _fit(pairs.rates, pairs)
    scores, rates = _corners(pairs, fitted)
    terms = CorpMiscalibration().details(column)
    grid = np.linspace(pairs.low[0], pairs.high[-1], _GRID)
    known = bands.known(predictions)
    low, high = _band(grid, pairs, level, replicates, seed) if known else bands.unknown(_GRID)
    edges = np.linspace(0, 1, _BARS + 1)
    shares, _ = np.histogram(np.clip(pairs.scores, 0, 1), edges, weights=pairs.shares)
    return CorpDiagram(
        scores=scores,
        rates=rates,
        grid=grid,
        curve=_on(grid, pairs, fitted),
        low=low,
        high=high,
        level=level,
        edges=edges,
        shares=shares,
        miscalibration=terms["miscalibration"],
        discrimination=terms["discrimination"],
        uncertainty=terms["uncertainty"],
        n=pairs.rows,
        least_score=1 / predictions.k,
    )


def _band(grid: Floats, pairs: Groups, level: float, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Return the central quantiles (g,) of redrawn curves."""
    drawn = np.stack([_on(grid, pairs, _fit(rates, pairs)) for rates in pairs.redrawn(replicates, seed)])  # (R, g)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _fit(rates: Floats, pairs: Groups) -> Floats:
    """Return the isotonic fit of rates (m,)."""
    return isotonic(pairs.column.relabelled(rates, pairs.shares))


def _on(grid: Floats, pairs: Groups, fitted: Floats) -> Floats:
    return np.interp(grid, *_corners(pairs, fitted))


def _corners(pairs: Groups, fitted: Floats) -> tuple[Floats, Floats]:
    """Return the ends (c,) of the level pieces of a fit, and their heights."""
    starts = np.flatnonzero(np.diff(fitted, prepend=-1.0))
    ends = np.append(starts[1:], len(fitted)) - 1
    scores = np.stack([pairs.low[starts], pairs.high[ends]], axis=1).ravel()
    heights = np.repeat(fitted[starts], 2)
    new = np.append(True, (np.diff(scores) > 0) | (np.diff(heights) > 0))
    return scores[new], heights[new]
