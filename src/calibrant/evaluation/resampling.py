"""Replicates of the sums of measures: the Poisson bootstrap and redrawn labels.

Bootstrap: every row gets an independent Poisson(1) weight per replicate (Chamandy et al., 2012), keyed by its id, so
that shards and streams give the same replicates. Null: labels are redrawn from the predicted probabilities
(consistency resampling, Broecker and Smith, 2007): what a perfectly calibrated model with the same scores shows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibrant import kernels
from calibrant.metrics import Metric
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.tests.redraw import relabellings
from calibrant.predictions import Predictions

Sums = dict[Hashable, Any]
Measures = Mapping[Hashable, Sequence[Metric]]  # by what they gather, at least one of each
FEWEST_ROWS = 10  # fewer tell nothing by resampling or splitting
_NULL_STREAM = 0x6E756C6C  # keeps redrawn labels apart from bootstrap weights
_AT_ONCE = 2 * kernels.LANES  # replicates
_ROWS_AT_ONCE = 1 << 16  # whose weights in these replicates take 8 MB


def one_of_each(measures: Measures) -> dict[Hashable, Metric]:
    """Return one measure for each kind of sums."""
    return {key: alike[0] for key, alike in measures.items()}


def gather(metrics: Mapping[Hashable, Metric], predictions: Predictions) -> Sums:
    """Return the sums of one batch, one entry for all measures that share them."""
    return {key: metric.sums(predictions) for key, metric in metrics.items()}


def merge(left: Sums | None, right: Sums) -> Sums:
    """Return the sums of both sets of rows."""
    return right if left is None else {key: left[key].merge(sums) for key, sums in right.items()}


@dataclass(frozen=True)
class Values:
    """The values of the measures of one key, in place of a replicate's rows that no further batch will join."""

    of: Mapping[Metric, float]


def bootstrap(
    measures: Measures, predictions: Predictions, *, replicates: int, seed: int, whole: bool = False
) -> Iterator[Sums]:
    """Yield the sums of each Poisson bootstrap replicate of one batch.

    If the batch is the ``whole`` of the data, `Values` stand for sums that keep rows.
    """
    metrics = one_of_each(measures)
    pieces = [predictions.take(rows) for rows in _row_blocks(len(predictions))]
    for first in range(0, replicates, _AT_ONCE):
        wanted = range(first, min(first + _AT_ONCE, replicates))
        drawn: list[Sums | None] = [None] * len(wanted)
        for piece in pieces:
            for r, sums in enumerate(_reweighted(metrics, piece, wanted, seed)):
                drawn[r] = merge(drawn[r], sums)
        found = (sums for sums in drawn if sums is not None)
        yield from (_valued(measures, sums) for sums in found) if whole else found


def _valued(measures: Measures, sums: Sums) -> Sums:
    def values(key: Hashable) -> Values:
        return Values({metric: metric.value(sums[key]) for metric in measures[key]})

    return {key: one if one.merging == "exact" else values(key) for key, one in sums.items()}


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


def null(
    measures: Measures, predictions: Predictions, *, replicates: int, seed: int, whole: bool = False
) -> Iterator[Sums]:
    """Yield the sums of one batch with labels redrawn from its probabilities, once for each replicate.

    If the batch is the ``whole`` of the data, `Values` stand for sums that keep rows.
    """
    known = gather(one_of_each(measures), predictions)
    for drawn in relabellings(predictions, replicates, seed, stream=_NULL_STREAM):
        several = {key: _relabelled(alike, known[key], drawn, whole) for key, alike in measures.items()}
        for r in range(len(drawn)):
            yield {key: one[r] for key, one in several.items()}


def _relabelled(alike: Sequence[Metric], sums: Any, drawn: Relabellings, whole: bool) -> list[Any]:
    """Return the sums under each label vector, or the values of the measures that share them."""
    if not whole or sums.merging == "exact":
        return alike[0].relabelled_many(sums, drawn)
    values = [metric.relabelled_values(sums, drawn) for metric in alike]
    return [Values(dict(zip(alike, one, strict=True))) for one in zip(*values, strict=True)]
