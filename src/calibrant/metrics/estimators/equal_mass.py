"""Equal-mass bins: each holds the same weight of rows, as far as ties allow.

The sorted rows of a column are cut as evenly as whole rows allow, the first n mod B bins holding one more; equal
scores are never split, so that ties may leave fewer bins. Weights are counted in their largest common unit, so that
an integer weight is a repetition and scaling all weights changes nothing. Scores under ``threshold`` are left
out (Nixon et al., 2019, TACE). The rows are collected, and the bins are exact, up to ``EXACT_ENTRIES`` scores;
beyond, one pass fills a fine grid of buckets on the logit scale whose sums merge exactly, and bins are unions of
buckets: their sums are exact, and a bin differs from the exact one by rows of the buckets that a boundary cuts. A note
of the estimate states how far the value may move: a bucket (low, high] of weight W with outcomes O adds at most
O (1 - low) + (W - O) high, what its gaps add up to, to the bin that it leaves and as much to those that it enters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.metrics.estimators.base import Binning
from calibrant.metrics.notions import Notion
from calibrant.metrics.notions.base import HardColumns
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import BinSums, Merging, Statistic
from calibrant.statistics.bin_sums import bin_starts, common_unit
from calibrant.validation import HALF_ROW_SUM_TOLERANCE

Floats = NDArray[np.float64]

EXACT_ENTRIES = 1 << 26
_COLUMNS_JOINED = 64  # of several batches: their scores are copied for the kernel
_GRID_ENTRIES = 1 << 21  # buckets over all columns: 4 arrays of 8 bytes each make 64 MB


@register("estimator", "equal_mass", reference="nixon2019")
@dataclass(frozen=True, kw_only=True)
class EqualMass(Binning):
    """Bins of equal weight in each column of scores."""

    bins: int = 15
    threshold: float = 0.0
    right: bool = True
    exact_entries: int = EXACT_ENTRIES

    def __post_init__(self) -> None:
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(0 <= self.threshold < 1, "threshold", "lie in [0, 1)", self.threshold)
        require(self.right, "right", "be True for equal-mass bins: they end at a score, ties included", self.right)

    def gather(self, notion: Notion, predictions: Predictions, *, squares: bool) -> Gathered:
        """Return the batch itself, or its sums on the fine grid if it is too large to collect."""
        return Gathered(binning=self, notion=notion, squares=squares, batches=(predictions,), grid=None).compressed()

    def finish(self, gathered: Gathered) -> BinSums:
        """Return the sums over the equal-mass bins of all rows gathered."""
        return gathered.binned

    def words(self) -> str:
        """Describe the bins."""
        over = f" of the scores from {self.threshold:g}" if self.threshold else ""
        return f"{self.bins} equal-mass bins{over}, ties together"


@dataclass(frozen=True, eq=False, kw_only=True)
class Gathered(Statistic):
    """The batches as they came, or, beyond ``exact_entries``, their sums on a fine grid."""

    binning: EqualMass
    notion: Notion
    squares: bool
    batches: tuple[Predictions, ...]
    grid: BinSums | None

    @property
    def merging(self) -> Merging:
        """Collecting while exact, approximate on the grid."""
        return "collecting" if self.grid is None else "approximate"

    def merge(self, other: Gathered) -> Gathered:
        """Return the statistic of both; it depends only on the rows, not on how they were cut."""
        if self.grid is None and other.grid is None:
            return self._with(self.batches + other.batches, None).compressed()
        mine, theirs = self._on_grid(), other._on_grid()
        return self._with((), mine.merge(theirs))

    def compressed(self) -> Gathered:
        """Return the sums on the grid in place of the batches if they hold too many scores."""
        entries = sum(len(batch) for batch in self.batches) * self.notion.pairs_per_row(self.batches[0].k)
        return self if entries <= self.binning.exact_entries else self._with((), self._on_grid())

    @cached_property
    def binned(self) -> BinSums:
        """The sums over the equal-mass bins, from the columns or from the grid."""
        return self._cut() if self.grid is None else self.grid.coarsened(self.binning.bins, _unit(self.grid))

    @property
    def bounds(self) -> Floats:
        """How far the mean absolute gap of each column (C,) may be from that in exact bins; 0 while exact."""
        if self.grid is None:
            return np.zeros(1)
        low, high = self.grid.edges[:-1], self.grid.edges[1:]
        outcome, weight = self.grid.outcome, self.grid.weight
        gaps = outcome * (1 - low) + (weight - outcome) * high  # (C, F): the most that |gaps| of the rows add up to
        return np.minimum(2 * self._share(gaps), 1.0)

    @property
    def misplaced(self) -> Floats:
        """Largest share of the weight of each column (C,) that may stand in another bin than the exact one."""
        return np.zeros(1) if self.grid is None else self._share(self.grid.weight)

    def _share(self, values: Floats) -> Floats:
        """Return the sum over buckets that a boundary may cut (C,), over the weight of the column."""
        grid = cast(BinSums, self.grid)
        unit, columns = _unit(grid), zip(grid.weight, grid.rows, strict=True)
        cut = np.stack([_cut_buckets(*column, self.binning.bins, unit) for column in columns])
        total = grid.weight.sum(1)
        return np.asarray(np.divide((values * cut).sum(1), total, out=np.zeros_like(total), where=total > 0))

    def _with(self, batches: tuple[Predictions, ...], grid: BinSums | None) -> Gathered:
        return Gathered(binning=self.binning, notion=self.notion, squares=self.squares, batches=batches, grid=grid)

    def _on_grid(self) -> BinSums:
        if self.grid is not None:
            return self.grid
        edges = _grid(self.notion.columns(self.batches[0].k), self.binning.threshold)
        parts = [self.notion.bin(batch, edges, right=True, squares=self.squares) for batch in self.batches]
        total = parts[0]
        for part in parts[1:]:
            total = total.merge(part)
        return total

    def _cut(self) -> BinSums:
        """Return the sums over exact bins: of hard outcomes by the kernel, of others by sorting each column."""
        weights = np.concatenate([batch.row_weights for batch in self.batches])
        weighted = any(batch.weights is not None for batch in self.batches)
        unit = common_unit(weights) if weighted else 1.0
        hard = _common([self.notion.hard_columns(batch) for batch in self.batches])
        if hard is None:
            columns = [_column_bins(self.binning, unit, *column) for column in self._columns()]
            planes = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
        else:
            planes = _kernel_bins(self.binning, unit, hard, weights if weighted else None)
        whole = BinSums(n=int((weights > 0).sum()), mass=float(weights.sum()), **planes)
        return self.notion.keyed(whole, self.batches)

    def _columns(self) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield scores, outcomes and weights of each column over all batches."""
        for scores, outcomes, weights in self.notion.columns_of(self.batches):
            kept = (weights > 0) & (scores >= self.binning.threshold)  # no row without a score
            yield scores[kept], outcomes[kept], weights[kept]


