"""Which measure targets which truth? Models with known calibration error, one large seeded sample each.

The tables hold population values by quadrature. Binary: f uniform, P(Y = 1 | f) = sigmoid(logit(f) / T). Three classes:
f uniform on the simplex, P(Y | f) = softmax(log f / T). A measure targets a column if it comes to its value as rows and
bins grow; the band of a sample of n rows is four standard errors, with the standard deviation of a row (at most)
beside each target, and for plug-in measures their bias, which has its own sentence.
"""

from functools import cache

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.metrics import measure
from simulation import softmax

N = 200_000
ROOT = np.sqrt(N)
BINARY = {
    1.5: {"l1": 0.058672, "l2": 0.00417762, "brier": 0.201671, "kl": 0.016974, "nll": 0.593730, "cutoff": 0.029336},
    2: {"l1": 0.096574, "l2": 0.01143058, "brier": 0.226032, "kl": 0.046054, "nll": 0.662904, "cutoff": 0.048287},
    3: {"l1": 0.141399, "l2": 0.02494802, "brier": 0.256237, "kl": 0.098910, "nll": 0.752964, "cutoff": 0.070699},
}
THREE = {
    1.5: {"canonical_l2": 0.01090074, "kl": 0.024302, "brier": 0.580277, "nll": 0.968976, "accuracy": 0.535803}
    | {"class_l1": 0.051083, "class_l2": 0.00351994, "top_l1": 0.075308, "top_l2": 0.00674617},
    2: {"canonical_l2": 0.02825326, "kl": 0.064051, "brier": 0.632063, "nll": 1.063660, "accuracy": 0.490912}
    | {"class_l1": 0.082221, "class_l2": 0.00921037, "top_l1": 0.120199, "top_l2": 0.01749238},
}

# The mean |gap| of B = 100 bins is biased upwards by at most sqrt(2 v B / (pi n)), v the variance of an outcome: .009;
# but a gap that is several times its noise adds nothing, and most are, so a tenth of it is allowed.
PLUG_IN = 0.0009
# A squared gap is biased by the variance of its mean outcome, v B / n = 1e-4 over 100 bins; isotonic steps are fewer.
SQUARED_PLUG_IN = 1.3e-4
# Of a Kullback-Leibler divergence, half a unit of chi-square a bin: B / (2 n) = 2.5e-4.
DIVERGENCE_PLUG_IN = 3e-4
# Outcomes are 0 or 1, with a standard deviation of half at most; a squared gap moves by twice the gap.
L1, ACCURACY = 0.5, 0.5


def squared(truth):
    return 2 * np.sqrt(truth) * 0.5


def divergence(truth):
    return 3 * np.sqrt(truth)  # twice what the measure's own standard error says at these temperatures


@cache
def binary(temperature):
    rng = np.random.default_rng(1)
    f = rng.random(N)
    return Predictions.binary(f, rng.random(N) < 1 / (1 + ((1 - f) / f) ** (1 / temperature)))


@cache
def three(temperature):
    rng = np.random.default_rng(2)
    f = rng.dirichlet([1, 1, 1], N)
    labels = (softmax(np.log(f) / temperature).cumsum(1) < rng.random((N, 1))).sum(1).clip(max=2)
    return Predictions.from_probabilities(f, labels)


CLASS_WISE = "notion='class_wise'"
# (column, spec, what one unit of the column is in the measure, standard deviation of a row, bias allowed)
BINARY_TARGETS = [
    ("l1", "sce(bins=100)", 1, lambda t: L1, PLUG_IN),
    ("l1", "ace(bins=100)", 1, lambda t: L1, PLUG_IN),
    ("l2", f"squared_ce({CLASS_WISE}, bins=100)", 1, squared, 0),
    ("l2", f"murphy_reliability({CLASS_WISE}, bins=100)", 1, squared, SQUARED_PLUG_IN),
    ("l2", f"murphy_reliability({CLASS_WISE}, bins=100, debiased=True)", 1, squared, 0),
    ("l2", f"corp_miscalibration({CLASS_WISE})", 1, squared, SQUARED_PLUG_IN),
    ("l2", "recalibration_error(rule='brier', folds=2)", 2, squared, 0),
    ("brier", "brier", 2, lambda t: 0.35, 0),
    ("brier", "ranked_probability", 1, lambda t: 0.35, 0),
    ("kl", "recalibration_error(folds=2)", 1, divergence, 0),
    (
        "kl",
        f"murphy_reliability({CLASS_WISE}, bins=100, rule='log_loss')",
        1,
        divergence,
        DIVERGENCE_PLUG_IN,
    ),
    ("nll", "log_loss", 1, lambda t: 0.8, 0),
    ("cutoff", f"kuiper({CLASS_WISE})", 1, lambda t: L1, 0),
]
THREE_TARGETS = [
    ("canonical_l2", "recalibration_error(rule='brier', folds=2)", 1, squared, 0),
    ("kl", "recalibration_error(folds=2)", 1, divergence, 0),
    ("brier", "brier", 1, lambda t: 0.5, 0),
    ("nll", "log_loss", 1, lambda t: 1.0, 0),
    ("accuracy", "accuracy", 1, lambda t: ACCURACY, 0),
    ("class_l1", "sce(bins=100)", 1, lambda t: L1, PLUG_IN),
    ("class_l2", f"squared_ce({CLASS_WISE}, bins=100)", 1, squared, 0),
    ("top_l1", "ece(bins=100)", 1, lambda t: L1, PLUG_IN),
    ("top_l1", "tl_ece(bins=100)", 1, lambda t: L1, PLUG_IN),  # by symmetry, in this model, each class is as wrong
    ("top_l2", "squared_ce(bins=100)", 1, squared, 0),
    ("top_l2", "murphy_reliability(bins=100, debiased=True)", 1, squared, 0),
]


def check(batch, truth, target):
    column, spec, unit, deviation, bias = target
    found, known = float(measure(spec)(batch)) / unit, truth[column]
    noise = 4 * deviation(known) / ROOT
    assert known - noise < found < known + noise + bias


@pytest.mark.parametrize("target", BINARY_TARGETS, ids=lambda t: f"{t[0]}-{t[1]}")
@pytest.mark.parametrize("temperature", BINARY)
def test_two_classes(temperature, target):
    check(binary(temperature), BINARY[temperature], target)


@pytest.mark.parametrize("target", THREE_TARGETS, ids=lambda t: f"{t[0]}-{t[1]}")
@pytest.mark.parametrize("temperature", THREE)
def test_three_classes(temperature, target):
    check(three(temperature), THREE[temperature], target)


@pytest.mark.parametrize("spec", ["sce(bins=100)", "recalibration_error(folds=2)", "tl_ece(bins=100)"])
def test_another_model_is_outside_the_band(spec):
    value = float(measure(spec)(three(1.5)))
    columns = {"sce": "class_l1", "recalibration_error": "kl", "tl_ece": "top_l1"}
    wrong = THREE[2][columns[spec.split("(")[0]]]
    assert value < wrong - 4 * 0.5 / ROOT
