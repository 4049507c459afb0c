"""About the inverse of the curvature of a softmax regression: exact within each class, blind to how classes compete.

Coefficients of a class see the curvature sum_i w_i p_ic (1 - p_ic) x_i x_i', with x the features that they multiply.
Features of one class are often nearly collinear (z and exp z, say), which a diagonal cannot know and which makes
conjugate gradients slow; what classes take from each other is mild beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.terms import Term

Floats = NDArray[np.float64]

ENOUGH_ROWS = 1000
_LIFT, _TINY = 1e-12, float(np.finfo(np.float64).tiny) * 2**60
MOST_WORK = 2e9  # multiplications for the blocks of all classes; beyond, the diagonal is cheaper


class ClassBlocks:
    """Where each class's coefficients stand among all (k, d), and the sums of their curvature (k, d, d)."""

    def __init__(self, terms: Sequence[Term], ends: NDArray[np.int64], k: int) -> None:
        self._terms = [(term, start) for term, start in zip(terms, ends, strict=False) if term.of_class(0).size]
        self.places = np.array([np.concatenate([s + t.of_class(c) for t, s in self._terms]) for c in range(k)])
        self._sums = np.zeros((k, self.places.shape[1], self.places.shape[1]))

    @classmethod
    def affordable(cls, terms: Sequence[Term], n: int, k: int) -> bool:
        """Whether the blocks, and their inverses, are worth their work."""
        own = sum(term.of_class(0).size for term in terms)
        return (min(n, ENOUGH_ROWS) + own) * k * own**2 <= MOST_WORK

    def add(self, curvature: Floats, rows: slice, n: int) -> None:
        """Add the curvature w p (1 - p) (b, k) of some of n rows; of many, every so manyth row stands for its like."""
        step = max(1, n // ENOUGH_ROWS)
        thin = slice(rows.start, rows.stop, step)
        some = curvature[::step]
        for c, weights in enumerate((len(curvature) / len(some)) * some.T):
            x = np.hstack([term.columns(c, thin) for term, _ in self._terms])  # (b, d)
            self._sums[c] += (x * weights[:, None]).T @ x

    def inverse(self, ridges: Floats, diagonal: Floats) -> BlockInverse:
        """Return about the inverse: of the blocks plus twice the ``ridges`` (m,), and of the ``diagonal`` elsewhere."""
        index = np.arange(self.places.shape[1])
        self._sums[:, index, index] += 2 * ridges[self.places]
        # A feature that never moves, without a ridge, would leave a block singular.
        self._sums[:, index, index] += _LIFT * self._sums[:, index, index].max(1, keepdims=True) + _TINY
        return BlockInverse(self.places, np.asarray(np.linalg.inv(self._sums), dtype=np.float64), diagonal)


class BlockInverse:
    """A symmetric positive matrix (m, m), as a function of a vector."""

    def __init__(self, places: NDArray[np.int64], blocks: Floats, diagonal: Floats) -> None:
        self._places, self._blocks, self._diagonal = places, blocks, diagonal

    def __call__(self, x: Floats) -> Floats:
        """Return the product with a vector (m,)."""
        out = x / self._diagonal
        out[self._places] = (self._blocks @ x[self._places][..., None])[..., 0]
        return out
