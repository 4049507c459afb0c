"""Coverage of the intervals, by seeded simulation with a stated false-failure rate."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.evaluation import evaluate, intervals
from calibrant.evaluation.intervals import percentile
from calibrant.metrics import measure
from calibrant.statistics import BinSums
from simulation import simulate

REPEATS = 40


def truth(spec, temperature):
    """Return the population value of the binned functional, from 400,000 rows with labels in expectation."""
    rng = np.random.default_rng(99)
    z = rng.normal(size=(400_000, 4)) * 2
    p, q = (np.exp(s) / np.exp(s).sum(1, keepdims=True) for s in (z, z / temperature))
    return float(measure(spec)(Predictions.from_probabilities(p, q)))


@pytest.mark.parametrize("temperature", [1.0, 1.15, 1.6])
@pytest.mark.parametrize(
    ("spec", "functional"),
    [("ece", "ece"), ("sce", "sce"), ("squared_ce(binning='width')", "rmsce(root=False)")],
)
def test_coverage_of_the_binned_population_value(spec, functional, temperature):
    target = truth(functional, temperature)
    inside = without = 0
    for seed in range(REPEATS):
        estimate = evaluate(simulate(1500, temperature, seed=seed), [spec], replicates=60, seed=seed).measures[0]
        if estimate.low is None:
            without += intervals.TOO_LOW in estimate.notes
        else:
            inside += estimate.low - 1e-12 <= target <= estimate.high + 1e-12
    # Values lower than noise makes them are 1 in 40 at a calibrated model; 6 of 40 are less than once in 1,000.
    assert without <= 5
    # At a true coverage of .92, 40 repeats give 30 or fewer once in 1,000.
    assert inside + without >= 31


def test_the_percentile_interval_is_as_skewed_as_the_replicates():
    replicates = np.linspace(1.0, 3.0, 201) ** 2
    low, high = percentile(replicates, 0.9)
    assert low == pytest.approx(1.1**2, abs=0.05)  # the grid of 201 replicates
    assert high == pytest.approx(2.9**2, abs=0.05)


def test_the_interval_of_a_mean_stays_in_its_range():
    confidence, correct = np.full(60, 0.98), np.arange(60) > 0
    found = evaluate(Predictions.binary(confidence, correct), ["accuracy", "brier", "log_loss"], replicates=200)
    assert found["accuracy"].high <= 1
    assert found["brier"].low > 0
    assert found["log_loss"].low > 0


def test_no_interval_from_replicates_that_do_not_vary_or_are_infinite():
    assert percentile(np.ones(50), 0.95) is None
    assert percentile(np.full(50, np.inf), 0.95) is None


def one_column(scores, rates, rows):
    """Return the sums of one column of bins with these mean scores, outcome rates and rows."""
    scores, rates, rows = (np.array([values], dtype=float) for values in (scores, rates, rows))
    return BinSums(
        edges=np.linspace(0, 1, rows.shape[1] + 1),
        rows=rows.astype(np.int64),
        weight=rows,
        score=rows * scores,
        outcome=rows * rates,
        square_weight=rows,
        n=int(rows.sum()),
        mass=float(rows.sum()),
    )


def test_shifted_gaps_move_by_their_deviations_smallest_first_and_are_as_observed_at_1():
    gaps, spread = np.array([[-0.4, 0.1, 0.02, 0.3]]), np.array([[0.1, 0.1, 0.1, 0.0]])
    shape = intervals._shifted(gaps, spread)
    np.testing.assert_allclose(shape(0.0), [[0.0, 0.0, 0.0, 0.3]])  # what has no noise stays
    np.testing.assert_allclose(shape(1.0), gaps)
    np.testing.assert_allclose(shape(0.8), [[-0.2, 0.0, 0.0, 0.3]])  # by 0.2 x 10 deviations
    np.testing.assert_allclose(shape(1.1), [[-0.5, 0.2, 0.12, 0.3]])


def test_a_bin_is_sparse_where_the_labels_show_few_of_an_outcome_whatever_the_model_expects():
    sums = one_column([0.99, 0.99, 0.5, 0.9], [0.8, 1.0, 1.0, 1.0], [100, 100, 8, 100])
    assert intervals._sparse(sums, sums.rows).tolist() == [[False, True, True, True]]
    assert intervals._sparse(sums, sums.rows / 5).tolist() == [[True, True, True, True]]


def test_units_are_kishs_rows_and_ids_once_the_replicates_are_clear():
    rng = np.random.default_rng(0)
    rows, weights = np.array([400, 400, 400, 0]), [np.ones(400), rng.gamma(0.5, size=400), np.ones(400), np.zeros(0)]
    ids = [np.arange(400), np.arange(400), np.arange(400) // 10, np.arange(0)]
    own = [np.bincount(of, w) for of, w in zip(ids, weights, strict=True)]
    boot = np.stack([[[rng.poisson(1, len(w)) @ w for w in own]] for _ in range(400)])
    sums = replace(one_column([0.5] * 4, [0.5] * 4, rows), weight=np.array([[w.sum() for w in weights]]))
    units = intervals.independent_units(sums, boot)[0]
    assert units[[0, 3]].tolist() == [400, 0]
    kish = weights[1].sum() ** 2 / (weights[1] @ weights[1])
    # a variance of 400 replicates has a standard error of 7 %, or, from 40 ids of Poisson(1), a little more
    np.testing.assert_allclose(units[1:3], [kish, 40], rtol=0.3)


@pytest.mark.parametrize("spec", ["ece", "rmsce", "squared_ce"])
@pytest.mark.parametrize(("rows", "confidence"), [(100, 0.94), (1000, 0.99)])
def test_no_interval_where_no_label_is_wrong_though_the_model_expects_some(spec, rows, confidence):
    batch = Predictions.binary(np.full(rows, confidence), np.ones(rows, dtype=int))
    found = evaluate(batch, [spec])[spec]
    assert found.low is None
    assert found.notes[-1] == intervals.BLIND


def test_no_interval_where_the_value_is_lower_than_noise_would_make_it():
    batch = Predictions.binary(np.full(100, 0.7), (np.arange(100) < 70).astype(int))
    found = evaluate(batch, ["ece"])["ece"]
    assert found.value == pytest.approx(0, abs=1e-12)
    assert (found.low, found.notes[-1]) == (None, intervals.TOO_LOW)


def test_no_interval_of_a_value_that_is_no_number():
    rng = np.random.default_rng(1)
    p = rng.random(12) * 0.5 + 0.5
    found = evaluate(Predictions.binary(p, (rng.random(12) < p).astype(int)), ["squared_ce"])["squared_ce"]
    assert np.isnan(found.value)
    assert (found.low, found.null, found.null_low) == (None, None, None)
    assert any("no null level" in note for note in found.notes)


@pytest.mark.parametrize("ids", [None, 10])
def test_no_interval_from_bins_with_few_independent_outcomes(ids):
    rng = np.random.default_rng(0)
    n, repeat = (1000, 1) if ids is None else (100, ids)
    p = np.repeat(rng.uniform(0.5, 1, n), repeat)
    labels = np.repeat(rng.random(n), repeat) < p
    alike = {"ids": np.repeat(np.arange(n), repeat)} if ids else {"weights": np.exp(2 * rng.normal(size=n))}
    assert evaluate(Predictions.binary(p, labels), ["ece"])["ece"].low is not None
    assert evaluate(Predictions.binary(p, labels, **alike), ["ece"])["ece"].low is None


def test_redrawn_noise_is_scaled_to_the_rate_seen_with_one_further_expected_outcome():
    sums = one_column([0.02, 0.98], [0.0, 0.96], [100, 100])
    # expected 2 outcomes: seen 0, so (0 + 1) / (2 + 1) of the rate; seen 4, so (4 + 1) / 3 of it.
    rates = 0.02 * np.array([1 / 3, 5 / 3])
    np.testing.assert_allclose(intervals._redrawn_scale(sums, sums.rows)[0] ** 2, rates * (1 - rates) / (0.02 * 0.98))


def test_replicates_are_taken_with_their_own_shares_of_the_bins():
    sums = one_column([0.5, 0.5], [0.5, 0.9], [500, 500])  # gaps 0 and 0.4, so the ECE is .4 times the second share
    boot = [
        replace(sums, weight=w, outcome=w * sums.outcome_rates, score=w * sums.mean_scores)
        for w in (np.array([[500.0 - d, 500.0 + d]]) for d in range(-40, 41, 2))
    ]
    low, high = intervals.binned(measure("ece(bins=2)"), sums, boot, [sums], 0.95)
    # No noise in the gaps: .2 = size x .4 x share with shares of .462 to .538, and the truth is size x .4 x .5.
    assert (low, high) == pytest.approx((0.2 * 0.5 / 0.538, 0.2 * 0.5 / 0.462), rel=1e-4)


def test_a_bin_without_noise_does_not_widen_the_interval_of_the_others():
    rng = np.random.default_rng(0)
    confidence = np.where(rng.random(2000) < 0.5, 1 - 1e-16, 0.7)  # half the rows are sure, and always right
    correct = (confidence > 0.9) | (rng.random(2000) < 0.6)
    estimate = evaluate(Predictions.binary(confidence, correct), ["squared_ce", "ace"], replicates=60)
    for found in estimate.measures:
        assert found.value < found.high < 3 * found.value


def test_recalibrated_gaps_are_those_of_one_logistic_recalibration_of_all_columns():
    score = np.array([[0.1, 0.3, 0.6], [0.2, 0.5, 0.9]])
    gaps = score * (1 - score) * (0.02 - 0.1 * np.log(score / (1 - score)))
    first, second = (
        one_column(score[c], score[c] + gaps[c], rows) for c, rows in enumerate([[50, 70, 80], [90, 0, 60]])
    )
    planes = ("rows", "weight", "score", "outcome", "square_weight")
    both = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in planes}
    gaps[1, 1] = 0.0  # a bin without rows has no gap
    np.testing.assert_allclose(intervals._recalibrated(replace(first, **both)), gaps, atol=1e-12)


def test_resampled_noise_is_that_of_an_unbiased_variance():
    sums = one_column([0.5], [0.4], [20])
    boot = [replace(sums, outcome=np.array([[outcome]])) for outcome in (6.0, 10.0)]
    np.testing.assert_allclose(
        intervals._noise(sums, sums.rows, boot, boot)[:, 0, 0], np.array([-0.1, 0.1]) * np.sqrt(20 / 19)
    )


@pytest.mark.parametrize("certain", [60, 200])
def test_scores_that_round_above_one_stay_in_the_bins_of_a_threshold(certain):
    p = np.random.default_rng(0).dirichlet(np.ones(3), 200).astype(np.float32)
    p[:certain], above = [1, 0, 0], np.nextafter(np.float32(1), np.float32(2))
    labels = np.where(np.arange(200) % 4, p.argmax(1), 1)
    one = evaluate(Predictions.from_probabilities(p, labels), ["tace"], replicates=40)["tace"]
    p[:certain, 0] = above
    other = evaluate(Predictions.from_probabilities(p, labels), ["tace"], replicates=40)["tace"]
    for name in ("value", "null", "null_low", "null_high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-6)  # roundings of float32
    assert (other.low is None) == (one.low is None)
