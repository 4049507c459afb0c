"""Pictures in two steps: ``prepare`` computes a record from predictions, ``svg`` draws it."""

from calibrant.plot import classwise, reliability, svg
from calibrant.plot.classwise import ClassDiagrams
from calibrant.plot.diagram import ReliabilityDiagram

__all__ = ["ClassDiagrams", "ReliabilityDiagram", "classwise", "reliability", "svg"]
