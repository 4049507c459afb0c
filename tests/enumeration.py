"""Exact expectations over all label vectors of a few rows."""

from itertools import product

import numpy as np

from calibrant import Predictions


def expectation(function, p, truth, weights=None, **columns):
    """Return the mean of a function of the batch when the label of row i follows truth[i], for p and truth (n, k)."""
    n, k = p.shape
    return sum(
        np.prod(truth[np.arange(n), list(labels)])
        * function(Predictions.from_probabilities(p, np.array(labels), weights=weights, **columns))
        for labels in product(range(k), repeat=n)
    )


def drawn_expectation(function, p, truth, share, n, weights=None):
    """Return the mean of a function of n rows that are drawn, each vector p[v] with chance share[v], and its label."""
    outcomes = [(v, y, share[v] * truth[v, y]) for v in range(len(p)) for y in range(p.shape[1])]
    total = 0.0
    for rows in product(outcomes, repeat=n):
        vectors, labels, chances = zip(*rows, strict=True)
        batch = Predictions.from_probabilities(p[list(vectors)], np.array(labels), weights=weights)
        total += np.prod(chances) * function(batch)
    return total


def pair_mean(p, truth, weights, together, kernel=None):
    """Return the weighted mean of d_i . d_j times the kernel, d = truth - p, over pairs of different rows."""
    w = np.ones(len(p)) if weights is None else np.array(weights)
    d = truth - p
    pairs = [(i, j) for i in range(len(p)) for j in range(len(p)) if i != j and together(i, j)]
    k = kernel.between(p, p) if kernel is not None else np.ones((len(p), len(p)))
    return sum(w[i] * w[j] * k[i, j] * (d[i] @ d[j]) for i, j in pairs) / sum(w[i] * w[j] for i, j in pairs)
