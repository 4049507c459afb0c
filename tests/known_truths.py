"""Which measure targets which known truth: the one list that tests and docs/theory/known-truth.md are made from.

`TRUTHS` holds population values to the digits given, as published with the models (see `populations`). A measure
targets a column if it comes to ``unit`` times its value as rows and bins grow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from populations import Population

MODELS = [Population(2, 1.5), Population(2, 2), Population(2, 3), Population(3, 1.5), Population(3, 2)]
COLUMNS = {
    2: ["L1", "L2²", "Brier", "KL", "NLL", "cut-off"],
    3: [
        *("canonical L1", "canonical L2²", "KL", "Brier", "NLL"),
        *("class-wise L1", "class-wise L2²", "top-label L1", "top-label L2²", "accuracy"),
    ],
}
_VALUES = {
    (2, 1.5): "0.058672 0.00417762 0.201671 0.016974 0.593730 0.029336",
    (2, 2): "0.096574 0.01143058 0.226032 0.046054 0.662904 0.048287",
    (2, 3): "0.141399 0.02494802 0.256237 0.098910 0.752964 0.070699",
    (3, 1.5): "0.154999 0.01090074 0.024302 0.580277 0.968976 0.051083 0.00351994 0.075308 0.00674617 0.535803",
    (3, 2): "0.248611 0.02825326 0.064051 0.632063 1.063660 0.082221 0.00921037 0.120199 0.01749238 0.490912",
}
TRUTHS = {m: dict(zip(COLUMNS[m.k], map(float, _VALUES[m.k, m.temperature].split()), strict=True)) for m in MODELS}

Spread = Callable[[float], float]


def _squared(truth: float) -> float:
    """A squared gap moves by twice the gap, an outcome of 0 or 1 by half at most."""
    return float(np.sqrt(truth))


def _divergence(truth: float) -> float:
    """Twice what the measure's own standard error says at these temperatures."""
    return float(3 * np.sqrt(truth))


def _half(truth: float) -> float:
    """An outcome of 0 or 1 has a standard deviation of half at most."""
    del truth
    return 0.5


def _one(truth: float) -> float:
    """No score used here has a larger standard deviation, by its own standard error."""
    del truth
    return 1.0


@dataclass(frozen=True)
class Target:
    """A measure, the column it targets, and what 200,000 rows may be off.

    ``unit`` is what the measure gives for one of the column, ``spread`` the standard deviation of a row at most;
    ``above`` and ``below`` are the bias that is allowed on either side besides four standard errors.
    """

    k: int
    column: str
    spec: str
    how: str
    spread: Spread
    unit: float = 1
    above: float = 0
    below: float = 0


# The mean |gap| of B = 100 bins is biased upwards by at most sqrt(2 v B / (pi n)), v the variance of an outcome: .009;
# but a gap that is several times its noise adds nothing, and most are, so a tenth of it is allowed.
_PLUG_IN = 0.0009
# A squared gap is biased by the variance of its mean outcome, v B / n = 1e-4 over 100 bins; isotonic steps are fewer.
_SQUARED_PLUG_IN = 1.3e-4
# Of a Kullback-Leibler divergence, half a unit of chi-square a bin: B / (2 n) = 2.5e-4.
_DIVERGENCE_PLUG_IN = 3e-4
# Cubes of side 1/10 miss 2.1 % of the squared gap at T = 1.5 and 1.7 % at 2, by quadrature: at most 4.9e-4.
_IN_CUBE = 5e-4

