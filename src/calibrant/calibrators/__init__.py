"""Calibrators, one method a file; each is found by its registration, never by a list.

``calibrant.calibrators.TemperatureScaling`` and the other classes are re-exported from the registry.
"""

from __future__ import annotations

from typing import Any

from calibrant import registry
from calibrant.calibrators.base import CalibrationMap, Calibrator, FitRecord, calibrator, fit, load

__all__ = ["CalibrationMap", "Calibrator", "FitRecord", "calibrator", "fit", "load"]


def __getattr__(name: str) -> Any:
    for entry in registry.entries("calibrator"):
        if entry.factory.__name__ == name:
            return entry.factory
    raise AttributeError(f"module 'calibrant.calibrators' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(entry.factory.__name__ for entry in registry.entries("calibrator"))])
