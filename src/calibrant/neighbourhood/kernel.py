"""Kernels of the distance d of two rows, as logarithms: Gaussian -d² / (2 h²), Laplacian -d / h, box 0 within h.

The bandwidth h is in the units of the space. Beyond h the box kernel is -inf: a row may have no neighbour at all.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require

Floats = NDArray[np.float64]
KernelName = Literal["gaussian", "laplacian", "box"]
KERNELS: tuple[KernelName, ...] = get_args(KernelName)

_NARROWEST, _WIDEST = 1e-100, 1e100  # their squares are numbers


def log_kernel(name: KernelName, squared: NDArray[np.floating], bandwidth: float) -> Floats:
    """Return the log-kernel of squared distances of any shape, float64, at most 0."""
    squared = np.asarray(squared, dtype=np.float64)
    if name == "box":
        return np.where(squared <= bandwidth * bandwidth, 0.0, -np.inf)
    if name == "laplacian":
        return np.asarray(np.sqrt(squared) / -bandwidth)
    return np.asarray(squared / (-2 * bandwidth * bandwidth))


def scale_of(name: KernelName, bandwidth: float) -> float:
    """Return the number that the native kernel takes in place of the bandwidth."""
    return {"gaussian": 0.5 / bandwidth**2, "laplacian": 1 / bandwidth, "box": bandwidth**2}[name]


def check_kernel(name: str, bandwidth: float) -> None:
    """Raise ``DataError`` unless the kernel is known and the bandwidth a positive number."""
    require(name in KERNELS, "kernel", f"be one of {KERNELS}", repr(name))
    number = isinstance(bandwidth, int | float) and not isinstance(bandwidth, bool)
    right = number and _NARROWEST <= bandwidth <= _WIDEST
    require(right, "bandwidth", f"lie between {_NARROWEST:g} and {_WIDEST:g}", bandwidth)
