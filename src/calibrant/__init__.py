"""calibrant: make the class probabilities of a classifier trustworthy.

Measure (`evaluate`, `metrics`), repair (`compare`, `fit`, `load`), and report (`report`). Start with
``Predictions.from_probabilities`` or ``Predictions.from_logits``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibrant import calibrators, data, io, metrics, plot, registry, shift, testing
    from calibrant.calibrators import fit, load
    from calibrant.estimate import Estimate
    from calibrant.evaluation import compare, evaluate
    from calibrant.explanation import explain
    from calibrant.metrics.class_tables import class_table
    from calibrant.predictions import Predictions
    from calibrant.reporting import report

# Where each public name lives; it is imported when it is first asked for.
_HOMES = {
    "Estimate": "calibrant.estimate",
    "Predictions": "calibrant.predictions",
    "class_table": "calibrant.metrics.class_tables",
    "compare": "calibrant.evaluation",
    "evaluate": "calibrant.evaluation",
    "explain": "calibrant.explanation",
    "fit": "calibrant.calibrators",
    "load": "calibrant.calibrators",
    "methods": "calibrant.catalogue",
    "report": "calibrant.reporting",
}
_MODULES = ("calibrators", "data", "io", "metrics", "plot", "registry", "shift", "testing")

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"calibrant.{name}")
    if name == "__version__":
        from importlib import metadata  # slow to import, and rarely asked for

        return metadata.version("calibrant")
    raise AttributeError(f"module 'calibrant' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
