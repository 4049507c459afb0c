"""Names for the arrays that kernels take and return, and their one common parameter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]  # (n, k) C-contiguous float32 or float64
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SmallInts = NDArray[np.int32]


def log_floor(floor: float) -> float:
    """Return the log of a floor on probabilities; -inf for no floor."""
    return math.log(floor) if floor > 0 else -math.inf