def _common(found: list[HardColumns | None]) -> list[HardColumns] | None:
    """Return the columns of all batches if each has them, and in the same form."""
    hard = [columns for columns in found if columns is not None]
    forms = {(columns.scores.dtype, columns.total is None) for columns in hard}
    return hard if len(hard) == len(found) and len(forms) == 1 else None


def _kernel_bins(
    binning: EqualMass, unit: float, hard: list[HardColumns], weights: Floats | None
) -> dict[str, NDArray[Any]]:
    """Return the sums (C, B) and edges (C, B+1) of all columns; of several batches, some columns at a time."""
    columns = hard[0].scores.shape[1]
    step = columns if len(hard) == 1 else _COLUMNS_JOINED
    labels = _joined([batch.labels for batch in hard])
    total = None if hard[0].total is None else _joined([cast(Floats, batch.total) for batch in hard])
    parts = [
        kernels.mass_bins(
            _joined([batch.scores[:, first : first + step] for batch in hard]),
            labels - first,
            bins=binning.bins,
            threshold=binning.threshold,
            unit=unit,
            total=total,
            weights=weights,
        )._asdict()
        for first in range(0, columns, step)
    ]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the arrays one below the other; the only one as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _column_bins(
    binning: EqualMass, unit: float, scores: Floats, outcomes: Floats, weights: Floats
) -> dict[str, NDArray[Any]]:
    """Return the sums (B,) and edges (B+1,) of one column: sort, join ties, join to equal mass."""
    if not len(scores):
        zeros = np.zeros(binning.bins)
        edges = np.full(binning.bins + 1, binning.threshold)
        nothing = dict.fromkeys(("weight", "score", "outcome", "square_weight"), zeros)
        return {"edges": edges, "rows": zeros.astype(np.int64), **nothing}
    distinct, tie = np.unique(scores, return_inverse=True)
    summands = {
        "weight": weights,
        "score": weights * scores,
        "outcome": weights * outcomes,
        "square_weight": weights**2,
    }
    sums = {name: np.bincount(tie, values).astype(np.float64) for name, values in summands.items()}
    # Halfway between scores: a bin fixed at these edges does not depend on the last bit of a score.
    middle = 0.5 * (distinct[1:] + distinct[:-1])
    middle = np.where(middle < distinct[1:], middle, distinct[:-1])  # neighbours one bit apart have no middle
    edges = np.concatenate([[binning.threshold], middle, [1.0]])
    rows = np.bincount(tie)
    one = {name: values[None] for name, values in sums.items()}
    joined = BinSums(edges=edges, rows=rows[None], n=0, mass=0.0, **one).coarsened(binning.bins, unit)
    return {name: getattr(joined, name)[0] for name in ("edges", "rows", *sums)}


