"""Is CORP the best isotonic recalibration, and do its terms add up?"""

import itertools

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.metrics.isotonic_decomposition import isotonic
from calibrant.statistics import Column
from measure_bank import make


@pytest.mark.parametrize("rule", ["brier", "log_loss"])
@pytest.mark.parametrize("name", ["plain", "ties", "soft", "real_weights", "binary"])
def test_terms_add_up(rule, name):
    d = measure(f"corp_miscalibration(rule={rule!r})")(make(name)).details
    assert d["miscalibration"] - d["discrimination"] + d["uncertainty"] == pytest.approx(d["score"], abs=1e-14)


def test_score_is_that_of_the_pairs():
    batch = make("real_weights")
    f, y, w = batch.summary.confidence, batch.summary.correct, batch.weights
    details = measure("corp_miscalibration")(batch).details
    assert details["score"] == pytest.approx(np.average((y - f) ** 2, weights=w), abs=1e-14)
    log = measure("corp_miscalibration(rule='log_loss')")(batch).details["score"]
    assert log == pytest.approx(-np.average(np.log(np.where(y == 1, f, 1 - f)), weights=w), abs=1e-14)


def test_three_rows_by_hand():
    # rates 1, 0 violate and pool to 1/2; the third row is right. S(f) = (.16 + .36 + .04)/3, S(c) = (.25 + .25)/3
    column = Column.of(np.array([0.6, 0.6 + 1e-12, 0.8]), np.array([1.0, 0.0, 1.0]))
    terms = measure("corp_miscalibration").details(column)
    assert terms["miscalibration"] == pytest.approx(0.02, abs=1e-11)
    assert terms["uncertainty"] == pytest.approx(2 / 9, abs=1e-15)
    assert terms["discrimination"] == pytest.approx(2 / 9 - 1 / 6, abs=1e-15)


def test_no_isotonic_forecast_scores_better():
    rng = np.random.default_rng(0)
    column = Column.of(rng.random(4), np.array([0.0, 1.0, 0.0, 1.0]), rng.gamma(2.0, size=4))
    best = isotonic(column)

    def loss(forecast):
        return (column.weight * (column.rates - forecast) ** 2).sum()

    grid = np.linspace(0, 1, 21)
    assert all(loss(best) <= loss(np.array(c)) for c in itertools.combinations_with_replacement(grid, 4))


def test_infinite_log_score():
    batch = Predictions.from_probabilities([[1.0, 0.0], [0.6, 0.4]], [1, 0])
    assert np.isinf(float(measure("corp_miscalibration(rule='log_loss')")(batch)))
    assert np.isfinite(float(measure("corp_miscalibration")(batch)))


@pytest.mark.parametrize("logits", [True, False])
def test_a_confidence_that_rounds_to_one_is_not_certain(logits):
    z = np.array([[60.0, 0.0, 1.0], [50.0, 0.0, 0.0], [0.3, 0.0, 0.0], [80.0, 0.0, 0.0]])
    others = np.log(np.exp(z[:, 1:]).sum(1)) - z[:, 0]  # log of the others' sum, to 1e-21 where the first is near 1
    labels = [2, 1, 0, 0]
    door, scores = Predictions.from_logits, z
    if not logits:
        door, scores = Predictions.from_probabilities, np.exp(z - np.log(np.exp(z).sum(1, keepdims=True)))
    batch = door(scores, labels)
    metric = measure("corp_miscalibration(rule='log_loss')")
    sharp = -np.log(np.exp(0.3) / (np.exp(0.3) + 2))
    expected = (-others[0] - others[1] + sharp) / 4
    assert metric(batch).details["score"] == pytest.approx(expected, rel=1e-12)
    parts = [metric.statistic(batch.take(np.array(rows))) for rows in ([0, 3], [1, 2])]
    assert parts[0].merge(parts[1]).compute().details["score"] == pytest.approx(expected, rel=1e-12)
    weighted = door(scores, labels, weights=[2.0, 0.0, 1.0, 1.0])
    assert metric(weighted).details["score"] == pytest.approx((-2 * others[0] + sharp) / 4, rel=1e-12)
    right = metric.relabelled_sums(metric.sums(batch), batch.relabelled(np.zeros(4, int)))
    assert metric.estimate(right).details["score"] == pytest.approx(sharp / 4, rel=1e-12)


def test_unknown_rule():
    with pytest.raises(DataError, match="rule must be 'brier' or 'log_loss'"):
        measure("corp_miscalibration(rule='spherical')")
