"""Labels of a file as class indices: whole numbers are indices, text is class names or spelt-out indices.

The rule for text (every label of a CSV is text) needs one label at a time, so that it does not depend on
which rows are read: where class names are given, a label that is among them is that class. Only if none of
the names is itself a whole number may the labels be indices instead, and then all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, sentence
from calibrant.io.tables import WHOLE_NUMBER, Array, few
from calibrant.validation import text


class LabelReader:
    """Reads the labels of one file chunk by chunk; the first text label says how all are written."""

    def __init__(self, classes: Sequence[str] | None, k: int) -> None:
        self.classes, self.k = classes, k
        self.index = {name: i for i, name in enumerate(classes or ())}
        self.names_are_numbers = any(WHOLE_NUMBER.fullmatch(name) for name in self.index)
        self.as_names: bool | None = None

    def __call__(self, labels: Array) -> Array:
        """Return labels (n,) as indices, or soft labels as they are; ``DataError`` names the row."""
        if labels.ndim == 1 and labels.dtype.kind in "USTO":
            labels = self._spelt([text(label) for label in labels.tolist()])
        if labels.ndim == 1 and labels.dtype.kind in "if":
            self._refuse_negative(labels)
        return labels

    def _spelt(self, labels: list[str]) -> NDArray[np.int64]:
        if self.as_names is None:
            self.as_names = self.names_are_numbers or labels[0] in self.index
        meaning: Mapping[str, int] = self.index
        if not self.as_names:
            meaning = {label: int(label) for label in set(labels) if WHOLE_NUMBER.fullmatch(label)}
        unknown = [row for row, label in enumerate(labels) if label not in meaning]
        if unknown:
            where = f"in row {unknown[0]} ({len(unknown)} of {len(labels)} rows)"
            condition, way_out = self._wanted()
            got = repr(labels[unknown[0]])
            raise DataError(sentence("labels", condition, got, where=where, way_out=way_out))
        return np.array([meaning[label] for label in labels], dtype=np.int64)

    def _wanted(self) -> tuple[str, str]:
        """Return what text labels must be in this file, and the way out."""
        if not self.index:
            return "be class indices where the file names no classes", "name the classes, or write 0..k-1"
        classes = f"the classes are {few(list(self.index))}"
        if self.names_are_numbers:
            return "be among the class names", f"{classes}: names that are numbers rule out indices"
        if self.as_names:
            return "be among the class names, as the first label is", classes
        return "be class names, or class indices throughout", classes

    def _refuse_negative(self, labels: NDArray[Any]) -> None:
        negative = np.flatnonzero(labels < 0)
        if negative.size:
            where = f"in row {negative[0]} ({negative.size} of {len(labels)} rows)"
            way_out = 'leave such rows out, for instance with rows="split=0"'
            condition = f"lie in 0..{self.k - 1}"
            raise DataError(sentence("labels", condition, labels[negative[0]], where=where, way_out=way_out))
