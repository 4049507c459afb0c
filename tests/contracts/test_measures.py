"""Does every measure keep the laws? Registry x laws, on a small fixed bank; a new measure needs no other edit."""

import numpy as np
import pytest

from calibrant import Predictions, registry
from calibrant.metrics import measure

# Sums in another order round differently: a few hundred float64 operations on values of order one.
ROUNDING = 1e-12

SPECS = [entry.name for entry in registry.entries("measure")]
SPECS += ["ece(binning='mass')", "squared_ce(binning='width')", "sce(aggregate='sum')", "ace(shares='equal')"]
SPECS += ["mce(notion='class_wise', aggregate='max')", "ece(right=False)"]


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def make(name):
    """Return one labelled batch of the bank."""
    rng = np.random.default_rng(len(name))
    n, k = {"binary": (60, 2), "many": (40, 300), "one_row": (1, 3), "two_rows": (2, 3)}.get(name, (90, 4))
    z = rng.normal(size=(n, k)) * 2
    labels = rng.integers(0, k, n)
    if name == "ties":
        z = np.round(z)
    if name == "missing_class":
        labels = labels % (k - 1)
    if name == "logits":
        return Predictions.from_logits(z.astype(np.float32), labels)
    p = softmax(z)
    if name == "zeros":
        p = np.where(p < 0.1, 0.0, p)
        p /= p.sum(1, keepdims=True)
        labels = p.argmax(1)
        labels[:5] = 0
    if name == "perfect":
        p = np.eye(k)[labels]
    if name == "soft":
        return Predictions.from_probabilities(p, softmax(rng.normal(size=(n, k))))
    weights = {"weights": rng.integers(0, 4, n) + 0.0, "real_weights": rng.gamma(1.0, size=n)}.get(name)
    return Predictions.from_probabilities(p, labels, weights=weights)


BANK = ["plain", "ties", "zeros", "binary", "many", "one_row", "two_rows", "missing_class", "perfect"]
BANK += ["soft", "logits", "weights", "real_weights"]
pytestmark = pytest.mark.parametrize("spec", SPECS)
every_set = pytest.mark.parametrize("name", BANK)


def value(spec, batch):
    return float(measure(spec)(batch))


def with_weights(batch, weights):
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    return door(batch.scores, batch.labels, weights=weights)


@every_set
def test_range_and_finiteness(spec, name):
    result = value(spec, make(name))
    assert not np.isnan(result)
    if spec.startswith("squared_ce"):
        return  # unbiased, so it may be negative
    assert result >= 0
    if "sum" not in spec and spec not in ("log_loss",):
        assert result <= (2 if spec == "brier" else 1)


def test_zero_on_perfect_rows(spec):
    expected = 1.0 if spec == "accuracy" else 0.0
    assert value(spec, make("perfect")) == expected


@every_set
def test_order_of_rows(spec, name):
    batch = make(name)
    order = np.random.default_rng(1).permutation(len(batch))
    assert value(spec, batch.take(order)) == pytest.approx(value(spec, batch), abs=ROUNDING)


@every_set
def test_order_of_classes(spec, name):
    batch = make(name)
    if name == "ties":
        pytest.skip("ties for the top class go to the first column, so the order of classes matters there")
    order = np.random.default_rng(2).permutation(batch.k)
    labels = batch.labels[:, order] if batch.soft else np.argsort(order)[batch.labels]
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    other = door(batch.scores[:, order], labels, weights=batch.weights)
    # float32 sums of exponentials in another order: 1e-6 relative
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=1e-6 if batch.logits else ROUNDING)


@every_set
@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_scaling_all_weights_changes_nothing(spec, name, factor):
    batch = make(name)
    scaled = with_weights(batch, batch.row_weights * factor)
    assert value(spec, scaled) == pytest.approx(value(spec, batch), abs=ROUNDING)


@every_set
def test_a_row_of_weight_zero_is_not_there(spec, name):
    batch = make(name)
    extra = make(name)
    scores = np.concatenate([batch.scores, extra.scores])
    labels = np.concatenate([batch.labels, np.roll(extra.labels, 1, axis=0)])
    weights = np.concatenate([batch.row_weights, np.zeros(len(extra))])
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    assert value(spec, door(scores, labels, weights=weights)) == pytest.approx(value(spec, batch), abs=ROUNDING)


