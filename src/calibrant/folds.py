"""Splits of rows into folds, keyed by row ids, and out-of-fold predictions.

Folds are stratified by label; rows that share an id stay together, in the stratum of their first class. A split depends
on the ids, the labels, the seed and the repeat alone, not on the order of the rows; nor, where rows of an id have one
label, on that of the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import require
from calibrant.predictions import Predictions

_STREAM = 0x666F6C64  # keeps the folds' random numbers apart from those of the resampling


def assign(predictions: Predictions, folds: int, *, seed: int = 0, repeat: int = 0) -> NDArray[np.int64]:
    """Return the fold of each row (n,), 0..folds-1; each class is spread as evenly as its rows allow.

    Raises
    ------
    DataError : if there are fewer distinct rows than folds.
    """
    keys, inverse = np.unique(predictions.row_keys, return_inverse=True)
    require(folds >= 2, "folds", "be at least 2", folds)
    require(len(keys) >= folds, "predictions", f"have at least {folds} distinct rows for {folds} folds", len(keys))
    labels = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(labels, inverse, strata(predictions))
    chance = kernels.uniforms(keys, seed ^ _STREAM, repeat)
    # Classes follow one another by the least number drawn in each: how they are named and ordered does not matter.
    _, stratum = np.unique(labels, return_inverse=True)
    least = np.full(stratum.max() + 1, np.inf)
    np.minimum.at(least, stratum, chance)
    order = np.lexsort((chance, least[stratum]))
    fold = np.empty(len(keys), dtype=np.int64)
    fold[order] = np.arange(len(keys)) % folds
    return fold[inverse]


def strata(predictions: Predictions) -> NDArray[np.int64]:
    """Return the label of each row (n,), of soft labels the likeliest; zeros without labels."""
    labels = predictions.labels
    if labels is None:
        return np.zeros(len(predictions), dtype=np.int64)
    return labels.argmax(1) if predictions.soft else predictions.hard_labels


def out_of_fold(
    predictions: Predictions,
    learn: Callable[[Predictions], Callable[[Predictions], Predictions]],
    fold: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], Predictions]]:
    """Yield (row numbers, their repaired predictions) of each fold; the map was learnt on the other folds."""
    for held in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == held)
        yield rows, learn(predictions.take(fold != held))(predictions.take(rows))
