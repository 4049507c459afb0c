"""Half precision into single."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.kernels import _native
from calibrant.kernels._threads import thread_count

Halves = NDArray[np.float16]
Singles = NDArray[np.float32]


def widened(halves: Halves, *, out: Singles | None = None, threads: int | None = None) -> Singles:
    """Return contiguous halves of any shape in single precision, exactly; in ``out``, contiguous, where given."""
    out = np.empty(halves.shape, np.float32) if out is None else out
    _native.widen_halves(halves.reshape(-1).view(np.uint16), thread_count(threads), out.reshape(-1))
    return out
