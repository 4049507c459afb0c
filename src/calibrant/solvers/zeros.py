"""What stands for an exact zero where a logarithm is needed: half the smallest positive calibration probability.

The value is computed at the fit, kept on the map as ``floor`` and never changes with the batch that is mapped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

_TINY = float(np.finfo(np.float64).tiny)  # the smallest number whose logarithm keeps full precision
_BLOCK = 1 << 16  # entries: a block stays in the cache between its two reads


def check_zero(zero: float | None) -> None:
    """Raise ``DataError`` unless ``zero`` is None or a probability strictly between 0 and 1."""
    holds = zero is None or (isinstance(zero, float) and 0 < zero < 1)
    require(holds, "zero", "lie in (0, 1) or be None", zero, way_out="None takes half the smallest positive score")


def floor_of(predictions: Predictions, zero: float | None) -> float:
    """Return ``zero``, or half the smallest positive probability of the batch (at least the smallest normal number)."""
    if zero is not None:
        return zero
    if predictions.logits:
        smallest = math.exp(_lowest_log(predictions.scores, predictions.summary.total))
    else:
        smallest = _lowest_positive(predictions.scores)
    return max(smallest / 2, _TINY)


def finite_logits(logits: Scores, total: Floats, floor: float) -> Scores:
    """Return the logits (n, k) with every -inf at probability ``floor``; themselves, not copied, where there is none."""
    if logits.min() > -np.inf:
        return logits
    limit = (total + math.log(floor)).astype(logits.dtype)  # (n,)
    return np.where(np.isneginf(logits), limit[:, None], logits)


def _lowest_log(logits: Scores, total: Floats) -> float:
    """Return the smallest log-probability above -inf."""
    least = logits.min(1)  # (n,)
    for row in np.flatnonzero(np.isneginf(least)):
        least[row] = logits[row].min(initial=np.inf, where=np.isfinite(logits[row]))
    return float((least - total).min())


def _lowest_positive(probabilities: Scores) -> float:
    """Return the smallest positive entry.

    The bits of non-negative floats, read as whole numbers, are in the order of the floats; less one, the zero goes to
    the top end. So one subtraction and one minimum do, in cache, where a mask would take a pass of its own.
    """
    whole = np.uint32 if probabilities.dtype == np.float32 else np.uint64
    lowest, step = np.iinfo(whole).max, max(1, _BLOCK // probabilities.shape[1])
    for start in range(0, len(probabilities), step):
        bits = probabilities[start : start + step].view(whole)
        lowest = min(lowest, int((bits - whole(1)).min()))
    return float(np.array(lowest + 1, dtype=whole).view(probabilities.dtype))

