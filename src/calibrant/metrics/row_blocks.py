"""Probabilities and residuals of a few rows at a time, in float64: no temporary of the size of the scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
_ENTRIES = 1 << 19  # of a block: 4 MB in float64


def slices(n: int, k: int) -> Iterator[slice]:
    """Yield slices that cover n rows of k classes, each of a few megabytes."""
    step = max(1, _ENTRIES // k)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


@dataclass(frozen=True, eq=False)
class Rows:
    """Access to the rows of labelled predictions: probabilities p and residuals e_y - p (soft labels: q - p)."""

    predictions: Predictions

    @cached_property
    def _labels(self) -> NDArray[Any]:
        assert self.predictions.labels is not None
        return self.predictions.labels

    def probabilities(self, rows: Any) -> Floats:
        """Return the probabilities of some rows (m, k)."""
        batch = self.predictions
        scores = batch.scores[rows].astype(np.float64)
        return np.asarray(np.exp(scores - batch.summary.total[rows][:, None]) if batch.logits else scores)

    def residuals(self, rows: Any, p: Floats) -> Floats:
        """Return the residuals (m, k) of rows whose probabilities are ``p``."""
        labels = self._labels[rows]
        if labels.ndim == 2:
            return np.asarray(labels - p)
        out = -p
        out[np.arange(len(p)), labels] += 1
        return out
