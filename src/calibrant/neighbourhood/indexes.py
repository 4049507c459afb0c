"""Approximate search through libraries, by name; each is imported when its index is made.

faiss: an inverted file over k-means cells; in those nearest to the query candidates are found by 4-bit codes (product
quantisation) and ordered by their distances. It is built in seconds, and the same when it is built again, unlike
graphs that several threads build; docs/decisions has the measurements. Few rows are searched exactly: an index would
gain nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from calibrant.errors import MissingExtra, require, sentence
from calibrant.neighbourhood.neighbours import Index, Neighbours, nearest
from calibrant.neighbourhood.references import Coordinates, References

FEW = 10_000  # rows that are searched exactly
_CELLS = 2  # times the root of the number of rows
_PROBED = 32  # cells that are searched for each query
_TOGETHER = 1024  # queries: the library takes more in an order that is a quarter slower
_TAUGHT, _ROUNDS = 40, 10  # rows a cell that place the centres, and rounds: more of either find no more neighbours
_CANDIDATES = 4  # by their codes, for each row that is asked for


class ExactIndex:
    """All rows, by products of matrices."""

    def __init__(self, rows: Coordinates) -> None:
        self._references = References.of(rows, np.ones(len(rows)), None, single=False)

    def search(self, queries: Coordinates, count: int) -> Neighbours:
        """Return the nearest rows."""
        return nearest(self._references, queries, None, count)


class FaissIndex:
    """Rows in cells of an inverted file, in single precision, filled up to an even number of coordinates."""

    def __init__(self, rows: Coordinates) -> None:
        faiss, (n, d) = _faiss(), rows.shape
        self._width = d + d % 2
        self._index = faiss.index_factory(
            self._width, f"IVF{int(_CELLS * math.sqrt(n))},PQ{self._width // 2}x4fs,RFlat"
        )
        inverted = faiss.extract_index_ivf(self._index)
        inverted.cp.min_points_per_centroid = 1  # says nothing of cells with few rows
        inverted.cp.max_points_per_centroid, inverted.cp.niter = _TAUGHT, _ROUNDS
        self._index.train(self._laid(rows))
        self._index.add(self._laid(rows))
        self._index.k_factor, inverted.nprobe = _CANDIDATES, _PROBED

    def _laid(self, rows: Coordinates) -> Coordinates:
        out = np.zeros((len(rows), self._width), np.float32)
        out[:, : rows.shape[1]] = rows
        return out

    def search(self, queries: Coordinates, count: int) -> Neighbours:
        """Return rows near each query; where the cells that are searched hold fewer, the last are -1."""
        rows, squared = np.empty((len(queries), count), np.int64), np.empty((len(queries), count))
        for start in range(0, len(queries), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            squared[some], rows[some] = self._index.search(self._laid(queries[some]), count)
        return Neighbours(rows=rows, squared_distances=np.where(rows >= 0, squared, np.inf))


INDEXES: dict[str, Callable[[Coordinates], Index]] = {"faiss": FaissIndex}


def index_of(backend: str, rows: Coordinates) -> Index:
    """Return an index of a backend over ``rows`` (n, d)."""
    return ExactIndex(rows) if backend == "exact" or len(rows) <= FEW else INDEXES[backend](rows)


def check_backend(backend: str) -> None:
    """Raise ``DataError`` unless the backend is known."""
    known = ("exact", *INDEXES)
    require(backend in known, "backend", f"be one of {known}", repr(backend))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        condition, way_out = "be installed for the backend 'faiss'", "pip install 'calibrant[neighbours]'"
        raise MissingExtra(sentence("faiss", condition, way_out=way_out)) from None
    return faiss
