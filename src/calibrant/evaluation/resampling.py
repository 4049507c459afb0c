"""Replicates of the sums of measures: the Poisson bootstrap and redrawn labels.

Bootstrap: every row gets an independent Poisson(1) weight per replicate (Chamandy et al., 2012), keyed by its id, so
that shards and streams give the same replicates. Null: labels are redrawn from the predicted probabilities
(consistency resampling, Broecker and Smith, 2007): what a perfectly calibrated model with the same scores shows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.metrics import Metric
from calibrant.metrics.tests.redraw import redrawn
from calibrant.predictions import Predictions

Sums = dict[Hashable, Any]
FEWEST_ROWS = 10  # fewer tell nothing by resampling or splitting
_NULL_STREAM = 0x6E756C6C  # keeps redrawn labels apart from bootstrap weights
_AT_ONCE = 2 * kernels.LANES  # replicates
_ROWS_AT_ONCE = 1 << 16  # whose weights in these replicates take 8 MB


def gather(metrics: Mapping[Hashable, Metric], predictions: Predictions) -> Sums:
    """Return the sums of one batch, one entry for all measures that share them."""
    return {key: metric.sums(predictions) for key, metric in metrics.items()}


def merge(left: Sums | None, right: Sums) -> Sums:
    """Return the sums of both sets of rows."""
    return right if left is None else {key: left[key].merge(sums) for key, sums in right.items()}


def bootstrap(
    metrics: Mapping[Hashable, Metric], predictions: Predictions, *, replicates: int, seed: int
) -> Iterator[Sums]:
    """Yield the sums of each Poisson bootstrap replicate of one batch."""
    pieces = [predictions.take(rows) for rows in _row_blocks(len(predictions))]
    for first in range(0, replicates, _AT_ONCE):
        wanted = range(first, min(first + _AT_ONCE, replicates))
        drawn: list[Sums | None] = [None] * len(wanted)
        for piece in pieces:
            for r, sums in enumerate(_reweighted(metrics, piece, wanted, seed)):
                drawn[r] = merge(drawn[r], sums)
        yield from (sums for sums in drawn if sums is not None)


def _reweighted(
    metrics: Mapping[Hashable, Metric], predictions: Predictions, replicates: range, seed: int
) -> Iterator[Sums]:
    """Yield the sums of several replicates of one batch, which the measures gather together."""
    own, weights = predictions.row_weights, np.empty((len(predictions), len(replicates)))
    for column, replicate in enumerate(replicates):
        weights[:, column] = kernels.poisson_weights(predictions.row_keys, seed, replicate) * own
    gathered = {key: metric.reweighted_sums(predictions, weights) for key, metric in metrics.items()}
    for column in range(len(replicates)):
        yield {key: several[column] for key, several in gathered.items()}


def _row_blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _ROWS_AT_ONCE, n)) for start in range(0, n, _ROWS_AT_ONCE)]


def null(metrics: Mapping[Hashable, Metric], predictions: Predictions, *, replicates: int, seed: int) -> Iterator[Sums]:
    """Yield the sums of one batch with labels redrawn from its probabilities, once for each replicate."""
    known = gather(metrics, predictions)
    for labels in redrawn_labels(predictions, replicates=replicates, seed=seed):
        relabelled = predictions.relabelled(labels)
        yield {key: metric.relabelled_sums(known[key], relabelled) for key, metric in metrics.items()}


def redrawn_labels(predictions: Predictions, *, replicates: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield labels (n,) drawn from the predicted probabilities, the same for the same ids, seed and replicate."""
    drawn = redrawn(predictions, replicates, seed, stream=_NULL_STREAM)
    yield from (labels.astype(np.int64) for labels in drawn)
