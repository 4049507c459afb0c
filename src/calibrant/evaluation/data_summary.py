"""What was measured, in a few figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from calibrant.errors import require
from calibrant.estimate import strict
from calibrant.predictions import Predictions
from calibrant.scoring.base import label_column
from calibrant.statistics import Moments


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """Rows, classes and kind of the scores, with the mean confidence and accuracy of the top class."""

    n: int
    k: int
    kind: str
    classes: tuple[str, ...] | None
    labels: Literal["hard", "soft"]
    weighted: bool
    features: int
    confidence: Moments
    correct: Moments

    @classmethod
    def of(cls, batch: Predictions) -> DataSummary:
        """Return the summary of one labelled batch."""
        summary = batch.summary
        said = Moments.of(summary.confidence, batch.weights)
        right = Moments.of(label_column(summary.correct), batch.weights)
        return cls(
            n=said.rows,
            k=batch.k,
            kind=batch.kind,
            classes=batch.classes,
            labels="soft" if batch.soft else "hard",
            weighted=batch.weights is not None,
            features=0 if batch.features is None else int(batch.features.shape[1]),
            confidence=said,
            correct=right,
        )

    def merge(self, other: DataSummary) -> DataSummary:
        """Return the summary of both batches; ``DataError`` if their classes differ."""
        require(self.k == other.k, "all batches", f"have {self.k} classes", other.k)
        require(self.classes == other.classes, "all batches", "have the same class names", "others")
        require(self.kind == other.kind, "all batches", f"hold {self.kind} scores", other.kind)
        require(self.labels == other.labels, "all batches", f"have {self.labels} labels", other.labels)
        return replace(
            self,
            n=self.n + other.n,
            weighted=self.weighted or other.weighted,
            confidence=self.confidence.merge(other.confidence),
            correct=self.correct.merge(other.correct),
        )

    @property
    def mass(self) -> float:
        """Total weight."""
        return self.confidence.weight

    @property
    def mean_confidence(self) -> float:
        """Weighted mean of the confidence; NaN without weight."""
        return self.confidence.mean

    @property
    def accuracy(self) -> float:
        """Weighted share of rows whose label is the top class; NaN without weight."""
        return self.correct.mean

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON record."""
        told = {name: getattr(self, name) for name in ("n", "k", "kind", "labels", "weighted", "features")}
        means = {name: getattr(self, name) for name in ("mass", "mean_confidence", "accuracy")}
        return strict({**told, "classes": None if self.classes is None else list(self.classes), **means})
