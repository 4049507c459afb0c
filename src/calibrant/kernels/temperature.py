"""The log loss of temperature scaling and its three derivatives in one pass over the scores."""

from __future__ import annotations

from typing import NamedTuple

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, log_floor
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
    target: Floats,
    weights: Floats | None = None,
    floor: float = 0.0,
    threads: int | None = None,
) -> TemperatureSums:
    """Return log loss and its derivatives in ``beta`` = 1 / temperature >= 0, summed over rows.

    With p = softmax(beta z): w [log sum_c exp(beta z_c) - beta target], w [E_p z - target], w Var_p(z) and
    w E_p (z - E_p z)^3, where z (n, k) are logits as given, or log(max(p, floor)) of probabilities. ``target`` (n,) is
    sum_c q_c z_c of the label distribution q in the same convention. A class of probability 0 (z = -inf) takes no part.
    """
    return TemperatureSums(
        *_native.temperature_pass(scores, beta, logits, target, weights, log_floor(floor), thread_count(threads))
    )
