"""Short formulas that methods declare, such as ``"2k - 1"`` or ``"k^2 + k"``: sums of products of numbers and names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TERM = re.compile(r"([+-]?)\s*((?:[\w.]+(?:\^\d+)?[\s*]*)+)")
_FACTOR = re.compile(r"(\d+(?:\.\d+)?|[A-Za-z_]\w*)(?:\^(\d+))?")


def evaluated(formula: str, names: Mapping[str, Any]) -> float:
    """Return the value of a sum of products; ``KeyError`` for an unknown name."""
    return sum((-1.0 if sign == "-" else 1.0) * _product(term, names) for sign, term in _TERM.findall(formula))


def _product(term: str, names: Mapping[str, Any]) -> float:
    value = 1.0
    for factor, power in _FACTOR.findall(term):
        value *= float(factor if factor[0].isdigit() else names[factor]) ** int(power or 1)
    return value
