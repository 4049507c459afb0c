"""The table of methods: best log loss first, then those that declined, with their sentence."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from calibrant.evaluation import Comparison, MethodResult
from calibrant.plot.svg import Span, draw_span
from calibrant.plot.svg.span import limits
from calibrant.plot.words import common_places, decimals, figure, percent
from calibrant.reporting.footnotes import INFINITE, Footnotes


def table(comparison: Comparison) -> dict[str, Any]:
    """Return the rows, the methods that declined, and the footnotes."""
    notes = Footnotes()
    spans = {m.name: Span(value=m.gain, low=m.gain_low, high=m.gain_high, tick=0.0) for m in comparison.shown}
    axis = _axis(list(spans.values()))
    places = {name: common_places(getattr(m, name) for m in comparison.shown) for name in ("log_loss", "brier", "ece")}
    rows = []
    for method in comparison.shown:
        title = f"Gain of {method.name} with its interval; the tick is no gain"
        picture = draw_span(spans[method.name], title, axis) if math.isfinite(method.gain) else ""
        losses = {name: figure(getattr(method, name), decimal) for name, decimal in places.items()}
        chosen = {"recommended": method.name == comparison.recommended, "picture": Markup(picture)}
        rows.append({**_row(method, notes), **losses, **chosen})
    declined = [{"name": m.name, "declined": m.declined} for m in comparison.methods if m.declined]
    return {"rows": rows, "declined": declined, "notes": notes.texts}


def _row(method: MethodResult, notes: Footnotes) -> dict[str, Any]:
    known = math.isfinite(method.gain_se) and method.gain_se > 0
    places = decimals(method.gain_se, 2) if known else 4
    infinite = math.isinf(method.log_loss)
    identity = method.parameters == 0 and method.gain == 0
    return {
        "name": method.name,
        "gain": "" if identity else figure(method.gain, places, sign=True),
        "gain_se": figure(method.gain_se, places) if known else "",
        "accuracy": percent(method.accuracy),
        "parameters": f"{method.parameters:,}",
        "seconds": "< 0.01" if method.seconds < 0.01 else figure(method.seconds, 2),
        "notes": notes.numbers([*method.notes, *([INFINITE] if infinite else [])]),
    }


def _axis(spans: list[Span]) -> tuple[float, float]:
    """Return the common axis of the gains; a method that loses far more than any gains does not squeeze the others."""
    low, high = limits([*spans, Span(origin=0.0)])
    return (max(low, -1.5 * high), high) if high > 0 else (low, high)
