"""The result of a measure: a value with its uncertainty and the level that a perfect model would show."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """One measured quantity; converts to ``float``.

    Parameters
    ----------
    name : the name of the measure (``"ece"``).
    value : the point estimate, in the units of the measure; may be ``inf`` (a log loss with a zero probability).
    n : number of rows with positive weight that it rests on.
    spec : the spec string that makes the same measure again.
    estimand : in words, the quantity that the interval is about.
    low, high, level : interval at confidence ``level``, or None where none was asked for or none is valid.
    null, null_low, null_high : mean and central ``level`` band of the same measure for a perfectly calibrated
        model with the same scores (labels redrawn from the probabilities), or None.
    per_class : the value of each class (k,), for class-wise measures.
    details : further figures, by name.
    notes : sentences that qualify the value.
    """

    name: str
    value: float
    n: int
    spec: str
    estimand: str = ""
    low: float | None = None
    high: float | None = None
    level: float | None = None
    null: float | None = None
    null_low: float | None = None
    null_high: float | None = None
    per_class: NDArray[np.float64] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float(self.value)

    @property
    def figures(self) -> dict[str, Any]:
        """The details that are single numbers: terms of a decomposition, a bandwidth; names in words."""
        numbers = (int, float, np.integer, np.floating)
        return {
            name.replace("_", " "): value
            for name, value in self.details.items()
            if isinstance(value, numbers) and not isinstance(value, bool)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record: an infinite figure is None with ``"NAME_infinite"`` beside it.

        In lists, as ``per_class``, it is None too, and ``"NAME_infinite"`` lists the places.
        """
        names = ("name", "value", "low", "high", "level", "null", "null_low", "null_high", "n", "spec", "estimand")
        record: dict[str, Any] = {name: getattr(self, name) for name in names}
        record["notes"] = self.notes
        if self.per_class is not None:
            record["per_class"] = self.per_class
        return strict({**record, "details": self.details})

    def __repr__(self) -> str:
        text = f"{self.name} = {self.value:.6g}"
        if self.low is not None and self.high is not None:
            text += f" [{self.low:.4g}, {self.high:.4g}]"
        if self.null is not None:
            text += f" (perfectly calibrated: {self.null:.4g})"
        return text

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"


def strict(record: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a record for strict JSON, with arrays and tuples as lists and None for NaN and infinities.

    An infinity leaves its sign beside it: ``"NAME_infinite": "inf"`` or ``"-inf"``; infinities in a list their places.
    """
    told: dict[str, Any] = {}
    for name, value in record.items():
        told[str(name)], infinite = _finite(value)
        if infinite:
            told[f"{name}_infinite"] = infinite
    return told


def _finite(value: Any) -> tuple[Any, Any]:
    """Return a value for strict JSON, and what to say of its infinities."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return (value if math.isfinite(value) else None), (str(value) if math.isinf(value) else None)
    if isinstance(value, Mapping):
        return strict(value), None
    if isinstance(value, list | tuple):
        parts = [_finite(each) for each in value]
        return [plain for plain, _ in parts], [i for i, (_, infinite) in enumerate(parts) if infinite]
    return value, None
