"""A temperature that depends on where a row lies: what the rows around it say, and the global one elsewhere.

Formula: q = softmax(beta exp(x) z), x the mean of the posterior exp(-x² / (2 t²)) prod_j L_j(x)^k_j on a grid, L_j the
likelihood of calibration row j under beta exp(x), k_j its Gaussian kernel: rows far from all others keep x = 0, by the
prior. Sources: Tibshirani and Hastie 1987 for local likelihood; the posterior mean and its choice are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.local_kernel import KernelMap, LocalRows, no_rows
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, Ops, softmax
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_GRID = np.linspace(-1.6, 1.6, 49)  # of x: a fifth to five times the temperature
_WIDTHS = (0.15, 0.3, 0.6)  # of the prior of x


def _losses(rows: FitRows, beta: float, changes: Floats) -> Floats:
    """Return the log loss of each row at beta exp(changes) (n, g); ``changes`` (g,), or (n, 1) of each row its own."""
    found = np.empty((len(rows.scores), changes.shape[-1]))
    for block in rows.slices():
        u = rows.log_probabilities(block)
        top, own = u.max(1), rows.at_label(u, block)
        for g in range(found.shape[1]):
            b = np.broadcast_to(beta * np.exp(changes[block, g] if changes.ndim == 2 else changes[g]), len(u))
            found[block, g] = np.log(np.exp(b[:, None] * (u - top[:, None])).sum(1)) + b * (top - own)
    return found


def _posterior_mean(ops: Ops, evidence: Any, width: float) -> Any:
    """Return x (n, 1) from log-likelihoods on the grid (n, g)."""
    posterior = softmax(ops, evidence - ops.constant(np.square(_GRID) / (2 * width**2)))
    return ops.sum(posterior * ops.constant(_GRID))


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalTemperatureMap(KernelMap):
    """softmax(``beta`` exp(x) u); ``losses`` (n, g) of the held rows on the grid of x, ``width`` of its prior.

    Without points it is the temperature map.
    """

    beta: float
    losses: Floats
    width: float
    gives = "logit"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(0 < self.width < np.inf, "width", "be positive and finite", self.width)
        shape = (len(self.points), len(_GRID))
        require(self.losses.shape == shape, "losses", f"have shape {shape}", self.losses.shape)
        require(bool(np.isfinite(self.losses).all()), "losses", "be finite")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return beta exp(x) u."""
        if not len(self.points):
            return log_p * ops.constant(self.beta)
        evidence = ops.product(ops.exp(self.logs(ops, features)), -self.losses)
        return log_p * (ops.exp(_posterior_mean(ops, evidence, self.width)) * ops.constant(self.beta))

    @property
    def n_parameters(self) -> int:
        """The temperature; and, where the rows are used, all that is kept of them, the bandwidth and the width."""
        kept = self.points.size + self.losses.size
        return 1 + (kept + 2 if kept else 0)


class _Found(NamedTuple):
    """A width at one bandwidth, and its leave-one-out log loss."""

    loss: float
    width: float


@dataclass(frozen=True, eq=False)
class _Search:
    """Local temperatures of ``some`` of the rows, the ``sample``; ``losses`` (n, g) of all on the grid."""

    rows: LocalRows
    some: NDArray[np.int64]
    sample: FitRows
    beta: float
    losses: Floats

    def at(self, bandwidth: float) -> _Found:
        """Return the best width at a bandwidth, each row without itself."""
        losses, mass = self.rows.left_out(self.some, bandwidth, self.losses)
        evidence = -losses * np.exp(mass)
        changes = [(_posterior_mean(NUMPY, evidence, width), width) for width in _WIDTHS]
        return min(_Found(self.loss(x), width) for x, width in changes)

    def loss(self, changes: Floats) -> float:
        """Return the log loss of the sample with a change of each row (m, 1), or of all (1,)."""
        return float(self.sample.weights @ _losses(self.sample, self.beta, changes)[:, 0])


@register(
    "calibrator",
    "local_temperature",
    compared="",
    reference="tibshirani1987",
    needs_features=True,
    preserves_argmax=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most n d + 49 n + 3",
    wants_rows="500",
    cost="O(n^2 d) a bandwidth, about 15 of them; the same to apply to n rows",
    guarantee="the predicted class stays; far from the calibration rows it is the temperature map",
    assumes="sharpness changes smoothly with the features",
    suits="scores too sure in some regions, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class LocalTemperature(Calibrator):
    """Divide the logits by a temperature that the calibration rows around a row agree with.

    Choose it where the ranking of the classes is right but the confidence is wrong by another factor in each region of
    the features. Where regions confuse classes, `local_pool` repairs more.

    Parameters
    ----------
    dimensions : of the space: that many principal components of the standardised features, at most.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The map holds the calibration rows. Bandwidth and width of the prior have the least leave-one-out log loss, compared
    on up to 1,500 rows with all others as neighbours. It is used if that loss is below the temperature map's by more
    than what two chosen numbers gain, else, and under 20 distinct rows or with features that never move, the map is
    the temperature map.
    """

    dimensions: int = 50
    zero: float | None = None

    def __post_init__(self) -> None:
        whole = is_whole(self.dimensions) and self.dimensions >= 1
        require(whole, "dimensions", "be a whole number of at least 1", self.dimensions)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> LocalTemperatureMap:
        """Return the best local temperatures, or the temperature map as one without rows."""
        rows = LocalRows.of(predictions, self.zero, self.dimensions)
        if rows is None:
            batch, floor = prepared(predictions, self.zero)
            told = "too few rows, or features that never move: the temperature map"
            return self._global(predictions, floor, inverse_temperature(FitRows.of(batch)).beta, told)
        fit = FitRows.of(rows.batch)
        beta, some = inverse_temperature(fit).beta, rows.some()
        losses = _losses(fit, beta, _GRID)
        search = _Search(rows, some, FitRows.of(rows.batch.take(some)), beta, losses)
        h = rows.bandwidth(lambda h: search.at(h).loss)
        found = search.at(h)
        gain = search.loss(np.zeros(1)) - found.loss
        told = f"{gain:.4f} nats a row over the temperature map, on rows left out"
        if gain <= 2 / rows.effective(some):
            return self._global(predictions, rows.floor, beta, f"the temperature map: local ones gain {told}")
        return LocalTemperatureMap(
            **rows.placed(h),
            beta=beta,
            losses=losses,
            width=found.width,
            record=self.fit_record(predictions, message=f"local temperatures gain {told}"),
        )

    def _global(self, predictions: Predictions, floor: float, beta: float, told: str) -> LocalTemperatureMap:
        return LocalTemperatureMap(
            **no_rows(predictions),
            floor=floor,
            beta=beta,
            losses=np.zeros((0, len(_GRID))),
            width=1.0,
            record=self.fit_record(predictions, message=told),
        )
