"""Populations whose calibration errors are known: f uniform on the simplex, P(Y | f) = softmax(log f / T).

For two classes that is f ~ U(0, 1), P(Y = 1 | f) = sigmoid(logit(f) / T). Draws, and exact functionals by quadrature:
the simplex is cut along all lines on which a bin, a cube or the largest class changes, with Gauss nodes inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from calibrant import Predictions

Floats = NDArray[np.float64]
SEED = 0


@dataclass(frozen=True)
class Population:
    """Two or three classes (``k``) whose logits must be divided by ``temperature`` to be right."""

    k: int
    temperature: float

    def rates(self, f: Floats) -> Floats:
        """Return P(Y | f) of the vectors f (n, k)."""
        powers = f ** (1 / self.temperature)
        return powers / powers.sum(1, keepdims=True)

    def draw(self, n: int, seed: int) -> Predictions:
        """Return n labelled rows; rows of different seeds have different keys, and so folds."""
        rng = np.random.default_rng([SEED, self.k, int(10 * self.temperature), n, seed])
        f = rng.dirichlet(np.ones(self.k), n)
        labels = (self.rates(f).cumsum(1) < rng.random((n, 1))).sum(1).clip(max=self.k - 1)
        return Predictions.from_probabilities(f, labels, start=seed * n)

    def nodes(self, cells: int, degree: int) -> Nodes:
        """Return the quadrature on a grid of ``cells`` a side."""
        p, w = (_segment if self.k == 2 else _triangle)(cells, degree)
        return Nodes(p, self.rates(p), w)


@dataclass(frozen=True, eq=False)
class Nodes:
    """Vectors p (m, k), their rates q (m, k), and weights w (m,) that sum to 1."""

    p: Floats
    q: Floats
    w: Floats

    @cached_property
    def top(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Confidence, its rate, and the top class (m,)."""
        where = self.p.argmax(1)
        return self.p[np.arange(len(where)), where], self.q[np.arange(len(where)), where], where

    def mean(self, values: Floats) -> float:
        """Return the expectation of a function of the vectors, given at the nodes (m,)."""
        return float(self.w @ values)

    def squared_gap(self, scores: Floats, rates: Floats, part: NDArray[np.int64]) -> float:
        """Return sum_b s_b |E(rate - score | part b)|^2 for columns (m,) or vectors (m, r), parts numbered (m,)."""
        part = np.unique(part, return_inverse=True)[1]
        gaps = self.w[:, None] * (rates - scores).reshape(len(part), -1)
        share = np.bincount(part, self.w)
        sums = np.stack([np.bincount(part, column) for column in gaps.T], axis=1)  # (b, r)
        return float((sums**2).sum(1) @ (1 / share))


def _gauss(degree: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(degree)
    return (x + 1) / 2, w / 2


@cache
def _segment(cells: int, degree: int) -> tuple[Floats, Floats]:
    """Return nodes (m, 2) and weights (m,) on the two-class simplex, in 2 cells for each cell: a half is an edge."""
    x, w = _gauss(degree)
    f = ((np.arange(2 * cells)[:, None] + x) / (2 * cells)).ravel()
    return np.column_stack([1 - f, f]), np.tile(w / (2 * cells), 2 * cells)


@cache
def _triangle(cells: int, degree: int) -> tuple[Floats, Floats]:
    """Return nodes (m, 3) and weights (m,): small triangles of side 1 / cells, each cut along its medians.

    On the medians two probabilities are equal, or differ by half a cell.
    """
    x, w = _gauss(degree)
    inside = np.array([[1 - a, a * (1 - b), a * b] for a in x for b in x])  # barycentric, squeezed to a corner
    weight = np.array([u * a * v for u, a in zip(w, x, strict=True) for v in w])
    corners = np.concatenate([_small(cells, up=True), _small(cells, up=False)])  # (c, 3, 3)
    parts = []
    for order in permutations(range(3)):  # a corner, the middle of a side there, the centre
        a, b, c = corners[:, order[0]], corners[:, order[1]], corners[:, order[2]]
        parts.append(np.stack([a, (a + b) / 2, (a + b + c) / 3], axis=1))
    pieces = np.concatenate(parts)  # (6 c, 3, 3)
    p = np.einsum("nv,cvj->cnj", inside, pieces).reshape(-1, 3)
    return p, np.tile(weight, len(pieces)) / (weight.sum() * len(pieces))


def _small(cells: int, *, up: bool) -> Floats:
    """Return the corners (c, 3, 3) of the small triangles that point one way."""
    a, b = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    there = a + b < cells if up else a + b < cells - 1
    base = np.column_stack([a[there], b[there]])
    steps = np.array([[0, 0], [1, 0], [0, 1]] if up else [[1, 1], [1, 0], [0, 1]])
    two = base[:, None] + steps  # (c, 3, 2)
    return np.concatenate([two, cells - two.sum(2, keepdims=True)], axis=2) / cells
