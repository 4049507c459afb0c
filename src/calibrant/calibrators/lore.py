"""How often the calibration rows around a row, that were as sure, were right: that is its new confidence (LoRe).

Formula: h'(x) = sum_j k(x, x_j) right_j / sum_j k(x, x_j) over the rows of the confidence bin of x, drawn to the share
of right rows of that bin where few are near: with e the effective number of rows near, e / (e + m) of the one, m / (e +
m) of the other. The other classes share the rest in proportion to their scores.
Source: Luo et al. 2022 for the local share; the shrinkage, the choice of the bandwidth and the other classes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.local_kernel import KernelMap, LocalRows, log_kernels, no_rows
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, TINY, Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import ROUNDING
from calibrant.solvers.top_class import top_outcome, top_shares, with_confidence
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_APART = -1e290  # log-kernel of a row of another bin: no number that a kernel takes is so small


def _bins(ops: Ops, confidence: Any, bins: int) -> Any:
    """Return, as 1.0 and 0.0, in which of equally wide bins, closed on the right, confidences (n, 1) lie (n, bins)."""
    edges = np.linspace(0, 1, bins + 1)[1:-1] * (1 + ROUNDING)  # 1 / 3 is the same number however it was computed
    parts = [ops.pick(row[None], ops.place(confidence, edges[None], right=False)) for row in np.eye(bins)]
    return ops.stacked(parts)


def _within(ops: Ops, logs: Any, same: Any) -> Any:
    """Return log-kernels (n, m), next to nothing where two rows are not of the ``same`` bin (n, m)."""
    return ops.where(ops.constant(0.5) <= same, logs, ops.constant(_APART))


class _Local(NamedTuple):
    """The share of right rows near (n, 1), and how many rows that is worth (n, 1)."""

    share: Any
    effective: Any


def _local(ops: Ops, logs: Any, right: Floats) -> _Local:
    weights = ops.exp(logs - ops.largest(logs))
    total = ops.sum(weights)
    return _Local(ops.product(weights, right[:, None]) / total, total * total / ops.sum(weights * weights))


def _drawn(ops: Ops, local: _Local, confidence: Any, levels: Any, slopes: Any, shrinkage: float) -> Any:
    """Return the new confidence (n, 1); a bin's is its level plus its slope times the old one."""
    trust = local.effective / (local.effective + ops.constant(shrinkage))
    whole = levels + slopes * confidence
    return whole + (local.share - whole) * trust


