"""CORP, cumulative differences and errors in counts: on paper, against the definition, at a million rows."""

import time

import numpy as np
import pytest

from calibrant import Predictions, metrics
from calibrant.errors import DataError
from calibrant.plot import classwise, confusion, corp, cumulative, groups, reliability, risk
from simulation import simulate

# Confidences 0.6, 0.7, 0.8, 0.9 and whether right; isotonic regression pools the middle two.
CONFIDENCE = np.array([0.6, 0.7, 0.8, 0.9])
RIGHT = np.array([0, 1, 0, 1])
PAPER = Predictions.from_probabilities(np.column_stack([CONFIDENCE, 1 - CONFIDENCE]), 1 - RIGHT)


def test_corp_on_paper():
    drawn = corp.prepare(PAPER, replicates=5)
    np.testing.assert_allclose(drawn.scores, [0.6, 0.7, 0.8, 0.9])
    np.testing.assert_allclose(drawn.rates, [0, 0.5, 0.5, 1])
    np.testing.assert_allclose(drawn.grid[[0, -1]], [0.6, 0.9])
    assert (drawn.n, drawn.least_score) == (4, 0.5)
    assert drawn.shares.sum() == pytest.approx(1)


def test_the_terms_add_up_to_the_squared_error():
    drawn = corp.prepare(PAPER, replicates=2)
    assert drawn.uncertainty == 0.25
    squared = ((RIGHT - CONFIDENCE) ** 2).mean()
    assert drawn.miscalibration - drawn.discrimination + drawn.uncertainty == pytest.approx(squared)


def test_curves_agree_with_the_measures():
    batch = simulate(700, temperature=2.0)
    assert corp.prepare(batch, replicates=2).miscalibration == float(metrics.corp_miscalibration(batch))
    drawn = cumulative.prepare(batch, replicates=2)
    assert abs(drawn.largest) == pytest.approx(float(metrics.ks(batch)))
    assert drawn.span == pytest.approx(float(metrics.kuiper(batch)))


def test_corp_never_falls_and_leaves_the_band_where_it_should():
    over = corp.prepare(simulate(4000, temperature=3.0))
    assert (np.diff(over.rates) >= 0).all()
    assert (over.curve < over.low).mean() > 0.8
    fair = corp.prepare(simulate(4000), level=0.999)
    assert fair.beyond.mean() < 0.05


def test_corp_agrees_with_least_squares_by_block():
    batch = simulate(300, temperature=2.0)
    drawn = corp.prepare(batch, replicates=2)
    confidence, right = batch.summary.confidence, batch.summary.correct
    fitted = np.interp(confidence, drawn.scores, drawn.rates)
    for height in np.unique(fitted.round(12)):
        block = np.isclose(fitted, height)
        assert right[block].mean() == pytest.approx(height)  # a level piece is the mean of its rows


def test_cumulative_on_paper():
    drawn = cumulative.prepare(PAPER, replicates=20)
    gaps = (RIGHT - CONFIDENCE) / 4
    np.testing.assert_allclose(drawn.differences, np.append(0, np.cumsum(gaps)))
    np.testing.assert_allclose(drawn.shares, [0, 0.25, 0.5, 0.75, 1])
    assert drawn.largest == pytest.approx(np.cumsum(gaps)[2])  # -0.275
    assert drawn.span == pytest.approx(0.275)
    assert drawn.differences[drawn.at] == drawn.largest


def test_the_whole_curve_stays_within_its_band_if_calibrated():
    held = [
        abs(d.largest) <= d.bound for d in (cumulative.prepare(simulate(300, seed=s), level=0.9) for s in range(60))
    ]
    assert np.mean(held) > 0.9 - 3 * np.sqrt(0.09 / 60)  # three standard errors of 60 sets
    over = cumulative.prepare(simulate(2000, temperature=2.0))
    assert over.largest < -over.bound


def test_risk_on_paper():
    scores = np.array([[0.4, 0.3, 0.3]] * 2 + [[0.1, 0.8, 0.1]] * 4)
    drawn = risk.prepare(Predictions.from_probabilities(scores, [0, 2, 1, 1, 1, 0]), bins=5)
    np.testing.assert_allclose(drawn.expected[[1, 3]], [2 * 0.6, 4 * 0.2])
    np.testing.assert_allclose(drawn.observed[[1, 3]], [1, 1])
    assert (drawn.low[[1, 3]] <= drawn.observed[[1, 3]]).all()
    assert (drawn.high[[1, 3]] <= [2, 4]).all()
    assert not drawn.beyond.any()


def test_risk_is_the_reliability_diagram_in_counts():
    batch = simulate(1500, temperature=2.0)
    told, counts = reliability.prepare(batch), risk.prepare(batch)
    np.testing.assert_array_equal(counts.beyond, told.beyond)
    assert counts.observed.sum() == pytest.approx((batch.summary.correct == 0).sum())
    assert counts.expected.sum() == pytest.approx((1 - batch.summary.confidence).sum())


def test_groups_keep_the_means():
    batch = simulate(20_000, temperature=2.0)
    pairs, column = groups.of_confidence(batch)
    assert len(pairs.scores) <= groups.MOST < len(column.scores)
    assert (np.diff(pairs.scores) > 0).all()
    assert pairs.shares @ pairs.scores == pytest.approx(batch.summary.confidence.mean())
    assert pairs.shares @ pairs.rates == pytest.approx(batch.summary.correct.mean())
    assert pairs.trials.sum() == 20_000
    assert pairs.shares.max() < 2.5 / groups.MOST


@pytest.mark.parametrize("prepare", [corp.prepare, cumulative.prepare])
def test_integer_weights_are_repetitions(prepare):
    batch = simulate(40, temperature=2.0)
    weights = np.arange(40) % 3
    rows = np.repeat(np.arange(40), weights)
    weighted, repeated = prepare(batch.reweighted(weights * 2.0), seed=1), prepare(batch.take(rows), seed=1)
    for name in ("rates", "curve", "differences", "shares"):
        if hasattr(weighted, name):
            np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("module", [corp, cumulative, risk, confusion, classwise])
def test_labels_are_needed(module):
    with pytest.raises(DataError, match="have labels to be drawn"):
        module.prepare(Predictions.from_probabilities(np.array([[0.4, 0.6]])))


def test_a_million_rows_are_drawn_from_sums():
    rng = np.random.default_rng(0)
    p = rng.beta(4, 1, 1_000_000)
    batch = Predictions.binary(p, (rng.random(1_000_000) < p).astype(int))
    start = time.perf_counter()
    for prepare in (reliability.prepare, corp.prepare, cumulative.prepare, risk.prepare, classwise.prepare):
        prepare(batch)
    assert time.perf_counter() - start < 20  # 1.5 s on two idle cores; points, not sums, would take minutes
