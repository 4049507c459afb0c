"""`compare`: ways to repair, compared by repeated cross-fitting on the same rows, and one recommended.

Every method predicts every row from maps that never saw it. Log loss decides, by paired differences to the identity;
Brier may veto; ECE is shown and decides nothing.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant import registry
from calibrant.calibrators import Calibrator, calibrator
from calibrant.errors import is_whole, require
from calibrant.estimate import strict
from calibrant.evaluation.cross_fit import Plan, Trial, cross_fit
from calibrant.evaluation.gathering import check_rows
from calibrant.evaluation.recommend import IDENTITY, recommend
from calibrant.predictions import Predictions
from calibrant.statistics.units import Units, paired_gain

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class MethodResult:
    """One method on out-of-fold rows. Gains are identity minus method, in the units of the score: positive is better.

    ``gain_low, gain_high`` is a normal interval at the comparison's level from the paired standard error
    ``gain_se``; rows of different folds share training rows, so that it is approximate. A method that declined has
    ``declined`` in words and no figures.
    """

    name: str
    summary: str
    declined: str = ""
    log_loss: float = math.nan
    brier: float = math.nan
    ece: float = math.nan
    accuracy: float = math.nan
    gain: float = math.nan
    gain_se: float = math.nan
    gain_low: float = math.nan
    gain_high: float = math.nan
    brier_gain: float = math.nan
    brier_gain_se: float = math.nan
    parameters: int = 0
    seconds: float = math.nan
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record: an infinite figure is None with ``"NAME_infinite"`` beside it."""
        return strict({**vars(self), "notes": list(self.notes)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All methods on the same out-of-fold rows, the recommended spec, and why."""

    methods: tuple[MethodResult, ...]
    recommended: str
    reason: str
    folds: int
    repeats: int
    level: float

    def __getitem__(self, name: str) -> MethodResult:
        for method in self.methods:
            if method.name == name:
                return method
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record."""
        told = {name: getattr(self, name) for name in ("recommended", "reason", "folds", "repeats", "level")}
        return {"methods": [method.to_dict() for method in self.methods], **told}

    def __repr__(self) -> str:
        lines = [f"  {m.name}: log loss {m.log_loss:.5f}, gain {m.gain:+.5f} ± {m.gain_se:.5f}" for m in self.shown]
        return "\n".join([self.reason, *lines])

    @property
    def shown(self) -> list[MethodResult]:
        """The methods that did not decline, best log loss first."""
        return sorted((m for m in self.methods if not m.declined), key=lambda m: m.log_loss)

    def _repr_html_(self) -> str:
        head = "<tr><th>method</th><th>log loss</th><th>gain ± s.e.</th><th>Brier</th><th>ECE</th></tr>"
        rows = "".join(
            f"<tr><td>{html.escape(m.name)}</td><td>{m.log_loss:.4f}</td><td>{m.gain:+.4f} ± {m.gain_se:.4f}</td>"
            f"<td>{m.brier:.4f}</td><td>{m.ece:.4f}</td></tr>"
            for m in self.shown
        )
        return f"<p>{html.escape(self.reason)}</p><table>{head}{rows}</table>"


def compare(
    predictions: Predictions,
    calibrators: str | Sequence[str | Calibrator] | None = None,
    *,
    folds: int = 5,
    repeats: int | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """Compare calibrators by repeated stratified cross-fitting and recommend one.

    Parameters
    ----------
    predictions : labelled rows that the classifier was not trained on.
    calibrators : specs or objects; by default those that declare it. The identity is always among them.
    folds : each method is learnt on all folds but one and judged on that one.
    repeats : splits anew; by default 5 up to 2,000 rows, 2 up to 20,000, then 1.
    level : of the intervals of the gains.
    seed : of the splits, which are keyed by the row ids.
    progress : called with (what, done, total).

    Notes
    -----
    A method is a candidate if its gain in log loss over the identity exceeds one standard error and its Brier score
    is not worse by more than one. Among candidates within one standard error of the best, the one with the fewest
    parameters is recommended; without a candidate, the identity.
    """
    check_rows(predictions, in_sample=False)
    require(is_whole(folds) and folds >= 2, "folds", "be a whole number of at least 2", folds)
    require(repeats is None or (is_whole(repeats) and repeats >= 1), "repeats", "be a positive whole number", repeats)
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(is_whole(seed), "seed", "be a whole number", seed)
    told = progress or (lambda what, done, total: None)
    batch = predictions.without_absent_rows()
    chosen = _with_identity(calibrators)
    repeats = repeats or (5 if len(batch) <= 2000 else 2 if len(batch) <= 20000 else 1)
    plan = Plan(folds=folds, repeats=repeats, seed=seed)
    trials: dict[str, Trial] = {}
    for i, method in enumerate(chosen):
        told("compare", i, len(chosen))
        trials[registry.spec_of(method)] = cross_fit(method, batch, plan)
    told("compare", len(chosen), len(chosen))
    units = Units.of(batch)
    recommended, why = recommend(trials, units)
    results = [_result(calibrator(name), trial, trials[IDENTITY], units, level) for name, trial in trials.items()]
    return Comparison(
        methods=tuple(results), recommended=recommended, reason=why, folds=folds, repeats=repeats, level=level
    )


def _result(method: Calibrator, trial: Trial, identity: Trial, units: Units, level: float) -> MethodResult:
    """Return the figures of one method beside those of the identity."""
    result = MethodResult(name=registry.spec_of(method), summary=method.entry.summary, declined=trial.declined)
    if trial.declined:
        return result
    gain, se = paired_gain(identity.log_loss, trial.log_loss, units)
    brier_gain, brier_se = paired_gain(identity.brier, trial.brier, units)
    half = float(scipy.special.ndtri((1 + level) / 2)) * se
    return replace(
        result,
        log_loss=units.mean(trial.log_loss),
        brier=units.mean(trial.brier),
        ece=trial.ece,
        accuracy=trial.accuracy,
        gain=gain,
        gain_se=se,
        gain_low=gain - half,
        gain_high=gain + half,
        brier_gain=brier_gain,
        brier_gain_se=brier_se,
        parameters=trial.parameters,
        seconds=trial.seconds,
        notes=trial.notes,
    )


def _with_identity(calibrators: str | Sequence[str | Calibrator] | None) -> list[Calibrator]:
    """Return the calibrators to compare, the identity first."""
    usual = [entry.compared for entry in registry.entries("calibrator") if entry.compared]
    specs = usual if calibrators is None else calibrators
    chosen = [calibrator(spec) for spec in ([specs] if isinstance(specs, str) else specs)]
    return [calibrator(IDENTITY), *(method for method in chosen if registry.spec_of(method) != IDENTITY)]
