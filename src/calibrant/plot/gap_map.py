"""Gaps of all classes by bin in one map, the worst class first; of many classes neighbours share a row.

Classes that share a row are pooled, and pooled by their scores: pooled by their errors, those that happen to occur
too often would stand together, and the map of a calibrated model would be full of evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.plot import bands
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class GapMap:
    """Outcome rate minus mean score of rows of classes by bins, (g, B).

    Attributes
    ----------
    order : (k,) classes as the map has them: the worst first, or the largest sum of scores first where they are pooled.
    first, last : (g,) places in this order of the first and last class of each row of the map.
    names : (g,) the class, or both ends of the run of classes.
    edges : (B+1,) of the bins.
    gaps : 0 where there are no rows; neighbouring classes are pooled, all their rows of a bin being one bin.
    rows : rows of the data in each cell.
    beyond : which gaps are beyond chance, all cells together (binomial, Bonferroni); none where not ``banded``.
    level : of all cells together.
    banded : whether chance is known: not that of soft labels.
    """

    order: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    names: tuple[str, ...]
    edges: Floats
    gaps: Floats
    rows: NDArray[np.int64]
    beyond: NDArray[np.bool_]
    level: float
    banded: bool = True

    @property
    def pooled(self) -> int:
        """Classes in the largest row of the map."""
        return int((self.last - self.first).max()) + 1


def gap_map(
    sums: BinSums,
    order: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    level: float,
    most: int = 40,
    banded: bool = True,
) -> GapMap:
    """Return the map of sums (k, B), in at most so many rows; ``order`` is that of the errors, the largest first."""
    if len(order) > most:
        order = np.argsort(-sums.score.sum(1), kind="stable")
    cuts = np.unique(np.linspace(0, len(order), min(len(order), most) + 1).astype(np.int64))
    first, last = cuts[:-1], cuts[1:] - 1

    def pooled(values: NDArray[np.generic]) -> Floats:
        return np.add.reduceat(values[order].astype(np.float64), first, axis=0)  # (g, B)

    squares = sums.weight if sums.square_weight is None else sums.square_weight
    weight, filled = pooled(sums.weight), pooled(sums.rows) > 0
    mean, rate = (
        np.divide(pooled(values), weight, out=np.zeros_like(weight), where=filled)
        for values in (sums.score, sums.outcome)
    )
    cell_level = 1 - (1 - level) / max(int(filled.sum()), 1)
    low, high = bands.binomial(bands.effective(weight, pooled(squares)), mean, cell_level)
    return GapMap(
        order=order,
        first=first,
        last=last,
        names=tuple(_name(names, order, a, b) for a, b in zip(first, last, strict=True)),
        edges=sums.edges,
        gaps=rate - mean,
        rows=pooled(sums.rows).astype(np.int64),
        beyond=banded & filled & ((rate < low - 1e-12) | (rate > high + 1e-12)),
        level=level,
        banded=banded,
    )


def _name(names: tuple[str, ...], order: NDArray[np.int64], first: int, last: int) -> str:
    return names[order[first]] if first == last else f"{first + 1:,}–{last + 1:,}"
