"""Approximate search through libraries, by name; each is imported when its index is made.

faiss: an inverted file over k-means cells, of which those nearest to the query are searched. Its answers do not depend
on the number of threads, unlike those of graphs that several threads build. The measurements that led to it are in
docs/decisions. Few rows are searched exactly: an index would gain nothing.
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
_CELLS = 4  # times the root of the number of rows
_PROBED = 24  # cells that are searched for each query
_PASSES = 10  # of k-means: more change the cells, and hardly what is found


class ExactIndex:
    """All rows, by products of matrices."""

    def __init__(self, rows: Coordinates) -> None:
        self._references = References.of(rows, np.ones(len(rows)), None, single=False)

    def search(self, queries: Coordinates, count: int) -> Neighbours:
        """Return the nearest rows."""
        return nearest(self._references, queries, None, count)


class FaissIndex:
    """Rows in cells of an inverted file, in single precision."""

    def __init__(self, rows: Coordinates) -> None:
        faiss, (n, d) = _faiss(), rows.shape
        single = np.ascontiguousarray(rows, dtype=np.float32)
        cells = int(_CELLS * math.sqrt(n))
        self._cells = faiss.IndexFlatL2(d)
        self._index = faiss.IndexIVFFlat(self._cells, d, cells)
        self._index.cp.niter = _PASSES
        self._index.train(single)
        self._index.add(single)
        self._index.nprobe = min(_PROBED, cells)

    def search(self, queries: Coordinates, count: int) -> Neighbours:
        """Return rows near each query; where the cells that are searched hold fewer, the last are -1."""
        squared, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), count)
        found = np.where(rows >= 0, squared.astype(np.float64), np.inf)
        return Neighbours(rows=rows.astype(np.int64, copy=False), squared_distances=found)


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
