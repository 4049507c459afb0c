"""Pictures in two steps: ``prepare`` computes a record from predictions, ``svg.draw`` and ``draw`` draw it.

`reliability`, `classwise` (also by predicted class), `corp`, `cumulative`, `confusion`, `simplex`, `risk`, and for
predictions with features `local_map` and `local_support`, each have a ``prepare``. ``svg.draw`` returns text and needs
nothing; ``draw`` draws on axes of matplotlib (the extra ``plot``).
"""

from calibrant.plot import (
    classwise,
    confusion,
    corp,
    cumulative,
    local_map,
    local_support,
    reliability,
    risk,
    simplex,
    svg,
)
from calibrant.plot.classwise import ClassDiagrams
from calibrant.plot.confusion import ConfusionDiagram
from calibrant.plot.corp import CorpDiagram
from calibrant.plot.cumulative import CumulativeDiagram
from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.local_map import LocalMap
from calibrant.plot.local_support import SupportDiagram
from calibrant.plot.mpl import draw
from calibrant.plot.risk import RiskDiagram
from calibrant.plot.simplex import SimplexDiagram

__all__ = [
    "ClassDiagrams",
    "ConfusionDiagram",
    "CorpDiagram",
    "CumulativeDiagram",
    "LocalMap",
    "ReliabilityDiagram",
    "RiskDiagram",
    "SimplexDiagram",
    "SupportDiagram",
    "classwise",
    "confusion",
    "corp",
    "cumulative",
    "draw",
    "local_map",
    "local_support",
    "reliability",
    "risk",
    "simplex",
    "svg",
]
