"""What every test of calibration shares: choices in a frozen record, sums that merge, and a result with a p-value."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from calibrant import registry
from calibrant.errors import require
from calibrant.estimate import strict
from calibrant.metrics.base import MetricStatistic
from calibrant.metrics.tests.redraw import ids_repeat
from calibrant.predictions import Predictions, as_predictions
from calibrant.statistics import Collected


@dataclass(frozen=True, kw_only=True, eq=False)
class TestResult:
    """What a test found.

    Attributes
    ----------
    name, spec : of the test.
    null : in words, the hypothesis that the p-value is about.
    statistic : the test statistic, in its own units.
    p_value : chance of a statistic at least as extreme under the null; NaN where it is not defined, with a note.
    n : rows of positive weight.
    details : further figures, by name (degrees of freedom, replicates). notes : sentences that qualify the p-value.
    """

    __test__: ClassVar[bool] = False  # not one of pytest's

    name: str
    spec: str
    null: str
    statistic: float
    p_value: float
    n: int
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record."""
        names = ("name", "spec", "null", "statistic", "p_value", "n")
        record = strict({name: getattr(self, name) for name in names})
        return {**record, "details": strict(self.details), "notes": list(self.notes)}

    def __repr__(self) -> str:
        return f"{self.name}: p = {self.p_value:.3g} (statistic {self.statistic:.5g}); null: {self.null}"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


EXACT = (
    "at most the nominal one at every n and with any weights: labels are redrawn; of rows that share an id as if they "
    "moved together, which need not be so"
)
ASYMPTOTIC = "asymptotic: docs/theory/tests.md says from how many rows it holds"
TOGETHER = "rows with the same id are taken to move together"


def dependence(batch: Predictions) -> tuple[str, ...]:
    """Return the note of a batch in which ids repeat; none where each row has its own."""
    return (TOGETHER,) if ids_repeat(batch) else ()


class CalibrationTest(ABC):
    """A test of calibration. Subclasses are frozen records of choices; ``null`` says the hypothesis in words."""

    entry: ClassVar[registry.Entry]
    null: ClassVar[str]
    blind_to: ClassVar[str] = ""  # in words, a miscalibration that the test is not about

    @property
    @abstractmethod
    def level(self) -> str:
        """In words, how often the p-value is at most alpha under the null: `EXACT`, `ASYMPTOTIC`, or when which."""

    @property
    def spec(self) -> str:
        """The spec string."""
        return registry.spec_of(self)

    def sums(self, predictions: Predictions) -> Any:
        """Return the mergeable statistic of one labelled batch: its rows, where a test has no smaller one."""
        return Collected((predictions,))

    @abstractmethod
    def result(self, sums: Any) -> TestResult:
        """Return the result from the sums."""

    def statistic(self, predictions: Predictions) -> MetricStatistic[TestResult]:
        """Return the mergeable statistic of one batch; ``compute()`` gives the result."""
        has_labels = as_predictions(predictions).labels is not None
        require(has_labels, "predictions", "have labels to be tested", way_out="pass labels=")
        require(not predictions.soft, "labels", "be hard, one class a row, for a test of calibration", "soft labels")
        return MetricStatistic(self.sums(predictions), self.result)

    def __call__(self, predictions: Predictions) -> TestResult:
        """Test one batch."""
        return self.statistic(predictions).compute()

    def found(self, statistic: float, p_value: float, n: int, *notes: str, **details: Any) -> TestResult:
        """Return the result with the name, the spec and the null of this test."""
        return TestResult(
            name=self.entry.name,
            spec=self.spec,
            null=self.null,
            statistic=statistic,
            p_value=p_value,
            n=n,
            details=details,
            notes=notes,
        )
