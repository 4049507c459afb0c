"""The temperature map pooled with the class frequencies around a row: the features may know what the scores do not.

Formula: theta_c(x) = sum_j k(x, x_j) y_jc / sum_j k(x, x_j) over the calibration rows x_j, k Gaussian in a space that
was fitted on them, and one of the pools of `local_pools` of p = softmax(beta z) with theta. Bandwidth and pool have the
least leave-one-out log loss. Sources: Nadaraya 1964 and Watson 1964 for theta; the pools and their guard are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.local_kernel import SEARCHED, KernelMap, LocalRows, no_rows, relative
from calibrant.calibrators.local_pools import KINDS, Around, Kind, Support
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, Ops, log_softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_SEARCHED = 1 << 20  # frequencies of the rows on which bandwidths are compared, at most
_ENTRIES = 1 << 22  # of the frequencies of the rows that the pool is fitted on: 32 MB each of a few arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalPoolMap(KernelMap):
    """A pool of softmax(``beta`` u) with what the rows around say: ``labels`` (n,), or averaged ``values`` (n, k).

    ``numbers`` and ``ranges`` are those of the ``kind``, ``knots`` and ``levels`` (1, j) those of `Support`. Without
    points it is the temperature map.
    """

    beta: float
    kind: str
    labels: NDArray[np.int64]
    values: Floats
    numbers: Floats
    ranges: Floats
    knots: Floats
    levels: Floats

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(self.kind in KINDS, "kind", f"be one of {', '.join(KINDS)}", repr(self.kind))
        n, k = len(self.points), self.record.k
        told = self.labels.shape == (n,) if self.values.size == 0 else self.values.shape == (n, k)
        known = self.labels.size == 0 or (self.labels.min() >= 0 and self.labels.max() < k)
        require(bool(told and known), "labels", f"be {n} classes in 0..{k - 1}, or values in their place")
        for name in ("values", "numbers", "ranges", "knots", "levels"):
            require(bool(np.isfinite(getattr(self, name)).all()), name, "be finite")
        right = self.knots.shape == self.levels.shape == (1, self.knots.size) and self.knots.size > 0
        require(right and bool((np.diff(self.knots) > 0).all()), "knots", "rise, with a level each", self.knots.shape)
        check_zero(self.floor)

    @cached_property
    def averaged(self) -> Floats:
        """What is averaged around a row (n, k)."""
        return self.values if self.values.size else np.eye(self.record.k)[self.labels]

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return the pool."""
        log_q = log_softmax(ops, log_p * ops.constant(self.beta))
        if not len(self.points):
            return ops.exp(log_q)
        shares, mass = relative(ops, self.logs(ops, features))
        trust = Support(self.knots, self.levels).trust(ops, mass)
        around = Around(log_q, ops.product(shares, self.averaged), mass, trust)
        return KINDS[self.kind].mixed(ops, around, self.numbers, self.ranges)

    @property
    def n_parameters(self) -> int:
        """The temperature; and, where the rows are used, all that is kept of them, the bandwidth and the pool."""
        kept = self.points.size + max(self.labels.size, self.values.size)
        return 1 + (kept + 1 + self.numbers.size if kept else 0)


class _Found(NamedTuple):
    """A pool at one bandwidth, and its leave-one-out log loss."""

    loss: float
    numbers: Floats
    ranges: Floats
    guard: Support


@dataclass(frozen=True, eq=False)
class _Search:
    """Pools of one kind on one set of rows.

    ``log_q`` (n, k) by the temperature map, ``values`` (n, k) to average, or None for hard labels.
    """

    rows: LocalRows
    kind: Kind
    log_q: Floats
    values: Floats | None
    support: float

    def at(self, bandwidth: float, some: NDArray[np.int64]) -> _Found:
        """Return the best pool at a bandwidth, on some rows, each without itself."""
        averages, mass = self.rows.left_out(some, bandwidth, self.values)
        guard = Support.of(mass[:, 0], self.rows.weights[some], self.support)
        around = Around(self.log_q[some], averages, mass, guard.trust(NUMPY, mass))
        terms, ranges = self.rows.terms(some), self.kind.ranges(around)
        numbers = self.kind.fitted(around, terms, self.rows.effective(some), ranges)
        return _Found(terms.log_loss(self.kind.mixed(NUMPY, around, numbers, ranges)), numbers, ranges, guard)


def _log_q(batch: Predictions, beta: float) -> Floats:
    rows = FitRows.of(batch)
    return np.concatenate([log_softmax(NUMPY, beta * rows.log_probabilities(block)) for block in rows.slices()])


