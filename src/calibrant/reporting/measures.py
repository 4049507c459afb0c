"""The table of measures, its footnotes, and what each measure means."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from calibrant import registry
from calibrant.errors import UnknownMethod
from calibrant.estimate import Estimate
from calibrant.plot.svg import Span, draw_span
from calibrant.plot.words import NOTHING, decimals, figure
from calibrant.reporting.footnotes import Footnotes
from calibrant.reporting.record import Report

_INFINITE = "∞: at least one row gave probability zero to what happened; one such row makes the mean infinite"


def table(report: Report) -> dict[str, Any]:
    """Return the rows and the footnotes."""
    notes = Footnotes()
    after = report.after.measures if report.repaired else (None,) * len(report.evaluation.measures)
    rows = [_row(*pair, notes) for pair in zip(report.evaluation.measures, after, strict=True)]
    return {"rows": rows, "notes": notes.texts, "after": report.repaired}


def measure_title(estimate: Estimate) -> str:
    """Return the name of a measure in words."""
    return _summary(estimate)[0]


def definitions(report: Report) -> list[dict[str, str]]:
    """Return title, spec, meaning and estimand of each measure."""
    shown = []
    for estimate in report.evaluation.measures:
        title, meaning = _summary(estimate)
        plain = meaning if estimate.spec == estimate.name else ""  # the summary tells the choices of the preset
        shown.append({"title": title, "spec": estimate.spec, "meaning": plain, "estimand": estimate.estimand})
    return shown


def _row(before: Estimate, after: Estimate | None, notes: Footnotes) -> dict[str, Any]:
    said = (*before.notes, *(() if after is None else after.notes))
    infinite = math.isinf(before.value) or (after is not None and math.isinf(after.value))
    places = decimals(before.value if math.isfinite(before.value) else 0.0)
    return {
        "title": measure_title(before),
        "spec": before.spec,
        "value": figure(before.value, places),
        "interval": _between(before.low, before.high, places),
        "null": figure(before.null, places),
        "band": _between(before.null_low, before.null_high, places),
        "evidence": evidence(before),
        "picture": Markup(_picture(before, after)),
        "after": None if after is None else figure(after.value, places),
        "after_interval": "" if after is None else _between(after.low, after.high, places),
        "after_evidence": "" if after is None else evidence(after),
        "notes": notes.numbers([*said, *([_INFINITE] if infinite else [])]),
    }


def evidence(estimate: Estimate) -> str:
    """Return whether the value lies in the band of a calibrated model, in words."""
    if estimate.null_low is None or estimate.null_high is None:
        return ""
    return "within chance" if estimate.null_low <= estimate.value <= estimate.null_high else "beyond chance"


def _picture(before: Estimate, after: Estimate | None) -> str:
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
        summary = registry.lookup("measure", estimate.name).summary.replace("`", "")
    except UnknownMethod:  # a measure that was passed as an object and is not registered
        return estimate.name.replace("_", " "), ""
    title, _, meaning = summary.partition(": ")
    return title, meaning[:1].upper() + meaning[1:]