@dataclass(frozen=True, kw_only=True, eq=False)
class LoReMap(KernelMap):
    """Local shares of ``right`` rows (m,) within the bins ``bin_of`` (m,) of the held rows.

    ``levels`` and ``slopes`` (bins,) make the confidence of a bin; bins without rows keep it. ``shrinkage`` in rows.
    """

    right: Floats
    bin_of: NDArray[np.int64]
    levels: Floats
    slopes: Floats
    shrinkage: float

    def __post_init__(self) -> None:
        super().__post_init__()
        n, bins = len(self.points), len(self.levels)
        require(self.right.shape == self.bin_of.shape == (n,), "right", f"have shape ({n},)", self.right.shape)
        known = n == 0 or (self.bin_of.min() >= 0 and self.bin_of.max() < bins)
        require(bool(known) and self.slopes.shape == (bins,), "bin_of", f"lie in 0..{bins - 1}")
        within = bool(((self.levels >= 0) & (self.slopes >= 0) & (self.levels + self.slopes <= 1 + 1e-12)).all())
        require(within, "levels and slopes", "keep a confidence within [0, 1]")
        require(bool(((self.right >= 0) & (self.right <= 1)).all()), "right", "lie in [0, 1]")
        require(0 < self.shrinkage < np.inf, "shrinkage", "be positive and finite", self.shrinkage)
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return rows with the confidence of the rows around them."""
        shares, confidence = top_shares(ops, log_p), ops.exp(ops.largest(log_p))
        places = _bins(ops, confidence, len(self.levels))  # (n, bins)
        levels, slopes = (ops.sum(places * ops.constant(each)) for each in (self.levels, self.slopes))
        new = levels + slopes * confidence
        if len(self.points):
            held = np.eye(len(self.levels))[:, self.bin_of]  # (bins, m)
            logs = _within(ops, self.logs(ops, features), ops.product(places, held))
            found = _drawn(ops, _local(ops, logs, self.right), confidence, levels, slopes, self.shrinkage)
            filled = ops.sum(places * ops.constant(held.max(1)))  # (n, 1): bins without rows have no local share
            new = ops.where(ops.constant(0.5) <= filled, found, new)
        return with_confidence(ops, log_p, shares, ops.maximum(new, ops.constant(TINY)))

    @property
    def n_parameters(self) -> int:
        """All that is kept of the rows, and two numbers for each bin."""
        return int(self.points.size + 2 * self.right.size + self.levels.size + self.slopes.size) + 1


@register(
    "calibrator",
    "lore",
    compared="",
    reference="luo2022",
    needs_features=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n d + 2 n + 2 bins + 1",
    wants_rows="1000",
    cost="O(n^2 d) a bandwidth, about 15 of them; the same to apply to n rows",
    assumes="rows that are near and as sure are as often right",
    suits="the confidence of the predicted class, by region",
)
@dataclass(frozen=True, kw_only=True)
class LoRe(Calibrator):
    """Give each row the share of right predictions among the calibration rows around it that were as sure.

    Choose it where the confidence of the predicted class is to be true in each region; what the other classes get is
    scaled, not calibrated. `local_pool` is the stronger repair of whole rows.

    Parameters
    ----------
    bins : equally wide bins of the confidence, closed on the right.
    bandwidth : of the Gaussian kernel, in the units of the space. None: of the least leave-one-out log loss of being
        right. Very wide, it gives each bin its share of right rows: histogram binning of the confidence.
    shrinkage : pseudo-rows with the share of the bin beside those near.
    smoothing : pseudo-rows in each bin, labelled as the confidence says.
    dimensions : of the space: that many principal components of the standardised features, at most.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The paper's kernel is Laplacian on a projection of its own; this one is Gaussian on principal components. Of classes
    that tie for the top a calibration row counts each in part. A bin without calibration rows keeps its confidence.
    Under 20 distinct rows, or with features that never move, the bins alone are used.
    """

    bins: int = 15
    bandwidth: float | None = None
    shrinkage: float = 10.0
    smoothing: float = 1.0
    dimensions: int = 50
    zero: float | None = None

    def __post_init__(self) -> None:
        for name in ("bins", "dimensions"):
            number = getattr(self, name)
            require(is_whole(number) and number >= 1, name, "be a whole number of at least 1", number)
        wide = self.bandwidth is None or 0 < self.bandwidth < np.inf
        require(wide, "bandwidth", "be positive and finite, or None", self.bandwidth)
        require(0 < self.shrinkage < np.inf, "shrinkage", "be positive and finite", self.shrinkage)
        require(0 <= self.smoothing < np.inf, "smoothing", "be at least 0 and finite", self.smoothing)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> LoReMap:
        """Return the local shares."""
        rows = LocalRows.of(predictions, self.zero, self.dimensions)
        batch, floor = prepared(predictions, self.zero) if rows is None else (rows.batch, rows.floor)
        right, confidence = top_outcome(batch)
        weights = batch.row_weights * (batch.effective_rows / batch.row_weights.sum())
        bin_of = np.argmax(_bins(NUMPY, confidence[:, None], self.bins), axis=1)
        levels, slopes = self._levels(right, bin_of, weights)
        told: dict[str, Any] = {"levels": levels, "slopes": slopes, "shrinkage": self.shrinkage, "floor": floor}
        record = self.fit_record(predictions)
        if rows is None:
            none: dict[str, Any] = {"right": np.empty(0), "bin_of": np.empty(0, np.int64)}
            return LoReMap(**no_rows(predictions), **told, **none, record=record)
        search = _Search(rows, right, confidence, bin_of, levels[bin_of], slopes[bin_of], self.shrinkage)
        h = rows.bandwidth(search.loss) if self.bandwidth is None else self.bandwidth
        return LoReMap(**{**rows.placed(h), **told}, right=right, bin_of=bin_of, record=record)

    def _levels(self, right: Floats, bin_of: NDArray[np.int64], weights: Floats) -> tuple[Floats, Floats]:
        """Return level and slope of each bin (bins,); one without rows keeps its confidence."""
        mass, hits = (np.bincount(bin_of, weights * column, self.bins) for column in (np.ones_like(right), right))
        filled = mass > 0
        total = np.where(filled, mass + self.smoothing, 1.0)
        return hits / total, np.where(filled, self.smoothing / total, 1.0)


@dataclass(frozen=True, eq=False)
class _Search:
    """Rows (n,) with what is right of them, their confidence, their bin, and its level and slope."""

    rows: LocalRows
    right: Floats
    confidence: Floats
    bin_of: NDArray[np.int64]
    levels: Floats
    slopes: Floats
    shrinkage: float

    def loss(self, bandwidth: float) -> float:
        """Return the log loss of being right, each row of a sample left out of its own share."""
        some = self.rows.some()
        w, loss = self.rows.weights[some], 0.0
        for at, squared in self.rows.squared(some):
            mine = some[at]
            logs = log_kernels(NUMPY, squared, self.rows.log_weights, bandwidth)
            logs = np.maximum(_within(NUMPY, logs, self.bin_of[mine][:, None] == self.bin_of), _APART)
            confidence, level, slope = (p[mine][:, None] for p in (self.confidence, self.levels, self.slopes))
            new = _drawn(NUMPY, _local(NUMPY, logs, self.right), confidence, level, slope, self.shrinkage)[:, 0]
            alone = (logs <= _APART).all(1)  # nobody else in the bin
            new = np.clip(np.where(alone, self.confidence[mine], new), 1e-6, 1 - 1e-6)
            r = self.right[mine]
            loss -= float(w[at] @ (r * np.log(new) + (1 - r) * np.log(1 - new)))
        return loss / float(w.sum())
