"""Notions that ask for confidence calibration within each part of the rows: all they must say is the part of a row.

Each part is one column, known by its key, and columns stand in the order of their keys. Shards may hold different
parts: their sums are merged over the union of the keys, so that the result does not depend on the cut.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, require, sentence
from calibrant.metrics.notions.base import Notion
from calibrant.metrics.notions.cells import bins_of, cell_sums, one_hot
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.scoring import ZeroOne
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Keys = tuple[Hashable, ...]


class Parts(NamedTuple):
    """The keys of the columns in their order, and the column of each row (n,), -1 where it is in none."""

    keys: Keys
    column: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class KeyedBinSums(BinSums):
    """Sums over bins whose columns have keys; merged over the union of the keys."""

    keys: Keys

    def merge(self, other: BinSums) -> KeyedBinSums:
        """Return the sums of both sets of rows; ``DataError`` if keys differ where each has bins of its own."""
        theirs = cast(KeyedBinSums, other)
        keys = union([self.keys, theirs.keys])
        return cast(KeyedBinSums, BinSums.merge(self._over(keys), theirs._over(keys)))

    def _over(self, keys: Keys) -> KeyedBinSums:
        """Return the sums with empty columns for the keys that are missing."""
        if keys == self.keys:
            return self
        require(self.edges.ndim == 1, "merged parts", "be the same where each has bins of its own", "different parts")
        place = {key: i for i, key in enumerate(keys)}
        rows = [place[key] for key in self.keys]
        names = ("rows", "weight", "score", "outcome", "square_weight")
        planes: dict[str, Any] = {name: _spread(getattr(self, name), rows, len(keys)) for name in names}
        return replace(self, keys=keys, **planes)


class Partition(Notion):
    """Confidence against correctness, one column for each part of the rows."""

    splits_rows = True

    @abstractmethod
    def parts(self, predictions: Predictions) -> Parts:
        """Return the parts of the rows."""

    def pairs_per_row(self, k: int) -> int:
        """One pair, in one column."""
        del k
        return 1

    def bin(self, predictions: Predictions, edges: Floats, *, right: bool, squares: bool) -> KeyedBinSums:
        """Return the sums over bins of the confidence in each part (C, B)."""
        del squares  # they cost next to nothing
        column, w = self.parts(predictions).column, predictions.row_weights
        keys, cell = self._cells(predictions, edges, right)
        kept = (cell >= 0) & (w > 0)
        cell, w, shape = cell[kept], w[kept], (len(keys), edges.shape[-1] - 1)
        confidence, correct = predictions.summary.confidence[kept], ZeroOne().rows(predictions)[kept]
        return KeyedBinSums(
            keys=keys,
            edges=edges,
            rows=_sums(cell, np.ones(len(w)), shape).astype(np.int64),
            weight=_sums(cell, w, shape),
            score=_sums(cell, w * confidence, shape),
            outcome=_sums(cell, w * correct, shape),
            square_weight=_sums(cell, w**2, shape),
            n=int(((column >= 0) & (predictions.row_weights > 0)).sum()),
            mass=float(predictions.row_weights[column >= 0].sum()),
        )

    def outcomes(self, predictions: Predictions, edges: Floats, *, right: bool) -> Floats:
        """Return the weight of correct rows by part and bin (C, B)."""
        return self.bin(predictions, edges, right=right, squares=False).outcome

    def outcomes_many(self, drawn: Relabellings, edges: Floats, *, right: bool) -> Floats:
        """Return the weight of correct rows by part and bin under each label vector (R, C, B)."""
        keys, cell = self._cells(drawn.predictions, edges, right)
        shape = (len(drawn), len(keys), edges.shape[-1] - 1)
        return cell_sums(cell, drawn.correct * drawn.predictions.row_weights, shape[1] * shape[2]).reshape(shape)

    def bin_many(self, predictions: Predictions, edges: Floats, weights: Floats, *, right: bool) -> list[BinSums]:
        """Return the sums over bins under each weighting."""
        keys, cell = self._cells(predictions, edges, right)
        shape = (len(keys), edges.shape[-1] - 1)
        by_cell, there = one_hot(cell, shape[0] * shape[1]), weights > 0
        values = {
            "rows": there.astype(np.float64),
            "weight": weights,
            "score": weights * predictions.summary.confidence[:, None],
            "outcome": weights * ZeroOne().rows(predictions)[:, None],
            "square_weight": weights**2,
        }
        planes = {name: (by_cell @ value).T.reshape(-1, *shape) for name, value in values.items()}  # (R, C, B)
        planes["rows"] = planes["rows"].astype(np.int64)
        inside = self.parts(predictions).column >= 0
        counted = {"n": there[inside].sum(0).tolist(), "mass": weights[inside].sum(0).tolist()}
        several = {**planes, **counted}
        return [
            KeyedBinSums(keys=keys, edges=edges, **{name: of[r] for name, of in several.items()})
            for r in range(weights.shape[1])
        ]

    def _cells(self, predictions: Predictions, edges: Floats, right: bool) -> tuple[Keys, Ints]:
        """Return the keys of the parts, and part times bins plus bin of each row (n,), negative where it is in none."""
        keys, column = self.parts(predictions)
        bins = _bins(predictions.summary.confidence, column, edges, len(keys), right=right)
        return keys, np.where(bins >= 0, column * (edges.shape[-1] - 1) + bins, -1)

    def pairs(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats]]:
        """Yield confidence and correctness of each part, NaN for the other rows."""
        keys, column = self.parts(predictions)
        correct = ZeroOne().rows(predictions)
        for c in range(len(keys)):
            yield np.where(column == c, predictions.summary.confidence, np.nan), correct

    def keyed(self, sums: BinSums, batches: Sequence[Predictions]) -> KeyedBinSums:
        """Return the sums with the keys of their columns; rows in no column are not counted."""
        found = [self.parts(batch) for batch in batches]
        weights = np.concatenate([w[p.column >= 0] for w, p in zip(_weights(batches), found, strict=True)])
        kept = {**vars(sums), "n": int((weights > 0).sum()), "mass": float(weights.sum())}
        return KeyedBinSums(**kept, keys=union([parts.keys for parts in found]))

    def details(self, sums: BinSums, values: Floats) -> dict[str, Any]:
        """Return the keys of the columns and that of the worst; it is chosen after looking, so no interval fits it."""
        keys = getattr(sums, "keys", None)
        return {} if keys is None else {"columns": keys, "worst": keys[int(np.argmax(values))]}

    def columns_of(self, batches: Sequence[Predictions]) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield the scores, outcomes and weights of the rows of each part, over all batches."""
        found = [self.parts(batch) for batch in batches]
        keys = union([parts.keys for parts in found])
        place = {key: i for i, key in enumerate(keys)}
        column = np.concatenate([np.array([*(place[key] for key in p.keys), -1])[p.column] for p in found])
        order = np.argsort(column, kind="stable")
        ends = np.searchsorted(column[order], np.arange(len(keys) + 1))
        planes = [
            np.concatenate([batch.summary.confidence for batch in batches])[order],
            np.concatenate([ZeroOne().rows(batch) for batch in batches])[order],
            np.concatenate(_weights(batches))[order],
        ]
        for start, end in pairwise(ends):
            scores, outcomes, weights = (plane[start:end] for plane in planes)
            yield scores, outcomes, weights


