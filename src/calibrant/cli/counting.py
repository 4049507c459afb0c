"""Batches that are counted while a fit reads them; apart from `sources`, which must import at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calibrant.cli import document
from calibrant.predictions import Predictions
from calibrant.solvers.chunk_sources import Rereadable


class Counted(Rereadable):
    """Batches as they are; ``data`` tells the shape of all together, as the last iteration met them."""

    def __init__(self, batches: Iterable[Predictions]) -> None:
        self.batches = batches
        self.data: document.Document = {}

    def __iter__(self) -> Iterator[Predictions]:
        rows = 0
        for batch in self.batches:
            rows += len(batch)
            self.data = {**document.shape(batch), "n": rows}
            yield batch

    def again(self) -> Iterator[Predictions]:
        """Yield the batches unchecked."""
        return self.batches.again() if isinstance(self.batches, Rereadable) else iter(self.batches)
