"""Batches of predictions that are read again and again: what they must be, and all as one where they are few."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, require, sentence
from calibrant.predictions import Predictions, as_predictions
from calibrant.validation import frozen

# So few entries are joined to one batch: reading them twice would cost more than holding them.
_FEW_ENTRIES = 1 << 20


class Rereadable(ABC):
    """Batches of predictions that can be read many times, and without checks once they have been read."""

    @abstractmethod
    def __iter__(self) -> Iterator[Predictions]:
        """Yield the batches, checked."""

    @abstractmethod
    def again(self) -> Iterator[Predictions]:
        """Yield the same batches without another look at their scores, each good until the next is asked for."""


Source = Iterable[Predictions]


def joined_if_few(source: Source) -> Predictions | None:
    """Return all rows as one batch if they have few entries; ``DataError`` for what cannot be read again."""
    again = not isinstance(source, Iterator)
    way_out = "pass a list of batches, or calibrant.io.batches"
    require(again, "source", "be readable more than once", "an iterator", way_out=way_out)
    held, entries = list[Predictions](), 0
    for batch in source:
        held.append(alike(as_predictions(batch), held[0] if held else batch))
        entries += batch.scores.size
        if entries > _FEW_ENTRIES:
            return None
    require(bool(held), "source", "hold at least one batch", "none")
    return joined(held)


def alike(batch: Predictions, first: Predictions) -> Predictions:
    """Return the batch; ``DataError`` unless it is of the kind of the first."""
    kinds = [
        (one.k, one.kind, one.scores.dtype.name, one.classes, one.labels is None, one.soft, one.ids is None)
        for one in (batch, first)
    ]
    if kinds[0] != kinds[1]:
        condition = "agree in classes, kind and precision of the scores, labels and ids"
        raise DataError(sentence("batches", condition, f"{batch!r} after {first!r}"))
    return batch


def joined(batches: list[Predictions]) -> Predictions:
    """Return the rows of batches that are alike as one batch, without features and groups."""
    if len(batches) == 1:
        return batches[0]
    some = any(one.weights is not None for one in batches)
    first = batches[0]
    return replace(
        first,
        scores=_rows([one.scores for one in batches]),
        labels=None if first.labels is None else _rows([one.labels for one in batches]),
        weights=_rows([one.row_weights for one in batches]) if some else None,
        ids=None if first.ids is None else _rows([one.ids for one in batches]),
        features=None,
        groups=None,
        positions=None,
        start=None,
        _memo={},
    )


def _rows(parts: list[Any]) -> NDArray[Any]:
    return frozen(np.concatenate(parts))
