"""Measures of calibration and proper scores; each takes predictions and gives an `Estimate`.

``ece(predictions)`` measures; ``ece(bins=10)`` gives the measure with its choices, to be called on many batches.
Every registered measure is an attribute of this module.
"""

from __future__ import annotations

from typing import Any

from calibrant import registry
from calibrant.metrics.base import Metric, MetricStatistic
from calibrant.metrics.calibration_error import CalibrationError

__all__ = ["CalibrationError", "Metric", "MetricStatistic", "local_gaps", "measure"]


def measure(spec: str | Metric) -> Metric:
    """Return the measure of a spec string such as ``"ece(bins=10)"``, or the object itself."""
    if isinstance(spec, Metric):
        return spec
    built: Metric = registry.create("measure", spec)
    return built


def __getattr__(name: str) -> Any:
    if name == "local_gaps":  # where, not how much; imported when it is asked for
        from calibrant.metrics.local_regions import local_gaps

        return local_gaps
    return registry.called("measure", name, __name__)


def __dir__() -> list[str]:
    return sorted([*__all__, *(entry.name for entry in registry.entries("measure"))])
