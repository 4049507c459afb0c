"""Sigmoids that can be found on paper, and certain scores."""

import numpy as np
import pytest
from scipy.special import expit, logit

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.formulas import NUMPY, normalized

EIGHT = {"s": [1, 1, 1, 1, -1, -1, -1, -1], "labels": [1, 1, 1, 0, 1, 0, 0, 0]}


def batch(s, labels, **columns):
    return Predictions.binary(expit(np.array(s, float)), labels, **columns)


def test_platts_targets_by_hand():
    # targets 5/6 and 1/6; their mean at s = 1 is (3 * 5/6 + 1/6) / 4 = 2/3, so sigma(a) = 2/3 and b = 0
    learnt = fit(batch(**EIGHT), "platt(prior=None)")
    np.testing.assert_allclose(learnt.slope, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(learnt.intercept, 0, atol=1e-7)


def test_platts_targets_count_effective_rows():
    # the same rows as weights: Kish's n of (3, 1, 1, 3) is 64/20 = 3.2, half of it in each class
    weighted = batch([1, 1, -1, -1], [1, 0, 1, 0], weights=[3, 1, 1, 3])
    high = (1.6 + 1) / (1.6 + 2)
    learnt = fit(weighted, "platt(prior=None)")
    np.testing.assert_allclose(learnt.slope, logit(0.75 * high + 0.25 * (1 - high)), rtol=1e-6)


def test_prior_by_hand():
    # beta: sigma(beta) = 3/4 at margin 1; labels and pseudo-labels then agree, whatever the prior
    for prior in (1.0, 20.0):
        learnt = fit(batch(**EIGHT), f"platt(prior={prior})")
        np.testing.assert_allclose(learnt.slope, np.log(3), rtol=1e-6)


def test_a_known_sigmoid_is_found():
    rng = np.random.default_rng(0)
    s = 3 * rng.normal(size=200_000)
    labels = (rng.random(200_000) < expit(0.6 * s + 0.5)).astype(int)
    learnt = fit(batch(s, labels), "platt")
    np.testing.assert_allclose(learnt.slope, 0.6, atol=0.02)  # standard error 0.004
    np.testing.assert_allclose(learnt.intercept, [-0.5, 0.5], atol=0.03)  # standard error 0.007


@pytest.mark.parametrize("kind", ["probability", "logit"])
def test_certain_scores(kind):
    rng = np.random.default_rng(1)
    z = np.round(40 * rng.normal(size=(200, 3)))
    labels = np.where(rng.random(200) < 0.8, z.argmax(1), rng.integers(3, size=200))
    whole = Predictions.from_logits(z, labels)
    whole = whole if kind == "logit" else whole.rescored(whole.probabilities, "probability")
    learnt = fit(whole, "platt")
    assert learnt.record.converged
    assert np.isfinite(learnt(whole).summary.label_log_probability).all()


def test_many_classes_take_few_passes():
    # once a class is fitted its promised gain drowns in rounding; it must not keep the others waiting
    rng = np.random.default_rng(2)
    z = 3 * rng.normal(size=(2000, 60))
    labels = np.argmax(z / 1.5 + rng.gumbel(size=z.shape), axis=1)
    learnt = fit(Predictions.from_logits(z, labels), "platt")
    assert learnt.record.converged
    assert learnt.record.iterations < 20


def test_row_whose_values_all_vanish_keeps_its_probabilities():
    out = normalized(NUMPY, np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([[0.3, 0.7], [0.5, 0.5]]))
    np.testing.assert_array_equal(out, [[0.3, 0.7], [0.25, 0.75]])
