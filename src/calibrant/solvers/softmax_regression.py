"""Log loss of softmax(base + sum of linear terms) plus a ridge on every term, convex in all coefficients.

The base (n, k) is what the scores say already; with all coefficients zero the base itself is the answer, so that the
ridge pulls to it. Terms multiply features by coefficients: one for all classes, one a class, or a matrix. With
residuals R = w (p - q), the gradient of a term is its adjoint applied to R; the curvature along a change F of the
logits is w p (F - sum_c p_c F_c), so that a product with it costs as much as a gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.newton import Convex, Curvature, NewtonMinimum, minimise_convex

Floats = NDArray[np.float64]
Plane = NDArray[np.floating]

_BLOCK = 1 << 17  # entries of the temporaries of a block: 1 MB each, which the cache holds


class Term(ABC):
    """A linear map from coefficients, an array of shape ``shape``, to logits (n, k); ``ridge`` weighs their squares."""

    shape: tuple[int, ...]
    ridge: float

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(np.prod(self.shape))

    @abstractmethod
    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add the logits of some rows to ``out`` (b, k)."""

    @abstractmethod
    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return the sums over some rows of residuals (b, k) times what multiplies each coefficient."""

    @abstractmethod
    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return the sums over some rows of weights (b, k) times the square of what multiplies each coefficient."""


@dataclass(frozen=True, eq=False)
class Shared(Term):
    """One coefficient for a feature (n, k) of every class."""

    feature: Plane
    ridge: float
    shape = (1,)

    def add(self, out: Floats, coefficients: Floats, rows: slice) -> None:
        """Add coefficient * feature."""
        out += coefficients[0] * self.feature[rows]

    def adjoint(self, residuals: Floats, rows: slice) -> Floats:
        """Return the one sum."""
        return np.array([np.vdot(residuals, self.feature[rows])])

    def squares(self, weights: Floats, rows: slice) -> Floats:
        """Return the one sum."""
        return np.array([np.einsum("ij,ij,ij->", weights, self.feature[rows], self.feature[rows])])


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


@dataclass(frozen=True, eq=False)
class Intercepts(Term):
    """A constant a class."""

    k: int
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


@dataclass(frozen=True, eq=False)
class Labels:
    """Hard labels (n,) or soft ones (n, k), and the weights (n,) of the rows, which sum to 1."""

    hard: NDArray[np.int64] | None
    soft: Floats | None
    weights: Floats

    def subtract_from(self, probabilities: Floats, rows: slice) -> None:
        """Turn probabilities (b, k) of some rows into residuals p - q, in place."""
        if self.hard is None:
            assert self.soft is not None
            probabilities -= self.soft[rows]
        else:
            probabilities[np.arange(len(probabilities)), self.hard[rows]] -= 1.0

    def at(self, logits: Floats, rows: slice) -> Floats:
        """Return the logit of each label (b,), its mean over a soft one."""
        if self.hard is None:
            assert self.soft is not None
            return np.asarray(np.einsum("ij,ij->i", self.soft[rows], logits))
        picked: Floats = logits[np.arange(len(logits)), self.hard[rows]]
        return picked


class SoftmaxRegression(Convex):
    """The function of all coefficients, one after the other (m,); the last point's probabilities are kept (n, k)."""

    def __init__(self, base: Plane, labels: Labels, terms: Sequence[Term]) -> None:
        self.base, self.labels, self.terms = base, labels, tuple(terms)
        self.ridges = np.concatenate([np.full(term.size, term.ridge) for term in self.terms])
        self._ends = np.cumsum([0, *(term.size for term in self.terms)])
        self._probabilities = np.empty(base.shape)

    def parts(self, x: Floats) -> list[Floats]:
        """Return the coefficients of each term in its shape."""
        return [
            x[start:end].reshape(term.shape)
            for term, start, end in zip(self.terms, self._ends, self._ends[1:], strict=False)
        ]

    def value(self, x: Floats) -> float:
        """Return the weighted mean log loss plus the ridges, and keep the probabilities."""
        parts, total = self.parts(x), 0.0
        for rows in self._blocks():
            logits = self.base[rows].astype(np.float64)  # (b, k), a copy
            self._add(logits, parts, rows)
            top = logits.max(1, keepdims=True)
            at_label = self.labels.at(logits, rows)
            logits -= top
            exponentials = np.exp(logits, out=self._probabilities[rows])
            sums = exponentials.sum(1, keepdims=True)
            exponentials /= sums
            losses = np.log(sums[:, 0]) + top[:, 0] - at_label
            total += float(self.labels.weights[rows] @ losses)
        return total + float(self.ridges @ (x * x))

    def gradient(self, x: Floats) -> Floats:
        """Return the gradient (m,) at the last point."""
        total = 2 * self.ridges * x
        for rows in self._blocks():
            residuals = self._probabilities[rows].copy()
            self.labels.subtract_from(residuals, rows)
            residuals *= self.labels.weights[rows, None]
            self._gather(total, "adjoint", residuals, rows)
        return total

    def curvature(self, x: Floats) -> Curvature:
        """Return the curvature at the last point; its diagonal without what classes take from each other."""
        diagonal = 2 * self.ridges + np.finfo(np.float64).tiny
        for rows in self._blocks():
            p = self._probabilities[rows]
            self._gather(diagonal, "squares", p * (1 - p) * self.labels.weights[rows, None], rows)
        return Curvature(self._product, diagonal)

    def _product(self, direction: Floats) -> Floats:
        parts, total = self.parts(direction), 2 * self.ridges * direction
        for rows in self._blocks():
            p = self._probabilities[rows]
            change = np.zeros_like(p)
            self._add(change, parts, rows)
            change -= np.einsum("ij,ij->i", p, change)[:, None]
            change *= p
            change *= self.labels.weights[rows, None]
            self._gather(total, "adjoint", change, rows)
        return total

    def _add(self, out: Floats, parts: list[Floats], rows: slice) -> None:
        for term, coefficients in zip(self.terms, parts, strict=True):
            term.add(out, coefficients, rows)

    def _gather(self, total: Floats, how: str, values: Floats, rows: slice) -> None:
        for term, sums in zip(self.terms, self.parts(total), strict=True):
            sums += getattr(term, how)(values, rows)

    def _blocks(self) -> Iterator[slice]:
        n, k = self.base.shape
        step = max(1, _BLOCK // k)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def minimum(self, start: Floats | None = None) -> NewtonMinimum:
        """Return the best coefficients, from a start or from zero."""
        return minimise_convex(self, np.zeros(len(self.ridges)) if start is None else start)
