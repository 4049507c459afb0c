"""Predictions that are calibrated everywhere but in one cluster of their features, shared by the tests."""

import numpy as np

from calibrant import Predictions

CLUSTERS = 8


def planted(n, seed=0, *, k=4, share=0.08, says=0.9, right=None, **columns):
    """Return predictions, and which rows lie in the cluster, where they say ``says`` and are right by ``right``.

    Without ``right`` they are calibrated there too. Clusters are far from one another beside their spread.
    """
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(CLUSTERS, 6))
    cluster = rng.choice(CLUSTERS, size=n, p=[share, *[(1 - share) / (CLUSTERS - 1)] * (CLUSTERS - 1)])
    top, there = rng.integers(k, size=n), cluster == 0
    confidence = np.where(there, says, rng.uniform(0.4, 0.99, size=n))
    chance = confidence if right is None else np.where(there, right, confidence)
    p = np.repeat(((1 - confidence) / (k - 1))[:, None], k, axis=1)
    p[np.arange(n), top] = confidence
    other = (top + rng.integers(1, k, size=n)) % k
    labels = np.where(rng.random(n) < chance, top, other)
    features = centres[cluster] + rng.normal(size=(n, 6))
    return Predictions.from_probabilities(p, labels, features=features, **columns), there
