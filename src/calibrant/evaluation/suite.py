"""Named lists of measures."""

from __future__ import annotations

from collections.abc import Sequence

from calibrant.errors import UnknownMethod
from calibrant.metrics import Metric, measure

SUITES: dict[str, tuple[str, ...]] = {
    "default": ("accuracy", "log_loss", "brier", "ece", "mce", "rmsce", "squared_ce", "sce", "ace", "tace"),
    "quick": ("accuracy", "log_loss", "brier", "ece", "mce", "rmsce", "sce"),
}


def suite(measures: str | Sequence[str | Metric]) -> tuple[Metric, ...]:
    """Return the measures of a suite's name, of one spec string, or of a list of specs and objects."""
    if isinstance(measures, str):
        named = SUITES.get(measures)
        if named is None:
            return (_one(measures),)
        measures = named
    return tuple(measure(m) for m in measures)


def _one(spec: str) -> Metric:
    try:
        return measure(spec)
    except UnknownMethod as error:
        raise UnknownMethod(f"{error}; suites: {', '.join(SUITES)}") from None
