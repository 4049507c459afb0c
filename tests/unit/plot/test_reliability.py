"""The record of a reliability diagram, against numbers on paper and against the measures."""

import numpy as np
import pytest
import scipy

from calibrant import Predictions, metrics
from calibrant.errors import DataError
from calibrant.plot import reliability
from simulation import simulate

# Two bins hold rows: confidence 0.4 (one of two right) and 0.8 (three of four right).
SCORES = np.array([[0.4, 0.3, 0.3]] * 2 + [[0.1, 0.8, 0.1]] * 4)
LABELS = np.array([0, 2, 1, 1, 1, 0])


@pytest.fixture(scope="module")
def paper():
    return reliability.prepare(Predictions.from_probabilities(SCORES, LABELS), bins=5, replicates=50)


def test_bins_on_paper(paper):
    np.testing.assert_array_equal(paper.rows, [0, 2, 0, 4, 0])
    np.testing.assert_allclose(paper.mean_scores[[1, 3]], [0.4, 0.8])
    np.testing.assert_allclose(paper.outcome_rates[[1, 3]], [0.5, 0.75])
    np.testing.assert_allclose(paper.shares, [0, 1 / 3, 0, 2 / 3, 0])
    np.testing.assert_allclose(paper.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])


def test_figures_on_paper(paper):
    assert paper.n == 6
    assert paper.mean_score == pytest.approx(4 / 6)
    assert paper.outcome_rate == pytest.approx(4 / 6)
    assert paper.error == pytest.approx(0.1 / 3 + 0.05 * 2 / 3)
    assert paper.least_score == pytest.approx(1 / 3)


def test_sides_of_the_diagonal(paper):
    np.testing.assert_array_equal(paper.under, [False, True, False, False, False])
    np.testing.assert_array_equal(paper.over, [False, False, False, True, False])
    assert not paper.beyond.any()  # two and four rows are no evidence


def test_an_empty_bin_says_nothing(paper):
    empty = ~paper.filled
    for column in (paper.mean_scores, paper.outcome_rates, paper.shares, paper.low, paper.high):
        assert not column[empty].any()
    assert not (paper.over | paper.under | paper.beyond)[empty].any()


def test_the_band_holds_the_quantiles_of_the_binomial():
    n, p = 200, 0.7
    batch = Predictions.from_probabilities(np.tile([p, 1 - p], (n, 1)), np.zeros(n, dtype=int))
    drawn = reliability.prepare(batch, bins=10, level=0.9)
    b = int(np.flatnonzero(drawn.filled)[0])
    assert [drawn.low[b], drawn.high[b]] == list(scipy.stats.binom(n, p).ppf([0.05, 0.95]) / n)
    assert drawn.beyond[b]  # all right where 70% are said


def test_weights_are_repetitions():
    weighted = reliability.prepare(Predictions.from_probabilities(SCORES, LABELS, weights=[1, 2, 0, 1, 3, 1]), bins=5)
    rows = [0, 1, 1, 3, 4, 4, 4, 5]
    repeated = reliability.prepare(Predictions.from_probabilities(SCORES[rows], LABELS[rows]), bins=5)
    for name in ("mean_scores", "outcome_rates", "shares"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), err_msg=name)
    np.testing.assert_array_equal(weighted.rows, [0, 2, 0, 3, 0])  # the row of weight zero is not there
    assert weighted.error == pytest.approx(repeated.error)


def test_agrees_with_the_measure():
    batch = simulate(500, temperature=2.0)
    for bins in (1, 10, 15):
        assert reliability.prepare(batch, bins=bins, replicates=2).error == float(metrics.ece(batch, bins=bins))


def test_over_confidence_is_beyond_the_band_and_calibration_is_not():
    over = reliability.prepare(simulate(4000, temperature=3.0))
    many = over.rows > 200
    assert (over.over & over.beyond)[many].all()
    fair = reliability.prepare(simulate(4000), level=0.999)
    assert not fair.beyond.any()  # 15 bins leave a band of 99.9% by chance in one of 67 seeds, and not with this one


def test_same_seed_same_bootstrap():
    batch = simulate(300)
    one, same, other = (reliability.prepare(batch, band="bootstrap", replicates=40, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.low, same.low)
    assert (one.low != other.low).any()


def test_soft_labels_are_expectations():
    soft = np.zeros((6, 3))
    soft[np.arange(6), LABELS] = 0.5
    soft[np.arange(6), (LABELS + 1) % 3] += 0.5
    drawn = reliability.prepare(Predictions.from_probabilities(SCORES, soft), bins=5, replicates=10)
    # labels 0, 2 leave half of each on class 0; 1, 1, 1, 0 leave half of each on class 1
    np.testing.assert_allclose(drawn.outcome_rates[[1, 3]], [0.5, 0.5])


def test_the_interval_of_rows_that_agree_is_not_a_point():
    soft = np.tile([0.7, 0.2, 0.1], (6, 1))
    drawn = reliability.prepare(Predictions.from_probabilities(SCORES, soft), bins=5, band="bootstrap", replicates=20)
    low, high = scipy.stats.beta.ppf([0.025, 0.975], [2 * 0.7, 2 * 0.7 + 1], [2 * 0.3 + 1, 2 * 0.3])
    np.testing.assert_allclose([drawn.low[1], drawn.high[1]], [low, high])  # Clopper and Pearson, two rows
    right = reliability.prepare(Predictions.from_probabilities(SCORES, [0, 0, 1, 1, 1, 1]), bins=5, band="bootstrap")
    np.testing.assert_allclose([right.low[3], right.high[3]], [0.025 ** (1 / 4), 1])  # all four right


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"replicates": 0}, "replicates must be at least 1"),
        ({"band": "normal"}, "band must be 'consistency' or 'bootstrap'"),
    ],
)
def test_choices_are_checked(choice, words):
    with pytest.raises(DataError, match=words):
        reliability.prepare(Predictions.from_probabilities(SCORES, LABELS), **choice)


def test_labels_are_needed():
    with pytest.raises(DataError, match="have labels to be drawn"):
        reliability.prepare(Predictions.from_probabilities(SCORES))
