"""Half precision into single, by whole-number arithmetic: NumPy's own conversion is twice as slow."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from calibrant.kernels._threads import thread_count

Halves = NDArray[np.float16]
Singles = NDArray[np.float32]

_BLOCK = 1 << 16  # entries: a block stays in the cache between its reads
_SIGN_EXPONENT_FRACTION = np.int32(-0x70002000)  # the bits 31 and 27 to 13
_REBIASED = np.float32(2.0**112)  # exponents count from 127 in single precision, from 15 in half
_LARGEST = np.float32(65504)  # what seems larger is infinite or not a number


def widened(halves: Halves, *, out: Singles | None = None, threads: int | None = None) -> Singles:
    """Return contiguous halves of any shape in single precision, exactly; in ``out``, contiguous, where given."""
    out = np.empty(halves.shape, np.float32) if out is None else out
    source, target = halves.reshape(-1), out.reshape(-1)
    workers = min(thread_count(threads), -(-source.size // (4 * _BLOCK)))
    if workers <= 1:
        _widen(source, target)
        return out
    ends = [source.size * i // workers for i in range(workers + 1)]
    parts = [slice(start, end) for start, end in itertools.pairwise(ends)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda part: _widen(source[part], target[part]), parts))
    return out


def _widen(source: Halves, target: Singles) -> None:
    """Move sign, exponent and fraction to their places; a multiplication corrects the exponent, also of subnormals."""
    for start in range(0, source.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        values = target[part]
        bits = values.view(np.int32)
        bits[...] = source[part].view(np.int16)
        np.left_shift(bits, 13, out=bits)
        np.bitwise_and(bits, _SIGN_EXPONENT_FRACTION, out=bits)
        np.multiply(values, _REBIASED, out=values)
        if values.max() > _LARGEST or values.min() < -_LARGEST:
            values[...] = source[part]
