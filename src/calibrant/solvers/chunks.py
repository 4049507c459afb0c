"""The calibration rows of a fit that reads them in batches, again for each pass, and never holds the scores.

The first read checks the rows and leaves a few columns a row, what stands for exact zeros, and a thin sample; later
ones sum the derivatives of the log loss. The sums, and so the fit, are those of all rows in one batch, to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import DataError, require, sentence
from calibrant.predictions import Predictions, as_predictions
from calibrant.provenance import Fingerprint
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import Derivatives, Problem, thin_step
from calibrant.solvers.zeros import floor_of, without_zeros
from calibrant.validation import frozen

Floats = NDArray[np.float64]

# So few entries are joined to one batch: reading them twice would cost more than holding them.
_FEW_ENTRIES = 1 << 20


class Rereadable(ABC):
    """Batches of predictions that can be read many times, and without checks once they have been read."""

    @abstractmethod
    def __iter__(self) -> Iterator[Predictions]:
        """Yield the batches, checked."""

    @abstractmethod
    def again(self) -> Iterator[Predictions]:
        """Yield the same batches without another look at their scores."""


Source = Iterable[Predictions]


@dataclass(frozen=True, eq=False)
class _Column:
    """What is held of one batch: its rows as given, then of those with a weight the top class and the weight."""

    given: int
    top: NDArray[np.int32]
    weights: Floats
    zeros: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class ChunkedRows:
    """Rows of a fit in batches.

    Attributes
    ----------
    k, classes, fingerprint, ids, row_keys : as of all rows in one batch; ``len`` counts those with a weight.
    floor : what stands for exact zeros. ``mass`` : the sum of the weights.
    """

    source: Source
    k: int
    classes: tuple[str, ...] | None
    fingerprint: str
    ids: bool | None
    row_keys: NDArray[np.uint64]
    floor: float
    mass: float
    columns: tuple[_Column, ...]
    problem: Problem

    def __len__(self) -> int:
        return sum(len(one.top) for one in self.columns)


def read(source: Source, zero: float | None, check: Callable[[Predictions], None]) -> ChunkedRows:
    """Read the batches once or, where zeros must be replaced by what only the whole tells, twice.

    ``zero`` is what stands for exact zeros, or None; ``check`` raises for a batch that does not suit.
    """
    reader = _Reader(zero, check)
    for batch in source:
        reader.add(batch)
    require(reader.mass > 0, "weights", "be positive in at least one row", "no such row")
    columns = tuple(reader.columns)
    floor = reader.floor
    gap, widest = reader.gap, reader.widest
    if zero is None and any(one.zeros for one in columns):
        for batch, one in _again(source, columns):
            if one.zeros:
                more, wider = _gap(without_zeros(batch, floor))
                gap, widest = gap + more, max(widest, wider)

    def derivatives(beta: float) -> Derivatives:
        total = np.zeros(3)
        for batch, one in _again(source, columns):
            scores = (without_zeros(batch, floor) if one.zeros else batch).scores
            weights = one.weights / reader.mass
            sums = kernels.temperature_pass(
                scores, beta, logits=batch.logits, top=one.top, weights=weights, floor=FLOOR
            )
            total += sums.gradient, sums.curvature, sums.third
        return Derivatives(*total.tolist())

    problem = Problem(
        derivatives=derivatives,
        gap=gap / reader.mass,
        widest=widest,
        effective=reader.mass**2 / reader.squares,
        rows=reader.sample.rows,
        k=reader.k,
        thin=lambda: reader.sample.fit_rows(floor),
    )
    return ChunkedRows(
        source=source,
        k=reader.k,
        classes=reader.classes,
        fingerprint=reader.fingerprint.hexdigest(),
        ids=True if reader.keys else None,
        row_keys=np.concatenate(reader.keys) if reader.keys else np.zeros(0, np.uint64),
        floor=floor,
        mass=reader.mass,
        columns=columns,
        problem=problem,
    )


def joined_if_few(source: Source) -> Predictions | None:
    """Return all rows as one batch if they have few entries; ``DataError`` for what cannot be read again."""
    again = not isinstance(source, Iterator)
    way_out = "pass a list of batches, or calibrant.io.batches"
    require(again, "source", "be readable more than once", "an iterator", way_out=way_out)
    held, entries = list[Predictions](), 0
    for batch in source:
        held.append(_like(as_predictions(batch), held[0] if held else batch))
        entries += batch.scores.size
        if entries > _FEW_ENTRIES:
            return None
    require(bool(held), "source", "hold at least one batch", "none")
    return _joined(held)


class _Reader:
    """The sums of the first read."""

    def __init__(self, zero: float | None, check: Callable[[Predictions], None]) -> None:
        self.zero, self.check = zero, check
        self.first: Predictions | None = None
        self.fingerprint, self.sample = Fingerprint(), _Sample()
        self.columns: list[_Column] = []
        self.keys: list[NDArray[np.uint64]] = []
        self.k, self.floor = 0, np.inf
        self.classes: tuple[str, ...] | None = None
        self.mass = self.squares = self.gap = self.widest = 0.0

    def add(self, batch: Predictions) -> None:
        """Take one batch."""
        self.check(batch)
        if self.first is None:  # without its scores
            self.k, self.classes = batch.k, batch.classes
            self.first = replace(batch, scores=batch.scores[:0].copy(), _memo={})
        self.fingerprint.add(_like(batch, self.first).scores, batch.labels, batch.kind)
        if not batch.row_weights.any():
            self.columns.append(_Column(len(batch), np.zeros(0, np.int32), np.zeros(0), False))
            return
        given, batch = len(batch), batch.without_absent_rows()
        weights, lowest = batch.row_weights, batch.summary.lowest.min()
        zeros = bool(lowest == (-np.inf if batch.logits else 0.0))
        self.columns.append(_Column(given, batch.summary.top, weights, zeros))
        self.floor = min(self.floor, floor_of(batch, self.zero))
        self.mass, self.squares = self.mass + float(weights.sum()), self.squares + float(weights @ weights)
        if batch.ids is not None:
            self.keys.append(batch.row_keys)
        if not zeros or self.zero is not None:
            more, wider = _gap(without_zeros(batch, self.floor))
            self.gap, self.widest = self.gap + more, max(self.widest, wider)
        self.sample.add(batch)


class _Sample:
    """Every so-manieth row, as `FitRows.thinned` picks them from all."""

    def __init__(self) -> None:
        self.rows, self.step = 0, thin_step(1, 1)
        self.kept: list[Predictions] = []

    def add(self, batch: Predictions) -> None:
        """Take one batch, and thin the sample where it grows too large."""
        first, self.rows = self.rows, self.rows + len(batch)
        step = thin_step(self.rows, batch.k)
        if step > self.step and self.kept:
            self.kept = [_joined(self.kept).take(slice(None, None, step // self.step))]
        self.step = step
        if -first % step < len(batch):
            picked = batch.take(slice(-first % step, None, step))
            self.kept.append(replace(picked, scores=frozen(picked.scores.copy())))  # a view would hold the batch

    def fit_rows(self, floor: float) -> FitRows:
        """Return the sample, in the precision of the scores."""
        batch = without_zeros(_joined(self.kept), floor)
        return replace(FitRows.of(batch), scores=batch.scores)


def _again(source: Source, columns: tuple[_Column, ...]) -> Iterator[tuple[Predictions, _Column]]:
    """Yield the batches again, rows without weight left out, with what is held of them."""
    batches = source.again() if isinstance(source, Rereadable) else iter(source)
    for batch, one in zip_longest(batches, columns):
        same = batch is not None and one is not None and len(batch) == one.given
        require(same, "source", "give the same batches each time", "others", way_out="pass a list of batches")
        if len(one.top):
            yield batch.without_absent_rows(), one


def _gap(batch: Predictions) -> tuple[float, float]:
    """Return the weighted sum of max z - z_y, and the largest."""
    gaps = replace(FitRows.of(batch), scores=batch.scores).label_gaps()
    return -float(batch.row_weights @ gaps), -float(gaps.min())


def _like(batch: Predictions, first: Predictions) -> Predictions:
    """Return the batch; ``DataError`` unless it is of the kind of the first."""
    kinds = [
        (one.k, one.kind, one.scores.dtype.name, one.classes, one.labels is None, one.soft, one.ids is None)
        for one in (batch, first)
    ]
    if kinds[0] != kinds[1]:
        condition = "agree in classes, kind and precision of the scores, labels and ids"
        raise DataError(sentence("batches", condition, f"{batch!r} after {first!r}"))
    return batch


def _joined(batches: list[Predictions]) -> Predictions:
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
