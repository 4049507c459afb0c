"""Promised and paid costs: by hand, by loops, and what the table of costs must be."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.evaluation import evaluate
from calibrant.metrics import measure
from calibrant.metrics.decisions_error import DecisionError
from measure_bank import make

ROUNDING = 1e-12  # sums in another order
COSTS = ((0.0, 1.0, 5.0), (2.0, 0.0, 1.0))
P = np.array([[0.7, 0.2, 0.1], [0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def test_three_rows_by_hand():
    # Expected costs: (.7, 1.5), (.1, 1.8), (2.8, .9): actions 0, 0, 1. Labels 2, 0, 0 cost 5, 0, 2.
    found = DecisionError(costs=COSTS)(Predictions.from_probabilities(P, [2, 0, 0]))
    assert found.per_class == pytest.approx([(5 - 0.8) / 3, (2 - 0.9) / 3])
    assert float(found) == pytest.approx((4.2 + 1.1) / 3)
    assert found.details["promised"] == pytest.approx([0.4, 0.9])
    assert found.details["paid"] == pytest.approx([2.5, 2.0])
    assert found.details["share"] == pytest.approx([2 / 3, 1 / 3])
    assert found.details["total"] == pytest.approx(5.3 / 3)


def test_gaps_of_other_signs_do_not_cancel():
    found = DecisionError(costs=COSTS)(Predictions.from_probabilities(P, [2, 0, 1]))
    assert float(found) == pytest.approx((4.2 + 0.9) / 3)
    assert found.details["total"] == pytest.approx((4.2 - 0.9) / 3)


@pytest.mark.parametrize("name", ["plain", "logits", "soft", "real_weights", "many", "zeros"])
def test_equals_a_slow_loop(name):
    rows = make(name)
    costs = np.random.default_rng(3).normal(size=(5, rows.k))
    p, w = np.asarray(rows.probabilities, float), rows.row_weights
    gaps = np.zeros(5)
    for i, row in enumerate(p):
        action = int(np.argmin(costs @ row))
        q = rows.labels[i] if rows.soft else np.eye(rows.k)[rows.labels[i]]
        gaps[action] += w[i] / w.sum() * (costs[action] @ q - costs[action] @ row)
    # single-precision logits: probabilities agree to 1e-6
    close = 1e-5 if rows.logits else ROUNDING
    assert float(DecisionError(costs=costs)(rows)) == pytest.approx(np.abs(gaps).sum(), abs=close)


def test_ties_that_rounding_breaks_go_to_the_first_action():
    """Tenths: the costs of equal classes are sums in other orders, so that their last bits differ."""
    rng = np.random.default_rng(0)
    rows = Predictions.from_probabilities(rng.multinomial(10, np.full(4, 0.25), 400) / 10, rng.integers(0, 4, 400))
    costs = 1 - np.eye(4)
    assert (np.argmin(rows.probabilities @ costs.T, axis=1) != rows.summary.top).any()  # it does happen here
    default, table = DecisionError()(rows), DecisionError(costs=costs)(rows)
    assert table.details["share"] == pytest.approx(default.details["share"], abs=ROUNDING)
    assert table.per_class == pytest.approx(default.per_class, abs=ROUNDING)
    # rounding has the size of the costs: scaled ones choose the same
    assert float(DecisionError(costs=1e6 * costs)(rows)) == pytest.approx(1e6 * float(default), rel=ROUNDING)


@pytest.mark.parametrize("name", ["plain", "ties", "weights", "soft", "binary"])
def test_the_default_is_a_wrong_class_at_cost_one(name):
    rows = make(name)
    found, table = measure("decision_error")(rows), DecisionError(costs=1 - np.eye(rows.k))(rows)
    assert found.per_class == pytest.approx(table.per_class, abs=ROUNDING)
    for c in range(rows.k):
        mine = (rows.summary.top == c) * rows.row_weights
        gap = mine @ (rows.summary.confidence - rows.summary.correct) / rows.row_weights.sum()
        assert found.per_class[c] == pytest.approx(abs(gap), abs=ROUNDING)


def test_costs_that_do_not_depend_on_the_label_promise_right():
    constant = DecisionError(costs=((1.0, 1.0, 1.0), (2.0, 2.0, 2.0)))(Predictions.from_probabilities(P, [2, 0, 1]))
    assert float(constant) == pytest.approx(0.0, abs=ROUNDING)
    assert np.isnan(constant.details["paid"][1])


def test_it_streams_and_shards():
    rows, metric = make("plain"), DecisionError(costs=np.arange(8.0).reshape(2, 4) % 5)
    parts = [metric.statistic(rows.take(slice(s, s + 30))) for s in (0, 30, 60)]
    merged = parts[2].merge(parts[0]).merge(parts[1]).compute()
    assert float(merged) == pytest.approx(float(metric(rows)), abs=ROUNDING)
    assert merged.n == 90


def test_spec_and_evaluation():
    metric = measure("decision_error(costs=((0, 1), (2, 0)))")
    assert metric == measure(metric.spec) == DecisionError(costs=np.array([[0, 1], [2, 0]]))
    assert hash(metric) == hash(measure(metric.spec))
    rng = np.random.default_rng(2)
    p = rng.random(500)
    rows = Predictions.binary(p, rng.random(500) < p**2)
    found = evaluate(rows, [metric], replicates=50)[metric.spec]
    assert found.null_high < found.value
    assert found.low is None  # a sum of absolute values has no regular bootstrap


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ((1.0, 2.0), r"costs must be a table of actions by classes, got shape \(2,\)"),
        (((1.0,), (1.0, 2.0)), "costs must be a table of actions by classes"),
        ("free", "costs must be a table of actions by classes, got 'free'"),
        (((1.0, np.nan),), "costs must be numbers of size up to 1e"),
        (((1e308, -1e308),), "costs must be numbers of size up to 1e"),
    ],
)
def test_tables_that_are_refused(costs, message):
    with pytest.raises(DataError, match=message):
        DecisionError(costs=costs)


def test_one_column_for_each_class():
    with pytest.raises(DataError, match="costs must have one column for each of the 4 classes, got 3 columns"):
        DecisionError(costs=COSTS)(make("plain"))
