"""A value, its interval and the level of a calibrated model on one short line, for a row of a table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibrant.plot.svg import elements as svg

_WIDTH, _HEIGHT, _EDGE = 168.0, 22.0, 6.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """What one line shows; what is None or not finite is left out.

    ``value`` with ``low, high``; a band from ``band_low`` to ``band_high`` with a ``tick``; ``after`` a second value;
    ``origin`` a number that the axis must hold.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    band_low: float | None = None
    band_high: float | None = None
    tick: float | None = None
    after: float | None = None
    origin: float | None = None


def limits(spans: list[Span]) -> tuple[float, float]:
    """Return the range that holds all numbers of the lines, for a common axis; (0, 1) if there are none."""
    numbers = [v for span in spans for v in vars(span).values() if v is not None and math.isfinite(v)]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def draw_span(span: Span, title: str, axis: tuple[float, float] | None = None) -> str:
    """Return the line on an axis, by default its own; an arrow tells of a value that lies before it."""
    low, high = axis or limits([span])

    def x(value: float) -> float:
        return _EDGE + (_WIDTH - 2 * _EDGE) * (value - low) / (high - low)

    middle = 0.5 * _HEIGHT
    content = [svg.line(_EDGE, middle, _WIDTH - _EDGE, middle, "cal-grid")]
    if _known(span.band_low, span.band_high):
        left, right = x(span.band_low or 0.0), x(span.band_high or 0.0)
        content.append(svg.box(left, 3, max(right - left, 1.5), _HEIGHT - 6, "cal-band"))
    if _known(span.tick):
        content.append(svg.line(x(span.tick or 0.0), 3, x(span.tick or 0.0), _HEIGHT - 3, "cal-tick"))
    if _known(span.low, span.high):
        content.append(svg.line(x(span.low or 0.0), middle, x(span.high or 0.0), middle, "cal-span"))
    if _known(span.after):
        content.append(svg.circle(x(span.after or 0.0), middle, 4, "cal-after"))
    if _known(span.value) and (span.value or 0.0) < low:
        content.append(svg.polygon([(1, middle), (8, middle - 4.5), (8, middle + 4.5)], "cal-value"))
    elif _known(span.value):
        content.append(svg.circle(x(span.value or 0.0), middle, 4.5, "cal-value"))
    return svg.picture(_WIDTH, _HEIGHT, *content, title=title, fixed=True)


def _known(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)
