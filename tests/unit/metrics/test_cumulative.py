"""Are KS and Kuiper the extremes over all cut-offs and all intervals of scores?"""

import numpy as np
import pytest

from calibrant.metrics import measure
from calibrant.statistics import Column
from measure_bank import make


@pytest.mark.parametrize("name", ["plain", "ties", "soft", "real_weights", "one_row", "perfect"])
def test_equals_a_loop_over_intervals(name):
    batch = make(name)
    f, y, w = batch.summary.confidence, batch.summary.correct, batch.row_weights
    r = w * (y - f) / w.sum()
    cuts = [-np.inf, *np.unique(f)]
    ks = max(abs(r[f <= t].sum()) for t in cuts)
    kuiper = max(abs(r[(f > a) & (f <= b)].sum()) for a in cuts for b in cuts)
    assert float(measure("ks")(batch)) == pytest.approx(ks, abs=1e-14)
    assert float(measure("kuiper")(batch)) == pytest.approx(kuiper, abs=1e-14)


def test_three_rows_by_hand():
    # residuals .5, -.6, .3 over 3: path 0, .5, -.1, .2
    column = Column.of(np.array([0.5, 0.6, 0.7]), np.array([1.0, 0.0, 1.0]))
    ks, kuiper = measure("ks"), measure("kuiper")
    assert ks.of_column(column) == pytest.approx(0.5 / 3, abs=1e-15)
    assert ks.details(column) == pytest.approx({"score": 0.5, "difference": 0.5 / 3}, abs=1e-15)
    assert kuiper.of_column(column) == pytest.approx(0.6 / 3, abs=1e-15)
    assert kuiper.details(column) == pytest.approx({"above": 0.5, "up_to": 0.6, "difference": -0.2}, abs=1e-15)


def test_an_interval_from_the_lowest_score_on():
    details = measure("kuiper").details(Column.of(np.array([0.5, 0.6]), np.zeros(2)))
    assert details["above"] is None
    assert details["up_to"] == 0.6


def test_size_at_a_calibrated_model():
    rng = np.random.default_rng(0)
    n, found = 2000, []
    for _ in range(300):
        f = rng.random(n)
        found.append(measure("ks").of_column(Column.of(f, (rng.random(n) < f) + 0.0)))
    scale = (np.mean(f * (1 - f)) / n) ** 0.5
    # 300 repeats of a standard deviation of about a half of the mean: 3 %; steps make the maximum smaller by a few %
    assert np.mean(found) / scale == pytest.approx((np.pi / 2) ** 0.5, rel=0.1)
