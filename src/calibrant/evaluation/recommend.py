"""The rule that recommends: log loss decides, Brier may veto, ties go to fewer parameters, else the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from calibrant.evaluation.cross_fit import Trial

Floats = NDArray[np.float64]
IDENTITY = "identity"


def paired_gain(before: Floats, after: Floats, weights: Floats) -> tuple[float, float]:
    """Return the weighted mean of before - after over rows (n,) and its standard error.

    The error is that of a weighted mean with Kish's effective number of rows. Where a loss is infinite before and
    finite after the gain is infinite, the other way round it is -inf, and the error is NaN.
    """
    with np.errstate(invalid="ignore"):
        difference = np.where(before == after, 0.0, before - after)
    mean = float(np.average(difference, weights=weights)) if not np.isnan(difference).any() else math.nan
    if not math.isfinite(mean):
        return mean, math.nan
    share = weights / weights.sum()
    concentration = float(share @ share)
    if concentration >= 1:
        return mean, math.nan
    variance = float(share @ (difference - mean) ** 2) * concentration / (1 - concentration)
    return mean, math.sqrt(variance)


def recommend(trials: Mapping[str, Trial], weights: Floats) -> tuple[str, str]:
    """Return the recommended spec and the reason in a sentence."""
    identity = trials[IDENTITY]
    gains = {}
    vetoed = []
    for name, trial in trials.items():
        if trial.declined or name == IDENTITY:
            continue
        gain, se = paired_gain(identity.log_loss, trial.log_loss, weights)
        if not _beats(gain, se):
            continue
        if _beats(*paired_gain(trial.brier, identity.brier, weights)):
            vetoed.append(name)
            continue
        gains[name] = gain
    veto = f" ({', '.join(vetoed)} vetoed: a worse Brier score)" if vetoed else ""
    if not gains:
        return IDENTITY, f"Keep the scores as they are: no repair gains by more than one standard error{veto}"
    return _simplest(trials, gains, weights, veto)


def _beats(gain: float, se: float) -> bool:
    """Whether a gain is evidence: above one standard error, or infinite."""
    return gain == math.inf or (gain > 0 and gain > se)


def _simplest(trials: Mapping[str, Trial], gains: Mapping[str, float], weights: Floats, veto: str) -> tuple[str, str]:
    """Return the candidate with the fewest parameters among those within one standard error of the best log loss."""
    means = {name: float(np.average(trials[name].log_loss, weights=weights)) for name in gains}
    best = min(means, key=lambda name: means[name])
    tied = []
    for name in gains:
        behind, se = paired_gain(trials[name].log_loss, trials[best].log_loss, weights)
        if name == best or not _beats(behind, se):
            tied.append(name)
    chosen = min(tied, key=lambda name: (trials[name].parameters, means[name]))
    _, se = paired_gain(trials[IDENTITY].log_loss, trials[chosen].log_loss, weights)
    size = (
        "an infinite log loss becomes finite"
        if math.isinf(gains[chosen])
        else f"gains {gains[chosen]:.4f} ± {se:.4f} in log loss"
    )
    others = [name for name in tied if name != chosen]
    tie = f"; as good within one standard error: {', '.join(others)}" if others else ""
    return chosen, f"Use {chosen}: {size}{tie}{veto}"
