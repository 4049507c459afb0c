"""The increasing piecewise linear function h of log-probabilities for which softmax(h(log p)) has the least log loss.

With slopes b_j >= `LEAST_SLOPE` of the pieces h is linear in b, so the loss is that of a multinomial regression with as
many parameters as pieces: convex, and its minimum under the bounds is found by projected Newton steps (Bertsekas 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.rows import FLOOR, FitRows

Floats = NDArray[np.float64]

LEAST_SLOPE = 1e-3
# The predicted decrease still to come, half of gradient . step, in nats.
CERTIFIED = 1e-10
MOST_STEPS = 60
_SUFFICIENT = 1e-4  # share of the decrease promised by the slope that a step must bring (Armijo's rule)
_LEAST_SHARE = 2.0**-30
_FIRST = 1 << 18  # scores that place the pieces, and from whose rows the search starts


class Sums(NamedTuple):
    """Sums over rows at some slopes: the log loss but for the labels' part, its gradient (m,) and curvature (m, m)."""

    value: float
    gradient: Floats
    curvature: Floats


@dataclass(frozen=True, eq=False)
class SlopeMinimum:
    """Slopes (m,) of the pieces between ``edges`` (m + 1,), the last of which is 0."""

    edges: Floats
    slopes: Floats
    steps: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED

    @property
    def levels(self) -> Floats:
        """Return h at the edges (m + 1,), 0 at the last."""
        rises = self.slopes * np.diff(self.edges)
        return np.concatenate([-rises[::-1].cumsum()[::-1], [0.0]])


