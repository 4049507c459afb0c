"""Neighbourhoods: a feature space fitted once, a kernel with its bandwidth, and what the rows around a point say.

Local measures and local calibrators stand on the same record, so that all methods can be looked at in one space.
"""

from calibrant.neighbourhood.bandwidth import Bandwidth
from calibrant.neighbourhood.indexes import INDEXES
from calibrant.neighbourhood.kernel import KERNELS, KernelName, log_kernel
from calibrant.neighbourhood.local_sums import LocalFrequencies
from calibrant.neighbourhood.neighbourhood import Neighbourhood, WeightBlock
from calibrant.neighbourhood.neighbours import Index, Neighbours
from calibrant.neighbourhood.packing import packed, unpacked
from calibrant.neighbourhood.space import Space

__all__ = [
    "INDEXES",
    "KERNELS",
    "Bandwidth",
    "Index",
    "KernelName",
    "LocalFrequencies",
    "Neighbourhood",
    "Neighbours",
    "Space",
    "WeightBlock",
    "log_kernel",
    "packed",
    "unpacked",
]
