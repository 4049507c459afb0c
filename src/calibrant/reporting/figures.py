"""The few figures at the top of the page, before and after."""

from __future__ import annotations

from typing import Any

from calibrant.estimate import Estimate
from calibrant.evaluation.data_summary import DataSummary
from calibrant.plot.words import figure, percent
from calibrant.reporting.measures import measure_title
from calibrant.reporting.record import Report

_FIRST = ("ece", "log_loss", "brier")
_UNITS = {"log_loss": "nats a row, smaller is better", "brier": "0 to 2, smaller is better"}
_MOST = 3


def key_figures(report: Report) -> list[dict[str, Any]]:
    """Return label, value before, value after (or None) and a note for each figure."""
    before, after = report.evaluation.data, report.after.data if report.repaired else None
    shown = [
        {**_share("Accuracy", "accuracy", before, after), "note": "the top class is the label"},
        {**_share("Mean confidence", "mean_confidence", before, after), "note": _distance(before, after)},
    ]
    for i in _chosen(report.evaluation.measures):
        later = report.after.measures[i] if report.repaired else None
        shown.append(_measured(report.evaluation.measures[i], later))
    return shown


def _chosen(measures: tuple[Estimate, ...]) -> list[int]:
    """Return which measures to show: the well-known ones, or the first of other suites, but never shares again."""
    known = [i for name in _FIRST for i, e in enumerate(measures) if e.name == name]
    others = [i for i, e in enumerate(measures) if e.name != "accuracy" and i not in known]
    return known or others[:_MOST]


def _share(label: str, name: str, before: DataSummary, after: DataSummary | None) -> dict[str, Any]:
    told = None if after is None else percent(getattr(after, name))
    return {"label": label, "before": percent(getattr(before, name)), "after": told}


def _measured(before: Estimate, after: Estimate | None) -> dict[str, Any]:
    null = "" if before.null is None else f"a calibrated model shows {figure(before.null)}"
    told = None if after is None else figure(after.value)
    return {
        "label": measure_title(before),
        "before": figure(before.value),
        "after": told,
        "note": _UNITS.get(before.name, null),
    }


def _distance(before: DataSummary, after: DataSummary | None) -> str:
    """Return how far the confidence is from the accuracy."""
    text = _points(before)
    return text if after is None else f"{text}, then {_points(after)}"


def _points(data: DataSummary) -> str:
    points = 100 * (data.mean_confidence - data.accuracy)
    size = figure(abs(points), 1)
    if size == "0.0":
        return "equal to the accuracy"
    return f"{size} points {'above' if points > 0 else 'below'} the accuracy"
