"""The calibration rows of a fit that reads them in batches, again for each pass, and never holds the scores.

The first read checks the rows and leaves a few columns a row, what stands for exact zeros, and a thin sample; later
ones sum the derivatives of the log loss. The sums, and so the fit, are those of all rows in one batch, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import require
from calibrant.predictions import Predictions
from calibrant.provenance import Fingerprint
from calibrant.solvers.chunk_sources import Rereadable, Source, alike, joined
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.temperature import Derivatives, InverseTemperature, Problem, solved, thin_step
from calibrant.solvers.zeros import floor_of, without_zeros
from calibrant.validation import frozen

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Column:
    """What is held of one batch: its rows as given, then of those with a weight a few numbers each."""

    given: int
    top: NDArray[np.int32]
    total: Floats
    weights: Floats
    zeros: bool


@dataclass(frozen=True, eq=False)
class _LabelSums:
    """Weighted sums of max z - z_y, and of the labels' mass and log-probabilities (k,); and the largest max z - z_y."""

    gap: float
    widest: float
    mass: Floats
    moment: Floats

    @classmethod
    def of(cls, batch: Predictions) -> _LabelSums:
        rows, w = replace(FitRows.of(batch), scores=batch.scores), batch.row_weights
        gaps, (mass, moment) = rows.label_gaps(), rows.label_sums()
        return cls(-float(w @ gaps), -float(gaps.min()), w.sum() * mass, w.sum() * moment)

    def merge(self, other: _LabelSums) -> _LabelSums:
        mass, moment = self.mass + other.mass, self.moment + other.moment
        return _LabelSums(self.gap + other.gap, max(self.widest, other.widest), mass, moment)


@dataclass(frozen=True, eq=False, kw_only=True)
class ChunkedRows:
    """Rows of a fit in batches.

    Attributes
    ----------
    k, dtype, classes, fingerprint, ids, row_keys : as of all rows in one batch; ``len`` counts those with a weight.
    floor : what stands for exact zeros. ``mass`` : the sum of the weights. ``effective`` : Kish's number of rows.
    """

    source: Source
    k: int
    dtype: np.dtype[Any]
    classes: tuple[str, ...] | None
    fingerprint: str
    ids: bool | None
    row_keys: NDArray[np.uint64]
    floor: float
    mass: float
    effective: float
    columns: tuple[_Column, ...]
    labels: _LabelSums
    sample: FitRows

    def __len__(self) -> int:
        return sum(len(one.top) for one in self.columns)

    def pull(self, prior: float) -> float:
        """Return the share of the fit that ``prior`` pseudo-rows have."""
        return prior / (self.effective + prior)

    def temperature(self, prior: float | None = None) -> InverseTemperature:
        """Return the best inverse temperature; see `solvers.temperature`."""
        problem = Problem(
            derivatives=self.derivatives,
            gap=self.labels.gap / self.mass,
            widest=self.labels.widest,
            effective=self.effective,
            rows=len(self),
            k=self.k,
            thin=lambda: self.sample,
        )
        return solved(problem, prior)

    def spread(self, beta: float) -> float:
        """Return the second derivative of the log loss in beta."""
        return self.derivatives(beta).curvature

    def label_sums(self) -> tuple[Floats, Floats]:
        """Return the label mass of each class and its log-probabilities (k,)."""
        return self.labels.mass / self.mass, self.labels.moment / self.mass

    def derivatives(self, beta: float) -> Derivatives:
        """Return the derivatives of the log loss, in one pass."""
        total = np.zeros(3)
        for batch, one, weights in self._again():
            sums = kernels.temperature_pass(
                batch.scores, beta, logits=batch.logits, top=one.top, weights=weights, floor=FLOOR
            )
            total += sums.gradient, sums.curvature, sums.third
        return Derivatives(*total.tolist())

    def affine_sums(self, scale: Floats, shift: Floats) -> kernels.AffineSums:
        """Return the sums of a softmax of scale_c u_ic + shift_c, in one pass."""
        log_normalizer, planes = 0.0, np.zeros((5, self.k))
        for batch, one, weights in self._again():
            sums = kernels.affine_pass(
                batch.scores, scale, shift, logits=batch.logits, total=one.total, weights=weights, floor=FLOOR
            )
            log_normalizer += sums.log_normalizer
            planes += np.vstack([sums.mass, sums.moment, sums.curvature])
        return kernels.AffineSums(log_normalizer, planes[0], planes[1], planes[2:])

    def _again(self) -> Iterator[tuple[Predictions, _Column, Floats]]:
        for batch, one in _again(self.source, self.columns):
            yield (without_zeros(batch, self.floor) if one.zeros else batch), one, one.weights / self.mass


