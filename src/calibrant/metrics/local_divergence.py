"""Distance of each prediction from the class frequencies around its row, by Jensen and Shannon.

With theta_i the kernel-weighted class frequencies of the other rows around row i and m = (p + theta) / 2,
    d_i = sqrt((KL(p_i || m) + KL(theta_i || m)) / 2),
a metric of probability vectors, between 0 and sqrt(log 2), finite where one of them has zeros. Sources: Endres and
Schindelin (2003) for the metric; Barbera et al. (2025) for its use, though their code averages over classes the
distances of each class against the rest, which is another number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import rel_entr

from calibrant.errors import is_whole, require
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_choices import TOO_FEW, KernelChoices, told, weighted_median
from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.tests.redraw import redrawn
from calibrant.neighbourhood import Neighbourhood
from calibrant.predictions import Predictions
from calibrant.registry import register

Floats = NDArray[np.float64]
_STREAM = 0x6C6F6A73  # keeps the redrawn labels of the floor apart from others
_ENTRIES = 1 << 22  # sums of several label vectors at a time: 32 MB
LARGEST = float(np.sqrt(np.log(2)))
_COST = "O(n^2 (d + k)), and O(n^2) for each redrawn label vector"


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Return the Jensen-Shannon distance, the root of the divergence in nats (...), of probabilities (..., k)."""
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(-1) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))  # equal vectors: under 0 is rounding


@register("measure", "local_js", reference="endres2003", needs_features=True, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class LocalDistance(KernelChoices, CollectedMeasure):
    """Local Jensen-Shannon distance: how far predictions are from the class frequencies around their rows, on average.

    It needs features. All classes at once, without bins. Far from 0 for a perfect model too, because frequencies of few
    neighbours are noisy and those of distant ones belong to other rows: ``excess=True`` subtracts what labels drawn
    from the probabilities give, which has both. Wide neighbourhoods have frequencies that are less sharp than any row's
    chances, so that the excess of under-confident scores may be negative: `lce` and `klce` judge those.

    Parameters
    ----------
    kernel, bandwidth, ess, space, dimensions, standardise : as in `lce`.
    excess, redraws, seed : subtract the mean over so many label vectors drawn from the probabilities; ``details`` have
        the raw value, the floor and its spread.

    Notes
    -----
    A row is not among its own neighbours. One without any weight around, as the box kernel may leave, does not count.
    Weights count rows as neighbours and in the mean; a repeated row is a neighbour of its copies. Soft labels stand in
    the place of outcomes, but have no excess. Redrawn labels depend on the order of the classes.

    References
    ----------
    Endres and Schindelin (2003); Barbera et al. (2025).
    """

    perfect = None
    bootstraps = False
    repeats = False
    costly = True

    excess: bool = False
    redraws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_whole(self.redraws) and self.redraws >= 2, "redraws", "be a whole number from 2 on", self.redraws)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Up to sqrt(log 2), from 0, or from minus that for the excess."""
        return (-LARGEST if self.excess else 0.0), LARGEST

    @property
    def by_class(self) -> bool:
        """The whole vector is looked at."""
        return True

    @property
    def estimand(self) -> str:
        """The mean distance at this bandwidth."""
        above = ", above what labels drawn from the probabilities give" if self.excess else ""
        return f"mean Jensen-Shannon distance of predictions from local class frequencies{above}"

    def measured(self, rows: Predictions) -> Measured:
        """Return the mean distance with the effective sizes and the floor; NaN where no row has a neighbour."""
        if len(rows) < 2:
            return Measured(float("nan"), {}, (TOO_FEW,))
        require(not (rows.soft and self.excess), "labels", "be hard, one class a row, for the excess", "soft labels")
        drawn = list(redrawn(rows, self.redraws, self.seed, _STREAM, together="class")) if self.excess else []
        around = self.around(rows)
        values, sizes = _means(rows, around, [rows.labels, *drawn] if not rows.soft else [])
        there = sizes > 0
        details: dict[str, Any] = {
            **told(around),
            "median_effective_size": weighted_median(sizes[there], rows.row_weights[there]),
            "left_out": float(1 - rows.row_weights[there].sum() / rows.row_weights.sum()),
        }
        if not there.any():
            return Measured(float("nan"), details, ("no row has neighbours: take a larger bandwidth",))
        value = float(values[0])
        if self.excess:
            details |= {"raw": value, "floor": float(values[1:].mean()), "floor_spread": float(values[1:].std(ddof=1))}
            value -= details["floor"]
        return Measured(value, details)


def _means(rows: Predictions, around: Neighbourhood, labels: Sequence[Any]) -> tuple[Floats, Floats]:
    """Return the mean distance under each label vector (R,), or the soft labels, and the effective sizes (n,)."""
    reader, w = Rows(rows), rows.row_weights
    total, mass, sizes = np.zeros(max(1, len(labels))), 0.0, np.zeros(len(rows))
    for block in around.weight_blocks():
        weights = np.asarray(block.weights, dtype=np.float64)
        sums = weights.sum(1)
        there = np.flatnonzero(sums > 0)
        weights, sums = weights[there], sums[there]
        at = np.arange(len(rows))[block.rows][there]
        sizes[at] = sums**2 / np.einsum("ij,ij->i", weights, weights)
        p = reader.probabilities(at)
        mass += float(w[at].sum())
        for some, local in _frequencies(rows, weights, labels):  # (r, b, k)
            total[some] += jensen_shannon(p, local / sums[:, None]) @ w[at]
    return total / mass if mass else np.full_like(total, np.nan), sizes


def _frequencies(rows: Predictions, weights: Floats, labels: Sequence[Any]) -> Iterator[tuple[slice, Floats]]:
    """Yield which label vectors, and the sums of the weights (b, n) by class under each (r, b, k)."""
    if not labels:
        yield slice(0, 1), (weights @ cast(Floats, rows.labels))[None]
        return
    b, n, k = len(weights), len(rows), rows.k
    columns = np.ascontiguousarray(weights.T)
    at_once = max(1, _ENTRIES // (k * max(b, 1)))
    for start in range(0, len(labels), at_once):
        some = labels[start : start + at_once]
        cells = np.stack(some, axis=1) + k * np.arange(len(some))  # (n, r)
        starts = np.arange(n + 1) * len(some)
        one_hot = sparse.csc_array((np.ones(cells.size), cells.ravel(), starts), shape=(k * len(some), n))
        sums = np.asarray(one_hot @ columns).reshape(len(some), k, b)
        yield slice(start, start + len(some)), sums.transpose(0, 2, 1)
