"""Natural cubic splines: smooth through their knots, straight beyond them, in coordinates fit for penalties.

Source: Green and Silverman, Nonparametric regression and generalized linear models, 1994, chapter 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_REACHED = 1e-12  # share of a cumulative weight that its rounding may take


def knots_at_quantiles(x: Floats, weights: Floats, count: int, gap: float) -> Floats:
    """Return ``count`` knots at evenly spaced weighted quantiles, each at least ``gap`` above the one before."""
    order = np.argsort(x)
    reached = np.cumsum(weights[order])
    targets = (np.arange(count) + 0.5) / count * reached[-1] * (1 - _REACHED)
    knots: Floats = x[order[np.searchsorted(reached, targets)]]
    steps = gap * np.arange(count)
    spread: Floats = np.maximum.accumulate(knots - steps) + steps
    return spread


def spline_basis(knots: Floats) -> Floats:
    """Return the cubics (c, m + 1, 4, m) of the m natural splines through each row of knots (c, m).

    They are powers, on each piece, of x less the knot before it. The first two splines are 1 and x. A sum of the others
    has as integral of its squared second derivative the sum of its squared coefficients.
    """
    cubics, roughness = _cardinal(knots)
    sizes, axes = np.linalg.eigh(roughness)  # the two smallest are 0, those of straight lines
    bent = axes[:, :, 2:] / np.sqrt(sizes[:, None, 2:])
    coordinates = np.concatenate([np.ones_like(knots)[:, :, None], knots[:, :, None], bent], axis=2)
    basis: Floats = np.matmul(cubics, coordinates[:, None])
    return basis


def design(x: Floats, knots: Floats, cubics: Floats) -> Floats:
    """Return the splines through knots (m,) with cubics (m + 1, 4, m) at each x (n, m)."""
    at = np.searchsorted(knots, x, "right")
    beyond = (x - np.append(knots[:1], knots)[at])[:, None]
    power = cubics[at]  # (n, 4, m)
    values: Floats = power[:, 0] + beyond * (power[:, 1] + beyond * (power[:, 2] + beyond * power[:, 3]))
    return values


def _cardinal(knots: Floats) -> tuple[Floats, Floats]:
    """Return cubics (c, m + 1, 4, m) of the splines that are 1 at one knot and 0 at the others, and their roughness.

    With values g at the knots the second derivatives there are bend @ g, and g' roughness g is the integral of their
    squares.
    """
    (c, m), run = knots.shape, np.diff(knots)[:, :, None]
    rises = np.diff(np.eye(m), axis=0) / run  # (c, m - 1, m), the slopes of the polygon
    jumps = np.diff(rises, axis=1)
    inner, at = np.zeros((c, m - 2, m - 2)), np.arange(m - 2)
    inner[:, at, at] = (run[:, :-1, 0] + run[:, 1:, 0]) / 3
    inner[:, at[1:], at[:-1]] = inner[:, at[:-1], at[1:]] = run[:, 1:-1, 0] / 6
    bend = np.zeros((c, m, m))
    bend[:, 1:-1] = np.linalg.solve(inner, jumps)
    cubics = np.zeros((c, m + 1, 4, m))
    cubics[:, 0, 0], cubics[:, 1:, 0] = np.eye(m)[0], np.eye(m)
    cubics[:, 1:-1, 1] = rises - run * (2 * bend[:, :-1] + bend[:, 1:]) / 6  # at the left end of each piece
    cubics[:, 0, 1] = cubics[:, 1, 1]
    cubics[:, -1, 1] = cubics[:, -2, 1] + run[:, -1] * bend[:, -2] / 2
    cubics[:, 1:-1, 2] = bend[:, :-1] / 2
    cubics[:, 1:-1, 3] = np.diff(bend, axis=1) / (6 * run)
    return cubics, np.matmul(jumps.transpose(0, 2, 1), bend[:, 1:-1])
