"""Frozen sums that merge: what every measure is computed from, on one batch, many shards or a stream."""

from calibrant.statistics.base import Merging, Statistic
from calibrant.statistics.bin_sums import BinSums
from calibrant.statistics.collected import Collected
from calibrant.statistics.column import Column
from calibrant.statistics.moments import Moments

__all__ = ["BinSums", "Collected", "Column", "Merging", "Moments", "Statistic"]
