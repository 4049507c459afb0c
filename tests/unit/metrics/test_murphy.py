"""Murphy's decomposition: by hand, by loops, exact identity, and unbiased terms by enumeration."""

from itertools import product

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from measure_bank import BANK, make

ROUNDING = 1e-12  # sums in another order
SPECS = ["murphy_reliability", "murphy_reliability(debiased=True)", "murphy_reliability(rule='log_loss')"]
SPECS += ["murphy_reliability(notion='class_wise')", "murphy_reliability(notion='within_top(r=2)', bins=4)"]


def pairs(f, o):
    """Return two-class predictions whose confidence is f (at least a half) and whose correctness is o."""
    f = np.asarray(f)
    return Predictions.from_probabilities(np.column_stack([f, 1 - f]), (1 - np.asarray(o)).astype(int))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", BANK)
def test_the_terms_add_up_to_the_score(spec, name):
    t = measure(spec)(make(name)).details
    if np.isfinite(t["score"]):
        assert t["rel"] - t["res"] + t["unc"] + t["within"] == pytest.approx(t["score"], abs=ROUNDING)
    if np.isfinite(t["wbv"]):
        assert t["wbv"] - t["wbc"] == pytest.approx(t["within"], abs=ROUNDING)


def test_two_bins_by_hand():
    # Bin (.6, .6667]: scores .61 and .65, outcomes 0 and 1. Bin (.8667, .9333]: score .9, outcome 1.
    t = measure("murphy_reliability")(pairs([0.61, 0.65, 0.9], [0, 1, 1])).details
    assert t["rel"] == pytest.approx((2 * 0.13**2 + 0.1**2) / 3)
    assert t["res"] == pytest.approx((2 * (0.5 - 2 / 3) ** 2 + (1 - 2 / 3) ** 2) / 3)
    assert t["unc"] == pytest.approx(2 / 9)
    assert t["wbv"] == pytest.approx(2 / 3 * 0.02**2)
    assert t["wbc"] == pytest.approx(2 / 3 * 2 * 0.5 * 0.02)
    assert t["score"] == pytest.approx((0.61**2 + 0.35**2 + 0.1**2) / 3)


def test_log_loss_terms_by_hand():
    t = measure("murphy_reliability(rule='log_loss')")(pairs([0.61, 0.65, 0.9], [0, 1, 1])).details
    h, f = np.log(2), 0.63
    divergence = -0.5 * np.log(f) - 0.5 * np.log(1 - f) - h
    assert t["rel"] == pytest.approx((2 * divergence - np.log(0.9)) / 3)
    assert t["unc"] == pytest.approx(-2 / 3 * np.log(2 / 3) - 1 / 3 * np.log(1 / 3))
    assert t["unc"] - t["res"] == pytest.approx(2 / 3 * h)
    logit = [np.log(x / (1 - x)) for x in (0.61, 0.65)]
    assert t["wbc"] == pytest.approx(2 / 3 * np.mean([-0.5 * logit[0], 0.5 * logit[1]]))
    assert t["score"] == pytest.approx(-(np.log(0.39) + np.log(0.65) + np.log(0.9)) / 3)


@pytest.mark.parametrize("name", ["plain", "weights", "soft", "real_weights"])
@pytest.mark.parametrize("rule", ["brier", "log_loss"])
def test_terms_equal_slow_loops(name, rule):
    rows = make(name)
    w, f, o = rows.row_weights, rows.summary.confidence, rows.summary.correct
    loss = {
        "brier": lambda f, o: o * (1 - f) ** 2 + (1 - o) * f**2,
        "log_loss": lambda f, o: -sum(q * np.log(p) for q, p in ((o, f), (1 - o, 1 - f)) if q > 0),
    }[rule]
    cells = {}
    for i in np.flatnonzero(w > 0):
        cells.setdefault(int(np.ceil(f[i] * 15)), []).append(i)
    mean = float(np.average(o, weights=w))
    t = dict.fromkeys(("rel", "res", "wbv", "wbc", "score"), 0.0)
    for cell in cells.values():
        fb, ob = np.average(f[cell], weights=w[cell]), np.average(o[cell], weights=w[cell])
        for i in cell:
            share = w[i] / w.sum()
            t["rel"] += share * (loss(fb, ob) - loss(ob, ob))
            t["res"] += share * (loss(mean, ob) - loss(ob, ob))
            t["wbv"] += share * (loss(f[i], ob) - loss(fb, ob))
            t["wbc"] += share * (o[i] - ob) * (loss(f[i], 0) - loss(f[i], 1))
            t["score"] += share * loss(f[i], o[i])
    found = measure(f"murphy_reliability(rule='{rule}')")(rows).details
    assert {name: found[name] for name in t} == pytest.approx(t, abs=ROUNDING)


