"""What an evaluation holds: estimates, results of tests, and a verdict."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calibrant.estimate import Estimate
from calibrant.evaluation.data_summary import DataSummary
from calibrant.metrics.tests import TestResult


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Measures and tests of one batch or stream, with a verdict in words.

    ``evaluation["ece"]`` is one `Estimate`, ``evaluation["spiegelhalter"]`` one `TestResult`. ``skipped`` says, by
    spec, why methods of a named suite do not suit the data.
    """

    data: DataSummary
    measures: tuple[Estimate, ...]
    tests: tuple[TestResult, ...]
    skipped: Mapping[str, str]
    verdict: str
    level: float

    def __getitem__(self, name: str) -> Any:
        found: list[Estimate | TestResult] = [*self.measures, *self.tests]
        for known in ("spec", "name"):
            for one in found:
                if getattr(one, known) == name:
                    return one
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record."""
        measures = [estimate.to_dict() for estimate in self.measures]
        return {
            "data": self.data.to_dict(),
            "measures": measures,
            "tests": [result.to_dict() for result in self.tests],
            "skipped": [{"spec": spec, "reason": reason} for spec, reason in self.skipped.items()],
            "verdict": self.verdict,
        }

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *(f"  {found!r}" for found in (*self.measures, *self.tests))])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{e.name}</td><td>{e.value:.4g}</td><td>{_span(e.low, e.high)}</td>"
            f"<td>{_span(e.null_low, e.null_high)}</td></tr>"
            for e in self.measures
        )
        head = f"<tr><th>measure</th><th>value</th><th>{self.level:.0%} interval</th><th>if calibrated</th></tr>"
        tests = "".join(f"<li>{html.escape(repr(result))}</li>" for result in self.tests)
        return f"<p>{html.escape(self.verdict)}</p><table>{head}{rows}</table><ul>{tests}</ul>"


def _span(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.4g} to {high:.4g}"