@every_set
def test_integer_weights_are_repetitions(spec, name):
    if spec.startswith("squared_ce"):
        pytest.skip("weights are importances in the noise estimate: a repeated row is not an independent one")
    batch = make(name)
    counts = np.random.default_rng(3).integers(0, 4, len(batch))
    counts[0] = 1
    rows = np.repeat(np.arange(len(batch)), counts)
    weighted = with_weights(batch, counts.astype(float))
    repeated = with_weights(batch, None).take(rows)
    assert value(spec, weighted) == pytest.approx(value(spec, repeated), abs=ROUNDING)


@every_set
def test_sharded_is_pooled(spec, name):
    batch, metric = make(name), measure(spec)
    pieces = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), min(3, len(batch)))]
    pieces = [piece for piece in pieces if piece.row_weights.any()]
    merged = metric.statistic(pieces[-1])
    for piece in pieces[:-1]:
        merged = merged.merge(metric.statistic(piece))
    assert float(merged.compute()) == pytest.approx(value(spec, batch), abs=ROUNDING)
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
    other = Predictions.binary(batch.scores[:, 1], batch.labels)
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=ROUNDING)


@pytest.mark.parametrize("name", ["plain", "ties", "zeros", "weights", "binary", "missing_class"])
def test_equals_a_slow_loop(spec, name):
    batch = make(name)
    assert value(spec, batch) == pytest.approx(slow(measure(spec), batch), abs=ROUNDING)


def slow(metric, batch):
    """Compute the measure with plain Python loops over rows, bins and classes."""
    w, labels, p = batch.row_weights, batch.labels, np.asarray(batch.probabilities, float)
    if metric.name in ("accuracy", "log_loss", "brier"):
        with np.errstate(divide="ignore"):
            rows = {
                "accuracy": [float(np.argmax(r) == y) for r, y in zip(p, labels, strict=True)],
                "log_loss": [-np.log(r[y]) for r, y in zip(p, labels, strict=True)],
                "brier": [((r - np.eye(len(r))[y]) ** 2).sum() for r, y in zip(p, labels, strict=True)],
            }[metric.name]
        there = w > 0
        return float(np.average(np.array(rows)[there], weights=w[there]))
    if metric.notion == "confidence":
        columns = [(p.max(1), (p.argmax(1) == labels).astype(float))]
    else:
        columns = [(p[:, c], (labels == c).astype(float)) for c in range(p.shape[1])]
    errors = [slow_column(metric, scores, hits, w) for scores, hits in columns]
    return float({"mean": np.mean, "sum": np.sum, "max": np.max}[metric.aggregate](errors))


def slow_column(metric, scores, hits, w):
    kept = (w > 0) & (scores >= metric.threshold)
    scores, hits, w = scores[kept], hits[kept], w[kept]
    groups = {}
    for i, b in enumerate(slow_bins(metric, scores, w)):
        groups.setdefault(b, []).append(i)
    total, shares, gaps = w.sum(), [], []
    for rows in groups.values():
        weight = w[rows].sum()
        rate, said = np.average(hits[rows], weights=w[rows]), np.average(scores[rows], weights=w[rows])
        power = abs(rate - said) ** (1 if metric.norm == np.inf else metric.norm)
        if metric.debiased:
            h = (w[rows] ** 2).sum() / weight**2
            power = power - rate * (1 - rate) * h / (1 - h) if h < 1 else 0.0
        shares.append(1 / len(groups) if metric.shares == "equal" else weight / total)
        gaps.append(power)
    if not gaps:
        return 0.0
    if metric.norm == np.inf:
        return max(gaps)
    mean = float(np.dot(shares, gaps))
    return np.sqrt(mean) if metric.norm == 2 and metric.root else mean


def slow_bins(metric, scores, w):
    """Return the bin of each row."""
    if metric.binning == "width":
        edges = np.linspace(0, 1, metric.bins + 1)
        side = "left" if metric.right else "right"
        return np.clip(np.searchsorted(edges, scores, side=side) - 1, 0, metric.bins - 1)
    units = np.repeat(scores, w.astype(int))  # the bank has whole weights here
    first = {}
    for b, part in enumerate(np.array_split(np.sort(units), metric.bins)):
        for score in part:
            first.setdefault(score, b)
    return [first[score] for score in scores]
