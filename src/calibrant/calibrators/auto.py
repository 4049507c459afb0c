"""The choice of a map by evidence: a pool of candidates that predicted rows they never saw, or no change at all.

Every candidate is cross-fitted; the weights of a linear pool maximise the likelihood of the out-of-fold labels (EM).
The pool is taken only where it beats the identity on these rows by more than chance would: the paired gain in log loss
must exceed ``gate`` standard errors. Pooling in place of choosing one is what wins: docs/theory/auto.md has the study.
Sources: Wolpert 1992 for stacking; the candidates and the gate are ours.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibrant import folds
from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.calibrators.pool import PoolMap
from calibrant.errors import CalibrantError, ConvergenceWarning, is_whole, require
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.pool import pool_weights, pooled
from calibrant.statistics.units import Units, paired_gain

Floats = NDArray[np.float64]

IDENTITY = "identity"
# The candidates, the most useful first: what is dropped where time is short is dropped from the end.
_FEW = (IDENTITY, "temperature(prior=20.0)", "ensemble_temperature", "pooled_isotonic")
_QUICK = (*_FEW, "sms(penalty=1.0)", "sms(penalty=0.25)")
_DEFAULT = (
    *_QUICK,
    *("sms(penalty=4.0)", "sms(penalty=0.0625)", "sms(penalty=1.0, prior=20.0)", "sms(penalty=0.25, prior=20.0)"),
)
_MANY = (*_FEW, "svs(penalty=1.0)", "svs(penalty=0.0625)", "sms(penalty=1.0)", "sms(penalty=4.0)")
PRESETS = {"default": _DEFAULT, "quick": _QUICK}
_LARGE = 100  # classes from which `_MANY` stands for either preset, with fewer folds
_FOLDS, _FOLDS_OF_MANY = 5, 3
_FEWEST = 20  # distinct rows, below which nothing can be told
_PSEUDO_ROWS = 3.0  # of the pool's weights
_MISSED = 0.01  # weight below which a member is dropped


class Judged(NamedTuple):
    """Log-probabilities of the labels (r, m), out of fold, by the candidates ``specs``, of which the identity is first.

    A hard label is one term, a soft one has one for each class with mass. ``weights`` (r,) sum to the effective number
    of rows, ``row`` (r,) and ``fold`` (r,) are those of each term.
    """

    specs: tuple[str, ...]
    log_p: Floats
    weights: Floats
    row: NDArray[np.int64]
    fold: NDArray[np.int64]

    @property
    def losses(self) -> Floats:
        """The log loss of each candidate (m,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(-(self.weights @ self.log_p) / self.weights.sum())

    def pool(self, weights: Floats) -> Floats:
        """Return the shares of the candidates (m,) in the pool of the terms, some of which may have weight 0."""
        return pool_weights(self.log_p, weights, _PSEUDO_ROWS)

    def gain(self, predictions: Predictions) -> tuple[float, float]:
        """Return by how much the pool, its weights from other folds, beats the identity, and the standard error."""
        better = np.empty(len(self.row))
        for held in range(int(self.fold.max()) + 1):
            rows = self.fold == held
            better[rows] = pooled(self.log_p[rows], self.pool(np.where(rows, 0.0, self.weights)))
        before, after = (self._by_row(-log_p, predictions) for log_p in (self.log_p[:, 0], better))
        return paired_gain(before, after, Units.of(predictions))

    def _by_row(self, losses: Floats, predictions: Predictions) -> Floats:
        """Return the loss of each row (n,), its mean over a soft label."""
        if not predictions.soft:
            return losses
        assert predictions.labels is not None
        mass = predictions.labels[np.nonzero(predictions.labels)]
        return np.bincount(self.row, mass * losses, len(predictions)).astype(np.float64, copy=False)


@register(
    "calibrator",
    "auto",
    reference="wolpert1992",
    depends_on_row_count=True,
    suits_imbalance=True,
    finite_log_loss=False,
    parameters="at most 20 k k + 100 k + 100 n",
    wants_rows="100",
    cost="that of all candidates, six times",
    guarantee="kept only where it gains on rows left out by more than `gate` standard errors",
)
@dataclass(frozen=True, kw_only=True)
class Auto(Calibrator):
    """Pool the candidates by their likelihood on rows left out, or change nothing where that gains too little.

    The choice to make when in doubt: it holds all strong methods, weighs them by evidence and does no harm beyond
    chance.

    Parameters
    ----------
    candidates : ``"default"``, ``"quick"``, or a tuple of specs; the identity is always among them.
    gate : standard errors by which the pool must beat the identity in log loss on rows left out. 1.645 is strict: a
        pool that is no better than the identity passes in 5 % of cases; with 1 in 16 %, but small true gains on few
        rows are kept.
    seed : of the folds.

    Notes
    -----
    The map is the weighted mean of the candidates that the pool uses, each learnt from all rows. Its ``specs``,
    ``losses``, ``shares`` and ``gain`` tell what decided, ``record.message`` in a sentence. Under 20
    distinct rows, or with labels of one class only, the identity is kept.
    """

    candidates: Literal["default", "quick"] | tuple[str, ...] = "default"
    gate: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        known = self.candidates in PRESETS if isinstance(self.candidates, str) else len(self.candidates) > 0
        require(known, "candidates", f"be {', '.join(map(repr, PRESETS))} or specs", repr(self.candidates))
        require(0 <= self.gate < np.inf, "gate", "be a number of standard errors, at least 0", self.gate)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        for spec in () if isinstance(self.candidates, str) else self.candidates:
            calibrator(spec)  # it must exist

    def learn(self, predictions: Predictions) -> PoolMap:
        """Return the pool, or the identity as a pool of one."""
        if len(np.unique(predictions.row_keys)) < _FEWEST or len(np.unique(folds.strata(predictions))) < 2:
            return self._identity(predictions, None, (0.0, math.nan), "too few rows or classes to compare anything")
        judged = _judged(predictions, self.specs(predictions.k), self.seed)
        gain = judged.gain(predictions)
        told = f"{gain[0]:.4f} ± {gain[1]:.4f} nats a row on rows left out"
        if not gain[0] > self.gate * gain[1] and not math.isinf(gain[0]):
            return self._identity(predictions, judged, gain, f"the scores are kept: a pool gains only {told}")
        return self._pool(predictions, judged, gain, told)

    def specs(self, k: int) -> tuple[str, ...]:
        """Return the candidates for k classes, the identity first."""
        chosen = self.candidates
        if isinstance(chosen, str):
            chosen = _MANY if k >= _LARGE else PRESETS[chosen]
        return (IDENTITY, *(spec for spec in chosen if spec != IDENTITY))

    def _pool(self, predictions: Predictions, judged: Judged, gain: tuple[float, float], told: str) -> PoolMap:
        shares = judged.pool(judged.weights)
        kept = np.flatnonzero(shares >= min(_MISSED, shares.max()))
        maps = [learnt(judged.specs[m], predictions) for m in kept]
        weights = shares[kept] / shares[kept].sum()
        names = ", ".join(f"{judged.specs[m]} {w:.0%}" for m, w in zip(kept, weights, strict=True))
        return self._map(predictions, maps, weights, judged, gain, f"a pool of {names} gains {told}")

    def _identity(
        self, predictions: Predictions, judged: Judged | None, gain: tuple[float, float], told: str
    ) -> PoolMap:
        return self._map(predictions, [learnt(IDENTITY, predictions)], np.ones(1), judged, gain, told)

    def _map(
        self,
        predictions: Predictions,
        maps: list[CalibrationMap],
        weights: Floats,
        judged: Judged | None,
        gain: tuple[float, float],
        told: str,
    ) -> PoolMap:
        return PoolMap(
            maps=tuple(maps),
            weights=weights,
            specs=() if judged is None else judged.specs,
            losses=np.empty(0) if judged is None else judged.losses,
            shares=np.empty(0) if judged is None else judged.pool(judged.weights),
            gain=np.array(gain),
            record=self.fit_record(predictions, message=told),
        )


def learnt(spec: str, predictions: Predictions) -> CalibrationMap:
    """Return the map of a candidate; that it did not converge shows in its losses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return calibrator(spec).fit(predictions)


def _judged(predictions: Predictions, specs: tuple[str, ...], seed: int) -> Judged:
    """Return every candidate's log-probabilities of the labels, out of fold; one that declines is left out."""
    fold = folds.assign(predictions, _FOLDS if predictions.k < _LARGE else _FOLDS_OF_MANY, seed=seed)
    terms, columns = _Terms.of(predictions), dict[str, Floats]()
    for spec in specs:
        try:
            columns[spec] = terms.log_p(predictions, fold, spec)
        except CalibrantError:
            if spec == IDENTITY:
                raise
    effective = terms.weights * (predictions.effective_rows / terms.weights.sum())
    return Judged(tuple(columns), np.stack([*columns.values()], axis=1), effective, terms.row, fold[terms.row])


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

    def log_p(self, predictions: Predictions, fold: NDArray[np.int64], spec: str) -> Floats:
        """Return the log-probability of each term (r,) by the maps of one candidate that never saw its row."""
        found = np.empty(len(self.row))
        for rows, repaired in folds.out_of_fold(predictions, lambda batch: learnt(spec, batch), fold):
            place = np.full(len(predictions), -1)
            place[rows] = np.arange(len(rows))
            mine = np.flatnonzero(place[self.row] >= 0)
            at, label = place[self.row[mine]], self.label[mine]
            if predictions.soft:
                with np.errstate(divide="ignore"):
                    found[mine] = np.log(repaired.probabilities[at, label].astype(np.float64))
            else:
                assert repaired.summary.label_log_probability is not None
                found[mine] = repaired.summary.label_log_probability
        return found
