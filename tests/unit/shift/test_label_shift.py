"""Known shifts are found again, better than by inverting a confusion matrix, with intervals that hold them."""

import json

import numpy as np
import pytest

import calibrant
from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.shift import estimate_priors, label_shift

K = 4
CENTRES = 1.2 * np.random.default_rng(9).normal(size=(K, 3))
SOURCE = np.array([0.4, 0.3, 0.2, 0.1])
TARGET = np.array([0.05, 0.15, 0.3, 0.5])


def drawn(priors, n, seed, heat=1.0, **columns):
    """Return rows of a mixture of normals with the logits of the source's true posterior, times ``heat``."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(K, n, p=priors)
    x = CENTRES[labels] + rng.normal(size=(n, 3))
    logits = np.log(SOURCE) - ((x[:, None] - CENTRES) ** 2).sum(2) / 2
    return Predictions.from_logits(heat * logits, labels, **columns)


def by_confusion(source, target):
    """The estimate of Lipton, Wang and Smola 2018: how often each class is predicted, through the confusion matrix."""
    joint = np.zeros((K, K))
    np.add.at(joint, (source.summary.top, source.labels), 1 / len(source))
    rates = np.bincount(target.summary.top, minlength=K) / len(target)
    found = np.maximum(np.linalg.solve(joint, rates) * joint.sum(0), 0)
    return found / found.sum()


def test_the_truth_is_found():
    source, target = drawn(SOURCE, 4000, 0), drawn(TARGET, 4000, 1)
    found = estimate_priors(target, source, replicates=0)
    # a frequency has a standard error of at most 1 / (2 sqrt(4000)) = .008 if labels are seen, here about twice that
    assert found.frequencies == pytest.approx(TARGET, abs=0.05)
    assert found.converged
    assert found.gain > 0.1
    assert found.low is None
    assert found.ratios == pytest.approx(found.frequencies / found.source)


def test_better_than_the_confusion_matrix():
    errors = []
    for seed in range(20):
        source, target = drawn(SOURCE, 1000, 2 * seed), drawn(TARGET, 500, 2 * seed + 1)
        found = estimate_priors(target, source, replicates=0).frequencies
        errors.append([np.abs(each - TARGET).sum() for each in (found, by_confusion(source, target))])
    by_likelihood, by_matrix = np.mean(errors, axis=0)
    assert by_likelihood < 0.8 * by_matrix


def test_source_rows_as_target_are_not_shifted():
    source = drawn(SOURCE, 500, 3)
    found = estimate_priors(source, source, replicates=0)
    assert found.frequencies == pytest.approx(found.source, abs=1e-4)  # sqrt of the certificate
    assert found.gain == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    hits = []
    for seed in range(25):
        found = estimate_priors(drawn(TARGET, 400, 100 + seed), SOURCE, replicates=60, level=0.9, seed=seed)
        hits.append((found.low <= TARGET) & (found.high >= TARGET))
    # 100 hits of chance .9, four and four dependent: within four standard errors of .03 each
    assert 0.78 <= np.mean(hits) <= 0.99


def test_whole_weights_are_repetitions_and_zero_is_absence():
    weights = np.random.default_rng(4).integers(0, 4, 300)
    target = drawn(TARGET, 300, 5)
    weighted = estimate_priors(target.reweighted(weights.astype(float)), SOURCE, replicates=0)
    repeated = estimate_priors(target.take(np.repeat(np.arange(300), weights)), SOURCE, replicates=0)
    assert weighted.frequencies == pytest.approx(repeated.frequencies, abs=1e-6)  # sqrt of the certificate
    assert weighted.rows == np.count_nonzero(weights)


def test_intervals_are_of_the_weighted_rows():
    target = drawn(TARGET, 1000, 14)
    weights = np.where(target.labels == 0, 50.0, 1.0)  # class 0 is most of what counts
    found = estimate_priors(target.reweighted(weights), SOURCE, replicates=50)
    assert found.frequencies[0] > 0.6
    assert ((found.low <= found.frequencies) & (found.frequencies <= found.high)).all()


def test_rows_with_one_id_are_drawn_together():
    target = drawn(TARGET, 200, 6)
    lonely = estimate_priors(target, SOURCE, replicates=100)
    ten = Predictions.from_logits(np.tile(target.scores, (10, 1)), ids=np.tile(np.arange(200), 10))
    together = estimate_priors(ten, SOURCE, replicates=100)
    width = [(one.high - one.low).mean() for one in (lonely, together)]
    assert width[1] == pytest.approx(width[0], rel=0.05)  # copies tell nothing new; the keys, and so the draws, agree


def test_classes_that_never_come():
    never = np.array([0.5, 0.5, 0.0, 0.0])
    found = estimate_priors(drawn(never, 3000, 7), SOURCE, replicates=0)
    assert found.frequencies == pytest.approx(never, abs=0.06)
    p = drawn(TARGET, 50, 8).probabilities.copy()
    p[:, 3] = 0
    kept = estimate_priors(Predictions.from_probabilities(p, normalize=True), [0.5, 0.25, 0.25, 0.0], replicates=5)
    assert kept.frequencies[3] == kept.ratios[3] == kept.high[3] == 0


def test_label_shift_repairs_the_target():
    weights = np.ones(3000)
    weights[:9] = 0  # rows that are not there, but belong to the batch that the map is known by
    source = drawn(SOURCE, 3000, 10, heat=2.5, weights=weights)
    target = drawn(TARGET, 3000, 11, heat=2.5)
    bare = Predictions.from_logits(target.scores)
    shift = label_shift(source, bare, replicates=20)
    loss = calibrant.metrics.log_loss
    plain = calibrant.fit(source, "bias_corrected_temperature")
    best = calibrant.fit(source, f"prior(target={tuple(TARGET.tolist())}, method='bias_corrected_temperature')")
    losses = [float(loss(each(target))) for each in (shift.map, plain, best)]
    assert losses[0] < losses[1] - 0.1
    assert losses[0] == pytest.approx(losses[2], abs=0.01)  # knowing the frequencies would not have helped
    assert shift.priors.frequencies == pytest.approx(TARGET, abs=0.08)
    again = calibrant.fit(source, shift.map.record.spec)
    assert np.array_equal(again(bare).scores, shift.map(bare).scores)
    assert again.record.fitted_on == shift.map.record.fitted_on


def test_the_record_is_json_and_readable():
    target = drawn(TARGET, 100, 12, classes=["a", "b", "c", "d"])
    found = estimate_priors(target, SOURCE, replicates=10)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["rows"] == 100
    assert len(told["low"]) == K
    assert repr(found).startswith("PriorEstimate(")
    assert "d 0.1 -> " in repr(found)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ([0.5, 0.5], "one frequency for each of the 4 classes"),
        ([0.5, 0.5, 0.5, 0.5], "sum to 1"),
        ([0.5, 0.25, 0.25, 0.0], r"possible under the source in row 0 \(50 of 50 rows\)"),
    ],
)
def test_what_cannot_be_a_source_is_told(source, told):
    with pytest.raises(DataError, match=told):
        estimate_priors(drawn(TARGET, 50, 13), source)
