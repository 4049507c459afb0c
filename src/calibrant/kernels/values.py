"""The histogram of one column of values with their outcomes, in one pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints
from calibrant.kernels._threads import thread_count
from calibrant.kernels.class_bins import equal_rates


class ValueBins(NamedTuple):
    """Sums per bin, each (bins,): ``rows`` of positive weight, ``weight``, ``value`` sum w v, ``outcome`` sum w q."""

    rows: Ints
    weight: Floats
    value: Floats
    outcome: Floats


def bin_values(
    values: NDArray[np.floating],
    outcomes: NDArray[Any],
    edges: Floats,
    *,
    weights: Floats | None = None,
    right: bool = True,
    threads: int | None = None,
) -> ValueBins:
    """Return the histogram of values (n,), float32 or float64, with outcomes (n,), float32, float64, bool or uint8.

    ``edges`` (bins + 1,) and ``right`` as in `bin_classes`; weights (n,) float64; a row of weight zero is not there.
    """
    if outcomes.dtype == np.bool_:
        outcomes = outcomes.view(np.uint8)
    planes = np.zeros((4, len(edges) - 1))
    rate = float(equal_rates(edges[None])[0])
    _native.bin_values(values, outcomes, weights, edges, rate, right, thread_count(threads), planes)
    rows, weight, value, outcome = planes
    return ValueBins(rows.astype(np.int64), weight, value, outcome)
