"""Does the sweep stop at the first number of bins whose rates are out of order?"""

from itertools import pairwise

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import CalibrationError
from calibrant.metrics.estimators.monotone_sweep import MonotoneSweep, swept_edges
from calibrant.statistics import Column
from measure_bank import make

BANK = [
    "plain",
    "ties",
    "binary",
    "many",
    "one_row",
    "two_rows",
    "perfect",
    "soft",
    "logits",
    "weights",
    "real_weights",
]


def swept(**options):
    return CalibrationError(bins_in_use=MonotoneSweep(), preset="ece", **options)


def slow(f, y):
    """Return the bins of the paper's loop for distinct scores without weights: lists of sorted rows."""
    order, last = np.argsort(f), None
    for b in range(1, len(f) + 1):
        parts = np.array_split(order, b)
        rates = [y[part].mean() for part in parts]
        if any(right < left - 1e-12 for left, right in pairwise(rates)):
            return last
        last = parts
    return last


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_loop(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 300))
    f = 0.5 + 0.5 * rng.random(n)
    y = (rng.random(n) < f ** rng.choice([1, 9])) + 0.0
    batch = Predictions.binary(f, y.astype(int))
    metric = swept()
    parts = slow(f, y)
    final = metric.final(metric.sums(batch))
    assert final.rows[0].tolist() == [len(part) for part in parts]
    assert metric(batch).value == pytest.approx(
        sum(len(part) / n * abs(y[part].mean() - f[part].mean()) for part in parts), abs=1e-12
    )


def test_by_hand():
    # 2 bins: 1/2, 1/2; 3 bins (2, 1, 1): 1/2, 1, 0 falls, so 2 bins; 4 bins would not be asked
    column = Column.of(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert swept_edges(column, 1000, 1.0) == pytest.approx([0, 0.25, 1], abs=1e-15)


def test_never_fewer_than_one_and_never_more_than_asked():
    falling = Column.of(np.array([0.1, 0.9]), np.array([1.0, 0.0]))
    assert len(swept_edges(falling, 1000, 1.0)) == 2
    rising = Column.of(np.linspace(0.1, 0.9, 50), np.arange(50) / 50)
    assert len(swept_edges(rising, 1000, 1.0)) == 51
    assert len(swept_edges(rising, 7, 1.0)) == 8


def test_ties_stay_together():
    column = Column.of(np.array([0.5, 0.5, 0.5, 0.9]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert swept_edges(column, 1000, 1.0) == pytest.approx([0, 0.7, 1], abs=1e-15)


def test_classes_have_their_own_number_of_bins():
    metric = swept(notion="class_wise")
    batch = make("plain")
    final = metric.final(metric.sums(batch))
    p, labels = np.asarray(batch.probabilities), batch.labels
    for c in range(batch.k):
        sizes = [len(part) for part in slow(p[:, c], (labels == c) + 0.0)]
        assert final.rows[c].tolist() == sizes + [0] * (final.rows.shape[1] - len(sizes))


@pytest.mark.parametrize("name", BANK)
@pytest.mark.parametrize("notion", ["confidence", "class_wise", "top_label"])
def test_laws(name, notion):
    metric, batch = swept(notion=notion), make(name)
    value = float(metric(batch))
    assert 0 <= value <= 1
    order = np.random.default_rng(1).permutation(len(batch))
    assert float(metric(batch.take(order))) == pytest.approx(value, abs=1e-12)
    scaled = batch.reweighted(batch.row_weights * 0.1)
    assert float(metric(scaled)) == pytest.approx(value, abs=1e-12)
    pieces = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), min(3, len(batch)))]
    merged = metric.statistic(pieces[-1])
    for piece in pieces[:-1]:
        merged = merged.merge(metric.statistic(piece))
    assert float(merged.compute()) == pytest.approx(value, abs=1e-12)


def test_integer_weights_are_repetitions():
    batch, counts = make("plain"), np.random.default_rng(3).integers(0, 4, 90)
    repeated = batch.take(np.repeat(np.arange(90), counts))
    assert float(swept()(batch.reweighted(counts + 0.0))) == pytest.approx(float(swept()(repeated)), abs=1e-12)


def test_pinned_bins_are_those_that_were_found():
    batch, metric = make("plain"), swept(binning="mass")
    assert float(metric.pinned(metric.sums(batch))(batch)) == pytest.approx(float(metric(batch)), abs=1e-12)


def test_options_are_checked():
    with pytest.raises(DataError, match="bins must be a positive whole number"):
        MonotoneSweep(bins=0)
    with pytest.raises(DataError, match="right must be True"):
        MonotoneSweep(right=False)
