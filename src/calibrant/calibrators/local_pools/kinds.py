"""Five pools of p, the global map, with theta, the class frequencies around a row, of mass M in rows.

``linear`` (1 - a) p + a theta · ``gate``: logit a = c . [1, log M, log odds of the confidence] · ``counts``: a = M /
(m + M) · ``residual`` p + a (mean of y - p around the row), a as in counts · ``log`` softmax(z + s (x_1 z + x_2 log
theta')), z = log p, theta' = theta with a share of p. The share a is multiplied by s, the `Support`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.local_kernel import Terms
from calibrant.formulas import NUMPY, TINY, Ops, expit, interpolated, softmax
from calibrant.solvers.gate import Sides, gate
from calibrant.solvers.log_pool import Pooled, log_pool

Floats = NDArray[np.float64]

_START = -1.0  # log odds of the share of theta that the ridge pulls to
_LEAST = 0.05  # share of p that a residual leaves of it
_FLOORS = (0.5, 0.2, 0.1, 0.03, 0.01, 0.003, 0.001)  # shares of p in theta'
_STEEPEST = 8.0  # of the log odds in a standard deviation of what the gate looks at
_KNOTS = 6  # of the support
_OUTLYING = 0.05  # share of the rows with the least mass, in which the gate does not tell one from another


class Around(NamedTuple):
    """What a pool sees of n rows.

    ``log_p`` (n, k) by the global map, ``averages`` (n, k) and ``log_mass`` (n, 1) around them, ``support`` (n, 1).
    """

    log_p: Any
    averages: Any
    log_mass: Any
    support: Any


class Kind(Protocol):
    """A pool; its ``numbers`` are one column, its ``ranges`` (4, 2) mean, deviation, least, largest of two inputs."""

    @property
    def residuals(self) -> bool:
        """Whether it averages y - p rather than y."""

    def ranges(self, around: Around) -> Floats:
        """Return the ranges on the calibration rows."""

    def fitted(self, around: Around, terms: Terms, effective: float, ranges: Floats) -> Floats:
        """Return the numbers of the least log loss on rows that were left out; ``effective`` is how many they are."""

    def mixed(self, ops: Ops, around: Around, numbers: Floats, ranges: Floats) -> Any:
        """Return probabilities (n, k)."""


class Support(NamedTuple):
    """How far neighbours are trusted by log mass: ``levels`` (1, j) at rising ``knots`` (1, j), linear between."""

    knots: Floats
    levels: Floats

    @classmethod
    def of(cls, log_mass: Floats, weights: Floats, share: float) -> Support:
        """Return the support of calibration rows with log mass (n,): full but for the ``share`` of them with the least.

        These are trusted in proportion to how many have less; 0 trusts everywhere.
        """
        if not share:
            return cls(np.zeros((1, 1)), np.ones((1, 1)))
        order = np.argsort(log_mass, kind="stable")
        reached = weights[order].cumsum() / weights.sum()
        shares = np.linspace(0, share, _KNOTS)
        knots = log_mass[order][np.searchsorted(reached, shares * (1 - 1e-12)).clip(max=len(order) - 1)]
        levels = np.maximum(shares, min(float(reached[0]), share)) / share
        last = np.append(np.diff(knots) > 0, True)  # of equal ones the most trusted
        return cls(knots[last][None], levels[last][None])

    def trust(self, ops: Ops, log_mass: Any) -> Any:
        """Return the trust (n, 1) in [0, 1].

        Below the least of the calibration rows, by x times the width of the knots, it is divided by 1 + x: in a lonely
        place a tiny share of the neighbours' classes still bounds the loss of a map that is sure and wrong.
        """
        if self.levels.size == 1 and self.levels[0, 0] == 1:
            return log_mass * ops.constant(0.0) + ops.constant(1.0)
        width = float(self.knots[0, -1] - self.knots[0, 0]) + 1
        below = ops.maximum(ops.constant(self.knots[:, :1]) - log_mass, ops.constant(0.0))
        return interpolated(ops, log_mass, self.knots, self.levels) / (
            below * ops.constant(1 / width) + ops.constant(1.0)
        )


def _inputs(ops: Ops, around: Around) -> Any:
    """Return log mass and log odds of the confidence (n, 2)."""
    p, one = ops.exp(around.log_p), ops.constant(1.0)
    others = ops.sum(p * (one - ops.top(around.log_p)))
    odds = ops.largest(around.log_p) - ops.log(ops.maximum(others, ops.constant(TINY)))
    return ops.stacked([around.log_mass, odds])


def _standard(ops: Ops, raw: Any, ranges: Floats) -> Any:
    """Return inputs (n, 2) in deviations from the mean; new rows are drawn to the nearest calibration row."""
    inside = ops.minimum(ops.maximum(raw, ops.constant(ranges[2])), ops.constant(ranges[3]))
    return (inside - ops.constant(ranges[0])) / ops.constant(ranges[1])


class Gate:
    """(1 - a) p + a theta, logit a = c . [1, inputs], of which the first ``columns`` are used."""

    residuals = False

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def ranges(self, around: Around) -> Floats:
        """Return the ranges of the inputs; of the mass without its lowest twentieth, which may be outliers."""
        raw = _inputs(NUMPY, around)
        least = np.array([np.quantile(raw[:, 0], _OUTLYING), raw[:, 1].min()])
        inside = np.maximum(raw, least)
        spread = inside.std(0)
        return np.stack([inside.mean(0), np.where(spread > 1e-9, spread, 1.0), least, inside.max(0)])

    def fitted(self, around: Around, terms: Terms, effective: float, ranges: Floats) -> Floats:
        """Return c (columns,); more mass never means less trust."""
        phi = np.ones((len(around.log_mass), 3))
        phi[:, 1:] = _standard(NUMPY, _inputs(NUMPY, around), ranges)
        bounds = [(-20.0, 20.0), (0.0, _STEEPEST), (-_STEEPEST, _STEEPEST)][: self.columns]
        start = np.array([_START, 0.0, 0.0])[: self.columns]
        second = terms.picked(around.averages)
        return gate(_sides(around, terms, effective, second, 0.0, phi[:, : self.columns]), start, bounds)

    def mixed(self, ops: Ops, around: Around, numbers: Floats, ranges: Floats) -> Any:
        """Return the mixture."""
        logit: Any = ops.constant(float(numbers[0]))
        if self.columns == 3:
            logit = ops.sum(_standard(ops, _inputs(ops, around), ranges) * ops.constant(numbers[1:])) + logit
        p = ops.exp(around.log_p)
        return p + (around.averages - p) * (around.support * expit(ops, logit))


class Counts:
    """p + a (averages - p), a = M / (m + M); with ``residuals`` p + a averages, kept above a share of p."""

    def __init__(self, *, residuals: bool) -> None:
        self.residuals = residuals

    def ranges(self, around: Around) -> Floats:
        """Return none: it looks at the mass alone."""
        del around
        return np.zeros((4, 2))

    def fitted(self, around: Around, terms: Terms, effective: float, ranges: Floats) -> Floats:
        """Return -log m."""
        del ranges
        second = terms.picked(around.averages)
        if self.residuals:
            second = second + np.exp(terms.picked(around.log_p))
        sides = _sides(around, terms, effective, second, around.log_mass, np.ones((len(around.log_mass), 1)))
        least = _LEAST if self.residuals else 0.0
        return gate(sides._replace(least=least), np.array([_START]), [(-40.0, 40.0)])

    def mixed(self, ops: Ops, around: Around, numbers: Floats, ranges: Floats) -> Any:
        """Return the mixture."""
        del ranges
        share = around.support * expit(ops, around.log_mass + ops.constant(numbers[0]))
        p = ops.exp(around.log_p)
        if not self.residuals:
            return p + (around.averages - p) * share
        moved = ops.maximum(p + around.averages * share, p * ops.constant(_LEAST))
        return moved / ops.sum(moved)


class LogPool:
    """softmax(z + s (x_1 z + x_2 log((1 - f) theta + f p))); numbers x_1, x_2 and f."""

    residuals = False

    def ranges(self, around: Around) -> Floats:
        """Return none: it looks at no inputs."""
        del around
        return np.zeros((4, 2))

    def fitted(self, around: Around, terms: Terms, effective: float, ranges: Floats) -> Floats:
        """Return the numbers; f is the best of a few."""
        del ranges
        labels, weights = _label_mass(terms, around.log_p.shape)
        found: dict[int, Pooled] = {}

        def loss(at: int) -> float:
            if at not in found:
                logs = self._logs(NUMPY, around, _FLOORS[at])
                features = np.stack([around.support * around.log_p, around.support * logs])
                found[at] = log_pool(around.log_p, features, labels, weights, 1 / effective)
            return found[at].loss

        best = len(_FLOORS) // 2
        step = 1 if loss(best + 1) < loss(best) else -1
        while 0 <= best + step < len(_FLOORS) and loss(best + step) < loss(best):
            best += step
        return np.append(found[best].numbers, _FLOORS[best])

    def mixed(self, ops: Ops, around: Around, numbers: Floats, ranges: Floats) -> Any:
        """Return the pool."""
        del ranges
        pull = around.log_p * ops.constant(numbers[0])
        pull = pull + self._logs(ops, around, float(numbers[2])) * ops.constant(numbers[1])
        return softmax(ops, around.log_p + pull * around.support)

    def _logs(self, ops: Ops, around: Around, floor: float) -> Any:
        mixed = around.averages * ops.constant(1 - floor) + ops.exp(around.log_p) * ops.constant(floor)
        return ops.log(ops.maximum(mixed, ops.constant(TINY)))


def _sides(
    around: Around, terms: Terms, effective: float, second: Floats, offset: Floats | float, features: Floats
) -> Sides:
    row = terms.row
    whole = np.broadcast_to(offset, around.log_mass.shape)[:, 0]
    first = np.exp(terms.picked(around.log_p))
    return Sides(first, second, around.support[row, 0], whole[row], features[row], terms.weights * effective)


def _label_mass(terms: Terms, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the label mass (n, k) and the weights (n,) of rows."""
    weights = np.bincount(terms.row, terms.weights, shape[0]).astype(np.float64, copy=False)
    labels = np.zeros(shape)
    labels[terms.row, terms.label] = terms.weights / weights[terms.row]
    return labels, weights


KINDS: dict[str, Kind] = {
    "gate": Gate(3),
    "linear": Gate(1),
    "log": LogPool(),
    "counts": Counts(residuals=False),
    "residual": Counts(residuals=True),
}
