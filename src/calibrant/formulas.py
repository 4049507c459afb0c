"""Formulas that are written once and run anywhere: in NumPy, in a torch module, in an ONNX graph.

A map states what it computes with the operations of `Ops` and the operators + - * / < <= of what they return. Arrays
are float64, one row a prediction, one column a class, or one column alone. A new place to run is a new set of these
operations, and every map runs there.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)  # the smallest number whose logarithm keeps full precision
# Rows that a product of matrices takes at a time: a row is then summed in the same order whatever comes with it.
TOGETHER = 64


class Ops(Protocol):
    """The operations; rows are reduced to one column, which then broadcasts."""

    def constant(self, values: ArrayLike) -> Any:
        """Return a float64 constant."""

    def exp(self, x: Any) -> Any:
        """Return the exponentials."""

    def log(self, x: Any) -> Any:
        """Return the natural logarithms."""

    def maximum(self, x: Any, y: Any) -> Any:
        """Return the larger of each two."""

    def minimum(self, x: Any, y: Any) -> Any:
        """Return the smaller of each two."""

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """Return x where the condition holds, else y."""

    def sum(self, x: Any) -> Any:
        """Return the sum of each row (n, 1)."""

    def largest(self, x: Any) -> Any:
        """Return the maximum of each row (n, 1)."""

    def descending(self, x: Any) -> Any:
        """Return each row sorted, the largest first."""

    def top(self, x: Any) -> Any:
        """Return, as 1.0 and 0.0, which entry is the first maximum of its row (n, k)."""

    def product(self, x: Any, matrix: Floats) -> Any:
        """Return x @ matrix, with a constant matrix (k, m)."""

    def stacked(self, columns: list[Any]) -> Any:
        """Return columns (n, 1) side by side (n, k)."""

    def column(self, x: Any, c: int) -> Any:
        """Return one column (n, 1)."""

    def place(self, x: Any, knots: Floats, *, right: bool) -> Any:
        """Return, as whole numbers, how many of the class's increasing knots (k, m) lie below each entry (n, k).

        With ``right`` a knot equal to the entry counts too. Unused knots are infinite.
        """

    def pick(self, table: Floats, place: Any) -> Any:
        """Return table[c, place[i, c]] (n, k) of a constant table (k, m)."""


class NumpyOps:
    """The operations on float64 arrays; a row is computed the same whatever rows come with it."""

    exp = staticmethod(np.exp)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    where = staticmethod(np.where)

    def constant(self, values: ArrayLike) -> Floats:
        """Return a float64 array."""
        return np.asarray(values, dtype=np.float64)

    def log(self, x: Floats) -> Floats:
        """Return the natural logarithms, -inf of 0."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(x))

    def sum(self, x: Floats) -> Floats:
        """Return the sum of each row."""
        return np.asarray(x.sum(1, keepdims=True))

    def largest(self, x: Floats) -> Floats:
        """Return the maximum of each row."""
        return np.asarray(x.max(1, keepdims=True))

    def descending(self, x: Floats) -> Floats:
        """Return each row sorted."""
        return np.sort(x, axis=1)[:, ::-1]

    def top(self, x: Floats) -> Floats:
        """Return which entry is the first maximum."""
        return np.asarray(np.arange(x.shape[1]) == x.argmax(1)[:, None], dtype=np.float64)

    def product(self, x: Floats, matrix: Floats) -> Floats:
        """Return x @ matrix in pieces of equal shape."""
        n, k = x.shape
        padded = np.zeros((-(-n // TOGETHER), TOGETHER, k))
        padded.reshape(-1, k)[:n] = x
        return np.asarray((padded @ matrix).reshape(-1, matrix.shape[1])[:n])

    def stacked(self, columns: list[Floats]) -> Floats:
        """Return columns side by side."""
        return np.hstack(columns)

    def column(self, x: Floats, c: int) -> Floats:
        """Return one column."""
        return x[:, c : c + 1]

    def place(self, x: Floats, knots: Floats, *, right: bool) -> NDArray[np.int64]:
        """Return how many knots lie below."""
        side: Any = "right" if right else "left"
        found = [np.searchsorted(row, x[:, c], side) for c, row in enumerate(knots)]
        return np.stack(found, axis=1)

    def pick(self, table: Floats, place: NDArray[np.int64]) -> Floats:
        """Return the entries of the table."""
        return table[np.arange(len(table)), place]


NUMPY = NumpyOps()


def softmax(ops: Ops, logits: Any) -> Any:
    """Return the softmax of each row."""
    exponentials = ops.exp(logits - ops.largest(logits))
    return exponentials / ops.sum(exponentials)


def log_softmax(ops: Ops, logits: Any) -> Any:
    """Return the logarithm of the softmax of each row."""
    shifted = logits - ops.largest(logits)
    return shifted - ops.log(ops.sum(ops.exp(shifted)))


def normalized(ops: Ops, values: Any, fallback: Any) -> Any:
    """Return values divided by their row sums, and the fallback where a sum is 0."""
    sums = ops.sum(values)
    empty = sums <= ops.constant(0.0)
    return ops.where(empty, fallback, values / ops.where(empty, ops.constant(1.0), sums))


def interpolated(ops: Ops, x: Any, knots: Floats, levels: Floats) -> Any:
    """Return the piecewise linear function of each class through its knots, flat beyond them.

    ``knots`` and ``levels`` (k, m); a class with fewer knots repeats its last one as infinite, with the same level.
    """
    inner, slopes = _pieces(knots, levels)
    at = ops.place(x, inner, right=True)  # 0 before the first knot, j after the j-th
    return ops.pick(slopes[0], at) + ops.pick(slopes[1], at) * (x - ops.pick(slopes[2], at))


def _pieces(knots: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Return the knots, and level, slope and origin of each piece (3, k, m + 1)."""
    finite = np.where(np.isfinite(knots), knots, 0.0)
    last = ~np.isfinite(np.pad(knots[:, 1:], ((0, 0), (0, 1)), constant_values=np.inf))  # (k, m)
    rise, run = np.diff(levels, append=levels[:, -1:]), np.diff(finite, append=0.0)
    slope = np.where(last, 0.0, rise / np.where(last, 1.0, run))
    pieces = np.stack([levels, slope, finite])
    first = np.stack([levels[:, :1], np.zeros((len(knots), 1)), finite[:, :1]])
    return knots, np.concatenate([first, pieces], axis=2)


def expit(ops: Ops, x: Any) -> Any:
    """Return 1 / (1 + exp(-x)); small values keep their digits."""
    zero, one = ops.constant(0.0), ops.constant(1.0)
    return ops.exp(ops.minimum(x, zero)) / (one + ops.exp(ops.minimum(x, zero - x)))


def log_odds(ops: Ops, log_p: Any) -> Any:
    """Return log p - log(1 - p) of log-probabilities (n, k); for the top class 1 - p is the sum of the others."""
    p, top, one = ops.exp(log_p), ops.top(log_p), ops.constant(1.0)
    others = ops.sum(p * (one - top))
    return log_p - ops.log(ops.maximum(ops.where(top > ops.constant(0.5), others, one - p), ops.constant(TINY)))
