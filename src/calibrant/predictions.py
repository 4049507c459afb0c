"""`Predictions`: one validated, read-only batch of a classifier's scores with what is known of its rows.

The kind of the scores is stated by the constructor and never guessed from values. The door reads the scores
once: that read validates them and leaves the `RowSummary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import kernels, validation
from calibrant.errors import DataError, is_whole, require, sentence
from calibrant.provenance import Provenance, fingerprint
from calibrant.row_summary import DOOR_EDGES, RowSummary, scan

Kind = Literal["probability", "logit"]
Scores = NDArray[np.floating]
Floats = NDArray[np.float64]

_LABEL_FREE = ("class_totals", "class_bins", "row_keys")  # what a batch with other labels shares


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Predictions:
    """One batch: ``scores (n, k)`` of a stated ``kind`` and what came with the rows.

    Make one with `from_probabilities`, `from_logits` or `binary`; these check every argument. All arrays are
    read-only; contiguous float32 and float64 scores are not copied.

    Attributes
    ----------
    scores : (n, k) float32 or float64, probabilities or logits as ``kind`` says.
    labels : (n,) int64 in 0..k-1, or soft labels (n, k) float64 (rows sum to 1), or None.
    weights : (n,) float64, or None for ones. Only ratios matter; a row of weight zero is not there.
    features : (n, d), groups : (n,), ids : (n,); each may be None. Rows that share an id are resampled together.
    classes : the k class names, or None.
    start : global position of the first row, for shards without ids; None for a batch that has no place of its own.
    positions : (n,) global positions of rows that were picked from a larger batch, or None for start, start + 1, ...
    provenance : which rows the maps were fitted on that made these scores; empty for a classifier's own.
    """

    scores: Scores
    kind: Kind
    labels: NDArray[Any] | None = None
    weights: Floats | None = None
    features: Scores | None = None
    groups: NDArray[Any] | None = None
    ids: NDArray[Any] | None = None
    classes: tuple[str, ...] | None = None
    start: int | None = None
    positions: NDArray[np.uint64] | None = None
    provenance: tuple[Provenance, ...] = ()
    _memo: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_probabilities(
        cls,
        probabilities: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        normalize: bool = False,
        **columns: Any,
    ) -> Self:
        """Return a batch of probabilities (n, k): finite, not negative, rows summing to 1.

        Parameters
        ----------
        probabilities : (n, k). Rows must sum to 1 within 1e-5 (half precision: 2e-3) and are used as given.
        labels : (n,) class indices or class names, or soft labels (n, k).
        normalize : divide each row by its sum, on request only.
        columns : ``weights, features, groups, ids, classes, start``, as in the class.

        Raises
        ------
        DataError : with the row, the value and the way out.
        """
        scores, half = validation.scores_matrix(probabilities, "probabilities")
        if normalize:
            scores = validation.normalized(scores)
        batch = cls._checked(scores, "probability", labels, **columns)
        tolerance = validation.HALF_ROW_SUM_TOLERANCE if half else validation.ROW_SUM_TOLERANCE
        off = np.abs(batch.summary.total - 1) > tolerance
        if off.any():
            row = int(np.argmax(off))
            where = f"in row {row} ({int(off.sum())} of {len(batch)} rows)"
            got, way_out = f"{batch.summary.total[row]:.6g}", "pass normalize=True to rescale"
            raise DataError(sentence("each row of probabilities", "sum to 1", got, where=where, way_out=way_out))
        return batch

    @classmethod
    def from_logits(cls, logits: ArrayLike, labels: ArrayLike | None = None, **columns: Any) -> Self:
        """Return a batch of logits (n, k): real numbers; -inf is allowed and means probability zero.

        Parameters and errors are those of `from_probabilities`.
        """
        scores, _ = validation.scores_matrix(logits, "logits")
        return cls._checked(scores, "logit", labels, **columns)

    @classmethod
    def binary(cls, probabilities: ArrayLike, labels: ArrayLike | None = None, **columns: Any) -> Self:
        """Return a batch of k = 2 from P(class 1), one number a row (n,); labels are 0/1 or False/True."""
        positive = validation.as_array(probabilities, "probabilities")
        require(positive.ndim == 1, "probabilities", "have shape (n,)", f"shape {positive.shape}")
        require(positive.dtype.kind in "fiub", "probabilities", "hold real numbers", f"dtype {positive.dtype}")
        wide = positive if positive.dtype in (np.float32, np.float64) else positive.astype(np.float64)
        outside = ~((wide >= 0) & (wide <= 1))
        if outside.any():
            row = int(np.argmax(outside))
            raise DataError(sentence("probabilities", "lie in [0, 1]", wide[row], where=f"in row {row}"))
        return cls.from_probabilities(np.column_stack([1 - wide, wide]), labels, **columns)

    @classmethod
    def _checked(
        cls,
        scores: Scores,
        kind: Kind,
        labels: ArrayLike | None,
        *,
        weights: ArrayLike | None = None,
        features: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        classes: Sequence[Any] | None = None,
        start: int | None = None,
    ) -> Self:
        n, k = scores.shape
        known = start is None or (is_whole(start) and start >= 0)
        require(known, "start", "be a whole number of at least 0", start)
        names = None if classes is None else validation.class_names(classes, k)
        batch = cls(
            scores=scores,
            kind=kind,
            labels=None if labels is None else validation.hard_or_soft_labels(labels, n, k, names),
            weights=None if weights is None else validation.row_weights(weights, n),
            features=None if features is None else validation.feature_matrix(features, n),
            groups=None if groups is None else validation.column(groups, n, "groups"),
            ids=None if ids is None else validation.column(ids, n, "ids"),
            classes=names,
            start=start,
        )
        fault = batch._scan()
        if fault is not None:
            raise DataError(validation.fault_sentence(kind, scores, *fault))
        return batch

    # ---- shape and views -------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return int(self.scores.shape[0])

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(self.scores.shape[1])

    @property
    def logits(self) -> bool:
        """Whether the scores are logits."""
        return self.kind == "logit"

    @property
    def soft(self) -> bool:
        """Whether the labels are soft, (n, k)."""
        return self.labels is not None and self.labels.ndim == 2

    @property
    def hard_labels(self) -> NDArray[np.int64]:
        """The labels (n,); ``DataError`` where there are none or they are soft."""
        require(self.labels is not None, "predictions", "have labels", way_out="pass labels=")
        require(not self.soft, "labels", "be hard, one class a row", "soft labels")
        return cast(NDArray[np.int64], self.labels)

    @property
    def class_labels(self) -> tuple[str, ...]:
        """The class names, or the indices as text where none were given."""
        return self.classes or tuple(str(i) for i in range(self.k))

    @property
    def row_weights(self) -> Floats:
        """The weights (n,), ones where none were given."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def effective_rows(self) -> float:
        """Kish's effective number of rows: (sum of weights)^2 / sum of squared weights; n without weights."""
        w = self.row_weights
        return float(w.sum() ** 2 / (w @ w))

    @property
    def row_keys(self) -> NDArray[np.uint64]:
        """One 64-bit key a row: its id, or its global position."""
        if "row_keys" not in self._memo:
            self._memo["row_keys"] = validation.row_keys(self.ids, self.positions, self.start or 0, len(self))
        return cast(NDArray[np.uint64], self._memo["row_keys"])

    @property
    def probabilities(self) -> Scores:
        """The probabilities (n, k) in the dtype of the scores, read-only; a new array if the scores are logits."""
        return validation.frozen(kernels.softmax(self.scores)) if self.logits else self.scores

    # ---- what one pass leaves --------------------------------------------------------------------------------
    @property
    def summary(self) -> RowSummary:
        """The `RowSummary`, made by the first read of the scores; ``DataError`` if that finds a fault."""
        if "summary" not in self._memo and (fault := self._scan()) is not None:
            raise DataError(validation.fault_sentence(self.kind, self.scores, *fault))
        return cast(RowSummary, self._memo["summary"])

    @property
    def class_totals(self) -> Floats:
        """Weighted sum of the probabilities of each class (k,)."""
        if "class_totals" not in self._memo:
            self._memo["class_totals"] = scan(self.scores, self.logits, None, self.weights).class_totals
        return cast(Floats, self._memo["class_totals"])

    def from_door(self, name: Literal["class_bins", "label_bins"], edges: Floats, *, right: bool) -> Any:
        """Return the histogram of each class, or the bin of each label, if the door left it for these edges."""
        same = right and edges.shape == DOOR_EDGES.shape and bool((edges == DOOR_EDGES).all())
        return self._memo.get(name) if same else None

    def _scan(self) -> tuple[str, int, int] | None:
        hard = None if self.labels is None or self.soft else self.hard_labels
        read = scan(self.scores, self.logits, hard, self.weights, bins=True)
        summary = read.summary
        if read.fault is None and self.soft:
            summary = summary.soft_labelled(cast(Floats, self.labels))
        self._memo.update(summary=summary, class_totals=read.class_totals)
        self._memo.update(class_bins=read.class_bins, label_bins=read.label_bins)
        return read.fault

    @property
    def fingerprint(self) -> str:
        """A short hash of shape, labels and evenly spaced rows: recognises the same batch again."""
        if "fingerprint" not in self._memo:
            self._memo["fingerprint"] = fingerprint(self.scores, self.labels, self.kind)
        return cast(str, self._memo["fingerprint"])

    # ---- other batches made from this one --------------------------------------------------------------------
    def take(self, rows: NDArray[Any] | slice) -> Predictions:
        """Return the batch of the given rows (indices, mask or slice); their ids or positions stay what they were."""
        scores = np.ascontiguousarray(self.scores[rows])
        require(len(scores) > 0, "rows", "leave at least one row", 0)
        return replace(
            self,
            scores=validation.frozen(scores),
            labels=_rows(self.labels, rows),
            weights=_rows(self.weights, rows),
            features=_rows(self.features, rows),
            groups=_rows(self.groups, rows),
            ids=_rows(self.ids, rows),
            positions=_rows(self.row_keys, rows) if self.ids is None else None,
            _memo={},
        )

    def relabelled(self, labels: NDArray[np.integer]) -> Predictions:
        """Return the batch with other hard labels (n,), sharing all that does not depend on them."""
        memo = {key: value for key, value in self._memo.items() if key in _LABEL_FREE}
        memo["summary"] = self.summary.relabelled(labels)
        return replace(self, labels=labels, _memo=memo)

    def reweighted(self, weights: Floats) -> Predictions:
        """Return the batch with other weights (n,), sharing all that does not depend on them."""
        memo = {key: value for key, value in self._memo.items() if key in ("summary", "row_keys", "fingerprint")}
        return replace(self, weights=weights, _memo=memo)

    def starting_at(self, start: int) -> Predictions:
        """Return the batch with its first row at another global position."""
        return replace(self, start=start, _memo={k: v for k, v in self._memo.items() if k != "row_keys"})

    def without_absent_rows(self) -> Predictions:
        """Return the batch without its rows of weight zero; itself where there are none."""
        return self if self.weights is None or self.weights.all() else self.take(self.weights > 0)

    def rescored(self, scores: Scores, kind: Kind, *provenance: Provenance) -> Predictions:
        """Return the batch with other scores (n, k), known to be valid, as a map makes them."""
        told = (*self.provenance, *provenance)
        return replace(self, scores=validation.frozen(scores), kind=kind, provenance=told, _memo={})

    def __repr__(self) -> str:
        labelled = "no labels" if self.labels is None else "soft labels" if self.soft else "labels"
        extras = [name for name in ("weights", "features", "groups", "ids") if getattr(self, name) is not None]
        kind = "logits" if self.logits else "probabilities"
        parts = [f"n={len(self)}, k={self.k}", f"{kind} {self.scores.dtype}", labelled, *extras]
        return f"Predictions({'; '.join(parts)})"


def _rows(array: NDArray[Any] | None, rows: NDArray[Any] | slice) -> NDArray[Any] | None:
    return None if array is None else validation.frozen(np.ascontiguousarray(array[rows]))


def as_predictions(value: object) -> Predictions:
    """Return the value if it is a batch of predictions; ``DataError`` with the way out if not."""
    way_out = "make them with Predictions.from_probabilities or Predictions.from_logits"
    got = type(value).__name__
    require(isinstance(value, Predictions), "predictions", "be a batch of Predictions", got, way_out=way_out)
    return cast(Predictions, value)