def _unit(grid: BinSums) -> float:
    """Return the weight of a row if all have the same, else 0.0: the sums of buckets do not tell the common unit."""
    filled = grid.rows > 0
    each = grid.weight[filled] / grid.rows[filled]
    same = bool(len(each)) and np.ptp(each) <= 1e-12 * each[0]  # of sums of equal weights: rounding
    return float(each[0]) if same else 0.0


def _cut_buckets(weight: Floats, rows: NDArray[np.int64], bins: int, unit: float) -> NDArray[np.bool_]:
    """Return the buckets (F,) of one column, of which exact bins may put some rows elsewhere."""
    total, after = float(weight.sum()), np.cumsum(weight)
    starts, rounding = bin_starts(total, bins, unit), 1e-9 * total / bins
    if unit:  # a bucket of one row is not cut
        first = np.searchsorted(starts, after - weight + rounding, side="right")
        return np.asarray((np.searchsorted(starts, after - rounding, side="left") > first) & (rows > 1))
    # Whole units begin up to bins / 4 of them later, and none is larger than the lightest row.
    later = bins / 4 * float((weight[rows > 0] / rows[rows > 0]).min(initial=total))
    first = np.searchsorted(starts, after - weight - later, side="left")
    return np.asarray((np.searchsorted(starts, after, side="right") > first) & (rows > 0))


def _grid(columns: int, threshold: float) -> Floats:
    """Return the edges of the fine grid: equal steps in logit from 1e-13 to 1 - 1e-13, closed by threshold and 1."""
    buckets = int(np.clip(_GRID_ENTRIES // columns, 64, 4096))
    steps = 1 / (1 + np.exp(-np.linspace(-30.0, 30.0, buckets - 1)))
    edges = np.concatenate([[threshold], steps[steps > threshold], [1.0]])
    return with_room(edges) if threshold else edges


def with_room(edges: Floats) -> Floats:
    """Return the edges with those at 1 raised to where a valid score may round to; bins from 0 on take them anyway."""
    return np.where(edges == 1, 1 + HALF_ROW_SUM_TOLERANCE, edges)
