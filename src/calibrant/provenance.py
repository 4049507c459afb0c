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
    n, k = scores.shape
    step = max(1, n * k * scores.itemsize // _HASHED_BYTES)
    digest = blake2b(f"{n},{k},{scores.dtype.str},{kind}".encode(), digest_size=16)
    for array in (scores[::step], labels):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
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
