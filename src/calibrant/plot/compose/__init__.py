"""From a prepared record to the scene that shows it: where things go, and nothing else.

``scene(record)`` knows every record that a ``prepare`` of `calibrant.plot` returns.
"""

from calibrant.plot.compose import (
    classes,
    confusion,
    corp,
    cumulative,
    local_map,
    local_support,
    reliability,
    risk,
    simplex,
)
from calibrant.plot.compose.base import scene

__all__ = [
    "classes",
    "confusion",
    "corp",
    "cumulative",
    "local_map",
    "local_support",
    "reliability",
    "risk",
    "scene",
    "simplex",
]
