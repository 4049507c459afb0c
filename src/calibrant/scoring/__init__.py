"""Proper scores, one a file: each gives a loss per row, smaller is better."""

from calibrant.scoring.base import RowScore
from calibrant.scoring.brier import BrierScore
from calibrant.scoring.log_loss import LogLoss
from calibrant.scoring.ranked_probability import RankedProbabilityScore
from calibrant.scoring.spherical import SphericalScore
from calibrant.scoring.zero_one import ZeroOne

__all__ = ["BrierScore", "LogLoss", "RankedProbabilityScore", "RowScore", "SphericalScore", "ZeroOne"]
