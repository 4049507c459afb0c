"""Piecewise linear curves of every class's probability, rows divided by their sums."""

from __future__ import annotations

from typing import Literal

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Ints, Scores
from calibrant.kernels._threads import thread_count

CurveScale = Literal["odds", "probability", "log"]
_SCALES: dict[CurveScale, int] = {"odds": 0, "probability": 1, "log": 2}


def apply_curves(
    scores: Scores,
    offsets: Ints,
    knots: Floats,
    levels: Floats,
    *,
    scale: CurveScale,
    tilt: float = 0.0,
    total: Floats | None = None,
    threads: int | None = None,
) -> Scores:
    """Return the values (n, k) of the curves over their row sums, in the dtype of the scores.

    Parameters
    ----------
    scores : (n, k) positive probabilities; logits if ``total`` is given.
    offsets : class c has the knots ``offsets[c]:offsets[c + 1]``; with two offsets one curve is for all classes.
    knots, levels : arguments, rising within a curve, and values; curves are flat beyond their ends.
    scale : "odds": both are log-odds, with 1 - p the sum of the others where p is above 1023 / 1024. "probability":
        both are probabilities. "log": log-probabilities, and logarithms of values; one curve for all only.
    tilt : this times the argument is added to the values of one curve for all.
    total : (n,) log-sum-exp of logits.
    """
    out = np.empty_like(scores)
    slopes = np.zeros(len(knots))
    inner = np.ones(len(knots), dtype=bool)
    inner[offsets[1:] - 1] = False  # the last knot of each curve
    (at,) = np.nonzero(inner)
    slopes[at] = (levels[at + 1] - levels[at]) / (knots[at + 1] - knots[at])
    _native.apply_curves(
        scores, total, _SCALES[scale], tilt, offsets, knots, levels, slopes, thread_count(threads), out
    )
    return out
