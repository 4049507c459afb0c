"""Tests of calibration: each has a null hypothesis, a statistic and a p-value; one a file.

``calibrant.metrics.tests.spiegelhalter(predictions)`` tests; without predictions it gives the test with its choices.
Every registered test is an attribute of this module.
"""

from __future__ import annotations

from typing import Any

from calibrant import registry
from calibrant.metrics.tests.base import CalibrationTest, TestResult

__all__ = ["CalibrationTest", "TestResult", "test"]


def test(spec: str | CalibrationTest) -> CalibrationTest:
    """Return the test of a spec string such as ``"hosmer_lemeshow(bins=8)"``, or the object itself."""
    if isinstance(spec, CalibrationTest):
        return spec
    built: CalibrationTest = registry.create("test", spec)
    return built


test.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's


def __getattr__(name: str) -> Any:
    return registry.called("test", name, __name__)


def __dir__() -> list[str]:
    return sorted([*__all__, *(entry.name for entry in registry.entries("test"))])
