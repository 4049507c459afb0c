"""Does every measure keep the laws? Registry x laws, on a small fixed bank; a new measure needs no other edit."""

import numpy as np
import pytest

from calibrant import Predictions, registry
from calibrant.metrics import measure
from measure_bank import BANK, make

# Sums in another order round differently: a few hundred float64 operations on values of order one.
ROUNDING = 1e-12

SPECS = [entry.name for entry in registry.entries("measure")]
SPECS += ["ece(binning='mass')", "squared_ce(binning='width')", "sce(aggregate='sum')", "ace(shares='equal')"]
SPECS += ["mce(notion='class_wise', aggregate='max')", "ece(right=False)"]


pytestmark = pytest.mark.parametrize("spec", SPECS)
every_set = pytest.mark.parametrize("name", BANK)


def value(spec, batch):
    return float(measure(spec)(batch))


def with_weights(batch, weights):
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    return door(batch.scores, batch.labels, weights=weights, groups=batch.groups)


@every_set
def test_range_and_finiteness(spec, name):
    metric, batch = measure(spec), make(name)
    result = metric(batch)
    if np.isnan(float(result)):
        assert result.notes
        return
    low, high = metric.bounds
    assert low <= float(result) <= high


def test_zero_on_perfect_rows(spec):
    expected = measure(spec).perfect
    if expected is None:
        pytest.skip("the measure does not declare its value there")
    assert value(spec, make("perfect")) == pytest.approx(expected, abs=ROUNDING)


@every_set
def test_order_of_rows(spec, name):
    batch = make(name)
    order = np.random.default_rng(1).permutation(len(batch))
    assert value(spec, batch.take(order)) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)


@every_set
def test_order_of_classes(spec, name):
    if not registry.lookup("measure", registry.parse(spec)[0]).capabilities.equivariant:
        pytest.skip("the classes are ordered")
    batch = make(name)
    if name == "ties":
        pytest.skip("ties for the top class go to the first column, so the order of classes matters there")
    order = np.random.default_rng(2).permutation(batch.k)
    labels = batch.labels[:, order] if batch.soft else np.argsort(order)[batch.labels]
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    other = door(batch.scores[:, order], labels, weights=batch.weights, groups=batch.groups)
    # float32 sums of exponentials in another order: 1e-6 relative
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=1e-6 if batch.logits else ROUNDING, nan_ok=True)


@every_set
@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_scaling_all_weights_changes_nothing(spec, name, factor):
    batch = make(name)
    scaled = with_weights(batch, batch.row_weights * factor)
    assert value(spec, scaled) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)


@every_set
def test_a_row_of_weight_zero_is_not_there(spec, name):
    batch = make(name)
    extra = make(name)
    scores = np.concatenate([batch.scores, extra.scores])
    labels = np.concatenate([batch.labels, np.roll(extra.labels, 1, axis=0)])
    weights = np.concatenate([batch.row_weights, np.zeros(len(extra))])
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    groups = np.concatenate([batch.groups, extra.groups])
    assert value(spec, door(scores, labels, weights=weights, groups=groups)) == pytest.approx(
        value(spec, batch), abs=ROUNDING, nan_ok=True
    )


@every_set
def test_integer_weights_are_repetitions(spec, name):
    if not measure(spec).repeats:
        pytest.skip("the measure declares that a repeated row is not an independent one")
    batch = make(name)
    counts = np.random.default_rng(3).integers(0, 4, len(batch))
    counts[0] = 1
    rows = np.repeat(np.arange(len(batch)), counts)
    weighted = with_weights(batch, counts.astype(float))
    repeated = with_weights(batch, None).take(rows)
    assert value(spec, weighted) == pytest.approx(value(spec, repeated), abs=ROUNDING, nan_ok=True)


@every_set
def test_sharded_is_pooled(spec, name):
    batch, metric = make(name), measure(spec)
    pieces = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), min(3, len(batch)))]
    pieces = [piece for piece in pieces if piece.row_weights.any()]
    merged = metric.statistic(pieces[-1])
    for piece in pieces[:-1]:
        merged = merged.merge(metric.statistic(piece))
    assert float(merged.compute()) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)
    assert merged.compute().n == metric(batch).n


def test_merging_is_associative(spec):
    metric = measure(spec)
    a, b, c = (metric.statistic(make("plain").take(rows)) for rows in np.array_split(np.arange(90), 3))
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert float(left.compute()) == pytest.approx(float(right.compute()), abs=ROUNDING)


@every_set
def test_input_is_untouched(spec, name):
    batch = make(name)
    before = batch.scores.tobytes(), batch.labels.tobytes()
    value(spec, batch)
    assert (batch.scores.tobytes(), batch.labels.tobytes()) == before


def test_two_classes_agree_with_the_binary_door(spec):
    batch = make("binary")
    other = Predictions.binary(batch.scores[:, 1], batch.labels, groups=batch.groups)
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)
