"""The choice of a map by evidence: a pool of candidates that predicted rows they never saw, or no change at all.

Every candidate is cross-fitted; the weights of a linear pool maximise the likelihood of the out-of-fold labels (EM).
The pool is taken only where it beats the identity on these rows: the paired gain in log loss must exceed what fitting
the weights gains, and ``gate`` standard errors. docs/theory/auto.md has the reasons and what was measured.
Sources: Wolpert 1992 for stacking; the candidates and the gate are ours.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import folds
from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.calibrators.pool import PoolMap
from calibrant.calibrators.structured import Structured, maps_of
from calibrant.errors import CalibrantError, ConvergenceWarning, is_whole, require
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.pool import pool_weights, pooled
from calibrant.statistics.units import Units, paired_gain

Floats = NDArray[np.float64]

IDENTITY = "identity"
_SMALL = ("temperature(prior=20.0)", "ensemble_temperature", "pooled_isotonic")
_QUICK = (*_SMALL, "sms(penalty=1.0)", "sms(penalty=0.25)")
_DEFAULT = (
    *("sms(penalty=4.0)", *_QUICK, "sms(penalty=0.0625)"),
    *("sms(penalty=1.0, prior=20.0)", "sms(penalty=0.25, prior=20.0)", "spline"),
)
_MANY = (*_SMALL, "svs(penalty=1.0)", "svs(penalty=0.0625)", "sms(penalty=4.0)", "sms(penalty=1.0)")
_LOCAL = ("local_pool", "local_pool(kind='log')")  # beside a preset, where there are features
PRESETS = {"default": _DEFAULT, "quick": _QUICK}
_LARGE = 100  # classes from which `_MANY` stands for either preset, with fewer folds
_FOLDS, _FOLDS_OF_MANY = 5, 3
_REPEATS, _FEW_ROWS = 3, 500  # splits, up to so many rows: one alone would decide by its luck
_FEWEST = 20  # distinct rows, below which nothing can be told
_WANTED, _STRICT = 100, 1.645  # distinct rows, below which the gate is at least so many standard errors
_PSEUDO_ROWS = 3.0  # of the pool's weights
_OPTIMISM = 0.05  # nats over the rows that each weight gains by being fitted to them
_MISSED = 0.01  # weight below which a member is dropped


class Judged(NamedTuple):
    """Log-probabilities of the labels (repeats, r, m), out of fold, by candidates ``specs``, the identity first.

    A hard label is one term, a soft one has one for each class with mass. ``weights`` (r,) sum to the effective number
    of rows; ``row`` (r,) is that of each term.
    """

    specs: tuple[str, ...]
    log_p: Floats
    weights: Floats
    row: NDArray[np.int64]

    @property
    def losses(self) -> Floats:
        """The log loss of each candidate (m,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(-(self.weights @ self.log_p).mean(0) / self.weights.sum())

    def shares(self) -> Floats:
        """Return the weights (m,) of the pool."""
        repeats, _, members = self.log_p.shape
        weights = np.tile(self.weights / repeats, repeats)
        return pool_weights(self.log_p.reshape(-1, members), weights, _PSEUDO_ROWS)

    def gains(self, predictions: Predictions, shares: Floats) -> Floats:
        """Return by how much the pool beats the identity on each row (n,), the mean over repeats and a soft label."""
        pool = np.stack([pooled(log_p, shares) for log_p in self.log_p])
        with np.errstate(invalid="ignore"):
            gains = np.where(pool == self.log_p[..., 0], 0.0, pool - self.log_p[..., 0]).mean(0)
        if not predictions.soft:
            return np.asarray(gains)
        assert predictions.labels is not None
        mass = predictions.labels[np.nonzero(predictions.labels)]
        return np.bincount(self.row, mass * gains, len(predictions)).astype(np.float64, copy=False)


class Gain(NamedTuple):
    """The mean gain of the pool on rows left out, its standard error, and whether it is evidence."""

    mean: float
    error: float
    holds: bool

    @classmethod
    def of(cls, gains: Floats, predictions: Predictions, weights: int, gate: float) -> Gain:
        """Judge the gains (n,) of a pool with so many weights.

        Without the unit of rows that gains most it must still gain: one lucky row is no evidence.
        """
        units = Units.of(predictions)
        mean, error = paired_gain(gains, np.zeros_like(gains), units)
        if math.isinf(mean):
            return cls(mean, error, mean > 0)
        of_unit = np.bincount(units.unit, units.share * gains)
        beyond = mean - _OPTIMISM * (weights - 1) / predictions.effective_rows
        asked = gate if len(of_unit) >= _WANTED else max(gate, _STRICT)
        return cls(mean, error, bool(beyond > asked * error and mean > of_unit.max()))


@register(
    "calibrator",
    "auto",
    compared="",
    reference="wolpert1992",
    depends_on_row_count=True,
    suits_imbalance=True,
    finite_log_loss=False,
    uses_features=True,
    parameters="at most 20 k k + 100 k + 100 n + 4 n d + 4 n k",
    wants_rows="100",
    cost="that of all candidates, 6 times; 16 times up to 500 rows, 4 times from 100 classes on",
    guarantee="used only where it gains on rows left out, beyond what fitting its weights gains",
    assumes="nothing: the scores themselves are a candidate",
    suits="the default when in doubt, from 100 rows on",
)
@dataclass(frozen=True, kw_only=True)
class Auto(Calibrator):
    """Pool the candidates by their likelihood on rows left out, or change nothing where that gains too little.

    The choice to make when in doubt: it holds all strong methods and weighs them by evidence. Where the rows have
    features, local pools are among them.

    Parameters
    ----------
    candidates : ``"default"``, ``"quick"``, or a tuple of specs; the identity is always among them.
    gate : standard errors by which the pool must beat the identity in log loss on rows left out, beyond what fitting
        its weights gains; at least 1.645 under 100 distinct rows. 1.645 is strict: a pool that is no better passes in
        some 5 % of cases, but small true gains on few rows are lost; with 0 it passes in some 30 %, and then costs
        little. docs/theory/auto.md has what either costs.
    seed : of the folds.

    Notes
    -----
    The map is the weighted mean of the candidates that the pool uses, each learnt from all rows. Its ``specs``,
    ``losses``, ``shares`` and ``gain`` tell what decided, ``record.message`` in a sentence. Under 20
    distinct rows, or with labels of one class only, the identity is kept. From 100 classes on both presets are one list
    of fewer candidates, in three folds. A label on an impossible class is evidence by itself: the log loss of the
    scores is infinite.
    """

    candidates: Literal["default", "quick"] | tuple[str, ...] = "default"
    gate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        several = isinstance(self.candidates, tuple | list) and len(self.candidates) > 0
        known = self.candidates in PRESETS if isinstance(self.candidates, str) else several
        require(known, "candidates", f"be {', '.join(map(repr, PRESETS))} or specs", repr(self.candidates))
        require(0 <= self.gate < np.inf, "gate", "be a number of standard errors, at least 0", self.gate)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        for spec in () if isinstance(self.candidates, str) else self.candidates:
            calibrator(spec)  # it must exist

    def learn(self, predictions: Predictions) -> PoolMap:
        """Return the pool, or the identity as a pool of one."""
        if len(np.unique(predictions.row_keys)) < _FEWEST or _classes_seen(predictions) < 2:
            nothing = Gain(0.0, math.nan, False)
            return self._identity(predictions, None, np.empty(0), nothing, "too few rows or classes to compare")
        judged = _judged(predictions, self.specs(predictions.k, predictions.features is not None), self.seed)
        shares = judged.shares()
        gain = Gain.of(judged.gains(predictions, shares), predictions, len(shares), self.gate)
        told = f"{gain.mean:.4f} ± {gain.error:.4f} nats a row on rows left out"
        if math.isinf(gain.mean):
            told = "a finite log loss where that of the scores is infinite"
        if not gain.holds:
            why = f"the scores are kept: that a pool gains {told} is no evidence"
            return self._identity(predictions, judged, shares, gain, why)
        return self._pool(predictions, judged, shares, gain, told)

    def specs(self, k: int, features: bool = False) -> tuple[str, ...]:
        """Return the candidates for k classes, and for rows with features, the identity first."""
        chosen = self.candidates
        if isinstance(chosen, str):
            chosen = (_MANY if k >= _LARGE else PRESETS[chosen]) + (_LOCAL if features else ())
        return (IDENTITY, *(spec for spec in chosen if spec != IDENTITY))

    def _pool(self, predictions: Predictions, judged: Judged, shares: Floats, gain: Gain, told: str) -> PoolMap:
        kept = np.flatnonzero(shares >= min(_MISSED, shares.max()))
        maps = learnt([judged.specs[m] for m in kept], predictions)
        weights = shares[kept] / shares[kept].sum()
        names = ", ".join(f"{judged.specs[m]} {w:.0%}" for m, w in zip(kept, weights, strict=True))
        found = [maps[judged.specs[m]] for m in kept]
        return self._map(predictions, found, weights, judged, shares, gain, f"a pool of {names} gains {told}")

    def _identity(
        self, predictions: Predictions, judged: Judged | None, shares: Floats, gain: Gain, told: str
    ) -> PoolMap:
        maps = [*learnt([IDENTITY], predictions).values()]
        return self._map(predictions, maps, np.ones(1), judged, shares, gain, told)

    def _map(
        self,
        predictions: Predictions,
        maps: list[CalibrationMap],
        weights: Floats,
        judged: Judged | None,
        shares: Floats,
        gain: Gain,
        told: str,
    ) -> PoolMap:
        return PoolMap(
            floor=max(one.floor for one in maps),  # the identity alone has the smallest number of all
            maps=tuple(maps),
            weights=weights,
            specs=() if judged is None else judged.specs,
            losses=np.empty(0) if judged is None else judged.losses,
            shares=shares,
            gain=np.array([gain.mean, gain.error]),
            record=self.fit_record(predictions, converged=all(one.record.converged for one in maps), message=told),
        )


def _classes_seen(predictions: Predictions) -> int:
    labels = predictions.labels
    assert labels is not None
    return int((labels.sum(0) > 0).sum()) if predictions.soft else len(np.unique(labels))


def learnt(specs: Sequence[str], predictions: Predictions) -> dict[str, CalibrationMap]:
    """Return the map of each candidate that does not decline; the pool tells that one did not converge."""
    methods = {spec: calibrator(spec) for spec in specs}
    along = {s: m for s, m in methods.items() if isinstance(m, Structured) and m.penalty is not None}
    found: dict[str, CalibrationMap] = {}
    with warnings.catch_warnings(), suppress(CalibrantError):
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.update(zip(along, maps_of([*along.values()], predictions), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for spec in methods.keys() - along.keys():
            with suppress(CalibrantError):
                found[spec] = methods[spec].fit(predictions)
    return found


def _judged(predictions: Predictions, specs: tuple[str, ...], seed: int) -> Judged:
    """Return every candidate's log-probabilities of the labels, out of fold; one that declines is left out."""
    few = len(predictions) <= _FEW_ROWS and predictions.k < _LARGE
    count, terms = _FOLDS if predictions.k < _LARGE else _FOLDS_OF_MANY, _Terms.of(predictions)
    splits = [folds.assign(predictions, count, seed=seed, repeat=i) for i in range(_REPEATS if few else 1)]
    parts = [terms.log_p(predictions, fold, specs) for fold in splits]
    kept = tuple(spec for spec in specs if all(spec in part for part in parts))
    log_p = np.stack([np.stack([part[spec] for spec in kept], axis=1) for part in parts])
    effective = terms.weights * (predictions.effective_rows / terms.weights.sum())
    return Judged(kept, log_p, effective, terms.row)


class _Terms(NamedTuple):
    """The terms of the log-likelihood: their rows (r,), their classes (r,) and their weights (r,)."""

    row: NDArray[np.int64]
    label: NDArray[np.int64]
    weights: Floats

    @classmethod
    def of(cls, predictions: Predictions) -> _Terms:
        weights = predictions.row_weights
        if not predictions.soft:
            return cls(np.arange(len(predictions)), predictions.hard_labels, weights)
        assert predictions.labels is not None
        row, label = np.nonzero(predictions.labels)
        return cls(row, label, weights[row] * predictions.labels[row, label])

    def log_p(self, predictions: Predictions, fold: NDArray[np.int64], specs: Sequence[str]) -> dict[str, Floats]:
        """Return the log-probability of each term (r,) by the maps of each candidate that never saw its row."""
        found = {spec: np.empty(len(self.row)) for spec in specs}
        for held in range(int(fold.max()) + 1):
            maps, judged = learnt(specs, predictions.take(fold != held)), predictions.take(fold == held)
            place = np.cumsum(fold == held) - 1
            mine = np.flatnonzero(fold[self.row] == held)
            found = {spec: column for spec, column in found.items() if spec in maps}
            for spec, column in found.items():
                column[mine] = _at_labels(maps[spec](judged), place[self.row[mine]], self.label[mine])
        return found


def _at_labels(repaired: Predictions, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Floats:
    """Return the log-probability of each term; logits keep digits that their softmax has lost."""
    if not repaired.soft:
        assert repaired.summary.label_log_probability is not None
        return repaired.summary.label_log_probability[rows]
    picked = repaired.scores[rows, labels].astype(np.float64)
    if repaired.logits:
        return picked - repaired.summary.total[rows]
    with np.errstate(divide="ignore"):
        return np.log(picked)
