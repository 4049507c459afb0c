"""The rows as they came, for measures that look at pairs of rows or fit something: memory grows with the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import validation
from calibrant.errors import require
from calibrant.predictions import Predictions
from calibrant.statistics.base import Merging, Statistic


@dataclass(frozen=True, eq=False)
class Collected(Statistic):
    """Batches of one classifier, and the one batch that they make together.

    A batch without ids, positions or a start of its own begins where the ones before it end: no two of its rows have
    the key of another. ``DataError`` for logits beside probabilities, or another number of classes.
    """

    batches: tuple[Predictions, ...]

    def __post_init__(self) -> None:
        first, last = (f"{batch.kind}, {batch.k} classes" for batch in (self.batches[0], self.batches[-1]))
        require(first == last, "merged batches", "hold the same kind of scores", f"{first} and {last}")

    @property
    def merging(self) -> Merging:
        """Rows are kept."""
        return "collecting"

    def merge(self, other: Collected) -> Collected:
        """Return the rows of both."""
        return Collected(self.batches + other.batches)

    @cached_property
    def pooled(self) -> Predictions:
        """All rows of positive weight, in the order of their keys: it does not matter how they were cut."""
        whole = joined(_placed(self.batches)).without_absent_rows()
        keys = whole.row_keys
        return whole if bool((keys[1:] >= keys[:-1]).all()) else whole.take(np.argsort(keys, kind="stable"))


def _placed(batches: tuple[Predictions, ...]) -> tuple[Predictions, ...]:
    """Return the batches, each without a place of its own starting where the ones before it end."""
    if len(batches) == 1:
        return batches
    end, placed = 0, []
    for batch in batches:
        homeless = batch.ids is None and batch.positions is None and batch.start is None
        placed.append(batch.starting_at(end) if homeless else batch)
        if batch.ids is None:
            end = max(end, 1 + int(placed[-1].row_keys.max()))
    return tuple(placed)


def joined(batches: tuple[Predictions, ...]) -> Predictions:
    """Return one batch of the rows of several, which keep their ids or positions; the batch itself where it is one."""
    first = batches[0]
    if len(batches) == 1:
        return first
    weighted = any(batch.weights is not None for batch in batches)
    return replace(
        first,
        scores=validation.frozen(np.concatenate([batch.scores for batch in batches])),
        labels=_column([batch.labels for batch in batches]),
        weights=np.concatenate([batch.row_weights for batch in batches]) if weighted else None,
        features=_column([batch.features for batch in batches]),
        groups=_column([batch.groups for batch in batches]),
        ids=_column([batch.ids for batch in batches]),
        positions=None if first.ids is not None else np.concatenate([batch.row_keys for batch in batches]),
        _memo={},
    )


def _column(parts: list[NDArray[Any] | None]) -> NDArray[Any] | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if len(present) == len(parts) else None
