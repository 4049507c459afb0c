"""Which rows a map was fitted on, so that nobody takes a figure on them for a figure on new rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
