"""Use: measure a batch or a stream with uncertainty, and compare repairs by cross-fitting."""

from calibrant.evaluation.comparison import Comparison, MethodResult, compare
from calibrant.evaluation.measuring import Evaluation, evaluate
from calibrant.evaluation.suite import SUITES, suite

__all__ = ["SUITES", "Comparison", "Evaluation", "MethodResult", "compare", "evaluate", "suite"]
