"""The weights of a mixture of given distributions with the best Brier score: a quadratic programme on the simplex.

For few distributions every face of the simplex is solved as if it had no border, and the best solution inside its face
wins: exact, and no iteration. `solvers.pool` has the weights of the best log loss.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EQUAL = 1e-15  # values within it are the same but for rounding


def nearest_mixture(gram: Floats, target: Floats) -> tuple[Floats, float]:
    """Return the weights w on the simplex of the smallest w' gram w - 2 target' w, and that value.

    On each face the sum of 1 is the only constraint; the best face whose solution has no negative weight wins, the
    smaller one where faces tie.
    """
    j = len(target)
    best, least = np.full(j, 1 / j), np.inf
    for size in range(1, j + 1):
        for face in map(list, combinations(range(j), size)):
            weights = np.zeros(j)
            weights[face] = _on_face(gram[np.ix_(face, face)], target[face])
            value = float(weights @ gram @ weights - 2 * target @ weights)
            if weights.min() >= 0 and value < least - _EQUAL:
                best, least = weights, value
    return best, least


def _on_face(gram: Floats, target: Floats) -> Floats:
    """Return the solution with sum 1; of distributions that are the same, each gets the same."""
    m = len(target)
    system = np.block([[gram, np.ones((m, 1))], [np.ones((1, m)), np.zeros((1, 1))]])
    found = np.linalg.lstsq(system, np.append(target, 1.0), rcond=1e-12)[0]
    return np.asarray(found[:m])
