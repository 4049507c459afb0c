"""Which rows a map was fitted on, so that nobody takes a figure on them for a figure on new rows."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HASHED_BYTES = 1 << 20  # of the scores, in evenly spaced rows: a fingerprint, not a proof


def fingerprint(scores: NDArray[np.floating], labels: NDArray[Any] | None, kind: str) -> str:
    """Return a short hash of the shape, the labels and evenly spaced rows of scores (n, k)."""
    seen = Fingerprint()
    seen.add(scores, labels, kind)
    return seen.hexdigest()


class Fingerprint:
    """The fingerprint of rows that come in batches: the same however they are cut."""

    def __init__(self) -> None:
        self._shape, self._rows, self._step = "", 0, 1
        self._kept: list[NDArray[np.floating]] = []
        self._labels = blake2b(digest_size=16)

    def add(self, scores: NDArray[np.floating], labels: NDArray[Any] | None, kind: str) -> None:
        """Take the rows of one batch; every row whose position is a multiple of a power of two is kept."""
        n, k = scores.shape
        first, self._rows = self._rows, self._rows + n
        self._shape = f"{self._rows},{k},{scores.dtype.str},{kind}"
        step = self._step
        while self._rows > step and -(-self._rows // step) * k * scores.itemsize > _HASHED_BYTES:
            step *= 2
        if step > self._step:
            self._kept = [np.concatenate(self._kept)[:: step // self._step]] if self._kept else []
            self._step = step
        self._kept.append(scores[-first % step :: step].copy())
        if labels is not None:
            self._labels.update(np.ascontiguousarray(labels).tobytes())

    def hexdigest(self) -> str:
        """Return the fingerprint."""
        digest = blake2b(self._shape.encode(), digest_size=16)
        for rows in self._kept:
            digest.update(np.ascontiguousarray(rows).tobytes())
        digest.update(self._labels.digest())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, kw_only=True)
class Provenance:
    """The rows that a map was fitted on, and the batch that it was applied to, by fingerprint and by keys of ids."""

    fitted_on: str
    fitted_keys: NDArray[np.uint64] | None
    applied_to: str

    def shared_rows(self, rows: int, keys: NDArray[np.uint64] | None) -> int:
        """Return how many of the rows the map was fitted on: by the ``keys`` of their ids, else by fingerprint."""
        if self.fitted_keys is not None and keys is not None:
            return int(np.isin(keys, self.fitted_keys).sum())
        return rows if self.fitted_on == self.applied_to else 0
