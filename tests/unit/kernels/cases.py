"""Scores of every kind, dtype and awkward width, with what plain NumPy in float64 says of them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Widths around whole groups of eight lanes and beyond; the rows are few, since every width takes the same path.
SHAPES = [(1, 2), (1000, 2), (2, 3), (203, 7), (203, 8), (203, 9), (101, 15), (101, 16), (101, 17)]
SHAPES += [(21, 63), (21, 64), (21, 65), (21, 127), (21, 128), (21, 129)]  # stretches of 64 classes, and their ends
SHAPES += [(60, 100), (21, 1000), (2, 131072)]
BIG_SHAPES = [(120_000, 9), (1_100, 1_000)]  # above the million entries from which several threads work


@dataclass(frozen=True)
class Case:
    scores: np.ndarray  # (n, k)
    logits: bool
    labels: np.ndarray
    weights: np.ndarray  # a third are zero

    @cached_property
    def total(self):
        """Log-sum-exp of logits, row sum of probabilities."""
        s = self.scores.astype(np.float64)
        if not self.logits:
            return s.sum(1)
        top = s.max(1)
        return top + np.log(np.exp(s - top[:, None]).sum(1))

    @cached_property
    def probabilities(self):
        s = self.scores.astype(np.float64)
        return np.exp(self.log_probabilities) if self.logits else s

    @cached_property
    def log_probabilities(self):
        s = self.scores.astype(np.float64)
        if self.logits:
            s = s - s.max(1, keepdims=True)
            return s - np.log(np.exp(s).sum(1, keepdims=True))
        with np.errstate(divide="ignore"):
            return np.log(s)

    @property
    def single(self):
        return self.scores.dtype == np.float32

    @property
    def shape(self):
        return self.scores.shape


def make_case(n, k, logits, dtype, seed=0):
    """Return scores with ties (a third of the rows are rounded), zero probabilities and confident rows."""
    rng = np.random.default_rng([seed, n, k])
    z = rng.normal(size=(n, k)) * rng.choice([0.5, 3.0, 9.0], size=(n, 1))
    z[::3] = np.round(z[::3])
    impossible = rng.random((n, k)) < 0.05
    impossible[np.arange(n), rng.integers(0, k, n)] = False
    z[impossible] = -np.inf
    labels, weights = rng.integers(0, k, n), rng.integers(0, 3, n) * rng.random(n)
    if logits:
        return Case((z + 20).astype(dtype), True, labels, weights)  # away from 0: nothing may depend on the origin
    e = np.exp(z - z.max(1, keepdims=True))
    return Case((e / e.sum(1, keepdims=True)).astype(dtype), False, labels, weights)


KINDS = [(logits, dtype) for logits in (False, True) for dtype in (np.float32, np.float64)]


def name_of(value):
    """Return a readable id for pytest."""
    if isinstance(value, bool):
        return "logits" if value else "probabilities"
    return getattr(value, "__name__", str(value))
