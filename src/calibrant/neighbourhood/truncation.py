"""Local averages from the nearest rows alone, as an approximate search finds them, and the mass that they miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.neighbourhood.kernel import log_kernel
from calibrant.neighbourhood.local_sums import LocalFrequencies, LocalSums, Weighing, empty_result, over
from calibrant.neighbourhood.neighbours import Neighbours
from calibrant.neighbourhood.references import Coordinates, References, Rows

Floats = NDArray[np.float64]
Search = Callable[[Coordinates, Rows | None, int], Neighbours]

_ENTRIES = 1 << 22  # neighbours that are weighed together
_SAMPLED = 512  # rows from which the mass of those that were not found is estimated


@dataclass(frozen=True, eq=False)
class Beyond:
    """Evenly spaced rows that stand for all: what mass lies beyond a distance."""

    references: References
    log_weights: Floats  # scaled to the weight of all rows

    @classmethod
    def of(cls, rows: Coordinates, weights: Floats) -> Beyond:
        """Return a sample of rows (n, d) with ``weights`` (n,)."""
        some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLED)).astype(np.int64))
        scaled = weights[some] * (weights.sum() / weights[some].sum())
        return cls(References.of(rows[some], scaled, None, single=False), np.log(scaled))

    def log_mass(self, weighing: Weighing, queries: Coordinates, squared: Floats) -> Floats:
        """Return the log of the kernel mass farther than ``squared`` (m,) distances from queries, -inf for none."""
        out = np.empty(len(queries))
        for block in self.references.blocks(queries):
            distances = block.squared(self.references).astype(np.float64)
            logs = log_kernel(weighing.kernel, distances, weighing.bandwidth) + self.log_weights
            # The farthest row that was found may be in the sample: rounding must not count it twice.
            logs[distances <= squared[block.rows, None] * (1 + 1e-5)] = -np.inf
            out[block.rows] = np.logaddexp.reduce(logs, axis=1)
        return out


def truncated(
    weighing: Weighing,
    search: Search,
    beyond: Beyond,
    queries: Coordinates,
    own: Rows | None,
    count: int,
    weights: Floats,
    values: Floats | Rows,
    prior: Floats,
) -> LocalFrequencies:
    """Return the averages over the ``count`` rows that a search finds near each query.

    ``weights`` (n,) and ``values``, labels (n,) or numbers (n, c), are those of all rows. ``missed`` is estimated: the
    mass of the rows of a sample that are farther than all that were found, scaled to all rows.
    """
    out = empty_result(len(queries), prior)
    step = max(1, _ENTRIES // count)
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        found = search(queries[rows], None if own is None else own[rows], count)
        of = prior if prior.ndim == 1 else prior[rows]
        sums, out.frequencies[rows] = _weighed(weighing, found, np.log(weights), values, of)
        out.log_mass[rows], out.effective_size[rows] = sums.log_mass, sums.effective_size
        farthest = np.where(found.rows >= 0, found.squared_distances, 0.0).max(1)
        rest = beyond.log_mass(weighing, queries[rows], farthest)
        none = np.isneginf(rest)
        out.missed[rows] = np.where(none, 0.0, np.exp(rest - np.logaddexp(np.where(none, 0.0, rest), sums.log_mass)))
    return out


def _weighed(
    weighing: Weighing, found: Neighbours, log_weights: Floats, values: Floats | Rows, prior: Floats
) -> tuple[LocalSums, Floats]:
    """Return the sums and the averages (m, c) over the rows that were found."""
    rows, there = found.rows, found.rows >= 0
    logs = log_kernel(weighing.kernel, found.squared_distances, weighing.bandwidth) + log_weights[rows]  # (m, s)
    logs[~there] = -np.inf
    largest = logs.max(1)
    relative = np.exp(logs - np.where(np.isneginf(largest), 0.0, largest)[:, None])
    sums = LocalSums(relative.sum(1), np.einsum("is,is->i", relative, relative), largest, None)
    return sums, over(_summed(relative, rows, values, prior.shape[-1]), sums.total[:, None], prior)


def _summed(relative: Floats, rows: Rows, values: Floats | Rows, columns: int) -> Floats:
    """Return the sums over neighbours of weights (m, s) times the values of their rows, (m, c)."""
    if values.ndim == 2:
        return np.stack([np.einsum("is,is->i", relative, column[rows]) for column in values.T], axis=1)
    cells = np.arange(len(rows))[:, None] * columns + values[rows]
    counts = np.bincount(cells.ravel(), relative.ravel(), len(rows) * columns)
    return np.asarray(counts.reshape(-1, columns), dtype=np.float64)
