"""Temperatures that can be found on paper, and every edge of the likelihood."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, logit, softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError

M = 20  # pseudo-rows that act at an edge


def drawn(n, k, heat, seed=0):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    return z, np.argmax(z / heat + rng.gumbel(size=z.shape), axis=1)


def slope(beta, z, labels):
    p = softmax(beta * z, axis=1)
    return ((p * z).sum(1) - z[np.arange(len(z)), labels]).mean()


def test_two_of_three_right():
    # sigma(beta) = 2/3 at margin 1, so beta = ln 2
    learnt = fit(Predictions.from_logits([[1, 0], [1, 0], [1, 0]], [0, 0, 1]), "temperature")
    assert learnt.beta == pytest.approx(np.log(2), rel=1e-6)
    assert learnt.temperature == pytest.approx(1 / np.log(2), rel=1e-6)


def test_weight_is_a_share_of_the_rows():
    learnt = fit(Predictions.from_logits([[1, 0], [1, 0]], [0, 1], weights=[3, 1]), "temperature")
    assert learnt.beta == pytest.approx(np.log(3), rel=1e-6)  # sigma(beta) = 3/4


def test_soft_labels_are_expectations():
    learnt = fit(Predictions.from_logits([[1, 0]], [[0.75, 0.25]]), "temperature")
    assert learnt.beta == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_optimum_against_root_finder(scale, heat):
    z, labels = drawn(500, 4, heat)
    z = z * scale + 100 * scale
    exact = brentq(slope, 1e-9 / scale, 1e3 / scale, args=(z, labels), xtol=1e-14 / scale, rtol=1e-14)
    learnt = fit(Predictions.from_logits(z, labels), "temperature")
    loss = [-log_softmax(b * z, axis=1)[np.arange(500), labels].mean() for b in (learnt.beta, exact)]
    assert loss[0] - loss[1] <= 1e-9  # the certificate
    assert learnt.record.converged


def test_many_rows_start_from_a_thin_sample():
    z, labels = drawn(30_000, 3, 2.0)
    learnt = fit(Predictions.from_logits(z, labels), "temperature")
    exact = brentq(slope, 0.01, 10, args=(z, labels), xtol=1e-14)
    assert learnt.beta == pytest.approx(exact, rel=1e-6)
    assert learnt.record.iterations <= 3


@pytest.mark.parametrize("thin", ["separable", "inverted"])
def test_a_thin_sample_that_misleads_costs_passes_only(thin):
    z, labels = drawn(20_000, 3, 2.0)
    every = slice(None, None, 16)
    labels[every] = z[every].argmax(1) if thin == "separable" else z[every].argmin(1)
    learnt = fit(Predictions.from_logits(z, labels), "temperature")
    assert learnt.beta == pytest.approx(brentq(slope, 1e-3, 10, args=(z, labels), xtol=1e-14), rel=1e-6)


@pytest.mark.parametrize("n", [1, 30, 5000])
def test_all_rows_right(n):
    # one margin of 1 in all rows: 1 - sigma(beta) = rho (1 - sigma(1)) with rho = m / (n + m)
    learnt = fit(Predictions.from_logits(np.tile([1.0, 0.0], (n, 1)), np.zeros(n, int)), "temperature")
    assert learnt.beta == pytest.approx(logit(1 - M / (n + M) * expit(-1)), rel=1e-6)
    assert "prior" in learnt.record.message


def test_the_prior_counts_effective_rows():
    # Kish's number of the weights 3 and 1 is 16 / 10
    learnt = fit(Predictions.from_logits([[1, 0], [1, 0]], [0, 0], weights=[3, 1]), "temperature")
    assert learnt.beta == pytest.approx(logit(1 - M / (1.6 + M) * expit(-1)), rel=1e-6)


def test_ties_for_the_top_are_right():
    learnt = fit(Predictions.from_logits([[1, 1, 0], [1, 1, 0], [0, 1, 1]], [0, 1, 2]), "temperature")
    assert "prior" in learnt.record.message
    assert 1 < learnt.beta < 2


def test_soft_labels_on_ties_for_the_top_are_right():
    batch = Predictions.from_probabilities([[0.4, 0.4, 0.2]], [[0.5, 0.5, 0.0]])
    assert "prior" in fit(batch, "temperature").record.message


def test_worse_than_chance():
    # always wrong at margin 1: sigma(beta) = rho sigma(1) has no positive root once rho < 1 / (2 sigma(1))
    one = fit(Predictions.from_logits([[1.0, 0.0]], [1]), "temperature")
    assert one.beta == pytest.approx(logit(M / (1 + M) * expit(1)), rel=1e-6)
    for n in (980, 19_980):  # the second is started from a thin sample
        many = fit(Predictions.from_logits(np.tile([1.0, 0.0], (n, 1)), np.ones(n, int)), "temperature")
        assert many.beta == pytest.approx(M / (n + M))


def test_exactly_uninformative_scores():
    learnt = fit(Predictions.from_logits([[1, 0], [1, 0]], [0, 1]), "temperature")  # g(0) = 0: an edge
    assert 0 < learnt.beta < 1
    assert "prior" in learnt.record.message


@pytest.mark.parametrize("scores", [[[2.0, 2.0, 2.0]], [[-1e6, -1e6, -1e6]]])
def test_scores_that_say_nothing_keep_their_temperature(scores):
    assert fit(Predictions.from_logits(scores, [1]), "temperature").beta == 1.0


def test_a_prior_on_request_lies_between_the_likelihood_and_one():
    z, labels = drawn(100, 3, 3.0)
    betas = [fit(Predictions.from_logits(z, labels), s).beta for s in ("temperature", "temperature(prior=50.0)")]
    assert betas[0] < betas[1] < 1
    assert slope(betas[1], z, labels) == pytest.approx(50 / 150 * slope(1.0, z, labels), abs=1e-7)


def test_logits_stay_logits_in_their_precision():
    z, labels = drawn(50, 3, 2.0)
    learnt = fit(Predictions.from_logits(z.astype(np.float32), labels), "temperature")
    mapped = learnt(Predictions.from_logits(z.astype(np.float32)))
    assert mapped.kind == "logit"
    assert mapped.scores.dtype == np.float32
    np.testing.assert_array_equal(mapped.scores, z.astype(np.float32) * np.float32(learnt.beta))


def test_zeros_count_as_half_the_smallest_positive_score():
    batch = Predictions.from_probabilities([[0.7, 0.2, 0.1], [0.9, 0.1, 0.0], [0.6, 0.4, 0.0]], [0, 1, 2])
    learnt = fit(batch, "temperature")
    assert learnt.floor == 0.05
    expected = softmax(learnt.beta * np.log([0.9, 0.1, 0.05]))
    np.testing.assert_allclose(learnt(batch).scores[1], expected, rtol=1e-12)  # a handful of roundings
    assert fit(batch, "temperature(zero=0.01)").floor == 0.01


def test_minus_infinity_counts_as_half_the_smallest_positive_probability():
    p = np.array([[0.7, 0.2, 0.1], [0.9, 0.1, 0.0], [0.6, 0.4, 0.0]])
    with np.errstate(divide="ignore"):
        learnt = fit(Predictions.from_logits(np.log(p), [0, 1, 2]), "temperature")
    other = fit(Predictions.from_probabilities(p, [0, 1, 2]), "temperature")
    assert learnt.floor == pytest.approx(0.05, rel=1e-12)  # exp and log of 0.1
    assert learnt.beta == pytest.approx(other.beta, rel=1e-6)


def test_single_precision_does_not_undo_a_positive_probability():
    p = np.array([[1, 1e-38, 0], [1, 1e-30, 0]], np.float32)
    mapped = fit(Predictions.from_probabilities(p, [0, 0]), "temperature")(Predictions.from_probabilities(p)).scores
    assert (mapped >= np.finfo(np.float32).tiny).all()


@pytest.mark.parametrize("prior", [0, -1.0, np.inf, np.nan])
def test_prior_must_be_positive(prior):
    with pytest.raises(DataError, match=r"prior must be positive and finite, or None, got .*; None pulls only"):
        fit(Predictions.from_logits([[1, 0]], [0]), f"temperature(prior={prior!r})".replace("nan", "0"))


@pytest.mark.parametrize("zero", [0.0, 1.0, -0.1, 0])
def test_zero_must_be_a_probability(zero):
    with pytest.raises(DataError, match=r"zero must lie in \(0, 1\) or be None, got"):
        fit(Predictions.from_logits([[1, 0]], [0]), f"temperature(zero={zero})")


@pytest.mark.parametrize("size", [1e-100, 1e-20, 1e20])
def test_logits_of_any_size(size):
    learnt = fit(Predictions.from_logits([[size, 0], [size, 0], [size, 0]], [0, 0, 1]), "temperature")
    assert learnt.beta * size == pytest.approx(np.log(2), rel=1e-6)
    assert learnt.record.iterations < 40


def test_logits_beyond_all_bounds_are_refused():
    with pytest.raises(DataError, match=r"logits must differ by less than 1e\+30 within a row, got 1e\+200"):
        fit(Predictions.from_logits([[1e200, 0.0], [1e200, 0.0], [1e200, 0.0]], [0, 0, 1]), "temperature")
