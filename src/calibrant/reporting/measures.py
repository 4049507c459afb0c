"""The table of measures, its footnotes, and what each measure means."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from markupsafe import Markup

from calibrant import registry
from calibrant.errors import UnknownMethod
from calibrant.estimate import Estimate
from calibrant.metrics import measure
from calibrant.metrics.mean_score import MeanScore
from calibrant.metrics.tests import TestResult
from calibrant.plot.svg import Span, draw_span
from calibrant.plot.words import NOTHING, common_places, figure
from calibrant.reporting.footnotes import INFINITE, Footnotes
from calibrant.reporting.record import Report

_OUTSIDE = (
    "the value lies outside its interval: that is about the population, and the value holds the noise of these rows"
)


def table(report: Report) -> dict[str, Any]:
    """Return the rows and the footnotes."""
    notes = Footnotes()
    after = report.after.measures if report.repaired else (None,) * len(report.evaluation.measures)
    rows = [row(*pair, notes) for pair in zip(report.evaluation.measures, after, strict=True)]
    return {"rows": rows, "notes": notes.texts, "after": report.repaired, "terms": _terms(report)}


def _terms(report: Report) -> list[dict[str, Any]]:
    """Return the terms and settings of the measures that have some, before and after repair."""
    after = report.after.measures if report.repaired else (None,) * len(report.evaluation.measures)
    pairs = [pair for pair in zip(report.evaluation.measures, after, strict=True) if pair[0].figures]
    return [_measure_terms(*pair) for pair in pairs]


def _measure_terms(before: Estimate, after: Estimate | None) -> dict[str, Any]:
    later = {} if after is None else after.figures
    rows = [
        {"name": name, "before": _term(value), "after": _term(later.get(name))}
        for name, value in before.figures.items()
    ]
    return {"title": measure_title(before), "spec": before.spec, "rows": rows}


def _term(value: float | None) -> str:
    """Return a whole number as it is, another with three significant digits."""
    return f"{value:,}" if isinstance(value, int | np.integer) else figure(value)


def tests(report: Report) -> list[dict[str, str]]:
    """Return what each test found, before and after repair."""
    after = report.after.tests if report.repaired else (None,) * len(report.evaluation.tests)
    return [_test(*pair) for pair in zip(report.evaluation.tests, after, strict=True)]


def _test(before: TestResult, after: TestResult | None) -> dict[str, str]:
    title = registry.lookup("test", before.name).summary.partition(":")[0]
    told = {"title": title, "spec": before.spec, "null": before.null, "p": p_value(before.p_value)}
    return {**told, "after": "" if after is None else p_value(after.p_value), "notes": " ".join(before.notes)}


def p_value(value: float) -> str:
    """Return a p-value with two significant digits, or a bound where it is tiny."""
    return NOTHING if math.isnan(value) else "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def measure_title(estimate: Estimate) -> str:
    """Return the name of a measure in words."""
    return _summary(estimate)[0]


def definitions(estimates: Iterable[Estimate]) -> list[dict[str, str]]:
    """Return title, spec, meaning and estimand of each measure."""
    shown = []
    for estimate in estimates:
        title, meaning = _summary(estimate)
        plain = meaning if estimate.spec == estimate.name else ""  # the summary tells the choices of the preset
        shown.append({"title": title, "spec": estimate.spec, "meaning": plain, "estimand": estimate.estimand})
    return shown


def row(before: Estimate, after: Estimate | None, notes: Footnotes) -> dict[str, Any]:
    """Return one row of the table, before and after repair."""
    return {
        "title": measure_title(before),
        "spec": before.spec,
        "notes": notes.numbers(before.notes),
        "value": _cell(before, notes),
        "null": _null(before),
        "picture": Markup(_picture(before, after)),
        "after": None if after is None else {**_cell(after, notes), "notes": notes.numbers(after.notes)},
    }


def _cell(estimate: Estimate, notes: Footnotes) -> dict[str, Any]:
    """Return the value, its interval and what it is evidence of."""
    places = common_places([estimate.value, estimate.low, estimate.high])
    low, high = estimate.low, estimate.high
    marks = [INFINITE] if math.isinf(estimate.value) else []
    if low is not None and high is not None and not low <= estimate.value <= high:
        marks.append(_OUTSIDE)
    return {
        "value": figure(estimate.value, places),
        "interval": _between(low, high, places),
        "evidence": evidence(estimate),
        "marks": notes.numbers(marks),
    }


def _null(estimate: Estimate) -> dict[str, str]:
    """Return the level of a calibrated model and its band."""
    places = common_places([estimate.null, estimate.null_low, estimate.null_high])
    return {
        "value": figure(estimate.null, places),
        "interval": _between(estimate.null_low, estimate.null_high, places),
    }


def evidence(estimate: Estimate) -> str:
    """Return whether the value is what chance gives a calibrated model; an error below the band is that too."""
    if estimate.null_low is None or estimate.null_high is None:
        return ""
    low = -math.inf if _is_error(estimate) else estimate.null_low
    return "within chance" if low <= estimate.value <= estimate.null_high else "beyond chance"


def _is_error(estimate: Estimate) -> bool:
    """Whether the measure is a calibration error, whose large values alone speak against calibration."""
    try:
        return not isinstance(measure(estimate.spec), MeanScore)
    except UnknownMethod:  # an object that is not registered
        return False


def _picture(before: Estimate, after: Estimate | None) -> str:
    if before.null is None and before.low is None:
        return ""  # a dot alone tells nothing
    later = None if after is None else after.value
    numbers = (before.value, before.low, before.high, before.null_low, before.null_high, later)
    known = [v for v in numbers if v is not None and math.isfinite(v)]
    near_zero = bool(known) and min(known) < 0.5 * max(known)  # then zero is a place to measure from
    span = Span(
        value=before.value,
        low=before.low,
        high=before.high,
        band_low=before.null_low,
        band_high=before.null_high,
        tick=before.null,
        after=later,
        origin=0.0 if near_zero else None,
    )
    return draw_span(span, f"{measure_title(before)}: value, interval and the band of a calibrated model")


def _between(low: float | None, high: float | None, places: int) -> str:
    return "" if low is None or high is None else f"{figure(low, places)} {NOTHING} {figure(high, places)}"


def _summary(estimate: Estimate) -> tuple[str, str]:
    """Return the words before and after the colon of the first line of a measure's documentation."""
    try:
        summary = registry.lookup("measure", estimate.name).summary
    except UnknownMethod:  # a measure that was passed as an object and is not registered
        return estimate.name.replace("_", " "), ""
    title, _, meaning = summary.partition(": ")
    return title, (meaning[:1].upper() + meaning[1:]).replace("`", "")
