"""Small batches with features, and what a slow loop in double precision says of the rows around a point."""

import numpy as np

from calibrant.neighbourhood import Space
from calibrant.predictions import Predictions


def batch(n=60, d=4, k=3, *, seed=0, dtype=np.float64, weights=False, soft=False):
    """Return predictions with features whose first coordinate tells the class."""
    rng = np.random.default_rng([seed, n, d])
    x = rng.normal(size=(n, d)) * np.linspace(3, 0.5, d) + 5
    labels = np.clip(((x[:, 0] - 5) / 3 + 0.7 * rng.normal(size=n) + 1.5).astype(int), 0, k - 1)
    y = rng.dirichlet(np.ones(k), n) if soft else labels
    w = rng.uniform(0.2, 3, n) if weights else None
    return Predictions.from_probabilities(np.full((n, k), 1 / k), y, features=x.astype(dtype), weights=w)


def of(features, labels, k, weights=None):
    """Return predictions with given features and labels."""
    features = np.asarray(features)
    return Predictions.from_probabilities(
        np.full((len(features), k), 1 / k), labels, features=features, weights=weights
    )


def plain_space(d):
    """Return the space that leaves features as they are."""
    return Space(mean=np.zeros(d), projection=np.eye(d), variances=np.ones(d), total=float(d))


def log_kernels(kernel, h, queries, rows):
    """Return the log-kernels (m, n) from differences of coordinates."""
    squared = ((queries[:, None, :] - rows[None]) ** 2).sum(-1)
    if kernel == "box":
        return np.where(squared <= h * h, 0.0, -np.inf)
    return -np.sqrt(squared) / h if kernel == "laplacian" else -squared / (2 * h * h)


def one_hot(labels, k):
    """Return hard labels as soft ones."""
    return np.eye(k)[labels] if labels.ndim == 1 else labels


def slow(hood, features=None):
    """Return frequencies, log mass and effective size row by row, with the log-sum-exp in full."""
    queries = hood.rows if features is None else hood.space.apply(features)
    logs = log_kernels(hood.kernel, hood.bandwidth, queries.astype(float), hood.rows.astype(float))
    logs += np.log(hood.weights)
    if features is None:
        np.fill_diagonal(logs, -np.inf)
    top = logs.max(1, keepdims=True)
    w = np.exp(logs - top)
    total = w.sum(1)
    theta = w @ one_hot(hood.labels, hood.k) / total[:, None]
    return theta, np.log(total) + top[:, 0], total**2 / (w * w).sum(1)
