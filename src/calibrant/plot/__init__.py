"""Pictures in two steps: ``prepare`` computes a record from predictions, ``svg.draw`` and ``draw`` draw it.

`reliability`, `classwise` (also by predicted class), `corp`, `cumulative`, `confusion`, `simplex` and `risk` each have
a ``prepare``. ``svg.draw`` returns text and needs nothing; ``draw`` draws on axes of matplotlib (the extra ``plot``).
"""

from calibrant.plot import classwise, confusion, corp, cumulative, reliability, risk, simplex, svg
from calibrant.plot.classwise import ClassDiagrams
from calibrant.plot.confusion import ConfusionDiagram
from calibrant.plot.corp import CorpDiagram
from calibrant.plot.cumulative import CumulativeDiagram
from calibrant.plot.diagram import ReliabilityDiagram
from calibrant.plot.mpl import draw
from calibrant.plot.risk import RiskDiagram
from calibrant.plot.simplex import SimplexDiagram

__all__ = [
    "ClassDiagrams",
    "ConfusionDiagram",
    "CorpDiagram",
    "CumulativeDiagram",
    "ReliabilityDiagram",
    "RiskDiagram",
    "SimplexDiagram",
    "classwise",
    "confusion",
    "corp",
    "cumulative",
    "draw",
    "reliability",
    "risk",
    "simplex",
    "svg",
]
