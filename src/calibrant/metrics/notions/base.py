"""What a notion is: columns of pairs (score, outcome), one pair a row in each column, or each row in one column."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.registry import Entry, spec_of
from calibrant.statistics import BinSums, Column

Floats = NDArray[np.float64]

# The sorted columns in use, by batch and notion: one sort serves all measures of a batch, and nothing is kept for it.
_COLUMNS: WeakKeyDictionary[Predictions, WeakValueDictionary[str, Column]] = WeakKeyDictionary()


class HardColumns(NamedTuple):
    """Columns of pairs as a matrix: ``scores`` (n, C), which are logits with log-sum-exp ``total`` (n,) if it is given.

    The outcome of row i is 1 in column ``labels[i]`` (n,), if that is one of 0..C-1, and 0 elsewhere.
    """

    scores: NDArray[np.floating]
    total: Floats | None
    labels: NDArray[np.int64]


class Notion(ABC):
    """Which conditional expectation must equal the prediction.

    ``splits_rows`` says that each row is in one column only; the mean over columns is then weighed by their rows.
    ``over`` names what the columns are.
    """

    entry: ClassVar[Entry]
    splits_rows: ClassVar[bool] = False
    over: ClassVar[str] = "classes"

    @abstractmethod
    def columns(self, k: int) -> int:
        """Return the number of columns of pairs: 1, one a class, or a guess where the rows decide how many."""

    def pairs_per_row(self, k: int) -> int:
        """Return the number of pairs of one row."""
        return self.columns(k)

    @abstractmethod
    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> BinSums:
        """Return the sums over bins with these edges, (B+1,) shared or (C, B+1)."""

    def bin_many(
        self, predictions: Predictions, edges: Floats, weights: Floats, *, right: bool
    ) -> list[BinSums] | None:
        """Return the sums of `bin` for each of R weightings (n, R), or None where that is no faster one by one."""
        del predictions, edges, weights, right
        return None

    @abstractmethod
    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weighted sums of the outcomes alone (C, B), without a pass over the scores."""

    def outcomes_many(self, drawn: Relabellings, edges: Floats, *, right: bool) -> Floats:
        """Return `outcomes` under each of R label vectors (R, C, B)."""
        return np.stack([self.outcomes(batch, edges, right=right) for batch in drawn.batches])

    def relabelled_outcomes(self, drawn: Relabellings) -> Floats:
        """Return the outcomes of the only column under each of R label vectors (R, n)."""
        return np.stack([outcomes for batch in drawn.batches for _, outcomes in self.pairs(batch)])

    @abstractmethod
    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield the scores (n,) and outcomes (n,) of each column; the score is NaN where a row is not in it."""

    def column(self, predictions: Predictions) -> Column:
        """Return the only column, sorted; the same one to all that ask while one of them holds it."""
        known = _COLUMNS.setdefault(predictions, WeakValueDictionary())
        column = known.get(spec_of(self))
        if column is None:
            ((scores, outcomes),) = self.pairs(predictions)
            column = Column.of(scores, outcomes, predictions.weights)
            column = replace(column, lost=self.lost(predictions, scores, outcomes))
            known[spec_of(self)] = column
        return column

    def lost(self, predictions: Predictions, scores: Floats, outcomes: Floats) -> float:
        """Return the log loss, summed by weight, of the rows of the only column that missed with a score of 1."""
        missed = predictions.row_weights * (1 - outcomes)
        rows = np.flatnonzero((scores >= 1) & (missed > 0))
        return float(-missed[rows] @ self.log_remainder(predictions, rows)) if len(rows) else 0.0

    def hard_columns(self, predictions: Predictions) -> HardColumns | None:
        """Return the pairs of all columns as a matrix that kernels take, or None where an outcome is not 0 or 1."""
        del predictions
        return None

    def log_remainder(self, predictions: Predictions, rows: NDArray[np.int64]) -> Floats:
        """Return log(1 - score) of some rows (m,) of the one column whose score rounds to 1; -inf where it is 1."""
        del predictions
        return np.full(len(rows), -np.inf)

    def columns_of(self, batches: Sequence[Predictions]) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield the scores, outcomes and weights (m,) of the rows of each column, over all batches."""
        weights = np.concatenate([batch.row_weights for batch in batches])
        for parts in zip(*(self.pairs(batch) for batch in batches), strict=True):
            scores, outcomes = (np.concatenate(part) for part in zip(*parts, strict=True))
            yield scores, outcomes, weights

    def keyed(self, sums: BinSums, batches: Sequence[Predictions]) -> BinSums:
        """Return sums over the columns that `columns_of` yields, with what names these columns."""
        del batches
        return sums

    def details(self, sums: BinSums, values: Floats) -> dict[str, Any]:
        """Return what a user needs to read the values (C,) of the columns, by name."""
        del sums, values
        return {}

    def trivial(self, k: int) -> str:
        """Return why every error with k classes is 0 by construction, or nothing where it is not."""
        del k
        return ""

    def aggregated(self, how: str) -> str:
        """Return in words what is taken over the columns: a mean that rows weigh is called so."""
        weighed = ", weighed by their rows" if self.splits_rows and how == "mean" else ""
        return f"{how} over {self.over}{weighed}"

    def mean(self, values: Floats, mass: Floats) -> Floats:
        """Return the mean (...) of values (..., C) over the columns: classes plain, parts by ``mass`` (..., C)."""
        if not self.splits_rows:
            return np.asarray(np.mean(values, axis=-1))
        total = mass.sum(-1, keepdims=True)
        shares = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
        return np.asarray(np.sum(values * shares, axis=-1))
