"""Use: measure a batch or a stream with uncertainty, and compare repairs by cross-fitting."""

from calibrant.evaluation.comparison import Comparison, MethodResult, compare
from calibrant.evaluation.measuring import evaluate
from calibrant.evaluation.record import Evaluation
from calibrant.evaluation.suite import SUITES, Method, Suite, kind_of, suite

__all__ = [
    "SUITES",
    "Comparison",
    "Evaluation",
    "Method",
    "MethodResult",
    "Suite",
    "compare",
    "evaluate",
    "kind_of",
    "suite",
]
