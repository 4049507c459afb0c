"""What stands for an exact zero where a logarithm is needed: half the smallest positive calibration probability.

The value is computed at the fit, kept on the map as ``floor`` and never changes with the batch that is mapped. Only
zeros are touched: however few the calibration rows, a probability that is small but positive keeps its value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.formulas import TINY
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]

_NO_PART = 1e-30  # adding it for every class leaves the sum of a row as it is
_BLOCK = 1 << 16  # entries: a block stays in the cache between its two reads


def check_zero(zero: float | None) -> None:
    """Raise ``DataError`` unless ``zero`` is None or a probability strictly between 0 and 1."""
    holds = zero is None or (isinstance(zero, float) and 0 < zero < 1)
    require(holds, "zero", "lie in (0, 1) or be None", zero, way_out="None takes half the smallest positive score")


def without_zeros(predictions: Predictions, floor: float) -> Predictions:
    """Return the batch with ``floor`` in the place of each exact zero, its row rescaled; itself where there is none."""
    some = predictions.summary.lowest.min() == _zero(predictions)
    return _replaced(predictions, floor) if some else predictions


def prepared(predictions: Predictions, zero: float | None) -> tuple[Predictions, float]:
    """Return the batch of a fit without exact zeros, and the floor that stands for them.

    The floor is ``zero``, or half the smallest positive probability of the batch, at least the smallest normal number.
    """
    least = predictions.summary.lowest  # (n,)
    some = bool(least.min() == _zero(predictions))
    if zero is None:
        if predictions.logits:
            smallest = math.exp(_lowest_log(predictions.scores, predictions.summary.total, least))
        else:
            smallest = _lowest_positive(predictions.scores) if some else float(least.min())
        zero = max(smallest / 2, TINY)
    return (_replaced(predictions, zero) if some else predictions), zero


def prepared_by_order(predictions: Predictions, zero: float | None) -> tuple[Predictions, float]:
    """Return `prepared` for methods that only compare scores: zeros stay the lowest, and equal scores stay equal.

    A floor that counts in the sum of a row would tell its scores from equal ones of rows with other zeros.
    """
    return prepared(predictions, min(floor_of(predictions, None), _NO_PART) if zero is None else zero)


def kept_positive(probabilities: Scores) -> Scores:
    """Return the array (n, k), in place with entries that rounded to 0 at the smallest normal number of their dtype.

    A map of ours gives every class a positive probability; single precision ends at 1e-38 and must not undo that.
    """
    np.maximum(probabilities, np.finfo(probabilities.dtype).tiny, out=probabilities)
    return probabilities


def floor_of(predictions: Predictions, zero: float | None) -> float:
    """Return the floor that `prepared` finds."""
    return prepared(predictions, zero)[1]


def _zero(predictions: Predictions) -> float:
    return -math.inf if predictions.logits else 0.0


def _replaced(predictions: Predictions, floor: float) -> Predictions:
    dtype = predictions.scores.dtype
    least = max(floor, float(np.finfo(dtype).smallest_subnormal))
    absent = predictions.scores == _zero(predictions)  # (n, k)
    if predictions.logits:
        standing = (predictions.summary.total + math.log(least)).astype(dtype)[:, None]  # (n, 1)
        return predictions.rescored(np.where(absent, standing, predictions.scores), "logit")
    grown = 1 + least * absent.sum(1, keepdims=True)  # (n, 1), of a row that summed to 1
    return predictions.rescored((np.where(absent, least, predictions.scores) / grown).astype(dtype), "probability")


def _lowest_log(logits: Scores, total: Floats, lowest: Floats) -> float:
    """Return the smallest log-probability above -inf, given the smallest logit of each row (n,)."""
    least = lowest.copy()
    for row in np.flatnonzero(np.isneginf(least)):
        least[row] = logits[row].min(initial=np.inf, where=np.isfinite(logits[row]))
    return float((least - total).min())


def _lowest_positive(probabilities: Scores) -> float:
    """Return the smallest positive entry.

    The bits of non-negative floats, read as whole numbers, are in the order of the floats; less one, the zero goes to
    the top end. So one subtraction and one minimum do, in cache, where a mask would take a pass of its own.
    """
    whole = np.dtype(np.uint32 if probabilities.dtype == np.float32 else np.uint64)
    lowest, step = 2 ** (8 * whole.itemsize) - 1, max(1, _BLOCK // probabilities.shape[1])
    for start in range(0, len(probabilities), step):
        bits = probabilities[start : start + step].view(whole)
        lowest = min(lowest, int(np.subtract(bits, 1, dtype=whole).min()))
    return float(np.array(lowest + 1, dtype=whole).view(probabilities.dtype))
