"""Numbers as people read them, in pictures and pages."""

from __future__ import annotations

import math
from collections.abc import Iterable

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
INFINITE = "\N{INFINITY}"


def decimals(value: float, digits: int = 3, least: int = 4, most: int = 9) -> int:
    """Return the decimals that show ``digits`` significant digits of a value, between ``least`` and ``most``."""
    if value == 0 or not math.isfinite(value):
        return least
    return min(max(least, digits - 1 - math.floor(math.log10(abs(value)))), most)


def figure(value: float | None, places: int | None = None, *, sign: bool = False) -> str:
    """Return a number with so many decimals, a dash for what is not there, and an infinity sign."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return (MINUS if value < 0 else "+" if sign else "") + INFINITE
    places = decimals(value) if places is None else places
    text = f"{value:{'+' if sign else ''},.{places}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def common_places(values: Iterable[float | None], digits: int = 3) -> int:
    """Return the decimals that show ``digits`` significant digits of the largest of some numbers."""
    known = [abs(v) for v in values if v is not None and math.isfinite(v)]
    return decimals(max(known, default=0.0), digits)


def percent(value: float, digits: int = 1) -> str:
    """Return a share as a percentage, with two significant digits under 1 %."""
    if not math.isfinite(value):
        return NOTHING
    places = decimals(100 * value, 2, digits, 6) if abs(value) < 0.01 else digits
    return figure(100 * value, places) + "%"


def exact_percent(share: float) -> str:
    """Return a chosen share as a percentage, with the digits that it has: 97.5%."""
    return f"{100 * share:.8g}%"


def count(value: int, noun: str, plural: str = "") -> str:
    """Return "1 row", "4,435 rows"."""
    return f"{value:,}\N{NO-BREAK SPACE}{noun if value == 1 else plural or noun + 's'}"


def shortened(text: str, most: int = 80) -> str:
    """Return a text of at most ``most`` characters, cut with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
