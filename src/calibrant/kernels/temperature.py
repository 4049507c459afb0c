"""The log loss of temperature scaling and its three derivatives in one pass over the scores."""

from __future__ import annotations

from typing import NamedTuple

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, SmallInts, log_floor
from calibrant.kernels._threads import thread_count


class TemperatureSums(NamedTuple):
    """Log loss as a function of the inverse temperature beta, and its first three derivatives there."""

    loss: float
    gradient: float
    curvature: float
    third: float


def temperature_pass(
    scores: Scores,
    beta: float,
    *,
    logits: bool,
    top: SmallInts,
    weights: Floats | None = None,
    floor: float = 0.0,
    threads: int | None = None,
) -> TemperatureSums:
    """Return log loss and its derivatives in ``beta`` = 1 / temperature >= 0, summed over rows, of the top class.

    With d = z - max z and p = softmax(beta d): w log sum_c exp(beta d_c), w E_p d, w Var_p(d) and w E_p (d - E_p d)^3,
    where z (n, k) are logits as given, or log(max(p, floor)) of probabilities. ``top`` (n,) is the column of the
    largest score. Labels other than it add -w beta d_y, which is linear in beta. A class of probability 0 (z = -inf)
    takes no part.
    """
    return TemperatureSums(
        *_native.temperature_pass(scores, beta, logits, top, weights, log_floor(floor), thread_count(threads))
    )
