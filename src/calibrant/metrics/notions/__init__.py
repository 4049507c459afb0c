"""Notions of calibration: which scores must agree with which outcomes, one a file."""

from calibrant.metrics.notions.base import Notion

__all__ = ["Notion"]
