"""Log loss of softmax(base + sum of linear terms) plus a ridge on every term, convex in all coefficients.

The base (n, k) is what the scores say already; with all coefficients zero the base itself is the answer, so that the
ridge pulls to it. Terms multiply features by coefficients: one for all classes, one a class, or a matrix. With
residuals R = w (p - q), the gradient of a term is its adjoint applied to R; the curvature along a change F of the
logits is w p (F - sum_c p_c F_c), so that a product with it costs as much as a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.class_blocks import ClassBlocks
from calibrant.solvers.newton import Convex, Curvature, NewtonMinimum, minimise_convex
from calibrant.solvers.terms import Plane, Term

Floats = NDArray[np.float64]

_RENEWED = 4  # steps after which the inverse is made anew
_BLOCK = 1 << 17  # entries of the temporaries of a block: 1 MB each, which the cache holds


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
        self.ridges = np.concatenate([term.ridges for term in self.terms])
        self._ends = np.cumsum([0, *(term.size for term in self.terms)])
        self._probabilities, self._steps = np.empty(base.shape), 0

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
        """Return the curvature at the last point; its inverse, which is about that at a point before, now and then."""
        del x
        if self._steps % _RENEWED == 0:
            self._inverse = self._about_inverse()
        self._steps += 1
        return Curvature(self._product, self._inverse)

    def _about_inverse(self) -> Callable[[Floats], Floats]:
        n, k = self.base.shape
        diagonal = 2 * self.ridges + np.finfo(np.float64).tiny
        blocks = ClassBlocks(self.terms, self._ends, k) if ClassBlocks.affordable(self.terms, n, k) else None
        for rows in self._blocks():
            p = self._probabilities[rows]
            weights = p * (1 - p) * self.labels.weights[rows, None]
            self._gather(diagonal, "squares", weights, rows)
            if blocks:
                blocks.add(weights, rows, n)
        return blocks.inverse(self.ridges, diagonal) if blocks else lambda vector: vector / diagonal

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
