"""Fourteen small inputs on which other packages were recorded; numpy alone, so that any environment can make them."""

import numpy as np

NAMES = ("golden", "zeros_and_ones", "ties", "missing_class", "binary", "one_hot", "float32", "two_rows", "one_label")
NAMES += ("many_classes", "calibrated", "above_one", "float32_ties", "float32_repeated")
SHAPES = {"binary": (400, 2), "two_rows": (2, 3), "many_classes": (300, 100), "calibrated": (3000, 3)}


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def golden():
    """Return the golden set: labels drawn row by row from a softmax, scores 1.7 times as sharp."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 5)) * 2
    even = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    labels = np.array([rng.choice(5, p=q) for q in even])
    sharp = np.exp(1.7 * z)
    return sharp / sharp.sum(1, keepdims=True), labels


def ties(rng, n, k):
    """Return scores that are multiples of 1/30, many of them on the edges of 10 and of 15 bins."""
    return rng.multinomial(30, softmax(rng.normal(size=(n, k)) * 1.5)) / 30


def drawn(p, rng):
    """Return labels (n,) drawn from probabilities (n, k)."""
    return (p.cumsum(1) < rng.random((len(p), 1))).sum(1).clip(0, p.shape[1] - 1)


def make(name):
    """Return probabilities (n, k) and labels (n,) of one input."""
    if name == "golden":
        return golden()
    rng = np.random.default_rng(NAMES.index(name))
    n, k = SHAPES.get(name, (400, 4))
    z = rng.normal(size=(n, k)) * (30 if name == "calibrated" else 2)
    p = softmax(z)
    labels = drawn(softmax(z / 1.5), rng)
    if name == "zeros_and_ones":
        p = np.where(p < 0.2, 0.0, p)
        p /= p.sum(1, keepdims=True)
    if name in ("ties", "calibrated"):
        p = ties(rng, n, k) if name == "ties" else p
        labels = drawn(p, rng)
    if name == "above_one":
        p[0] = [1.000005, 0, 0, 0]
    if name == "missing_class":
        labels = labels % (k - 1)
    if name == "one_hot":
        p = np.eye(k)[np.where(rng.random(n) < 0.8, labels, rng.integers(0, k, n))]
    if name == "float32":
        p = p.astype(np.float32)
    if name == "float32_ties":  # tenths: many scores lie beside an edge of 10 bins, on one side or the other
        p = rng.multinomial(10, np.full(k, 1 / k), n).astype(np.float32) / np.float32(10)
        labels = drawn(p, rng)
    if name == "float32_repeated":
        return np.tile(np.array([[0.05, 0.95], [0.3, 0.7], [0.4, 0.6]], dtype=np.float32), (10, 1)), np.ones(30, int)
    if name == "one_label":
        labels = np.full(n, 1)
    return p, labels
