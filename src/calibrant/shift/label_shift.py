"""Class frequencies of rows without labels, by maximum likelihood, and the map that corrects for them.

Formula: the maximum over pi of mean_i log sum_c p_ic pi_c / source_c; p calibrated on the source, where classes come
with frequencies ``source``. Right where p(x | class) is the same in both.
Source: Saerens, Latinne and Decaestecker 2002; Alexandari, Kundaje and Shrikumar 2020 for calibrating first and for the
mean prediction as the source; bootstrap and certificate are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import kernels
from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator
from calibrant.calibrators.prior import PriorCorrection, PriorMap, mean_prediction
from calibrant.errors import DataError, require, sentence
from calibrant.estimate import strict
from calibrant.predictions import Predictions, as_predictions
from calibrant.registry import spec_of
from calibrant.solvers.frequencies import likeliest_frequencies, log_likelihood

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorEstimate:
    """Class frequencies of the target rows.

    Attributes
    ----------
    frequencies : (k,), summing to 1; ``source`` (k,) those that the probabilities stand for.
    low, high : (k,) bounds at confidence ``level`` for each class by itself, or None.
    rows : number of target rows with a weight. gain : log-likelihood over that of the source frequencies, nats a row.
    steps, gap : of the search, and the gain in nats a row that it may have left; ``converged`` if that is nothing.
    """

    frequencies: Floats
    source: Floats
    low: Floats | None
    high: Floats | None
    level: float
    rows: int
    gain: float
    steps: int
    gap: float
    converged: bool
    classes: tuple[str, ...]

    @property
    def ratios(self) -> Floats:
        """Target over source frequency of each class (k,): the importance weight of a source row by its label.

        0 for a class that neither has.
        """
        return np.divide(self.frequencies, self.source, out=np.zeros(len(self.source)), where=self.source > 0)

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record."""
        return strict({**vars(self), "ratios": self.ratios})

    def __repr__(self) -> str:
        order = np.argsort(-np.abs(self.frequencies - self.source), kind="stable")[:5]
        told = [f"{self.classes[c]} {self.source[c]:.3g} -> {self.frequencies[c]:.3g}{self._span(c)}" for c in order]
        return f"PriorEstimate({', '.join(told)}{', ...' if len(self.source) > len(told) else ''})"

    def _span(self, c: int) -> str:
        return "" if self.low is None or self.high is None else f" [{self.low[c]:.3g}, {self.high[c]:.3g}]"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelShift:
    """``map`` corrects for the frequencies in ``priors``."""

    map: PriorMap
    priors: PriorEstimate


def estimate_priors(
    predictions: Predictions,
    source: Predictions | ArrayLike,
    *,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> PriorEstimate:
    """Return how often each class comes in rows without labels.

    Parameters
    ----------
    predictions : the target rows, scored by a map that is calibrated on the source; labels are not used.
    source : source rows scored by the same map, whose mean prediction counts, or their class frequencies (k,).
    level, replicates : of the intervals, from bootstrap replicates of the target rows; 0 replicates: none.
    seed : of the bootstrap.

    Notes
    -----
    Rows that share an id are resampled together. The intervals do not know the error of the map and of ``source``, and
    are too short for a class whose frequency is estimated at 0. A class that the source never has stays at 0.

    Raises
    ------
    DataError : if the frequencies are not such, or if a row is impossible under the source.
    """
    p, weights, keys = _rows(as_predictions(predictions))
    priors = _source(source, p.shape[1])
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(replicates >= 0, "replicates", "not be negative", replicates)
    likelihoods = np.divide(p, priors, out=np.zeros_like(p), where=priors > 0)
    impossible = np.flatnonzero(~(likelihoods @ priors > 0) | (p[:, priors == 0] > 0).any(1))
    if impossible.size:
        condition, way_out = "be possible under the source", "pass the scored source rows as source"
        where = f"in row {impossible[0]} ({impossible.size} of {len(p)} rows)"
        raise DataError(sentence("predictions", condition, where=where, way_out=way_out))
    found = likeliest_frequencies(likelihoods, weights / weights.sum(), priors)
    low, high = None, None
    if replicates:
        drawn = np.stack([_redrawn(likelihoods, weights, keys, priors, (seed, i)) for i in range(replicates)])
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    share = weights / weights.sum()
    at_source = log_likelihood(likelihoods, share, priors)
    return PriorEstimate(
        frequencies=found.values,
        source=priors,
        low=low,
        high=high,
        level=level,
        rows=len(p),
        gain=log_likelihood(likelihoods, share, found.values) - at_source,
        steps=found.steps,
        gap=found.gap,
        converged=found.converged,
        classes=predictions.class_labels,
    )


def label_shift(
    source: Predictions,
    target: Predictions,
    method: str | Calibrator = "bias_corrected_temperature",
    **choices: Any,
) -> LabelShift:
    """Return the map for target rows without labels, and the class frequencies that it is for.

    ``method`` is calibrated on the labelled ``source``, the frequencies are estimated on the ``target`` (``choices``
    are those of `estimate_priors`), and the map corrects for them: that of ``prior(target=..., method=...)``.
    """
    learner = calibrator(method)
    inner: CalibrationMap = learner.fit(source)
    present = source.without_absent_rows()
    priors = estimate_priors(inner(target), inner(present), **choices)
    correction = PriorCorrection(target=tuple(priors.frequencies.tolist()), method=spec_of(learner))
    corrected = correction.after(inner, present)
    record = replace(corrected.record, fitted_on=inner.record.fitted_on)
    return LabelShift(map=replace(corrected, record=record), priors=priors)


def _rows(predictions: Predictions) -> tuple[Floats, Floats, NDArray[np.uint64]]:
    """Return probabilities (n, k), weights (n,) and keys (n,) of the rows with a weight."""
    batch = predictions.without_absent_rows()
    return batch.probabilities.astype(np.float64), batch.row_weights, batch.row_keys


def _source(source: Predictions | ArrayLike, k: int) -> Floats:
    priors = mean_prediction(source) if isinstance(source, Predictions) else np.asarray(source, dtype=np.float64)
    require(priors.shape == (k,), "source", f"have one frequency for each of the {k} classes", priors.shape)
    good = bool(np.isfinite(priors).all() and (priors >= 0).all()) and abs(priors.sum() - 1) <= 1e-6
    require(good, "source", "be frequencies that sum to 1", f"sum {priors.sum():.6g}")
    return np.asarray(priors / priors.sum())


def _redrawn(
    likelihoods: Floats, weights: Floats, keys: NDArray[np.uint64], start: Floats, replicate: tuple[int, int]
) -> Floats:
    """Return the frequencies of one bootstrap replicate; the start itself in the rare one without rows."""
    drawn = weights * kernels.poisson_weights(keys, *replicate)
    kept = drawn > 0
    if not kept.any():
        return start
    return likeliest_frequencies(likelihoods[kept], drawn[kept] / drawn.sum(), start).values
