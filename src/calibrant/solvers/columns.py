"""One class at a time: the columns of a matrix of probabilities, read and written in blocks that the cache can hold.

A column of a row-major matrix touches one cache line an entry; transposing a block of classes reads every line once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions
from calibrant.solvers.zeros import kept_positive

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

_BLOCK = 1 << 21  # entries of the transposed copy: 16 MB


def columns(probabilities: Scores, floor: float) -> Iterator[tuple[int, Floats]]:
    """Yield each class with its probabilities (n,), contiguous float64, strictly between 0 and 1.

    0 counts as ``floor`` and 1 as the number of its dtype just below it.
    """
    n, k = probabilities.shape
    width = max(1, _BLOCK // n)
    dtype = np.finfo(probabilities.dtype)
    low, high = max(floor, float(dtype.smallest_subnormal)), 1 - float(dtype.epsneg)
    for first in range(0, k, width):
        block = np.array(probabilities[:, first : first + width].T, dtype=np.float64, order="C")  # (width, n), a copy
        block[block == 0] = low
        yield from enumerate(np.minimum(block, high, out=block), first)


def map_columns(predictions: Predictions, floor: float, mapped: Callable[[int, Floats], Floats]) -> Scores:
    """Return the rows (n, k) of ``mapped(class, column)``, each divided by its sum, in the dtype of the scores."""
    probabilities = predictions.probabilities
    n, k = probabilities.shape
    out, sums = np.empty_like(probabilities), np.zeros(n)
    width = max(1, _BLOCK // n)
    buffer = np.empty((min(width, k), n))
    for c, column in columns(probabilities, floor):
        buffer[c % width] = mapped(c, column)
        sums += buffer[c % width]
        if c % width == width - 1 or c == k - 1:
            first = c - c % width
            out[:, first : c + 1] = buffer[: c + 1 - first].T
    return divided(out, sums, predictions)


def divided(values: Scores, sums: Floats, fallback: Predictions) -> Scores:
    """Return ``values`` (n, k), divided in place by the row ``sums`` (n,); a row of sum 0 keeps its probabilities."""
    empty = sums == 0
    values /= np.where(empty, 1.0, sums)[:, None].astype(values.dtype)
    if empty.any():
        values[empty] = fallback.probabilities[empty]
    return kept_positive(values)


def effective_weights(predictions: Predictions) -> Floats:
    """Return the weights (n,) scaled to sum to the effective number of rows, the unit of pseudo-rows."""
    weights = predictions.row_weights
    share: float = predictions.effective_rows / float(weights.sum())
    return weights * share


def label_mass(predictions: Predictions, c: int) -> Floats:
    """Return the label mass of class ``c`` in each row (n,): 0 or 1 for hard labels."""
    if predictions.soft:
        assert predictions.labels is not None
        soft: Floats = np.ascontiguousarray(predictions.labels[:, c], dtype=np.float64)
        return soft
    hard: Floats = (predictions.hard_labels == c).astype(np.float64)
    return hard
