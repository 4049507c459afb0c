"""Simulated classifiers with a known truth, shared by the tests."""

import numpy as np

from calibrant import Predictions


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def simulate(n, temperature=1.0, k=4, seed=0, features=0):
    """Return predictions whose labels follow softmax(logits / temperature); the first logits may be features."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, k)) * 2
    cumulative = softmax(z / temperature).cumsum(1)
    labels = (cumulative < rng.random((n, 1))).sum(1).clip(max=k - 1)
    return Predictions.from_probabilities(softmax(z), labels, features=z[:, :features] if features else None)
