"""Local averages from the nearest rows alone, as an approximate search finds them, with what they may miss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibrant.neighbourhood.kernel import log_kernel
from calibrant.neighbourhood.local_sums import LocalFrequencies, LocalSums, Weighing, empty_result, over
from calibrant.neighbourhood.neighbours import Neighbours
from calibrant.neighbourhood.references import Coordinates, Rows

Floats = NDArray[np.float64]
Search = Callable[[Coordinates, Rows | None, int], Neighbours]

_ENTRIES = 1 << 22  # neighbours that are weighed together


def truncated(
    weighing: Weighing,
    search: Search,
    queries: Coordinates,
    own: Rows | None,
    count: int,
    weights: Floats,
    values: Floats | Rows,
    prior: Floats,
) -> LocalFrequencies:
    """Return the averages over the ``count`` rows that a search finds near each query.

    ``weights`` (n,) and ``values``, labels (n,) or numbers (n, c), are those of all rows. The rows that were not found
    may have a share of the mass, at most ``missed`` if none of them is nearer than the farthest that was found.
    """
    out = empty_result(len(queries), prior)
    step = max(1, _ENTRIES // count)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        found = search(queries[rows], None if own is None else own[rows], count)
        others = weights.sum() - (0.0 if own is None else weights[own[rows]])
        part = _weighed(weighing, found, weights, others, values, prior if prior.ndim == 1 else prior[rows])
        for name, column in vars(part).items():
            getattr(out, name)[rows] = column
    return out


def _weighed(
    weighing: Weighing,
    found: Neighbours,
    weights: Floats,
    others: Floats | float,
    values: Floats | Rows,
    prior: Floats,
) -> LocalFrequencies:
    """Return the averages over the rows that were found; ``others`` is the weight of all that might be, (m,) or one."""
    rows, there = found.rows, found.rows >= 0
    logs = log_kernel(weighing.kernel, found.squared_distances, weighing.bandwidth) + np.log(weights)[rows]  # (m, s)
    logs[~there] = -np.inf
    largest = logs.max(1)
    relative = np.exp(logs - np.where(np.isneginf(largest), 0.0, largest)[:, None])
    sums = LocalSums(relative.sum(1), np.einsum("is,is->i", relative, relative), largest, None)
    averages = over(_summed(relative, rows, values, prior.shape[-1]), sums.total[:, None], prior)
    farthest = np.where(there, found.squared_distances, 0.0).max(1)
    rest = others - np.where(there, weights[rows], 0.0).sum(1)
    return LocalFrequencies(
        frequencies=averages,
        log_mass=sums.log_mass,
        effective_size=sums.effective_size,
        missed=_missed(sums.log_mass, np.maximum(rest, 0.0), log_kernel(weighing.kernel, farthest, weighing.bandwidth)),
    )


def _summed(relative: Floats, rows: Rows, values: Floats | Rows, columns: int) -> Floats:
    """Return the sums over neighbours of weights (m, s) times the values of their rows, (m, c)."""
    if values.ndim == 2:
        return np.stack([np.einsum("is,is->i", relative, column[rows]) for column in values.T], axis=1)
    cells = np.arange(len(rows))[:, None] * columns + values[rows]
    counts = np.bincount(cells.ravel(), relative.ravel(), len(rows) * columns)
    return np.asarray(counts.reshape(-1, columns), dtype=np.float64)


def _missed(log_mass: Floats, rest: Floats, log_farthest: Floats) -> Floats:
    """Return the share that other rows would have, of weights ``rest``, as near as the farthest that was found (m,)."""
    with np.errstate(divide="ignore"):
        other = np.log(rest) + log_farthest
    none = np.isneginf(other)
    return np.where(none, 0.0, np.exp(other - np.logaddexp(np.where(none, 0.0, other), log_mass)))
