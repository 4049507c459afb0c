"""What every measure shares: choices in a frozen record, sums that merge, and one way from sums to a value.

``measure(p)`` is ``measure.statistic(p).compute()``; shards and streams merge the same statistic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import require
from calibrant.estimate import Estimate
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions, as_predictions
from calibrant.statistics import Merging, Statistic

Found = TypeVar("Found")


class Metric(ABC):
    """A measure of predictions with labels. Subclasses are frozen records of choices.

    ``smaller_is_better`` is False for accuracy; ``bootstraps`` says whether the Poisson bootstrap gives a valid
    interval (not for maxima); ``estimand`` names in words what an interval is about.

    What the contract tests verify: ``bounds`` of the value; ``perfect``, the value where every row is certain and
    right (None: it depends); ``repeats``, whether an integer weight is a repetition of its row. A value may be NaN only
    with a note that says why. ``costly`` measures are not computed on redrawn labels and have no null level.
    ``by_class``: the value tells classes apart, so that labels of rows with the same id are redrawn alike by class and
    not by right and wrong.
    """

    entry: ClassVar[registry.Entry]
    smaller_is_better: bool = True
    bootstraps: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)
    perfect: float | None = 0.0
    repeats: bool = True
    costly: bool = False

    @property
    def name(self) -> str:
        """The registered name."""
        return self.entry.name

    @property
    def spec(self) -> str:
        """The spec string that makes this measure."""
        return registry.spec_of(self)

    @property
    def by_class(self) -> bool:
        """Whether the value depends on which classes are likely in a row, not on right and wrong alone."""
        return getattr(self, "notion", "") == "class_wise"

    @property
    @abstractmethod
    def estimand(self) -> str:
        """In words, the population quantity that an interval is about."""

    @property
    @abstractmethod
    def gathering(self) -> Hashable:
        """A key: measures with equal keys are computed from the same sums."""

    @abstractmethod
    def sums(self, predictions: Predictions) -> Any:
        """Return the statistic of one labelled batch."""

    @abstractmethod
    def value(self, sums: Any) -> float:
        """Return the value from the sums."""

    @abstractmethod
    def estimate(self, sums: Any) -> Estimate:
        """Return the value with its details from the sums."""

    def pinned(self, sums: Any) -> Metric:
        """Return the measure with its bins fixed at those of ``sums``; itself where nothing depends on the data."""
        del sums
        return self

    def reweighted_sums(self, predictions: Predictions, weights: NDArray[np.float64]) -> list[Any]:
        """Return the statistic of the batch under each of R weightings of its rows (n, R), which replace its own."""
        return [self.sums(predictions.reweighted(np.ascontiguousarray(w))) for w in weights.T]

    def relabelled_sums(self, sums: Any, predictions: Predictions) -> Any:
        """Return the sums of the same rows with other labels, given the sums that are already known."""
        del sums
        return self.sums(predictions)

    def relabelled_many(self, sums: Any, drawn: Relabellings) -> list[Any]:
        """Return `relabelled_sums` for each of the label vectors."""
        return [self.relabelled_sums(sums, batch) for batch in drawn.batches]

    def relabelled_values(self, sums: Any, drawn: Relabellings) -> NDArray[np.float64]:
        """Return the value under each of the label vectors (R,)."""
        return np.array([self.value(one) for one in self.relabelled_many(sums, drawn)])

    def trivial(self, k: int) -> str:
        """Return why the value is the same for all predictions of k classes, or nothing where it is not."""
        del k
        return ""

    def own_interval(self, sums: Any, level: float) -> tuple[float, float] | None:
        """Return an interval that needs no resampling, or None where the measure has none."""
        del sums, level
        return None

    def found(
        self,
        value: float,
        n: int,
        *notes: str,
        per_class: NDArray[np.float64] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Estimate:
        """Return the estimate with the name, the spec and the estimand of this measure."""
        return Estimate(
            name=self.name,
            value=value,
            n=n,
            spec=self.spec,
            estimand=self.estimand,
            per_class=per_class,
            details=dict(details or {}),
            notes=notes,
        )

    def statistic(self, predictions: Predictions) -> MetricStatistic[Estimate]:
        """Return the mergeable statistic of one batch; ``compute()`` gives the estimate."""
        require(
            as_predictions(predictions).labels is not None,
            "predictions",
            "have labels to be measured",
            way_out="pass labels=",
        )
        return MetricStatistic(self.sums(predictions), self.estimate)

    def __call__(self, predictions: Predictions) -> Estimate:
        """Return the estimate on one batch: value and details, without interval and null level."""
        return self.statistic(predictions).compute()


@dataclass(frozen=True)
class MetricStatistic(Statistic, Generic[Found]):
    """Sums of one measure, or of one test, that know how to become what it finds."""

    sums: Any
    finish: Callable[[Any], Found]

    @property
    def merging(self) -> Merging:
        """How merging relates to pooling, as the sums say."""
        told: Merging = self.sums.merging
        return told

    def merge(self, other: MetricStatistic[Found]) -> MetricStatistic[Found]:
        """Return the statistic of both sets of rows."""
        return MetricStatistic(self.sums.merge(other.sums), self.finish)

    def compute(self) -> Found:
        """Return what all rows give."""
        return self.finish(self.sums)
