"""Venn-Abers against its definition: two isotonic fits with the new row added."""

import numpy as np
import pytest
import scipy
from scipy.special import expit

from calibrant import Predictions
from calibrant.calibrators import fit, load
from calibrant.errors import CapabilityError, DataError
from calibrant.formulas import NUMPY
from calibrant.solvers.pava import with_one_more
from calibrant.solvers.rows import log_probabilities
from calibrant.testing import bank, check_calibrator


def isotonic(scores, labels, weights):
    """Return the isotonic fit at each row, ties pooled."""
    _, place = np.unique(scores, return_inverse=True)
    mass = np.bincount(place, weights)
    level = np.bincount(place, weights * labels) / mass
    return scipy.optimize.isotonic_regression(level, weights=mass).x[place]


def by_definition(scores, labels, weights, new):
    """Return p_0 and p_1 at a new score."""
    scores, weights = np.append(scores, new), np.append(weights, 1.0)
    return [isotonic(scores, np.append(labels, label), weights)[-1] for label in (0, 1)]


def drawn(seed, n, k):
    rng = np.random.default_rng(seed)
    logits = np.round(2 * rng.normal(size=(n, k)), 1)  # with ties
    return logits, (logits / 2 + rng.gumbel(size=(n, k))).argmax(1)


@pytest.mark.parametrize("seed", range(40))
def test_one_more_row_anywhere_is_a_new_isotonic_fit(seed):
    rng = np.random.default_rng(seed)
    m = rng.integers(1, 15)
    mass = rng.random(m) * 2 + 0.05 if seed % 2 else rng.integers(1, 4, m).astype(float)
    hits = mass * (rng.random(m) if seed % 3 else rng.integers(2, size=m))
    found = with_one_more(mass, hits)
    for label in (0, 1):
        for i, at in enumerate(np.eye(m)):
            level = scipy.optimize.isotonic_regression((hits + label * at) / (mass + at), weights=mass + at).x[i]
            assert found[label][i] == pytest.approx(level, abs=1e-12)  # sums of 15 terms


def test_by_hand():
    # scores -1, 0, 1, labels 0, 1, 1. At 0, label 0 added: (0), (1 + 0) / 2, (1); label 1: (0), 1, 1
    learnt = fit(Predictions.binary(expit([-1.0, 0.0, 1.0]), [0, 1, 1]), "venn_abers")
    lower, upper = learnt.intervals(Predictions.binary(expit([0.0, -2.0, 2.0, -0.5])))
    # at 2, label 0 is pooled with all three ones; at -2, label 1 with the one 0; at -0.5, label 0 with that 0
    np.testing.assert_allclose(lower[:, 1], [1 / 2, 0, 2 / 3, 0], atol=1e-12)
    np.testing.assert_allclose(upper[:, 1], [1, 1 / 2, 1, 1], atol=1e-12)
    merged = learnt(Predictions.binary(expit([0.0]))).scores[0, 1]
    assert merged == pytest.approx(1 / (1 - 1 / 2 + 1))


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_are_what_new_fits_give(weighted):
    logits, labels = drawn(0, 60, 2)
    weights = np.random.default_rng(1).random(60) + 0.5 if weighted else None
    batch = Predictions.from_logits(logits, labels, weights=weights)
    learnt = fit(batch, "venn_abers")
    new = np.concatenate([logits[:30], drawn(2, 30, 2)[0] + [0.0, 0.03], [[90.0, 0], [0, 90.0]]])
    mass = batch.row_weights * batch.effective_rows / batch.row_weights.sum()
    odds, given = (np.round(z[:, 1] - z[:, 0], 2) for z in (new, logits))
    truth = np.array([by_definition(given, labels, mass, s) for s in odds])
    lower, upper = learnt.intervals(Predictions.from_logits(new))
    np.testing.assert_allclose(np.stack([lower[:, 1], upper[:, 1]], axis=1), truth, atol=1e-12)
    np.testing.assert_allclose(lower[:, 0], 1 - upper[:, 1], atol=1e-12)
    merged = truth[:, 1] / (1 - truth[:, 0] + truth[:, 1])
    np.testing.assert_allclose(learnt(Predictions.from_logits(new)).probabilities[:, 1], merged, rtol=1e-12)


def test_the_end_of_the_interval_for_the_true_label_is_calibrated():
    """For a row left out it is the isotonic fit of all rows, whose values are the shares of labels in its blocks."""
    logits, labels = drawn(3, 40, 2)
    scores = logits[:, 1] - logits[:, 0]
    whole = isotonic(np.round(scores, 2), labels, np.ones(40))
    for i in range(40):
        rest = np.arange(40) != i
        learnt = fit(Predictions.from_logits(logits[rest], labels[rest]), "venn_abers")
        ends = learnt.intervals(Predictions.from_logits(logits[i : i + 1]))
        assert ends[labels[i]][0, 1] == pytest.approx(whole[i], abs=1e-12)


