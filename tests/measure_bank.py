"""Small labelled batches by name, on which every measure must keep its laws."""

import numpy as np

from calibrant import Predictions


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def make(name):
    """Return one labelled batch of the bank."""
    rng = np.random.default_rng(len(name))
    sizes = {"binary": (60, 2), "many": (40, 300), "one_row": (1, 3), "two_rows": (2, 3), "long": (600, 4)}
    n, k = sizes.get(name, (90, 4))
    z = rng.normal(size=(n, k)) * 2
    labels = rng.integers(0, k, n)
    columns = {"groups": np.arange(n) % 2, "features": np.random.default_rng([len(name), 1]).normal(size=(n, 3))}
    if name == "ties":
        z = np.round(z)
    if name == "missing_class":
        labels = labels % (k - 1)
    if name == "logits":
        return Predictions.from_logits(z.astype(np.float32), labels, **columns)
    p = softmax(z)
    if name == "zeros":
        p = np.where(p < 0.1, 0.0, p)
        p /= p.sum(1, keepdims=True)
        labels = p.argmax(1)
        labels[:5] = 0
    if name == "perfect":
        p = np.eye(k)[labels]
    if name == "soft":
        return Predictions.from_probabilities(p, softmax(rng.normal(size=(n, k))), **columns)
    weights = {"weights": rng.integers(0, 4, n) + 0.0, "real_weights": rng.gamma(1.0, size=n)}.get(name)
    return Predictions.from_probabilities(p, labels, weights=weights, **columns)


BANK = ["plain", "ties", "zeros", "binary", "many", "one_row", "two_rows", "missing_class", "perfect"]
BANK += ["soft", "logits", "weights", "real_weights"]
