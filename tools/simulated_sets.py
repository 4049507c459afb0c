"""Simulated sets of a known temperature, from numpy alone, so that the tools of every environment see the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def simulated(seed: int, n: int, k: int, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return probabilities (n, k), the softmax of logits 2 z with z standard normal, and labels (n,).

    The labels are drawn from the softmax of the logits divided by the temperature: the probabilities are calibrated at
    temperature 1 and over-confident above it. Sets that differ in the temperature alone share all random numbers.
    """
    rng = np.random.default_rng((seed, k, n))
    z = 2 * rng.normal(size=(n, k))
    noise = rng.gumbel(size=(n, k))  # the largest of logits plus Gumbel noise has the softmax as its law
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True), np.argmax(z / temperature + noise, axis=1)
