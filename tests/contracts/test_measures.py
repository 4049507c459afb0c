"""Does every measure keep the laws? Registry x laws, on a small fixed bank; a new measure needs no other edit."""

import numpy as np
import pytest

from calibrant import Predictions, evaluate, registry
from calibrant.metrics import measure
from measure_bank import BANK, make
from simulation import simulate

# Sums in another order round differently: a few hundred float64 operations on values of order one.
ROUNDING = 1e-12

SPECS = [entry.name for entry in registry.entries("measure")]
SPECS += ["ece(binning='mass')", "squared_ce(binning='width')", "sce(aggregate='sum')", "ace(shares='equal')"]
SPECS += ["lce(notion='top_label')", "lce(binning='mass', aggregate='frequency')", "klce(simplex=None)"]
SPECS += ["mce(notion='class_wise', aggregate='max')", "ece(right=False)"]


every_measure = pytest.mark.parametrize("spec", SPECS)
every_set = pytest.mark.parametrize("name", BANK)
# Ties for the top class go to the first column, so the order of classes matters there.
sets_without_ties = pytest.mark.parametrize("name", [name for name in BANK if name != "ties"])
of_known_zero = pytest.mark.parametrize("spec", [spec for spec in SPECS if measure(spec).perfect is not None])
of_repetitions = pytest.mark.parametrize("spec", [spec for spec in SPECS if measure(spec).repeats])
of_importances = pytest.mark.parametrize("spec", [spec for spec in SPECS if not measure(spec).repeats])


def value(spec, batch):
    return float(measure(spec)(batch))


def with_weights(batch, weights):
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    return door(batch.scores, batch.labels, weights=weights, groups=batch.groups, features=batch.features)


@every_measure
@every_set
def test_range_and_finiteness(spec, name):
    metric, batch = measure(spec), make(name)
    result = metric(batch)
    if np.isnan(float(result)):
        assert result.notes
        return
    low, high = metric.bounds
    assert low <= float(result) <= high


@of_known_zero
def test_zero_on_perfect_rows(spec):
    assert value(spec, make("perfect")) == pytest.approx(measure(spec).perfect, abs=ROUNDING)


@every_measure
@every_set
def test_order_of_rows(spec, name):
    batch = make(name)
    order = np.random.default_rng(1).permutation(len(batch))
    assert value(spec, batch.take(order)) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)


@every_measure
@sets_without_ties
def test_order_of_classes(spec, name):
    batch = make(name)
    order = np.random.default_rng(2).permutation(batch.k)
    if not registry.lookup("measure", registry.parse(spec)[0]).capabilities.equivariant:
        order = np.arange(batch.k)[::-1]  # classes that are ordered may be told from either end
    labels = batch.labels[:, order] if batch.soft else np.argsort(order)[batch.labels]
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    columns = {"weights": batch.weights, "groups": batch.groups, "features": batch.features}
    other = door(batch.scores[:, order], labels, **columns)
    # float32 sums of exponentials in another order: 1e-6 relative
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=1e-6 if batch.logits else ROUNDING, nan_ok=True)


@every_measure
@every_set
@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_scaling_all_weights_changes_nothing(spec, name, factor):
    batch = make(name)
    scaled = with_weights(batch, batch.row_weights * factor)
    assert value(spec, scaled) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)


@every_measure
@every_set
def test_a_row_of_weight_zero_is_not_there(spec, name):
    batch = make(name)
    extra = make(name)
    scores = np.concatenate([batch.scores, extra.scores])
    labels = np.concatenate([batch.labels, np.roll(extra.labels, 1, axis=0)])
    weights = np.concatenate([batch.row_weights, np.zeros(len(extra))])
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    groups = np.concatenate([batch.groups, extra.groups])
    features = np.concatenate([batch.features, extra.features])
    assert value(spec, door(scores, labels, weights=weights, groups=groups, features=features)) == pytest.approx(
        value(spec, batch), abs=ROUNDING, nan_ok=True
    )


def weighted_and_repeated(name):
    batch = make(name)
    counts = np.random.default_rng(3).integers(0, 4, len(batch))
    counts[0] = 1
    rows = np.repeat(np.arange(len(batch)), counts)
    return with_weights(batch, counts.astype(float)), with_weights(batch, None).take(rows)


@every_set
@of_repetitions
def test_integer_weights_are_repetitions(spec, name):
    weighted, repeated = weighted_and_repeated(name)
    assert value(spec, weighted) == pytest.approx(value(spec, repeated), abs=ROUNDING, nan_ok=True)


@of_importances
def test_where_they_are_declared_not_to_be_some_value_differs(spec):
    pairs = (weighted_and_repeated(name) for name in ("plain", "weights", "long"))
    assert any(abs(value(spec, weighted) - value(spec, repeated)) > 1e-6 for weighted, repeated in pairs)


@every_measure
@every_set
def test_sharded_is_pooled(spec, name):
    batch, metric = make(name), measure(spec)
    pieces = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), min(3, len(batch)))]
    pieces = [piece for piece in pieces if piece.row_weights.any()]
    merged = metric.statistic(pieces[-1])
    assert merged.merging in ("exact", "approximate", "collecting")
    for piece in pieces[:-1]:
        merged = merged.merge(metric.statistic(piece))
    assert float(merged.compute()) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)
    assert merged.compute().n == metric(batch).n


@every_measure
def test_a_stream_is_evaluated_as_the_whole(spec):
    rows = simulate(150, k=3, temperature=1.5, features=2)
    columns, door = (rows.scores, rows.labels, np.arange(150) % 3 % 2, rows.features), Predictions.from_probabilities
    whole = door(*columns[:2], groups=columns[2], features=columns[3])
    parts = zip(*(np.split(column, [40, 90]) for column in columns), strict=True)
    stream = [door(scores, labels, groups=groups, features=x) for scores, labels, groups, x in parts]
    (one,), (other,) = (evaluate(source, [spec], replicates=12).measures for source in (whole, stream))
    # sums of three batches, and square roots of differences of sums; draws are keyed by rows, so they are the same
    for name in ("value", "low", "high", "null", "null_low", "null_high"):
        expected = getattr(one, name)
        assert (getattr(other, name) is None) == (expected is None)
        if expected is not None:
            assert getattr(other, name) == pytest.approx(expected, abs=1e-9), name
    assert (one.n, one.notes) == (other.n, other.notes)


@every_measure
def test_merging_is_associative(spec):
    metric = measure(spec)
    a, b, c = (metric.statistic(make("plain").take(rows)) for rows in np.array_split(np.arange(90), 3))
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert float(left.compute()) == pytest.approx(float(right.compute()), abs=ROUNDING)


@every_measure
@every_set
def test_input_is_untouched(spec, name):
    batch = make(name)
    before = batch.scores.tobytes(), batch.labels.tobytes()
    value(spec, batch)
    assert (batch.scores.tobytes(), batch.labels.tobytes()) == before


@every_measure
def test_two_classes_agree_with_the_binary_door(spec):
    batch = make("binary")
    other = Predictions.binary(batch.scores[:, 1], batch.labels, groups=batch.groups, features=batch.features)
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=ROUNDING, nan_ok=True)
