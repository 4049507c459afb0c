"""Reading every batch once: the sums of all measures and tests, merged as they come."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from calibrant.errors import CalibrantError, DataError, require, sentence
from calibrant.evaluation.data_summary import DataSummary
from calibrant.evaluation.suite import Suite
from calibrant.metrics import Metric
from calibrant.metrics.tests import CalibrationTest
from calibrant.predictions import Predictions, as_predictions

Sums = dict[Hashable, Any]
MANY_UNITS = 1000  # more are not counted


class Numbered:
    """Batches that can be read again; one without ids or a place of its own starts where the last one ended.

    Shards that say where they start may come in any order; ``DataError`` if two of them overlap.
    """

    def __init__(self, batches: Iterable[Predictions]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Predictions]:
        taken: list[tuple[int, int]] = []
        for batch in self.batches:
            if as_predictions(batch).ids is not None or batch.positions is not None:
                yield batch
                continue
            placed = batch if batch.start is not None else batch.starting_at(max((end for _, end in taken), default=0))
            first = placed.start or 0
            _check_free(taken, first, first + len(placed))
            taken.append((first, first + len(placed)))
            yield placed


def _check_free(taken: list[tuple[int, int]], first: int, end: int) -> None:
    for start, stop in taken:
        got = f"rows {max(first, start)}..{min(end, stop) - 1} twice"
        way_out = "give each shard its start=, or ids="
        require(end <= start or stop <= first, "batches", "hold different rows", got, way_out=way_out)


@dataclass(frozen=True)
class Gathered:
    """Merged sums, by what the measures gather and by the specs of the tests, and the methods that they serve."""

    measures: tuple[Metric, ...]
    tests: tuple[CalibrationTest, ...]
    sums: Sums
    skipped: dict[str, str]
    data: DataSummary
    units: int  # rows that share an id are one; counted up to ``MANY_UNITS``


def gather(suite: Suite, batches: Iterable[Predictions], in_sample: bool) -> Gathered:
    """Read every batch once; a method of a named suite that the first batch does not suit is skipped."""
    state: _State | None = None
    for batch in batches:
        check_rows(batch, in_sample)
        if state is None:
            state = _State.begin(suite, batch)
        else:
            state.add(batch)
    if state is None:
        raise DataError(sentence("source", "hold at least one batch", "none"))
    require(state.data.n > 0, "weights", "be positive in at least one row", "zeros")
    return Gathered(
        tuple(m for m in suite.measures if m.spec not in state.skipped),
        tuple(t for t in suite.tests if t.spec not in state.skipped),
        state.sums,
        state.skipped,
        state.data,
        min(len(state.keys), MANY_UNITS),
    )


@dataclass
class _State:
    """What has been read so far; ``first`` holds one method for each kind of sums."""

    data: DataSummary
    first: dict[Hashable, Metric | CalibrationTest] = field(default_factory=dict)
    sums: Sums = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    keys: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, suite: Suite, batch: Predictions) -> _State:
        state = cls(DataSummary.of(batch))
        state.count(batch)
        methods: list[Metric | CalibrationTest] = [*suite.measures, *suite.tests]
        for method in methods:
            key = _key(method)
            if key in state.sums:
                continue
            try:
                state.sums[key] = _sums(method, batch)
                state.first[key] = method
            except CalibrantError as error:
                if method.spec not in suite.optional:
                    raise
                state.skipped[method.spec] = str(error)
        return state

    def count(self, batch: Predictions) -> None:
        keys = batch.row_keys if batch.weights is None else batch.row_keys[batch.weights > 0]
        for start in range(0, len(keys), MANY_UNITS):
            if len(self.keys) >= MANY_UNITS:
                break
            self.keys.update(keys[start : start + MANY_UNITS].tolist())

    def add(self, batch: Predictions) -> None:
        self.count(batch)
        self.data = self.data.merge(DataSummary.of(batch))
        for key, method in self.first.items():
            self.sums[key] = self.sums[key].merge(_sums(method, batch))


def _key(method: Metric | CalibrationTest) -> Hashable:
    return method.gathering if isinstance(method, Metric) else method.spec


def _sums(method: Metric | CalibrationTest, batch: Predictions) -> Any:
    return method.sums(batch) if isinstance(method, Metric) else method.statistic(batch)


def check_rows(batch: Predictions, in_sample: bool) -> None:
    """Raise ``DataError`` without labels, or for rows on which the map behind the scores was fitted."""
    require(
        as_predictions(batch).labels is not None, "predictions", "have labels to be measured", way_out="pass labels="
    )
    for made in batch.provenance:
        shared = 0 if in_sample else made.shared_rows(len(batch), None if batch.ids is None else batch.row_keys)
        if shared:
            condition = "differ from the rows that the map was fitted on"
            way_out = "evaluate on other rows, or pass in_sample=True"
            raise DataError(
                sentence("evaluated rows", condition, f"{shared} of {len(batch)} the same", way_out=way_out)
            )
