"""Functions of single numbers, many at once."""

from __future__ import annotations

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats

_EXP = 0


def exponentials(values: Floats) -> Floats:
    """Return the exponentials of values up to 709, C-contiguous, which they replace; relative error 1e-15.

    Several times faster than ``np.exp`` in double precision, and most so where results are 0: below 1e-307 they are.
    """
    flat = values.reshape(-1)
    _native.apply_function(_EXP, flat, flat)
    return values
