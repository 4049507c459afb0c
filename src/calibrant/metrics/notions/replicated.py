"""Bin sums of one batch under many weightings of its rows at once: what the bootstrap asks of a notion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
_MOST_CELLS = 2048  # classes x bins whose sums under sixteen weightings stay in a cache


def suits(k: int, edges: Floats) -> bool:
    """Return whether many weightings at once are faster than one after the other."""
    return bool(k * (edges.shape[-1] - 1) <= _MOST_CELLS)


def bin_sums(
    scores: NDArray[np.floating],
    labels: NDArray[np.int64],
    edges: Floats,
    weights: Floats,
    *,
    right: bool,
    hits: Floats | None = None,
    total: Floats | None = None,
) -> list[BinSums]:
    """Return the sums for each of R weightings (n, R) of scores (n, k); ``total`` (n,) where they are logits."""
    wanted = weights.shape[1]
    padded = np.zeros((len(weights), -(-wanted // kernels.LANES) * kernels.LANES))
    padded[:, :wanted] = weights
    logits = total is not None
    bins = kernels.bin_replicates(scores, edges, padded, labels, hits=hits, logits=logits, total=total, right=right)
    rows, mass = (weights > 0).sum(0), weights.sum(0)
    return [
        BinSums(
            edges=edges,
            rows=bins.rows[r].astype(np.int64),
            weight=bins.weight[r],
            score=bins.score[r],
            outcome=bins.outcome[r],
            square_weight=bins.square_weight[r],
            n=int(rows[r]),
            mass=float(mass[r]),
        )
        for r in range(wanted)
    ]
