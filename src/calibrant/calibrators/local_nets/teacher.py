"""What a net is taught beside the labels: class frequencies around each row, pooled with the global map.

Frequencies leave the row itself out, and the pool trusts them where they have deserved it: its share is logistic in the
mass of the neighbours and in the confidence of the global map, three numbers by the likelihood of the labels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.calibrators.local_nets.rows import NetRows
from calibrant.neighbourhood import Neighbourhood, Space
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]

_RIDGE = 1.0  # pseudo-rows that hold each of the three numbers at its start
_START = np.array([-1.0, 0.0, 0.0])
_MOST = 8.0  # of each of them: shares end at 0.0003
_SURE = 1e-6  # probability beyond which confidence is one


class _Terms(NamedTuple):
    """Terms of the log-likelihood: the probability of the label by both members (t,), its weight, and the inputs."""

    by_map: Floats
    by_neighbours: Floats
    weights: Floats
    inputs: Floats


def lessons(batch: Predictions, space: Space, rows: NetRows) -> NDArray[np.float32]:
    """Return the teacher's probabilities (folds, n, k) for the rows outside each fold, from these alone; 0 within it.

    What a net learns about a row left out would otherwise come from that row's own label. ``batch`` are the ``rows``,
    in their order.
    """
    found = np.zeros((rows.folds, *rows.log_p.shape), dtype=np.float32)
    bandwidth = Neighbourhood.fit(batch, space=space).bandwidth
    for fold in range(rows.folds):
        kept = np.flatnonzero(rows.fold != fold)
        near = Neighbourhood.fit(batch.take(kept), space=space, bandwidth=bandwidth).leave_one_out()
        found[fold, kept] = _pooled(rows, kept, near.frequencies, near.log_mass)
    return found


def _pooled(rows: NetRows, kept: NDArray[np.int64], frequencies: Floats, log_mass: Floats) -> Floats:
    """Return the pool (m, k) of the global map and the neighbours, for some rows and by their labels."""
    p = np.exp(rows.log_p[kept])
    inputs = _inputs(log_mass, p)
    share = _share(_terms(p, frequencies, rows.labels[kept], rows.weights[kept], inputs), inputs)
    return p + share[:, None] * (frequencies - p)


def _inputs(log_mass: Floats, p: Floats) -> Floats:
    """Return one, the standardised log mass of the neighbours and the standardised log odds of the top class (n, 3)."""
    top = np.clip(p.max(1), _SURE, 1 - _SURE)
    mass = np.maximum(log_mass, np.log(np.finfo(float).tiny))
    return np.column_stack([np.ones(len(p)), _standardised(mass), _standardised(np.log(top / (1 - top)))])


def _standardised(column: Floats) -> Floats:
    spread = float(column.std())
    return np.asarray((column - column.mean()) / (spread if spread > _SURE else 1.0))


def _terms(p: Floats, frequencies: Floats, labels: NDArray[Any], weights: Floats, inputs: Floats) -> _Terms:
    if labels.ndim == 1:
        at = np.arange(len(p)), labels
        return _Terms(p[at], frequencies[at], weights, inputs)
    row, label = np.nonzero(labels)
    return _Terms(p[row, label], frequencies[row, label], weights[row] * labels[row, label], inputs[row])


def _share(terms: _Terms, inputs: Floats) -> Floats:
    """Return the share (n,) of the neighbours that makes the labels likeliest."""
    gap = terms.by_neighbours - terms.by_map

    def loss(c: Floats) -> tuple[float, Floats]:
        a = scipy.special.expit(terms.inputs @ c)
        mixed = np.maximum(terms.by_map + a * gap, np.finfo(float).tiny)
        slope = terms.weights * a * (1 - a) * gap / mixed
        off = c - _START
        return float(-terms.weights @ np.log(mixed) + 0.5 * _RIDGE * off @ off), _RIDGE * off - slope @ terms.inputs

    best = scipy.optimize.minimize(loss, _START, jac=True, method="L-BFGS-B", bounds=[(-_MOST, _MOST)] * 3)
    return np.asarray(scipy.special.expit(inputs @ best.x))
