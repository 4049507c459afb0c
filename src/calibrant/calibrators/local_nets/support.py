"""How far a row lies from the calibration rows, and how far a correction is to be trusted there.

The distance is Mahalanobis's to the nearest class centre, with one covariance within classes, in the space of the net;
what lies off the axes of that space is one direction more. Trust falls from 1 to 0 around a radius: one and a half
times the squared distance that is usual for a row left out, or more where a hundred rows left out show that a
correction gains there; few rows cannot tell. No row is kept: centres and one ellipsoid are all there is.
Source: Lee, Lee, Lee and Shin 2018 for the distance; trimming and the radius are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.formulas import NUMPY, Ops

Floats = NDArray[np.float64]

RADII = (1.5, 3.0, 6.0)  # in median squared distances of rows left out: beyond the first by evidence alone
_KEPT, _STEPS = 0.95, 3  # share of the rows that shape the ellipsoid, found in so many steps: a few wild rows do not
_PSEUDO_ROWS = 4.0  # in the middle of all rows, that hold each class centre
_RIDGE = 1e-2  # of the mean variance: a direction in which rows hardly move is not known to that digit
_LEAST = 1e-9  # variance of standardised features below which nothing lies off the axes


@dataclass(frozen=True, eq=False, kw_only=True)
class Support:
    """``whitening`` (d, r) gives coordinates, of ``variances`` (r,) before it, in which ``centres`` (c, r) lie.

    ``rest`` weighs the squared length off the axes. Squared distances are means over directions, about 1 for a usual
    row; the ``radius`` is one. Without directions every row is trusted.
    """

    whitening: Floats
    variances: Floats
    centres: Floats
    rest: float = 0.0
    radius: float = 1.0

    @classmethod
    def everywhere(cls, d: int) -> Support:
        """Return the support that trusts everywhere."""
        return cls(whitening=np.zeros((d, 0)), variances=np.zeros(0), centres=np.zeros((1, 0)))


def supported(
    x: Floats, axes: Floats, weights: Floats, classes: NDArray[np.int64], fold: NDArray[np.int64]
) -> tuple[Support, Floats]:
    """Return the support of standardised features (n, d), and the squared distance (n,) of each as of a new row.

    ``axes`` (d, q) of length 1 span the space; ``classes`` (n,) are labels; distances are taken from the rows of the
    other folds, and their median is the radius.
    """
    share, distance = weights / weights.sum(), np.empty(len(x))
    for held in range(int(fold.max()) + 1):
        mine = fold == held
        of_others = _shaped(x[~mine], axes, share[~mine], classes[~mine])
        distance[mine] = squared_distance(NUMPY, x[mine], of_others)[:, 0]
    order = np.argsort(distance, kind="stable")
    middle = int(np.searchsorted(share[order].cumsum(), 0.5))
    radius = float(distance[order[min(middle, len(order) - 1)]])
    if not radius > 0:
        return Support.everywhere(x.shape[1]), np.zeros(len(x))
    shaped = _shaped(x, axes, share, classes)
    parts = {name: getattr(shaped, name) for name in ("whitening", "variances", "centres", "rest")}
    return Support(radius=radius, **parts), distance


def trust_at(distance: Floats, radius: float) -> Floats:
    """Return the trust (n,) at squared distances (n,)."""
    return np.asarray(_falling(NUMPY, distance, radius))


def _shaped(x: Floats, axes: Floats, share: Floats, classes: NDArray[np.int64]) -> Support:
    """Return centres and covariance of the rows, without those that lie farthest off."""
    u, kept = x @ axes, np.ones(len(x), dtype=bool)
    off = np.maximum(np.square(x).sum(1) - np.square(u).sum(1), 0.0)
    for _ in range(_STEPS):
        found = _ellipsoid(u, axes, np.where(kept, share, 0.0), classes, off)
        distance = squared_distance(NUMPY, x, found)[:, 0]
        order = np.argsort(distance, kind="stable")
        kept = np.zeros(len(x), dtype=bool)
        kept[order[: max(int(_KEPT * len(x)), 1)]] = True
    return found


def _ellipsoid(u: Floats, axes: Floats, share: Floats, classes: NDArray[np.int64], off: Floats) -> Support:
    share = share / share.sum()
    centres = _centres(u, share, classes)  # (c, q)
    apart = u - centres[np.unique(classes, return_inverse=True)[1]]
    values, vectors = scipy.linalg.eigh((apart * share[:, None]).T @ apart)
    values = np.maximum(values, 0.0) + _RIDGE * float(np.maximum(values, 0.0).mean())
    if not values.all():
        return Support.everywhere(len(axes))
    beside = float(share @ off)
    directions = len(values) + int(beside > _LEAST)
    scale = vectors / np.sqrt(values * directions)  # (q, q)
    rest = 1 / (beside * directions) if beside > _LEAST else 0.0
    return Support(whitening=axes @ scale, variances=values * directions, centres=centres @ scale, rest=rest)


def _centres(u: Floats, share: Floats, classes: NDArray[np.int64]) -> Floats:
    """Return the centre (c, q) of each class that occurs, drawn to the middle of all rows where rows are few."""
    code = np.unique(classes, return_inverse=True)[1]
    effective = 1 / float(share @ share)
    mass = np.bincount(code, share) * effective  # (c,) in rows
    sums = np.zeros((len(mass), u.shape[1]))
    np.add.at(sums, code, u * (share * effective)[:, None])
    return np.asarray((sums + _PSEUDO_ROWS * (share @ u)) / (mass + _PSEUDO_ROWS)[:, None])


def trust(ops: Ops, x: Any, support: Support) -> Any:
    """Return the trust (n, 1) in rows of standardised features (n, d)."""
    return _falling(ops, squared_distance(ops, x, support), support.radius)


def _falling(ops: Ops, distance: Any, radius: float) -> Any:
    """Return 1 / (1 + (squared distance / radius)^8)."""
    power = distance * ops.constant(1 / radius)
    for _ in range(3):
        power = power * power
    return ops.constant(1.0) / (ops.constant(1.0) + power)


def squared_distance(ops: Ops, x: Any, support: Support) -> Any:
    """Return the squared distance (n, 1) of standardised features (n, d) from the nearest centre."""
    v = ops.product(x, support.whitening)
    squares = v * v
    lengths = ops.constant(np.square(support.centres).sum(1))
    nearest = ops.largest(ops.product(v, 2 * support.centres.T) - lengths)
    distance = ops.maximum(ops.sum(squares) - nearest, ops.constant(0.0))
    if not support.rest:
        return distance
    off = ops.sum(x * x) - ops.sum(squares * ops.constant(support.variances))
    return distance + ops.maximum(off, ops.constant(0.0)) * ops.constant(support.rest)
