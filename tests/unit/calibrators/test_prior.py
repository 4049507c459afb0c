"""Ratios of frequencies that can be done on paper."""

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.calibrators import PriorCorrection
from calibrant.errors import CapabilityError, DataError

P = np.array([[0.5, 0.5], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7]])
Y = np.array([0, 0, 1, 1])


def fitted(spec, p=P, labels=Y, **columns):
    return calibrant.fit(Predictions.from_probabilities(p, labels, **columns), spec)


def test_known_frequencies():
    learnt = fitted("prior(target=(0.9, 0.1), source=(0.5, 0.5))")
    # odds 1 times 9 / 1; odds 4 times 9
    assert learnt(Predictions.from_probabilities(P)).probabilities[:2] == pytest.approx(
        np.array([[0.9, 0.1], [36 / 37, 1 / 37]]), rel=1e-12
    )


def test_a_resampling_is_undone():
    # trained on half and half, in truth one in a hundred: what looked even is 1 to 99
    learnt = fitted("prior(target=(0.01, 0.99), source=(0.5, 0.5))")
    assert learnt(Predictions.from_probabilities(P)).probabilities[0, 0] == pytest.approx(0.01, rel=1e-12)


def test_source_by_the_mean_prediction():
    mean = P.mean(0)
    learnt = fitted(PriorCorrection(target=tuple(mean.tolist())))
    assert learnt.shift == pytest.approx([0, 0], abs=1e-15)
    weighted = fitted("prior", weights=[3, 1, 0, 0])
    assert weighted.shift == pytest.approx(-np.log([(3 * 0.5 + 0.8) / 2, (3 * 0.5 + 0.2) / 2]), rel=1e-12)


def test_source_by_labels():
    learnt = fitted("prior(source='labels', target=(0.5, 0.5))", weights=[1, 2, 3, 4])
    assert learnt.shift == pytest.approx(np.log([0.5 / 0.3, 0.5 / 0.7]), rel=1e-12)
    soft = fitted("prior(source='labels')", labels=np.array([[1, 0], [0.5, 0.5], [0, 1], [0.1, 0.9]]))
    assert soft.shift == pytest.approx(np.log([0.5 / 0.4, 0.5 / 0.6]), rel=1e-12)


def test_behind_a_calibrated_map():
    rng = np.random.default_rng(0)
    z = 3 * rng.normal(size=(400, 3))
    batch = Predictions.from_logits(z, np.argmax(z / 2 + rng.gumbel(size=z.shape), axis=1))
    first = calibrant.fit(batch, "bias_corrected_temperature")
    learnt = calibrant.fit(batch, "prior(target=(0.2, 0.3, 0.5), method='bias_corrected_temperature')")
    p = first(batch).probabilities
    expected = p * [0.2, 0.3, 0.5] / p.mean(0)
    assert learnt(batch).probabilities == pytest.approx(expected / expected.sum(1, keepdims=True), rel=1e-9)
    assert learnt.n_parameters == first.n_parameters + 2
    histogram = calibrant.fit(batch, "prior(method='histogram')")  # a map that gives probabilities
    assert histogram(batch).probabilities.sum(1) == pytest.approx(np.ones(400))


def test_a_target_of_zero_stays_positive():
    learnt = fitted("prior(target=(0.0, 1.0))")
    out = learnt(Predictions.from_probabilities(P, Y))
    assert (out.probabilities > 0).all()
    assert out.probabilities[:, 0].max() < 1e-300


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("target=(0.5, 0.6)", "target must sum to 1"),
        ("target=(1.5, -0.5)", "target must not be negative"),
        ("target='flat'", "'uniform'"),
        ("target=0.5", "one frequency a class"),
        ("source=(0.0, 1.0)", "source must be positive"),
        ("source='guessed'", "'predicted' or 'labels'"),
    ],
)
def test_wrong_frequencies_are_told(options, told):
    with pytest.raises(DataError, match=told):
        fitted(f"prior({options})")


def test_what_does_not_suit_is_declined():
    with pytest.raises(CapabilityError, match="target must have one frequency for each of the 2 classes"):
        fitted("prior(target=(0.2, 0.3, 0.5))")
    with pytest.raises(CapabilityError, match="none of '1'"):
        fitted("prior(source='labels')", labels=[0, 0, 0, 0])