def read(source: Source, zero: float | None, check: Callable[[Predictions], None]) -> ChunkedRows:
    """Read the batches once or, where zeros must be replaced by what only the whole tells, twice.

    ``zero`` is what stands for exact zeros, or None; ``check`` raises for a batch that does not suit.
    """
    reader = _Reader(zero, check)
    for batch in source:
        reader.add(batch)
    require(reader.mass > 0, "weights", "be positive in at least one row", "no such row")
    columns, labels = tuple(reader.columns), reader.labels
    if zero is None and any(one.zeros for one in columns):
        columns, labels = _without_zeros(source, columns, reader.floor, labels)
    assert labels is not None
    return ChunkedRows(
        source=source,
        k=reader.k,
        dtype=reader.dtype,
        classes=reader.classes,
        fingerprint=reader.fingerprint.hexdigest(),
        ids=True if reader.keys else None,
        row_keys=np.concatenate(reader.keys) if reader.keys else np.zeros(0, np.uint64),
        floor=reader.floor,
        mass=reader.mass,
        effective=reader.mass**2 / reader.squares,
        columns=columns,
        labels=labels,
        sample=reader.sample.fit_rows(reader.floor),
    )


def _without_zeros(
    source: Source, columns: tuple[_Column, ...], floor: float, labels: _LabelSums | None
) -> tuple[tuple[_Column, ...], _LabelSums | None]:
    """Return columns and sums with those of the batches that have zeros, now that the floor is known."""
    fresh: dict[_Column, _Column] = {}
    for batch, one in _again(source, columns):
        if one.zeros:
            whole = without_zeros(batch, floor)
            fresh[one] = replace(one, total=whole.summary.total)
            labels = _merged(labels, _LabelSums.of(whole))
    return tuple(fresh.get(one, one) for one in columns), labels


def _merged(labels: _LabelSums | None, more: _LabelSums) -> _LabelSums:
    return more if labels is None else labels.merge(more)


class _Reader:
    """The sums of the first read."""

    def __init__(self, zero: float | None, check: Callable[[Predictions], None]) -> None:
        self.zero, self.check = zero, check
        self.first: Predictions | None = None
        self.fingerprint, self.sample = Fingerprint(), _Sample()
        self.columns: list[_Column] = []
        self.keys: list[NDArray[np.uint64]] = []
        self.k, self.floor = 0, np.inf
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self.classes: tuple[str, ...] | None = None
        self.mass = self.squares = 0.0
        self.labels: _LabelSums | None = None

    def add(self, batch: Predictions) -> None:
        """Take one batch."""
        self.check(batch)
        if self.first is None:  # without its scores
            self.k, self.classes, self.dtype = batch.k, batch.classes, batch.scores.dtype
            self.first = replace(batch, scores=batch.scores[:0].copy(), _memo={})
        self.fingerprint.add(alike(batch, self.first).scores, batch.labels, batch.kind)
        if batch.row_weights.any():
            self.columns.append(self._column(batch.without_absent_rows(), len(batch)))
        else:
            self.columns.append(_Column(len(batch), np.zeros(0, np.int32), np.zeros(0), np.zeros(0), False))

    def _column(self, batch: Predictions, given: int) -> _Column:
        """Take the rows with a weight of a batch of ``given`` rows."""
        weights, summary = batch.row_weights, batch.summary
        zeros = bool(summary.lowest.min() == (-np.inf if batch.logits else 0.0))
        self.floor = min(self.floor, floor_of(batch, self.zero))
        self.mass, self.squares = self.mass + float(weights.sum()), self.squares + float(weights @ weights)
        if batch.ids is not None:
            self.keys.append(batch.row_keys)
        self.sample.add(batch)
        if not zeros or self.zero is not None:
            batch = without_zeros(batch, self.floor)
            self.labels = _merged(self.labels, _LabelSums.of(batch))
        return _Column(given, summary.top, batch.summary.total, weights, zeros)


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
            self.kept = [joined(self.kept).take(slice(None, None, step // self.step))]
        self.step = step
        if -first % step < len(batch):
            picked = batch.take(slice(-first % step, None, step))
            self.kept.append(replace(picked, scores=frozen(picked.scores.copy())))  # a view would hold the batch

    def fit_rows(self, floor: float) -> FitRows:
        """Return the sample, in the precision of the scores."""
        batch = without_zeros(joined(self.kept), floor)
        return replace(FitRows.of(batch), scores=batch.scores)


def _again(source: Source, columns: tuple[_Column, ...]) -> Iterator[tuple[Predictions, _Column]]:
    """Yield the batches again, rows without weight left out, with what is held of them."""
    batches = source.again() if isinstance(source, Rereadable) else iter(source)
    for batch, one in zip_longest(batches, columns):
        same = batch is not None and one is not None and len(batch) == one.given
        require(same, "source", "give the same batches each time", "others", way_out="pass a list of batches")
        if len(one.top):
            yield batch.without_absent_rows(), one
