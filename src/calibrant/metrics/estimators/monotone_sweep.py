"""Monotone sweep: as many equal-mass bins as keep the outcome rates in order.

From one bin on, the number of equal-mass bins grows until for the first time the rates of the bins, in the order of
the scores, are not non-decreasing; the last number before is used: the largest B for which 1, 2, .., B bins are all
monotone. Equal scores are never split, and bins that ties leave empty are passed over; each column (class) has its own
number of bins. Source: Roelofs, Cain, Shlens and Mozer (2022), Mitigating bias in calibration error estimation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.metrics.estimators.base import Binning
from calibrant.metrics.notions import Notion
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import BinSums, Column, Merging, Statistic
from calibrant.statistics.bin_sums import common_unit

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # of rates of bins, which are differences of cumulative sums: such a decrease is none


@register("estimator", "monotone_sweep", reference="roelofs2022")
@dataclass(frozen=True, kw_only=True)
class MonotoneSweep(Binning):
    """As many bins of equal weight as keep the rates of the bins monotone, at most ``bins``.

    The rows are collected. Cost: a sort of each column, then O(B^2) for the B bins that are found.
    """

    bins: int = 1000
    right: bool = True

    def __post_init__(self) -> None:
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(self.right, "right", "be True for swept bins: they end at a score, ties included", self.right)

    def gather(self, notion: Notion, predictions: Predictions, *, squares: bool) -> Swept:
        """Return the batch itself."""
        del squares  # known anyway
        return Swept(binning=self, notion=notion, batches=(predictions,))

    def relabelled(self, gathered: Swept, notion: Notion, predictions: Predictions, *, squares: bool) -> Swept:
        """Return the batch with other labels; its one column is not sorted again."""
        del notion, squares  # as they were
        return replace(gathered, batches=(predictions,))

    def finish(self, gathered: Swept) -> BinSums:
        """Return the sums over the swept bins of all rows gathered."""
        return gathered.binned

    def words(self) -> str:
        """Describe the bins."""
        return f"the most equal-mass bins with monotone rates, up to {self.bins}, ties together"


@dataclass(frozen=True, eq=False, kw_only=True)
class Swept(Statistic):
    """The batches as they came; what depends on scores and weights alone is shared with other labels of them."""

    binning: MonotoneSweep
    notion: Notion
    batches: tuple[Predictions, ...]
    label_free: dict[str, Column] = field(default_factory=dict)

    @property
    def merging(self) -> Merging:
        """Rows are kept."""
        return "collecting"

    def merge(self, other: Swept) -> Swept:
        """Return the rows of both."""
        return Swept(binning=self.binning, notion=self.notion, batches=self.batches + other.batches)

    @cached_property
    def binned(self) -> BinSums:
        """The sums over the bins; a column with fewer than another ends in empty bins."""
        weights = np.concatenate([batch.row_weights for batch in self.batches])
        weighted = any(batch.weights is not None for batch in self.batches)
        unit = common_unit(weights) if weighted else 1.0
        columns = [_column_bins(*column, self.binning.bins, unit) for column in self._columns(weighted)]
        most = max(len(column["rows"]) for column in columns)
        planes = {name: np.stack([_padded(c[name], most, name) for c in columns]) for name in columns[0]}
        sums = BinSums(n=int((weights > 0).sum()), mass=float(weights.sum()), **planes)
        return self.notion.keyed(sums, self.batches)

    def _only_column(self) -> Column:
        known = self.label_free.get("column")
        if known is None:
            return self.notion.column(self.batches[0])
        ((_, outcomes),) = self.notion.pairs(self.batches[0])
        return known.relabelled(outcomes)

    def _columns(self, weighted: bool) -> Iterator[tuple[Column, Floats]]:
        """Yield the columns with their sums of squared weights (m,)."""
        single = len(self.batches) == 1 and self.notion.columns(self.batches[0].k) == 1
        if single and not self.notion.splits_rows and not weighted:
            column = self._only_column()
            self.label_free["column"] = column
            yield column, column.weight
            return
        for scores, outcomes, of_rows in self.notion.columns_of(self.batches):
            there = (of_rows > 0) & ~np.isnan(scores)  # a row that is not in the column has no score
            w = of_rows[there]
            column = Column.of(scores[there], outcomes[there], w if weighted else None)
            yield column, column.outcome_sums(w**2) if weighted else column.weight


def _column_bins(column: Column, squares: Floats, most: int, unit: float) -> dict[str, NDArray[Any]]:
    """Return the sums (B,) and edges (B + 1,) of one column, given its sums of squared weights (m,)."""
    if column.rows == 0:
        zeros = np.zeros(1)
        nothing = dict.fromkeys(("weight", "score", "outcome", "square_weight"), zeros)
        return {"edges": np.array([0.0, 1.0]), "rows": zeros.astype(np.int64), **nothing}
    ends = _swept_ends(column, most, unit)
    starts = np.concatenate([[0], ends[:-1] + 1])
    summands = {
        "rows": column.counts,
        "weight": column.weight,
        "score": column.weight * column.scores,
        "outcome": column.outcome,
        "square_weight": squares,
    }
    sums = {name: np.add.reduceat(values, starts) for name, values in summands.items()}
    return {"edges": _edges(column.scores, ends), **sums}


def _padded(values: NDArray[Any], bins: int, name: str) -> NDArray[Any]:
    """Return the values of a column with empty bins without width at its end."""
    if name == "edges":
        return np.pad(values, (0, bins + 1 - len(values)), mode="edge")
    return np.pad(values, (0, bins - len(values)))


def swept_edges(column: Column, most: int, unit: float) -> Floats:
    """Return the edges (B + 1,) of the swept bins from 0 to 1; those inside lie halfway between two scores."""
    return _edges(column.scores, _swept_ends(column, most, unit)) if column.rows else np.array([0.0, 1.0])


def _swept_ends(column: Column, most: int, unit: float) -> NDArray[np.int64]:
    """Return the last score of each swept bin of a column with rows."""
    if (np.diff(column.rates) >= -_ROUNDING).all():  # then all bins that join neighbours are monotone too
        return _cut(column, most, unit)[0]
    outcome = np.cumsum(column.outcome)
    ends, _ = _cut(column, 1, unit)
    for bins in range(2, most + 1):
        more, weight = _cut(column, bins, unit)
        if not _monotone(weight, outcome[more]):
            break
        ends = more
    return ends


def _cut(column: Column, bins: int, unit: float) -> tuple[NDArray[np.int64], Floats]:
    """Return the last score and the weight of each non-empty bin, which columns with other labels share."""

    known = column.label_free
    if "cumulative weight" not in known:
        weight = np.cumsum(column.weight)
        known["cumulative weight"] = weight, weight - column.weight
    if (bins, unit) not in known:
        weight, before = known["cumulative weight"]
        ends = _ends(before, weight[-1], bins, unit)
        known[bins, unit] = ends, np.diff(weight[ends], prepend=0.0)
    found: tuple[NDArray[np.int64], Floats] = known[bins, unit]
    return found


def _ends(before: Floats, total: float, bins: int, unit: float) -> NDArray[np.int64]:
    """Return the last score of each non-empty bin, from the weight before each score (m,).

    With a common ``unit`` of the weights, the N units are cut as evenly as whole units allow, the first N mod B bins
    holding one more. A score goes where its first unit goes.
    """
    starts = np.arange(1, bins) * (total / bins)
    if unit:
        whole, extra = divmod(round(total / unit), bins)
        starts = unit * (np.arange(1, bins) * whole + np.minimum(np.arange(1, bins), extra))
    # The first score of each bin after the first; sums of weights round: 1e-9 of a bin is no boundary.
    firsts = np.searchsorted(before, starts - 1e-9 * total / bins)
    return np.unique(np.append(firsts[(firsts > 0) & (firsts < len(before))] - 1, len(before) - 1))


def _monotone(weight: Floats, outcome: Floats) -> bool:
    """Whether the rates of bins do not decrease, from their weight and the cumulative outcome at their ends (B,)."""
    rates = outcome.copy()
    rates[1:] -= outcome[:-1]
    rates /= weight
    return bool((rates[1:] - rates[:-1] >= -_ROUNDING).all())


def _edges(scores: Floats, ends: NDArray[np.int64]) -> Floats:
    below, above = scores[ends[:-1]], scores[ends[:-1] + 1]
    middle = 0.5 * (below + above)
    middle = np.where(middle < above, middle, below)  # neighbours one bit apart have no middle
    return np.concatenate([[0.0], middle, [1.0]])