def best_slopes(rows: FitRows, pieces: int, prior: float) -> SlopeMinimum:
    """Return the slopes of least log loss, with ``prior`` pseudo-rows labelled as the identity says.

    With the share r of the pseudo-rows and m pieces, r / m (b_j - 1)^2 / 2 is added for each slope: pseudo-rows tell
    next to nothing about the slopes of probabilities that the classifier never gives.
    """
    few = rows.thinned(max(1, rows.scores.size // _FIRST))
    edges = _edges(few, pieces)
    rho, slopes = rows.pull(prior), np.ones(len(edges) - 1)
    if len(few.weights) < len(rows.weights):
        slopes = _minimum(_Loss(few, edges, rho), slopes).slopes
    return _minimum(_Loss(rows, edges, rho), slopes)


def _edges(rows: FitRows, pieces: int) -> Floats:
    """Return the ends of the pieces: quantiles of log-probabilities weighted by p (1 - p) + (q - p)^2, and 0.

    q is the label mass. A log-probability tells as much about h as its class's indicator varies: the first term is what
    the scores say of that, the second what the labels say. The first piece goes to the least number.
    """
    logs, weights = [], []
    for block in rows.slices():
        u = rows.log_probabilities(block)
        p = np.exp(u)
        logs.append(u.ravel())
        spread = p * np.maximum(1 - p, 0.0) + (_label_mass(rows, block) - p) ** 2
        weights.append((rows.weights[block, None] * spread).ravel())
    u, weight = np.concatenate(logs), np.concatenate(weights)
    order = np.argsort(u)
    reached = np.cumsum(weight[order])
    targets = np.arange(1, pieces) / pieces * reached[-1]
    inner = np.unique(u[order[np.minimum(np.searchsorted(reached, targets), len(u) - 1)]])
    least = np.log(FLOOR)
    return np.concatenate([[least], inner[(inner > least) & (inner < 0) & (inner > u[order[0]])], [0.0]])


def _label_mass(rows: FitRows, block: slice) -> Floats:
    """Return the label mass of each class in some rows (b, k)."""
    if rows.soft is not None:
        return rows.soft[block]
    assert rows.labels is not None
    mass: Floats = np.asarray(rows.labels[block, None] == np.arange(rows.k), dtype=np.float64)
    return mass


class _Loss:
    """The log loss of some rows and their pseudo-labels, by the slopes; pieces of the scores are found once."""

    def __init__(self, rows: FitRows, edges: Floats, rho: float) -> None:
        self.rows, self.edges, self.lengths = rows, edges, np.diff(edges)
        self.ridge = rho / len(self.lengths)
        kind = np.int8 if len(edges) < 128 else np.int64
        found = (np.searchsorted(edges[1:-1], rows.log_probabilities(b)).astype(kind) for b in rows.slices())
        self.pieces: list[NDArray[Any]] = list(found)
        self.target = (1 - rho) * self._labels() + rho * self.sums(
            np.ones(len(self.lengths)), self.lengths * 0
        ).gradient

    def _labels(self) -> Floats:
        """Return the mean of the labels' features (m,)."""
        blocks, total = zip(self.rows.slices(), self.pieces, strict=True), np.zeros(len(self.lengths))
        for block, pieces in blocks:
            total += self.rows.weights[block] @ self._features(block, _label_mass(self.rows, block), pieces)[0]
        return total

    def _features(self, block: slice, q: Floats, pieces: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return the means (b, m) under q (b, k) of the features, and of their squares.

        Feature j is how far u lies below the upper end of piece j, at most the piece's length, negative.
        """
        u, (b, m) = self.rows.log_probabilities(block), (len(q), len(self.lengths))
        place = (np.arange(b)[:, None] * m + pieces).ravel()
        into = u - self.edges[1:][pieces]  # (b, k), at most 0
        columns = (q, q * into, q * into * into)
        sums = np.stack([np.bincount(place, column.ravel(), b * m) for column in columns], dtype=np.float64)
        mass, first, second = sums.reshape(3, b, m)
        below = np.cumsum(mass, axis=1) - mass  # the mass of all pieces below
        return first - self.lengths * below, second + self.lengths**2 * below

    def sums(self, slopes: Floats, target: Floats) -> Sums:
        """Return value, gradient and curvature for labels whose features have the mean ``target`` (m,)."""
        m, levels = len(slopes), -np.append((slopes * self.lengths)[:0:-1].cumsum()[::-1], 0.0)
        value, gradient, curvature = -float(slopes @ target), -target, np.zeros((m, m))
        for block, pieces in zip(self.rows.slices(), self.pieces, strict=True):
            u, w = self.rows.log_probabilities(block), self.rows.weights[block]
            h = levels[pieces] + slopes[pieces] * (u - self.edges[1:][pieces])
            top = h.max(1, keepdims=True)
            q = np.exp(h - top)
            total = q.sum(1, keepdims=True)
            mean, square = self._features(block, q / total, pieces)
            value += float(w @ (top + np.log(total))[:, 0])
            moment = w @ mean
            gradient = gradient + moment
            # Of two features the upper one is constant where the lower one is not 0.
            curvature -= mean.T @ (mean * w[:, None])
            mixed = -moment[:, None] * self.lengths
            curvature += np.triu(mixed, 1) + np.triu(mixed, 1).T + np.diag(w @ square)
        away = slopes - 1
        value += self.ridge * float(away @ away) / 2
        return Sums(value, gradient + self.ridge * away, curvature + self.ridge * np.eye(m))


def _minimum(loss: _Loss, slopes: Floats) -> SlopeMinimum:
    """Return the slopes of least loss, none below the least."""
    here = loss.sums(slopes, loss.target)
    for steps in range(MOST_STEPS):  # noqa: B007 - what it was at the end is told
        step = _step(here, slopes)
        decrease = -float(here.gradient @ step) / 2
        if decrease <= CERTIFIED:
            break
        share = 1.0
        while share >= _LEAST_SHARE:
            there = np.maximum(slopes + share * step, LEAST_SLOPE)
            found = loss.sums(there, loss.target)
            rounding = 4 * np.finfo(np.float64).eps * abs(here.value)
            if found.value <= here.value + rounding + _SUFFICIENT * float(here.gradient @ (there - slopes)):
                break
            share /= 2
        slopes, here = there, found
    return SlopeMinimum(loss.edges, slopes, steps, decrease)


def _step(here: Sums, slopes: Floats) -> Floats:
    """Return Newton's step (m,) in the slopes that are not held at the least one."""
    free = (slopes > LEAST_SLOPE) | (here.gradient < 0)
    step = np.zeros(len(slopes))
    if free.any():
        curvature = here.curvature[np.ix_(free, free)]
        step[free] = np.linalg.solve(curvature, -here.gradient[free])
    return step
