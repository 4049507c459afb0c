"""The rule that recommends: log loss decides, Brier may veto, ties go to fewer parameters, else the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping

from calibrant.evaluation.cross_fit import Trial
from calibrant.statistics.units import Units, paired_gain

IDENTITY = "identity"


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
