"""Consistency resampling: is a measure larger than it would be if the labels came from the probabilities?

Source: Broecker and Smith (2007), Increasing the reliability of reliability diagrams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from calibrant.errors import require
from calibrant.metrics import CalibrationError, Metric, measure
from calibrant.metrics.tests.base import EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.redraw import check_redraws, redrawn, upper_p_value
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected

_LABEL_FREE_BINS = ("width", "mass")  # bins that do not look at the labels are found once
_COST = "replicates times the measure"
_ALTERNATIVES = ("greater", "less", "two_sided")


@register("test", "consistency", reference="brocker2007", supports_soft_labels=False, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class Consistency(CalibrationTest):
    """Consistency resampling: any measure against its values on labels redrawn from the probabilities.

    Parameters
    ----------
    measure : spec of any measure, ``"ece"``, ``"sce(bins=10)"``, ``"skce(estimator='block')"``.
    replicates : R, of the redrawn labels; the smallest possible p-value is 1 / (R + 1).
    seed : of the redrawn labels; rows are keyed by their ids.
    alternative : which values speak against the null: ``"greater"`` (default), ``"less"`` (for measures of which more
        is better) or ``"two_sided"``.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, independently given the scores. The level is at most the
    nominal one at every n, with any weights, whatever the measure: p = (1 + #{redrawn >= observed}) / (R + 1). What the
    test can see is what the measure sees: ``ece`` looks at the confidence alone. Rows with the same id
    are taken to move together: their labels are redrawn together, by class where the measure tells classes
    apart, else right with right. Rows are kept.
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities"
    level = EXACT

    measure: str = "ece"
    replicates: int = 999
    seed: int = 0
    alternative: Literal["greater", "less", "two_sided"] = "greater"

    def __post_init__(self) -> None:
        check_redraws(self.replicates, self.seed)
        require(self.alternative in _ALTERNATIVES, "alternative", f"be one of {_ALTERNATIVES}", repr(self.alternative))
        _ = self._metric  # it must exist

    @cached_property
    def _metric(self) -> Metric:
        return measure(self.measure)

    def result(self, sums: Collected) -> TestResult:
        """Return the measure and its p-value; NaN where the measure is not defined."""
        batch = sums.pooled
        values = np.array([*self._values(batch)])
        p_value = self._p_value(values)
        undefined = ("the measure is not defined on these rows",) if np.isnan(p_value) else ()
        drawn = values[1:]
        null_mean = float(drawn.mean()) if np.isfinite(drawn).all() else float("nan")
        notes = (*undefined, *dependence(batch))
        details = {"replicates": self.replicates, "null_mean": null_mean}
        return self.found(float(values[0]), p_value, len(batch), *notes, **details)

    def _values(self, batch: Predictions) -> Iterator[float]:
        """Yield the observed value and those of the redrawn labels."""
        metric = self._metric
        known = metric.sums(batch)
        if isinstance(metric, CalibrationError) and metric.binning in _LABEL_FREE_BINS:
            metric = metric.pinned(known)
            known = metric.sums(batch)
        yield metric.value(known)
        for labels in redrawn(batch, self.replicates, self.seed, together="class" if metric.by_class else "rank"):
            yield metric.value(metric.relabelled_sums(known, batch.relabelled(labels.astype(np.int64))))

    def _p_value(self, values: np.ndarray) -> float:
        if self.alternative == "greater":
            return upper_p_value(values)
        if self.alternative == "less":
            return upper_p_value(-values)
        return min(1.0, 2 * min(upper_p_value(values), upper_p_value(-values)))
