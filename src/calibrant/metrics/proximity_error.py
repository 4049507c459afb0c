"""Proximity-informed calibration error: the ECE within groups of rows that are as near to their neighbours.

Confidence bins of equal mass are each cut into groups of equal mass by proximity, D(x) = exp(-mean distance to the K
nearest rows), and the absolute gaps of all cells are averaged. Gaps of near and of distant rows can no longer cancel:
with the same confidence bins it is at least the ECE. Source: Xiong et al. (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_choices import TOO_FEW, LocalRows, SpaceChoices, pooled_order
from calibrant.metrics.mass_bins import mass_bins
from calibrant.metrics.notions.cells import cell_sums
from calibrant.metrics.relabelling import Relabellings
from calibrant.neighbourhood import Neighbourhood
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ProximityChoices(SpaceChoices):
    """The space, and how many neighbours make a proximity.

    Parameters
    ----------
    neighbours : K.
    """

    neighbours: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = is_whole(self.neighbours) and self.neighbours >= 1
        require(positive, "neighbours", "be a whole number of at least 1", self.neighbours)

    def distances(self, rows: Predictions) -> Floats:
        """Return the mean distance of each row to its nearest other rows (n,): the larger, the lower its proximity."""
        around = Neighbourhood.fit(rows, space=self.fitted_space(rows), bandwidth=1.0)
        return np.asarray(around.nearest(self.neighbours).distances.mean(1))


class Grid(NamedTuple):
    """Bin of confidence and cell of each row (n,), and the share of confidence of each cell (cells,)."""

    bin: Ints
    cell: Ints
    said: Floats


@register("measure", "piece", reference="xiong2023", needs_features=True, cost="O(n^2 d)")
@dataclass(frozen=True, kw_only=True)
class ProximityError(ProximityChoices, CollectedMeasure):
    """Proximity-informed calibration error (PIECE): the ECE over bins of confidence cut by proximity to other rows.

    It needs features. The plug-in estimate is biased upwards, by about the square root of ``groups`` times the bias of
    the ECE: compare it with its null level. ``details["ece"]`` is the ECE of the same confidence bins, at most the
    value; ``details["gaps"]`` the mean of confidence less accuracy of the rows of each group, from the rows with the
    nearest neighbours to those with the farthest.

    Parameters
    ----------
    bins : of confidence, of equal mass. groups : of proximity in each of them, of equal mass.
    neighbours : whose mean distance is the proximity, among the measured rows.
    space, dimensions, standardise : where distances are taken, as in `lce`.

    Notes
    -----
    The released code differs from the paper: its bins of confidence are of equal width, and its groups are quantiles of
    the proximity of all rows, so that its value may be below its ECE. Ties share a cell. The order of proximities alone
    counts, not their scale. Weights count rows in the means, not as neighbours. Soft labels stand in the place of
    outcomes.
    """

    bootstraps = False
    repeats = False

    bins: int = 15
    groups: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(is_whole(self.groups) and self.groups > 0, "groups", "be a positive whole number", self.groups)

    @property
    def estimand(self) -> str:
        """The mean in the population."""
        return f"mean absolute gap of the population in {self.bins} bins of confidence by {self.groups} of proximity"

    def relabelled_values(self, sums: LocalRows, drawn: Relabellings) -> Floats:
        """Return the value under each label vector (R,), in the same cells."""
        rows = sums.pooled
        if len(rows) < 2:
            return np.full(len(drawn), np.nan)
        grid = kept(sums.memo, self, lambda: self.grid(rows))
        correct = drawn.correct[:, pooled_order(drawn.predictions)]
        hits = cell_sums(grid.cell, correct * rows.row_weights, len(grid.said))
        return np.asarray(np.abs(grid.said - hits).sum(1) / rows.row_weights.sum())

    def grid(self, rows: Predictions) -> Grid:
        """Return the cells of the rows, which do not depend on their labels."""
        confidence, w = rows.summary.confidence, rows.row_weights
        bins, far = mass_bins(confidence, w, self.bins), self.distances(rows)
        group = np.empty_like(bins)
        for b in np.unique(bins):
            inside = bins == b
            group[inside] = mass_bins(far[inside], w[inside], self.groups)
        cell = bins * self.groups + group
        said = np.bincount(cell, w * confidence, self.bins * self.groups)
        return Grid(bins, cell, np.asarray(said, dtype=np.float64))

    def measured(self, rows: Predictions) -> Measured:
        """Return the value with the ECE of the same bins and the gaps by proximity; NaN of fewer than two rows."""
        if len(rows) < 2:
            return Measured(float("nan"), {}, (TOO_FEW,))
        grid, w = self.grid(rows), rows.row_weights
        excess = w * (rows.summary.confidence - ZeroOne().rows(rows))
        by_cell = np.bincount(grid.cell, excess, self.bins * self.groups)
        by_bin = by_cell.reshape(self.bins, self.groups).sum(1)
        mass = np.bincount(grid.cell % self.groups, w, self.groups)
        by_group = np.bincount(grid.cell % self.groups, excess, self.groups)
        details: dict[str, Any] = {
            "ece": float(np.abs(by_bin).sum() / w.sum()),
            "gaps": np.divide(by_group, mass, out=np.full(self.groups, np.nan), where=mass > 0),
        }
        return Measured(float(np.abs(by_cell).sum() / w.sum()), details)
