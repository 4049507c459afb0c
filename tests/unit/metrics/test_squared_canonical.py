"""The debiased squared canonical error: by hand, a slow loop, and its interval."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.evaluation import evaluate
from calibrant.metrics import squared_canonical
from calibrant.metrics.cube_sums import CubeSums
from simulation import simulate


def residuals(batch, top):
    r = np.eye(batch.k)[batch.labels] - batch.scores
    if top is None:
        return batch.scores, r
    order = np.argsort(-batch.scores, axis=1)[:, :top]
    return np.take_along_axis(batch.scores, order, 1), np.take_along_axis(r, order, 1)


def loop(batch, bins, top):
    """Return (value, variance at calibration) by sums over pairs of rows."""
    p, r = residuals(batch, top)
    w, keys = batch.row_weights, [tuple(np.minimum(np.floor(row * bins), bins - 1)) for row in p]
    value = variance = 0.0
    for key in set(keys):
        rows = [i for i in range(len(batch)) if keys[i] == key]
        pairs = [(i, j) for i in rows for j in rows if i != j]
        if pairs:
            mass = sum(w[i] * w[j] for i, j in pairs)
            share = w[rows].sum() / w.sum()
            value += share * sum(w[i] * w[j] * (r[i] @ r[j]) for i, j in pairs) / mass
            variance += share**2 * 2 * sum((w[i] * w[j] * (r[i] @ r[j])) ** 2 for i, j in pairs) / mass**2
    return value, variance


@pytest.mark.parametrize("top", [None, 1, 2])
@pytest.mark.parametrize("weights", [False, True])
def test_equals_the_loop(top, weights):
    plain = simulate(80, k=4)
    w = np.random.default_rng(0).gamma(2.0, size=80) if weights else None
    batch = Predictions.from_probabilities(plain.scores, plain.labels, weights=w)
    value, variance = loop(batch, 3, top)
    assert float(squared_canonical(batch, top=top, bins=3)) == pytest.approx(value, abs=1e-12)
    sums = CubeSums(batch, 3, top)
    assert float(sums.shares**2 @ sums.degenerate_variance()) == pytest.approx(variance, rel=1e-10)


def test_two_rows_by_hand():
    batch = Predictions.from_probabilities([[0.7, 0.3], [0.9, 0.1]], [1, 0])
    # residuals (-0.7, 0.7) and (0.1, -0.1): their product is -0.14
    assert float(squared_canonical(batch, bins=2)) == pytest.approx(-0.14)
    assert float(squared_canonical(batch, top=1, bins=2)) == pytest.approx(-0.07)


def test_rows_alone_count_nothing():
    batch = Predictions.from_probabilities([[0.7, 0.3], [0.9, 0.1], [0.1, 0.9]], [1, 0, 1])
    found = squared_canonical(batch, bins=2)
    assert float(found) == pytest.approx(-0.14 * 2 / 3)
    assert found.details["alone"] == pytest.approx(1 / 3)
    alone = squared_canonical(batch.take(np.array([0, 2])), bins=2)
    assert np.isnan(float(alone))
    assert alone.notes


@pytest.mark.parametrize(
    ("batch", "options", "why"),
    [
        (simulate(100), {}, "fewer than 200"),
        (simulate(400, k=120), {"bins": 1}, "more than 100 columns"),
        (simulate(400, k=4), {"bins": 20}, "hold one row"),
    ],
)
def test_where_there_is_no_interval(batch, options, why):
    found = squared_canonical(batch, **options)
    assert "low" not in found.details
    assert why in found.notes[0]


def coverage(temperature, truth, top, n=400, sets=200):
    """Return the share of intervals at level 0.9 that hold the truth."""
    found = (squared_canonical(simulate(n, temperature, k=2, seed=s), top=top, bins=5, level=0.9) for s in range(sets))
    shown = [one.details for one in found if "low" in one.details]  # not where the value is lower than noise makes it
    assert len(shown) > 0.9 * sets  # expected are 95 % at T = 1; four standard errors are 0.06
    return np.mean([details["low"] <= truth <= details["high"] for details in shown])


def true_value(temperature, top):
    rng = np.random.default_rng(1)
    z = 2 * rng.normal(size=(400_000, 2))
    p, q = (1 / (1 + np.exp((z[:, 1] - z[:, 0]) / t)) for t in (1, temperature))
    p, q = (p, q) if top is None else (np.maximum(p, 1 - p), np.where(p > 0.5, q, 1 - q))
    cube = np.minimum(np.floor(p * 5), 4).astype(int)
    gaps = np.bincount(cube, q - p, 5) / np.maximum(np.bincount(cube, minlength=5), 1)
    return (2 if top is None else 1) * float(np.bincount(cube, minlength=5) / len(p) @ gaps**2)


@pytest.mark.parametrize("top", [None, 1])
@pytest.mark.parametrize("temperature", [1.0, 1.5, 3.0])
def test_the_interval_covers(temperature, top):
    truth = 0.0 if temperature == 1 else true_value(temperature, top)
    # about 200 sets at 0.9: four standard errors are 0.085
    assert coverage(temperature, truth, top) >= 0.815


def test_the_interval_leaves_zero_where_the_error_is_large():
    details = squared_canonical(simulate(2000, 2.0), bins=3).details
    assert 0 < details["low"] < details["high"]
    calibrated = squared_canonical(simulate(2000), bins=3).details
    assert calibrated["low"] == 0


@pytest.mark.parametrize("options", [{"top": 0}, {"bins": 0}, {"level": 1.0}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        squared_canonical(**options)


def test_top_is_at_most_the_number_of_classes():
    with pytest.raises(DataError, match="number of classes"):
        squared_canonical(simulate(10), top=5)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_evaluate_shows_the_interval_at_its_own_level(level):
    batch = simulate(500, 2.0, k=3)
    shown = evaluate(batch, ["squared_canonical"], level=level, replicates=10)["squared_canonical"]
    details = squared_canonical(batch, level=level).details
    assert (shown.low, shown.high, shown.level) == (details["low"], details["high"], level)


def sure_and_unsure(sure, unsure):
    """Return rows that are sure and right, and rows of (1/2, 1/2) with these labels."""
    p = np.array([[1.0, 0.0]] * sure + [[0.5, 0.5]] * len(unsure))
    return Predictions.from_probabilities(p, [0] * sure + unsure)


def test_few_rows_with_gaps_do_not_bound_the_error():
    found = squared_canonical(sure_and_unsure(400, [0, 0, 1]))  # the variance grows faster than the squared distance
    assert "low" not in found.details
    assert "do not bound" in found.notes[0]
    assert squared_canonical(sure_and_unsure(400, [0, 1] * 60 + [0] * 20)).details["high"] < 2


def test_no_error_leaves_so_low_a_value():
    level = np.arange(20)
    positive = np.repeat((level + 0.5) / 20, 200)
    labels = np.concatenate([np.arange(200) < 10 * one + 5 for one in level]).astype(int)  # no cube has a gap
    found = squared_canonical(Predictions.binary(positive, labels), bins=20)
    assert float(found) < 0
    assert "low" not in found.details
    assert "lower than noise" in found.notes[0]


@pytest.mark.parametrize("unit", [1e90, 1e-90])
def test_weights_count_in_any_unit(unit):
    plain, w = simulate(400, k=3), np.random.default_rng(0).integers(1, 4, 400) * 1.0
    one, other = (
        squared_canonical(Predictions.from_probabilities(plain.scores, plain.labels, weights=w * u), bins=3)
        for u in (1.0, unit)
    )
    assert float(other) == pytest.approx(float(one))
    assert (other.details["low"], other.details["high"]) == pytest.approx((one.details["low"], one.details["high"]))