def given_groups(predictions: Predictions) -> NDArray[Any]:
    """Return the groups of the rows (n,); ``DataError`` where there are none."""
    groups = predictions.groups
    if groups is None:
        raise DataError(sentence("predictions", "have groups to be measured by group", way_out="pass groups="))
    return groups


def union(several: Sequence[Keys]) -> Keys:
    """Return all keys in order; ``DataError`` where text and numbers are mixed."""
    if all(keys == several[0] for keys in several):
        return several[0]
    try:
        return tuple(sorted({key for keys in several for key in keys}))  # type: ignore[type-var]
    except TypeError:
        raise DataError(sentence("groups of all batches", "be of one type", "numbers and text")) from None


def _weights(batches: Sequence[Predictions]) -> list[Floats]:
    return [batch.row_weights for batch in batches]


def _bins(scores: Floats, column: Ints, edges: Floats, columns: int, *, right: bool) -> NDArray[np.int32]:
    """Return the bin of each score (n,), -1 where it is in none; ``edges`` is (B+1,) shared or (C, B+1)."""
    if edges.ndim == 1:
        return np.where(column >= 0, bins_of(scores, edges, right=right), np.int32(-1))
    way_out = "name them all, as in notion=\"group(values=('a', 'b'))\", or use equal-width bins"
    same = len(edges) == columns
    require(same, "parts of a batch", "be those that the bins were found for", columns, way_out=way_out)
    bins = np.full(len(scores), -1, dtype=np.int32)
    order = np.argsort(column, kind="stable")
    ends = np.searchsorted(column[order], np.arange(columns + 1))
    for c in range(columns):
        rows = order[ends[c] : ends[c + 1]]
        bins[rows] = bins_of(scores[rows], edges[c], right=right)
    return bins


def _sums(cell: Ints, values: Floats, shape: tuple[int, int]) -> Floats:
    return np.bincount(cell, values, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)


def _spread(plane: NDArray[Any], rows: list[int], columns: int) -> NDArray[Any]:
    wide = np.zeros((columns, plane.shape[1]), dtype=plane.dtype)
    wide[rows] = plane
    return wide
