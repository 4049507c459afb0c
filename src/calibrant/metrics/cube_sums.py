"""Sums of residuals over cubes of the simplex: the mean gap of each, without bias, and the parts of its variance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.row_blocks import Rows, slices
from calibrant.metrics.simplex_cubes import cubes
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CubeSums:
    """Residuals of a batch by cube: ``top`` largest probabilities of each row, or all classes.

    Weights are counted in their mean: their fourth powers then neither overflow nor vanish.
    """

    batch: Predictions
    per_axis: int
    top: int | None

    @cached_property
    def _cubes(self) -> tuple[NDArray[np.int64], int]:
        return cubes(self.batch, self.per_axis, self.top)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows that share their cube, cube by cube."""
        cube = self._cubes[0]
        order = np.argsort(cube, kind="stable")
        return order[cube[order] >= 0]

    @cached_property
    def cube(self) -> NDArray[np.int64]:
        """The cube of each of these rows."""
        return self._cubes[0][self.rows]

    @cached_property
    def w(self) -> Floats:
        """The weight of each of these rows."""
        return self.batch.row_weights[self.rows] / float(self.batch.row_weights.mean())

    @cached_property
    def mass(self) -> Floats:
        """The weight of each cube."""
        return self._by_cube(self.w)

    @cached_property
    def square_mass(self) -> Floats:
        """The sum of squared weights of each cube."""
        return self._by_cube(self.w**2)

    @cached_property
    def shares(self) -> Floats:
        """The share of each cube in the weight of all rows."""
        return self.mass / len(self.batch)

    @cached_property
    def pairs(self) -> Floats:
        """The weight of the ordered pairs of different rows of each cube."""
        return self.mass**2 - self.square_mass

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        """Mean residual of each cube (b, r), and squared norm of each row's (m,)."""
        columns = self.batch.k if self.top is None else self.top
        total, norms = np.zeros((self._cubes[1], columns)), np.empty(len(self.rows))
        for some in slices(len(self.rows), self.batch.k):
            r = self.residuals(some)
            norms[some] = np.einsum("ij,ij->i", r, r)
            np.add.at(total, self.cube[some], self.w[some, None] * r)
        return total / self.mass[:, None], norms

    @cached_property
    def squared_gaps(self) -> Floats:
        """Plug-in |mean residual|^2 of each cube."""
        return np.asarray(np.sum(self._moments[0] ** 2, axis=1))

    @cached_property
    def unbiased(self) -> Floats:
        """U_b of each cube."""
        own = self._by_cube(self.w**2 * self._moments[1])
        return (self.squared_gaps * self.mass**2 - own) / self.pairs

    def relabelled_values(self, labels: NDArray[np.int64]) -> Floats:
        """Return the mean of `unbiased` over the rows for each of R label vectors (R, n); of all classes alone.

        With N the weights of the labels of a cube by class and E those expected, sum w r = N - E, and
        |r|^2 = 1 - 2 p_y + |p|^2 for a label y: what does not depend on the labels is computed once.
        """
        k, reader = self.batch.k, Rows(self.batch)
        expected, norms = np.zeros((self._cubes[1], k)), np.empty(len(self.rows))
        for some in slices(len(self.rows), k):
            p = reader.probabilities(self.rows[some])
            norms[some] = np.einsum("ij,ij->i", p, p)
            np.add.at(expected, self.cube[some], self.w[some, None] * p)
        return np.array([self._relabelled(drawn, expected, norms) for drawn in labels[:, self.rows]])

    def _relabelled(self, drawn: NDArray[np.int64], expected: Floats, norms: Floats) -> float:
        if not len(self.mass):
            return float("nan")
        batch, k = self.batch, self.batch.k
        p = batch.scores[self.rows, drawn].astype(np.float64)
        if batch.logits:
            p = np.exp(p - batch.summary.total[self.rows])
        counts = np.bincount(self.cube * k + drawn, self.w, expected.size).reshape(expected.shape)
        squared = np.sum((counts - expected) ** 2, axis=1)
        own = self._by_cube(self.w**2 * (1 - 2 * p + norms))
        return float(self.shares @ ((squared - own) / self.pairs))

    def residuals(self, some: Any) -> Floats:
        """Return the residuals (m, r) of some of the rows."""
        reader, rows = Rows(self.batch), self.rows[some]
        p = reader.probabilities(rows)
        r = reader.residuals(rows, p)
        return r if self.top is None else np.take_along_axis(r, np.argsort(-p, axis=1, kind="stable"), 1)[:, : self.top]

    def linear_variance(self) -> Floats:
        """Return d'Sd h of each cube at the observed d."""
        mean = self._moments[0]
        along = np.empty(len(self.rows))
        for some in slices(len(self.rows), self.batch.k):
            along[some] = np.einsum("ij,ij->i", self.residuals(some), mean[self.cube[some]])
        centred = along - self.squared_gaps[self.cube]
        return self._by_cube(self.w * centred**2) * self.square_mass / self.mass**3

    def degenerate_variance(self) -> Floats:
        """Return 2 tr(S^2) h^2 of each cube, from the squared products of different rows; exact where d = 0."""
        bounds = np.searchsorted(self.cube, np.arange(self._cubes[1] + 1))
        own = self._by_cube(self.w**4 * self._moments[1] ** 2)
        every = np.zeros(self._cubes[1])
        for b in range(len(every)):
            weighted = self.residuals(slice(bounds[b], bounds[b + 1])) * self.w[bounds[b] : bounds[b + 1], None]
            few = len(weighted) < weighted.shape[1]
            every[b] = np.sum((weighted @ weighted.T if few else weighted.T @ weighted) ** 2)
        return 2 * np.maximum(every - own, 0.0) / self.pairs**2

    def _by_cube(self, values: Floats) -> Floats:
        return np.bincount(self.cube, values, self._cubes[1]).astype(np.float64)