_CW = "notion='class_wise'"
TARGETS = [
    Target(2, "L1", "sce(bins=100)", "plug-in", _half, above=_PLUG_IN),
    Target(2, "L1", "ace(bins=100)", "plug-in", _half, above=_PLUG_IN),
    Target(2, "L2²", f"squared_ce({_CW}, bins=100)", "debiased", _squared),
    Target(2, "L2²", f"murphy_reliability({_CW}, bins=100, debiased=True)", "debiased", _squared),
    Target(2, "L2²", "squared_canonical(bins=100)", "debiased", _squared, unit=2),
    Target(2, "L2²", f"murphy_reliability({_CW}, bins=100)", "plug-in", _squared, above=_SQUARED_PLUG_IN),
    Target(2, "L2²", f"corp_miscalibration({_CW})", "isotonic plug-in", _squared, above=_SQUARED_PLUG_IN),
    Target(2, "L2²", "recalibration_error(rule='brier', folds=2)", "refit, lower bound", _squared, unit=2),
    Target(2, "Brier", "brier", "mean", _half, unit=2),
    Target(2, "Brier", "ranked_probability", "mean", _half),
    Target(2, "KL", "recalibration_error(folds=2)", "refit, lower bound", _divergence),
    Target(
        2,
        "KL",
        f"murphy_reliability({_CW}, bins=100, rule='log_loss')",
        "plug-in",
        _divergence,
        above=_DIVERGENCE_PLUG_IN,
    ),
    Target(2, "NLL", "log_loss", "mean", _one),
    Target(2, "cut-off", f"kuiper({_CW})", "plug-in", _half),
    Target(3, "canonical L2²", "recalibration_error(rule='brier', folds=2)", "refit, lower bound", _squared),
    Target(3, "canonical L2²", "squared_canonical(bins=10)", "debiased", _squared, below=_IN_CUBE),
    Target(3, "KL", "recalibration_error(folds=2)", "refit, lower bound", _divergence),
    Target(3, "Brier", "brier", "mean", _one),
    Target(3, "NLL", "log_loss", "mean", _one),
    Target(3, "class-wise L1", "sce(bins=100)", "plug-in", _half, above=_PLUG_IN),
    Target(3, "class-wise L1", "ace(bins=100)", "plug-in", _half, above=_PLUG_IN),
    Target(3, "class-wise L2²", f"squared_ce({_CW}, bins=100)", "debiased", _squared),
    Target(3, "class-wise L2²", f"murphy_reliability({_CW}, bins=100, debiased=True)", "debiased", _squared),
    Target(3, "top-label L1", "ece(bins=100)", "plug-in", _half, above=_PLUG_IN),
    # By the symmetry of this model every class is as wrong, so that the conditional error is the same.
    Target(3, "top-label L1", "tl_ece(bins=100)", "plug-in", _half, above=_PLUG_IN),
    Target(3, "top-label L2²", "squared_ce(bins=100)", "debiased", _squared),
    Target(3, "top-label L2²", "murphy_reliability(bins=100, debiased=True)", "debiased", _squared),
    Target(3, "top-label L2²", "squared_canonical(top=1, bins=100)", "debiased", _squared),
    Target(3, "top-label L2²", "corp_miscalibration", "isotonic plug-in", _squared, above=_SQUARED_PLUG_IN),
    Target(3, "accuracy", "accuracy", "mean", _half),
]
# Columns that no measure reaches at these sizes; shown on the page, with what is missed.
NEARLY = [
    Target(3, "canonical L1", "ece_kde_canonical", "kernel regression", _half),
    Target(3, "canonical L1", "ece_kde_canonical(bandwidth=0.05)", "kernel regression", _half),
]
# What the other registered measures are about: functionals of their own, which no column holds.
ELSEWHERE = {
    "decision_error": "gaps by action, for given costs",
    "ece_kde": "the mean gap of norm 1, smoothed by a Beta kernel",
    "ece_sweep": "the mean gap of norm 1, in bins that the labels choose",
    "group_ece": "needs groups",
    "grouping_loss": "needs features: the variance of accuracy among regions",
    "klce": "needs features: a kernel norm of the residuals of rows near each other",
    "ks": "the largest cumulative difference; the cut-off column where the path stays on one side of 0",
    "lce": "needs features: the mean size of residuals averaged around each row",
    "local_js": "needs features: the distance of predictions from frequencies around each row",
    "mce": "the largest gap of a bin; grows with the number of bins",
    "mlce": "needs features: the largest residual averaged around a row",
    "mmce": "a kernel norm of the residuals of the confidence",
    "piece": "needs features: the mean gap of norm 1, apart for near and distant rows",
    "predicted_group_ece": "needs groups",
    "rmsce": "the root of the mean squared gap, plug-in",
    "skce": "a kernel norm of the residuals of the whole vector",
    "smece": "the mean gap after smoothing by a kernel as wide as itself",
    "smooth_ce": "the largest mean of residual times a Lipschitz function",
    "spherical": "the mean of the spherical loss",
    "tace": "class-wise norm 1 over scores from 0.01 on",
    "within_top_ece": "the gap of the two largest probabilities together",
}
