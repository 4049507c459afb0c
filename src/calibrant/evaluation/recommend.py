"""The rule that recommends: log loss decides, Brier may veto, ties go to fewer parameters, else the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.evaluation.cross_fit import Trial
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
IDENTITY = "identity"


@dataclass(frozen=True, eq=False)
class Units:
    """The independent units behind rows: ``share`` (n,) of each row, summing to 1, and the ``unit`` (n,) it is in.

    Rows that share an id are one unit.
    """

    share: Floats
    unit: NDArray[np.int64]

    @classmethod
    def of(cls, predictions: Predictions) -> Units:
        """Return the units of the rows of a batch."""
        unit = np.unique(predictions.row_keys, return_inverse=True)[1]
        return cls(predictions.row_weights / predictions.row_weights.sum(), unit)

    def mean(self, values: Floats) -> float:
        """Return the weighted mean of values (n,), which may be infinite."""
        return float((self.share * values).sum())

    def standard_error(self, values: Floats, mean: float) -> float:
        """Return the standard error of the weighted mean over independent units, NaN for a single one."""
        concentration = float((np.bincount(self.unit, self.share) ** 2).sum())
        if concentration >= 1:
            return math.nan
        residuals = np.bincount(self.unit, self.share * (values - mean))
        return math.sqrt(float((residuals**2).sum()) / (1 - concentration))


def paired_gain(before: Floats, after: Floats, units: Units) -> tuple[float, float]:
    """Return the weighted mean of before - after over rows (n,) and its standard error.

    The error is that of a weighted mean over independent units. Where a loss is infinite before and finite after the
    gain is infinite, the other way round it is -inf, and the error is NaN; both are NaN where it goes both ways.
    """
    with np.errstate(invalid="ignore"):
        difference = np.where(before == after, 0.0, before - after)
        mean = units.mean(difference)
    return mean, units.standard_error(difference, mean) if math.isfinite(mean) else math.nan


def recommend(trials: Mapping[str, Trial], units: Units) -> tuple[str, str]:
    """Return the recommended spec and the reason in a sentence."""
    identity = trials[IDENTITY]
    judged = {name: trial for name, trial in trials.items() if not trial.declined and name != IDENTITY}
    declined = [trial.declined for trial in trials.values() if trial.declined]
    if not judged:
        why = f": {declined[0]}" if declined else ""
        return IDENTITY, f"Keep the scores as they are: no repair could be compared{why}"
    gains = {}
    vetoed = []
    for name, trial in judged.items():
        gain, se = paired_gain(identity.log_loss, trial.log_loss, units)
        if not _beats(gain, se):
            continue
        if _beats(*paired_gain(trial.brier, identity.brier, units)):
            vetoed.append(name)
            continue
        gains[name] = gain
    veto = f" ({', '.join(vetoed)} vetoed: a worse Brier score)" if vetoed else ""
    if not gains:
        return IDENTITY, f"Keep the scores as they are: no repair gains by more than one standard error{veto}"
    return _simplest(trials, gains, units, veto)


def _beats(gain: float, se: float) -> bool:
    """Whether a gain is evidence: above one standard error, or infinite."""
    return gain == math.inf or (gain > 0 and gain > se)


def _simplest(trials: Mapping[str, Trial], gains: Mapping[str, float], units: Units, veto: str) -> tuple[str, str]:
    """Return the candidate with the fewest parameters among those within one standard error of the best log loss."""
    means = {name: units.mean(trials[name].log_loss) for name in gains}
    best = min(means, key=lambda name: means[name])
    tied = []
    for name in gains:
        behind, se = paired_gain(trials[name].log_loss, trials[best].log_loss, units)
        if name == best or not _beats(behind, se):
            tied.append(name)
    chosen = min(tied, key=lambda name: (trials[name].parameters, means[name]))
    _, se = paired_gain(trials[IDENTITY].log_loss, trials[chosen].log_loss, units)
    size = f"gains {gains[chosen]:.4f} ± {se:.4f} in log loss"
    if math.isinf(gains[chosen]):
        size = "an infinite log loss becomes finite"
    others = [name for name in tied if name != chosen]
    tie = f"; as good within one standard error: {', '.join(others)}" if others else ""
    return chosen, f"Use {chosen}: {size}{tie}{veto}"
