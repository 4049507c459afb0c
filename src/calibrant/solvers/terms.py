"""Linear terms of a softmax regression: coefficients times features, as functions of blocks of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Plane = NDArray[np.floating]


class Term(ABC):
    """A linear map from coefficients, an array of shape ``shape``, to logits (n, k); ``ridge`` weighs their squares."""

    shape: tuple[int, ...]
    ridge: float

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(np.prod(self.shape))

    @property
    def ridges(self) -> Floats:
        """The ridge of each coefficient (size,)."""
        return np.full(self.size, self.ridge)

    @abstractmethod
    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add the logits of some rows to ``out`` (b, k)."""

    @abstractmethod
    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return the sums over some rows of residuals (b, k) times what multiplies each coefficient."""

    @abstractmethod
    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return the sums over some rows of weights (b, k) times the square of what multiplies each coefficient."""

    @abstractmethod
    def of_class(self, c: int) -> NDArray[np.int64]:
        """Return which of the coefficients, counted through, move the logit of class ``c`` alone."""

    @abstractmethod
    def columns(self, c: int, rows: slice) -> Plane:
        """Return what multiplies the coefficients `of_class` in some rows (b, d)."""


@dataclass(frozen=True, eq=False)
class SharedSlopes(Term):
    """For a feature (n, k) a coefficient that all classes share, with a ridge of its own, then one a class."""

    feature: Plane
    shared_ridge: float
    ridge: float

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shared one and one a class."""
        return (1 + self.feature.shape[1],)

    @property
    def ridges(self) -> Floats:
        """That of the shared coefficient, then that of the others."""
        return np.concatenate([[self.shared_ridge], np.full(self.feature.shape[1], self.ridge)])

    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add (shared + own) * feature."""
        out += (coefficients[0] + coefficients[1:]) * self.feature[rows]

    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return the sum of all classes, then one a class."""
        return _with_total(np.einsum("ij,ij->j", residuals, self.feature[rows]))

    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return the sum of all classes, then one a class."""
        return _with_total(np.einsum("ij,ij,ij->j", weights, self.feature[rows], self.feature[rows]))

    def of_class(self, c: int) -> NDArray[np.int64]:
        """Its own."""
        return np.array([1 + c])

    def columns(self, c: int, rows: slice) -> Plane:
        """Return its feature."""
        return self.feature[rows, c : c + 1]


def _with_total(values: Floats) -> Floats:
    return np.concatenate([values.sum(keepdims=True), values])


@dataclass(frozen=True, eq=False)
class PerClass(Term):
    """A coefficient a class for a feature (n, k)."""

    feature: Plane
    ridge: float

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One a class."""
        return (self.feature.shape[1],)

    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add coefficients * feature."""
        out += coefficients * self.feature[rows]

    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return a sum a class."""
        return np.asarray(np.einsum("ij,ij->j", residuals, self.feature[rows]))

    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return a sum a class."""
        return np.asarray(np.einsum("ij,ij,ij->j", weights, self.feature[rows], self.feature[rows]))

    def of_class(self, c: int) -> NDArray[np.int64]:
        """The one of the class."""
        return np.array([c])

    def columns(self, c: int, rows: slice) -> Plane:
        """Return its feature."""
        return self.feature[rows, c : c + 1]


@dataclass(frozen=True, eq=False)
class Intercepts(Term):
    """A constant a class."""

    k: int
    n: int
    ridge: float

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One a class."""
        return (self.k,)

    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add the constants."""
        del rows
        out += coefficients

    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return the column sums."""
        del rows
        return np.asarray(residuals.sum(0))

    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return the column sums."""
        del rows
        return np.asarray(weights.sum(0))

    def of_class(self, c: int) -> NDArray[np.int64]:
        """The one of the class."""
        return np.array([c])

    def columns(self, c: int, rows: slice) -> Plane:
        """Return ones."""
        del c
        return np.ones((len(range(*rows.indices(self.n))), 1))


@dataclass(frozen=True, eq=False)
class Matrix(Term):
    """A coefficient for each of d features (n, d) in each of k classes; its diagonal stays 0 where d = k, if asked."""

    features: Plane
    k: int
    ridge: float
    off_diagonal: bool = False

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """(d, k)."""
        return (self.features.shape[1], self.k)

    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add features @ coefficients."""
        out += self.features[rows] @ coefficients

    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return features' @ residuals."""
        return self._masked(self.features[rows].T @ residuals)

    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return (features^2)' @ weights."""
        return self._masked(np.square(self.features[rows]).T @ weights)

    def _masked(self, sums: Any) -> Floats:
        if self.off_diagonal:
            np.fill_diagonal(sums, 0.0)
        return np.asarray(sums, dtype=np.float64)

    def of_class(self, c: int) -> NDArray[np.int64]:
        """A column, without the entry on the diagonal if that stays 0."""
        return np.arange(self.shape[0])[self._kept(c)] * self.k + c

    def columns(self, c: int, rows: slice) -> Plane:
        """Return the features."""
        return self.features[rows][:, self._kept(c)]

    def _kept(self, c: int) -> NDArray[np.bool_]:
        kept = np.ones(self.shape[0], dtype=bool)
        if self.off_diagonal:
            kept[c] = False
        return kept
