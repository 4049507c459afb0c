"""Logistic regression of each class against the rest, on a few features of its own score: all classes at once.

Each class minimises its own log loss, plus pseudo-rows labelled as a trusted start says, plus a ridge that pulls to
that start; coefficients may be bounded below. Labels and pseudo-labels enter through their sums alone: with g the
gradient of the plain loss at the start, pseudo-rows of share rho subtract rho g from every gradient. Steps are
Newton's, projected onto the bounds: a coefficient at its bound that would leave it waits. Source: Bertsekas 1982 for
the projection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant.solvers.rows import FitRows

Floats = NDArray[np.float64]
Plane = NDArray[np.floating]

# The predicted decrease still to come, summed over classes, in nats.
CERTIFIED = 1e-10
MOST_CALLS = 200
SUFFICIENT = 1e-4  # share of the decrease promised by the slope that a step must bring (Armijo's rule)
AT_BOUND = 1e-9  # a coefficient so near its bound counts as at it
_BLOCK = 1 << 17  # entries of the temporaries of a block: 1 MB each, which the cache holds


class Classes(NamedTuple):
    """Values (k,), gradients (m, k) and curvatures (k, m, m) of the k functions at one point."""

    value: Floats
    gradient: Floats
    curvature: Floats


class ClassesMinimum(NamedTuple):
    """The minima (m, k), the passes over the rows, and the predicted decrease that was left, in nats."""

    x: Floats
    calls: int
    decrease: float

    @property
    def converged(self) -> bool:
        """Whether the predicted decrease is within ``CERTIFIED``."""
        return self.decrease <= CERTIFIED

    @property
    def outcome(self) -> dict[str, bool | int | str]:
        """What the record of a fit says."""
        message = "" if self.converged else f"{self.decrease:.1e} nats of predicted decrease left"
        return {"converged": self.converged, "iterations": self.calls, "message": message}


def planes(rows: FitRows, feature: Callable[[Floats], Floats]) -> Plane:
    """Return a feature (n, k) of log-probabilities, found in blocks, in the dtype of the rows' scores."""
    out = np.empty_like(rows.scores)
    for block in rows.slices():
        out[block] = feature(rows.log_probabilities(block))
    return out


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """The rows with the ``features`` (n, k) of each class; a constant comes last, so that m is one more than those."""

    rows: FitRows
    features: Sequence[Plane]

    def best(self, start: Floats, pseudo_rows: float, ridge: Floats, lower: Floats) -> ClassesMinimum:
        """Return the best coefficients from a trusted start (m, k), above the bounds ``lower`` (m, 1).

        ``ridge`` (m, k) weighs half the squared distance from the start; bounds are -inf where there are none.
        """
        target = self._label_sums()
        pull = self.rows.pull(pseudo_rows) * (self._sums(start).gradient - target)

        def loss(x: Floats) -> Classes:
            sums, off = self._sums(x), x - start
            value = sums.value - ((target + pull) * x).sum(0) + (ridge * off * off).sum(0) / 2
            curvature = sums.curvature + ridge.T[:, :, None] * np.eye(len(x))
            return Classes(value, sums.gradient - target - pull + ridge * off, curvature)

        return minimise_bounded(loss, start, lower)

    def _sums(self, x: Floats) -> Classes:
        """Return the sums over rows of w softplus(eta), w sigma(eta) f_i and w sigma'(eta) f_i f_j."""
        m, k = x.shape
        value, gradient, curvature = np.zeros(k), np.zeros((m, k)), np.zeros((k, m, m))
        for rows in self._blocks():
            features, weights = self._at(rows), self.rows.weights[rows]
            eta = sum(c * f for c, f in zip(x, features, strict=True))  # (b, k)
            small = np.exp(-np.abs(eta))
            value += weights @ (np.maximum(eta, 0.0) + np.log1p(small))
            sigma = np.where(eta > 0, 1.0, small) / (1 + small) * weights[:, None]
            spread = small / np.square(1 + small) * weights[:, None]
            for i, f in enumerate(features):
                gradient[i] += np.einsum("ij,ij->j", sigma, f)
                for j, g in enumerate(features[: i + 1]):
                    curvature[:, i, j] += np.einsum("ij,ij,ij->j", spread, f, g)
        lower = np.tril(curvature, -1)
        return Classes(value, gradient, curvature + lower.transpose(0, 2, 1))

    def _label_sums(self) -> Floats:
        """Return the sums over rows of the label mass of each class times each feature (m, k)."""
        total = np.zeros((len(self.features) + 1, self.rows.k))
        for rows in self._blocks():
            mass = self._label_mass(rows) * self.rows.weights[rows, None]
            for i, f in enumerate(self._at(rows)):
                total[i] += np.einsum("ij,ij->j", mass, f)
        return total

    def _label_mass(self, rows: slice) -> Floats:
        if self.rows.soft is not None:
            return self.rows.soft[rows]
        assert self.rows.labels is not None
        hard = self.rows.labels[rows]
        mass = np.zeros((len(hard), self.rows.k))
        mass[np.arange(len(hard)), hard] = 1.0
        return mass

    def _at(self, rows: slice) -> list[Floats]:
        chosen = [feature[rows].astype(np.float64, copy=False) for feature in self.features]
        return [*chosen, np.ones((len(chosen[0]), 1)) + np.zeros(self.rows.k)]

    def _blocks(self) -> Iterator[slice]:
        n, k = self.rows.scores.shape
        step = max(1, _BLOCK // k)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))


def minimise_bounded(function: Callable[[Floats], Classes], start: Floats, lower: Floats) -> ClassesMinimum:
    """Return the minimum of each of k convex functions of x (m, k) with x >= ``lower`` (m, 1)."""
    x, here = start, function(start)
    share = np.ones(x.shape[1])  # of the Newton step, by class
    for calls in range(1, MOST_CALLS):
        step = _newton(x, here, lower)
        predicted = -float((here.gradient * step).sum()) / 2
        if predicted <= CERTIFIED:
            return ClassesMinimum(x, calls, predicted)
        trial = np.maximum(x + share * step, lower)
        there = function(trial)
        promised = np.minimum((here.gradient * (trial - x)).sum(0), 0.0)
        rounding = 4 * np.finfo(np.float64).eps * np.abs(here.value)
        good = there.value <= here.value + SUFFICIENT * promised + rounding  # (k,)
        x = np.where(good, trial, x)
        here = Classes(
            np.where(good, there.value, here.value),
            np.where(good, there.gradient, here.gradient),
            np.where(good[:, None, None], there.curvature, here.curvature),
        )
        share = np.where(good, 1.0, share / 2)
    return ClassesMinimum(x, MOST_CALLS, predicted)


def _newton(x: Floats, at: Classes, lower: Floats) -> Floats:
    """Return the Newton step (m, k) of the coefficients that are free; the others go to their bounds."""
    waiting = (x <= lower + AT_BOUND) & (at.gradient > 0)  # (m, k)
    free = (~waiting).T.astype(np.float64)  # (k, m)
    eye = np.eye(len(x))
    size = np.trace(at.curvature, axis1=1, axis2=2)[:, None, None]
    lift = 1e-12 * size + np.finfo(np.float64).tiny  # a class whose score never moves has a singular block
    system = (at.curvature + lift * eye) * free[:, :, None] * free[:, None, :] + (1 - free)[:, :, None] * eye
    step = np.linalg.solve(system, (-at.gradient.T * free)[:, :, None])[:, :, 0].T
    return np.where(waiting, np.where(np.isfinite(lower), lower, x) - x, step)
