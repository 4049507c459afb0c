"""The nearest rows: exact, by blocks of products of matrices; and what an index for an approximate search must do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant.neighbourhood.references import Coordinates, References, Rows

Floats = NDArray[np.float64]

_SHARE = 4  # of the memory of a block that its products may take: their order needs twice as much again


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The nearest reference rows of m queries, nearest first.

    Attributes
    ----------
    rows : (m, s) row numbers; -1 where an approximate search found none.
    squared_distances : (m, s) in the units of the space, infinite where there is none.
    """

    rows: Rows
    squared_distances: Floats

    @property
    def distances(self) -> Floats:
        """The distances (m, s)."""
        return np.asarray(np.sqrt(self.squared_distances))


class Index(Protocol):
    """A structure over rows (n, d) that finds most of the nearest ones fast."""

    def search(self, queries: Coordinates, count: int) -> Neighbours:
        """Return ``count`` rows near each query, nearest first."""


def nearest(references: References, queries: Coordinates, own: Rows | None, count: int) -> Neighbours:
    """Return the ``count`` nearest references of each query (m, d); all others where there are fewer.

    Candidates come from the products; their distances are computed anew from differences, in double precision: copies
    have distance 0. Of rows at the same distance the lower number comes first. O(m n d).
    """
    count = min(count, references.n - (own is not None))
    rows, squared = np.empty((len(queries), count), np.int64), np.empty((len(queries), count))
    for block in replace(references, block_bytes=references.block_bytes // _SHARE).blocks(queries, own):
        rough = block.squared(references)
        some = np.argpartition(rough, count - 1, axis=1)[:, :count] if count else np.empty((len(rough), 0), np.int64)
        rows[block.rows], squared[block.rows] = _ordered(references.rows, queries[block.rows], some)
    return Neighbours(rows=rows, squared_distances=squared)


def _ordered(references: Coordinates, queries: Coordinates, some: Rows) -> tuple[Rows, Floats]:
    """Return the candidates (b, s) by distance, and their squared distances."""
    some = np.sort(some, axis=1)
    differences = references[some].astype(np.float64) - queries[:, None, :]
    squared = np.einsum("isj,isj->is", differences, differences)
    order = np.argsort(squared, axis=1, kind="stable")
    return np.take_along_axis(some, order, 1), np.take_along_axis(squared, order, 1)


def without_own(found: Neighbours, own: Rows) -> Neighbours:
    """Return the neighbours (m, s) of rows that are references themselves, less those, or else the last, (m, s-1)."""
    mine = found.rows == own[:, None]
    mine[~mine.any(1), -1] = True
    shape = (len(own), found.rows.shape[1] - 1)
    return Neighbours(
        rows=found.rows[~mine].reshape(shape), squared_distances=found.squared_distances[~mine].reshape(shape)
    )