def test_each_class_against_the_rest():
    logits, labels = drawn(4, 50, 3)
    batch = Predictions.from_logits(logits, labels)
    p = batch.probabilities
    odds = np.log(p) - np.log(1 - p)
    rows = range(0, 50, 5)
    ends = np.array([[by_definition(odds[:, c], labels == c, np.ones(50), odds[i, c]) for c in range(3)] for i in rows])
    merged = ends[..., 1] / (1 - ends[..., 0] + ends[..., 1])
    found = fit(batch, "venn_abers")(batch).probabilities[::5]
    np.testing.assert_allclose(found, merged / merged.sum(1, keepdims=True), rtol=1e-9)


def test_pairs_are_coupled():
    logits, labels = drawn(5, 60, 3)
    batch = Predictions.from_logits(logits, labels)
    expected = []
    for row in logits[::6]:
        wins = np.full((3, 3), 0.5)
        for a, b in [(0, 1), (0, 2), (1, 2)]:
            kept = (labels == a) | (labels == b)
            given = np.round(logits[kept, a] - logits[kept, b], 2)
            low, high = by_definition(given, labels[kept] == a, np.ones(kept.sum()), np.round(row[a] - row[b], 2))
            wins[a, b] = high / (1 - low + high)
            wins[b, a] = 1 - wins[a, b]
        against = (1 / wins).sum(1) - 2  # without the class itself, whose 1 / 0.5 is 2
        expected.append(1 / (against - 1))
    expected = np.array(expected) / np.sum(expected, axis=1, keepdims=True)
    found = fit(batch, "venn_abers(strategy='one_vs_one')")(batch).probabilities[::6]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_strategies_agree_on_two_classes():
    batch = Predictions.from_logits(*drawn(6, 80, 2))
    one, other = (fit(batch, spec)(batch).probabilities for spec in ("venn_abers", "venn_abers(strategy='one_vs_one')"))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("strategy", ["one_vs_rest", "one_vs_one"])
def test_a_score_of_the_fit_stays_on_its_step_however_exp_and_log_round(strategy):
    batch = Predictions.from_logits(*drawn(7, 300, 3))
    learnt = fit(batch, f"venn_abers(strategy={strategy!r})")
    log_p = log_probabilities(batch, slice(None))
    for rounding in (-1e-15, 1e-15):
        shaken = learnt.formula(NUMPY, log_p * (1 + rounding))
        np.testing.assert_allclose(shaken, learnt(batch).probabilities, atol=1e-12)


@pytest.mark.parametrize("spec", ["venn_abers", "histogram"])
def test_zeros_elsewhere_in_a_row_do_not_split_equal_scores(spec):
    # class 0 always has 0.5; whether class 1 or 2 has the rest, or both share it, says nothing about class 0
    p = np.array([[0.5, 0.5, 0], [0.5, 0, 0.5], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [1, 0, 0]])
    scores, labels = np.repeat(p, 8, axis=0), np.tile([0, 0, 0, 1, 1, 2, 2, 0], 5)
    learnt = fit(Predictions.from_probabilities(scores, labels), spec)
    if spec == "venn_abers":
        assert np.ptp(learnt.intervals(Predictions.from_probabilities(p[:3]))[1][:, 0]) == 0
    else:
        assert np.isfinite(learnt.edges[0]).sum() == 2  # above 0.25 and above 0.5


def test_laws_of_pairs():
    some = ("biased", "ties", "class_missing", "soft_labels", "weights", "minus_infinity")
    check_calibrator("venn_abers(strategy='one_vs_one')", {name: bank()[name] for name in some})


def test_what_is_declined(tmp_path):
    batch = Predictions.from_logits(*drawn(8, 20, 3))
    pairs = load(fit(batch, "venn_abers(strategy='one_vs_one')").save(tmp_path / "map"))
    with pytest.raises(CapabilityError, match="map must treat each class against the rest, got pairs"):
        pairs.intervals(batch)
    with pytest.raises(CapabilityError, match="at most 100 classes for venn_abers of pairs, got 300 classes"):
        fit(bank()["many_classes"], "venn_abers(strategy='one_vs_one')")
    with pytest.raises(DataError, match="strategy must be 'one_vs_rest' or 'one_vs_one', got 'pairs'"):
        fit(batch, "venn_abers(strategy='pairs')")
    with pytest.raises(DataError, match="have the 3 classes of the map"):
        fit(batch, "venn_abers").intervals(Predictions.from_logits(*drawn(8, 20, 2)))