@register(
    "calibrator",
    "local_pool",
    compared="",
    reference="nadaraya1964",
    needs_features=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n d + n k + 8",
    wants_rows="500",
    cost="O(n^2 (d + k)) a bandwidth, about 15 of them; the same to apply to n rows",
    guarantee="leave-one-out log loss never above the temperature map's; far from the calibration rows it is that map",
    assumes="rows that are near in the features have similar class frequencies; new rows are like the calibration rows",
    suits="features that know more than the scores",
)
@dataclass(frozen=True, kw_only=True)
class LocalPool(Calibrator):
    """Pool the temperature map with the class frequencies of the calibration rows around a row.

    Choose it where features came with the rows, such as the last layer of a network: scores that are right on average
    and wrong in a region are repaired there. The predicted class may change, mostly for the better.

    Parameters
    ----------
    kind : "gate": (1 - a) p + a theta, the share a growing with the mass of the neighbours and depending on the
        confidence, three numbers. "linear": one share for all rows. "log": logits and log theta added, two numbers and
        a floor. "counts": p counts as m rows beside the neighbours. "residual": p moved by the mean error around
        the row.
    support : share of the calibration rows, those with the least kernel mass around them, where neighbours are trusted
        in part: in proportion to how many rows have less. Below all of them trust falls on, as the square of the
        distance grows, and the map goes to the temperature map. 0: no guard.
    dimensions : of the space: that many principal components of the standardised features, at most.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The map holds the calibration rows. Up to 1,500 rows, each with all others as neighbours, choose the bandwidth; the
    pool is fitted on all, or as many as make four million frequencies. It is used if its leave-one-out log loss is
    below the temperature map's by more than what fitting its numbers gains, half a nat each over the effective rows.
    Else, and under 20 distinct rows or with features that never move, the map is the temperature map. A row that came
    twice is its own neighbour: give rows once, with weights.
    """

    kind: Literal["gate", "linear", "log", "counts", "residual"] = "gate"
    support: float = 0.05
    dimensions: int = 50
    zero: float | None = None

    def __post_init__(self) -> None:
        require(self.kind in KINDS, "kind", f"be one of {', '.join(KINDS)}", repr(self.kind))
        require(0 <= self.support < 1, "support", "lie in [0, 1)", self.support)
        whole = is_whole(self.dimensions) and self.dimensions >= 1
        require(whole, "dimensions", "be a whole number of at least 1", self.dimensions)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> LocalPoolMap:
        """Return the best pool, or the temperature map as one without rows."""
        rows = LocalRows.of(predictions, self.zero, self.dimensions)
        if rows is None:
            batch, floor = prepared(predictions, self.zero)
            told = "too few rows, or features that never move: the temperature map"
            return self._global(predictions, floor, inverse_temperature(FitRows.of(batch)).beta, told)
        temperature = inverse_temperature(FitRows.of(rows.batch))
        search = self._search(rows, _log_q(rows.batch, temperature.beta))
        few = rows.some(min(SEARCHED, max(1, _SEARCHED // predictions.k)))
        h = rows.bandwidth(lambda h: search.at(h, few).loss)
        some = rows.some(max(1, _ENTRIES // predictions.k))
        found = search.at(h, some)
        alone = rows.terms(some).log_loss(np.exp(search.log_q[some]))
        gain = alone - found.loss
        told = f"{gain:.4f} nats a row over the temperature map, on rows left out"
        if gain <= len(found.numbers) / (2 * rows.effective(some)):
            return self._global(predictions, rows.floor, temperature.beta, f"the temperature map: a pool gains {told}")
        hard = search.values is None
        return LocalPoolMap(
            **rows.placed(h),
            beta=temperature.beta,
            kind=self.kind,
            labels=rows.batch.hard_labels if hard else np.empty(0, np.int64),
            values=np.empty((0, predictions.k)) if search.values is None else search.values,
            numbers=found.numbers,
            ranges=found.ranges,
            **found.guard._asdict(),
            record=self.fit_record(predictions, message=f"the pool gains {told}"),
        )

    def _search(self, rows: LocalRows, log_q: Floats) -> _Search:
        kind, batch = KINDS[self.kind], rows.batch
        values = batch.labels if batch.soft else np.eye(batch.k)[batch.hard_labels] if kind.residuals else None
        if kind.residuals:
            values = values - np.exp(log_q)
        return _Search(rows, kind, log_q, values, self.support)

    def _global(self, predictions: Predictions, floor: float, beta: float, told: str) -> LocalPoolMap:
        return LocalPoolMap(
            **no_rows(predictions),
            floor=floor,
            beta=beta,
            kind=self.kind,
            labels=np.empty(0, np.int64),
            values=np.empty((0, predictions.k)),
            numbers=np.zeros(0),
            ranges=np.zeros((4, 2)),
            knots=np.zeros((1, 1)),
            levels=np.ones((1, 1)),
            record=self.fit_record(predictions, message=told),
        )
