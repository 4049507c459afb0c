"""Measures of calibration and proper scores; each takes predictions and gives an `Estimate`.

``ece(predictions)`` measures; ``ece(bins=10)`` gives the measure with its choices, to be called on many batches.
Every registered measure is an attribute of this module.
"""

from __future__ import annotations

from typing import Any

from calibrant import registry
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric, MetricStatistic
from calibrant.metrics.calibration_error import CalibrationError
from calibrant.predictions import Predictions

__all__ = ["CalibrationError", "Metric", "MetricStatistic", "measure"]


def measure(spec: str | Metric) -> Metric:
    """Return the measure of a spec string such as ``"ece(bins=10)"``, or the object itself."""
    if isinstance(spec, Metric):
        return spec
    built: Metric = registry.create("measure", spec)
    return built


class _Measure:
    """A registered measure as a function: with predictions its estimate, without them the measure."""

    def __init__(self, entry: registry.Entry) -> None:
        self.entry = entry
        self.__name__ = entry.name
        self.__doc__ = entry.doc

    def __call__(self, predictions: Predictions | None = None, **options: Any) -> Metric | Estimate:
        built: Metric = registry.build(self.entry, options)
        return built if predictions is None else built(predictions)

    def __repr__(self) -> str:
        return f"<measure {self.entry.name}: {self.entry.summary}>"


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in {entry.name for entry in registry.entries("measure")}:
        raise AttributeError(f"module 'calibrant.metrics' has no attribute {name!r}")
    return _Measure(registry.lookup("measure", name))


def __dir__() -> list[str]:
    return sorted([*__all__, *(entry.name for entry in registry.entries("measure"))])