def test_a_confidence_that_rounds_to_one_is_not_certain():
    rows = Predictions.from_logits([[60.0, 0.0], [60.0, 0.0], [5.0, 0.0]], [1, 0, 0])  # all in the last bin
    t = measure("murphy_reliability(rule='log_loss')")(rows).details
    assert t["score"] == pytest.approx((60 + np.log1p(np.exp(-5))) / 3, rel=1e-12)
    assert t["score"] == pytest.approx(t["rel"] - t["res"] + t["unc"] + t["wbv"] - t["wbc"], rel=1e-12)


def test_certain_scores_leave_one_finite_term_within():
    t = measure("murphy_reliability(rule='log_loss')")(pairs([1.0, 0.95, 0.95], [1, 1, 0])).details
    assert np.isinf(t["wbv"])
    assert np.isfinite([t["rel"], t["res"], t["within"], t["score"]]).all()
    wrong = measure("murphy_reliability(rule='log_loss')")(pairs([1.0, 1.0], [1, 0]))
    assert float(wrong) == np.inf


def test_the_reliability_is_the_squared_gap():
    rows = make("plain")
    assert float(measure("murphy_reliability")(rows)) == pytest.approx(float(measure("rmsce")(rows)) ** 2)
    dense = pairs(np.repeat([0.55, 0.7, 0.95], 8), np.tile([1, 1, 0, 1], 6))
    debiased = float(measure("murphy_reliability(debiased=True)")(dense))
    assert debiased == pytest.approx(float(measure("squared_ce(binning='width')")(dense)), abs=ROUNDING)


@pytest.mark.parametrize("rates", [(0.7, 0.95), (0.4, 0.8)])
def test_debiased_reliability_is_unbiased_given_the_scores(rates):
    f, rate = np.repeat([0.7, 0.95], 3), np.repeat(rates, 3)
    metric, expected = measure("murphy_reliability(debiased=True)"), 0.0
    for o in product([0, 1], repeat=6):
        chance = np.prod(np.where(o, rate, 1 - rate))
        expected += chance * float(metric(pairs(f, o)))
    truth = np.mean((rate - f) ** 2)
    assert expected == pytest.approx(truth, abs=1e-14)  # 64 rounded terms


def test_debiased_uncertainty_is_unbiased_for_independent_rows():
    # Each row is drawn from two scores with their own rates: all samples of four rows.
    kinds = [(f, o, 0.5 * (r if o else 1 - r)) for f, r in ((0.7, 0.4), (0.95, 0.9)) for o in (0, 1)]
    metric, expected, plain = measure("murphy_reliability(debiased=True)"), 0.0, 0.0
    for sample in product(kinds, repeat=4):
        chance = np.prod([c for _, _, c in sample])
        rows = pairs([f for f, _, _ in sample], [o for _, o, _ in sample])
        expected += chance * metric(rows).details["unc"]
        plain += chance * measure("murphy_reliability")(rows).details["unc"]
    assert expected == pytest.approx(0.65 * 0.35, abs=1e-13)  # 256 rounded terms
    assert plain == pytest.approx(0.65 * 0.35 * 3 / 4, abs=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("rule='spherical'", "rule must be 'brier' or 'log_loss'"),
        ("bins=0", "bins must be a positive whole number"),
        ("debiased=1", "debiased must be True or False"),
        ("rule='log_loss', debiased=True", "rule must be 'brier' for the debiased terms"),
        ("notion='top_label'", "notion must have all rows in each column"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(DataError, match=message):
        measure(f"murphy_reliability({options})")


def test_bins_of_one_row_are_told():
    confidence, correct = np.array([0.55, 0.65, 0.94, 0.95]), np.array([1, 0, 1, 1])
    found = measure("murphy_reliability(debiased=True)")(Predictions.binary(confidence, correct))
    assert found.notes == ("50.0% of the weight is alone in its bin, where no noise can be taken out",)
    assert measure("murphy_reliability")(Predictions.binary(confidence, correct)).notes == ()
