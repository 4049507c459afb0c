"""Estimators of the gap between scores and outcomes: how rows are put into bins, one a file."""

from calibrant.metrics.estimators.base import Binning

__all__ = ["Binning"]
