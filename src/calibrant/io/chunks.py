"""A file of predictions, read a chunk at a time, so that one larger than memory can be evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from calibrant.errors import DataError, sentence
from calibrant.io.columns import COMPANIONS, Plan
from calibrant.io.labels import LabelReader
from calibrant.io.rows import EVERY_ROW, Selection
from calibrant.io.tables import Array, Block, Table, few, unreadable
from calibrant.kernels.halves import widened
from calibrant.predictions import Kind, Predictions
from calibrant.solvers.chunk_sources import Rereadable
from calibrant.validation import frozen, normalized, scores_matrix, text

Columns = dict[str, Array]
_SCORES = "scores"
_STEP = 1 << 16  # rows read at a time where only some are kept, so that the others take no memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Batches(Rereadable):
    """The selected rows of a file as `Predictions`, chunk by chunk; every ``iter`` starts at the first again.

    A chunk has at most ``batch_rows`` rows. Its ``start`` is the position of its first row in the file; with
    ``rows="COLUMN=VALUE"`` it is the position among the selected rows. A chunk whose weights are all zero is
    yielded with these weights: sums over the chunks do not see it.
    """

    batch_rows: int
    normalize: bool
    table: Table = field(repr=False)
    plan: Plan = field(repr=False)
    selection: Selection

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.table.path

    @property
    def kind(self) -> Kind:
        """The kind of the scores."""
        return self.plan.kind

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The class names, or None where the file gives none."""
        return self.plan.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the arrays or columns that are ignored."""
        return self.plan.notes

    def __iter__(self) -> Iterator[Predictions]:
        return self._chunks(self.batch_rows)

    def again(self) -> Iterator[Predictions]:
        """Yield the chunks with their scores and weights alone, which an earlier iteration has checked.

        The scores of a chunk may be overwritten when the next one is asked for.
        """
        weights = {name: field for name, field in self.plan.companions.items() if name == "weights"}
        bare = replace(self, plan=replace(self.plan, companions=weights))
        size, room = self.batch_rows, np.empty((0, 0), np.float32)
        for columns in _regrouped(bare._selected(size), size):
            scores = columns[_SCORES]
            if scores.dtype == np.float16 and scores.flags.c_contiguous:
                room = room if room.size >= scores.size else np.empty(scores.shape, np.float32)
                scores = frozen(widened(scores, out=room[: len(scores)]))  # new memory would have to be zeroed first
            else:
                scores, _ = scores_matrix(scores, self.plan.scores.name)
            scores = normalized(scores) if self.normalize else scores
            given = columns.get("weights")
            weighed = None if given is None else frozen(given.astype(np.float64))
            yield Predictions(scores=scores, kind=self.kind, weights=weighed, classes=self.classes)

    def whole(self) -> Predictions:
        """Return all selected rows as one batch."""
        (batch,) = self._chunks(None)
        return batch

    def _chunks(self, size: int | None) -> Iterator[Predictions]:
        start, weighed = self.selection.start, False
        step = size or (None if self.selection == EVERY_ROW else _STEP)
        read_labels: LabelReader | None = None
        for columns in _regrouped(self._selected(step), size):
            with self._told_where(start):
                k = _width(columns[_SCORES], self.plan.scores.name)
                read_labels = read_labels or LabelReader(self.classes, k)
                batch = self._assembled(columns, read_labels, start)
            weighed = weighed or bool(batch.row_weights.any())
            yield batch
            start += len(batch)
        if not weighed:
            raise unreadable(self.path, "have weights with a positive sum", 0)

    def _selected(self, step: int | None) -> Iterator[Columns]:
        """Yield the fields of the selected rows, converted, by blocks; ``DataError`` if no row is left."""
        marks = [self.table.fields[self.selection.column]] if self.selection.column else []
        first = left = 0
        for block in self.table.blocks(list(dict.fromkeys([*self.plan.fields, *marks])), step):
            kept = self.selection.of(block, self.table.fields, first)
            first, left = first + len(block), left + len(kept)
            if len(kept):
                yield self._converted(kept)
            if self.selection.stop is not None and first >= self.selection.stop:
                break
        if not left:
            raise self._nothing_left(first)

    def _converted(self, block: Block) -> Columns:
        companions = self.plan.companions.items()
        columns = {name: block.column(part, COMPANIONS[name]) for name, part in companions}
        return {_SCORES: block.column(self.plan.scores, "numbers"), **columns}

    def _assembled(self, columns: Columns, read_labels: LabelReader, start: int) -> Predictions:
        scores, labels = columns.pop(_SCORES), columns.pop("labels", None)
        absent = "weights" in columns and _all_zero(columns["weights"], len(scores))
        if absent:  # refused by the door, which cannot know that the file goes on
            del columns["weights"]
        given: dict[str, Any] = {**columns, "classes": self.classes, "start": start}
        given["labels"] = None if labels is None else read_labels(labels)
        if self.kind == "logit":
            batch = Predictions.from_logits(scores, **given)
        else:
            batch = Predictions.from_probabilities(scores, normalize=self.normalize, **given)
        return batch.reweighted(frozen(np.zeros(len(scores)))) if absent else batch

    @contextmanager
    def _told_where(self, start: int) -> Iterator[None]:
        """Add to an error of the door in which file, and from where, its rows are counted."""
        try:
            yield
        except DataError as error:
            where = f"in {self.path!r}"
            where += f", among the rows with {self.selection}" if self.selection.column else ""
            where += f", rows counted from row {start}" if start else ""
            raise DataError(f"{error} ({where})") from None

    def _nothing_left(self, n: int) -> DataError:
        if n == 0:
            return unreadable(self.path, "have at least one row", 0)
        got, way_out = f"none of {n} with {str(self.selection)!r}", ""
        if self.selection.column:
            marks, found = self.table.fields[self.selection.column], set[str]()
            for block in self.table.blocks([marks], None):
                found.update(map(text, block.column(marks, "marks").tolist()))
            way_out = f"{marks.name!r} holds {few(sorted(found))}"
        return DataError(sentence("rows", f"leave at least one row of {self.path!r}", got, way_out=way_out))


def _regrouped(pieces: Iterator[Columns], size: int | None) -> Iterator[Columns]:
    """Yield the pieces joined as far as ``size`` rows allow; all in one for None."""
    held: list[Columns] = []
    rows = 0
    for piece in pieces:
        more = len(piece[_SCORES])
        if held and size is not None and rows + more > size:
            yield _joined(held)
            held, rows = [], 0
        held.append(piece)
        rows += more
    yield _joined(held)


def _joined(pieces: list[Columns]) -> Columns:
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _width(scores: Array, name: str) -> int:
    """Return k; ``DataError`` unless the scores are (n, k)."""
    if scores.ndim != 2:
        got = f"shape ({', '.join(['n', *map(str, scores.shape[1:])])})"
        way_out = "write one column a class, also for two classes"
        if scores.ndim > 2:
            way_out = "each (n, k) part is a set of its own: save it as an array of its own"
        raise DataError(sentence(name, "have shape (n, k)", got, way_out=way_out))
    return int(scores.shape[1])


def _all_zero(weights: Array, n: int) -> bool:
    return weights.shape == (n,) and weights.dtype.kind in "fiub" and not weights.any()
