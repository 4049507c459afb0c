"""Scores of rows by hand, and against slow loops."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.scoring import RankedProbabilityScore, SphericalScore
from measure_bank import make

ROUNDING = 1e-12  # sums in another order
P = np.array([[0.6, 0.3, 0.1], [0.0, 0.8, 0.2]])


def test_two_rows_by_hand():
    rows = Predictions.from_probabilities(P, [0, 2])
    assert SphericalScore().rows(rows) == pytest.approx([1 - 0.6 / np.sqrt(0.46), 1 - 0.2 / np.sqrt(0.68)])
    # cumulative (.6, .9) against (1, 1), and (0, .8) against (0, 0)
    assert RankedProbabilityScore(False).rows(rows) == pytest.approx([0.16 + 0.01, 0.64])
    assert float(measure("ranked_probability")(rows)) == pytest.approx((0.17 + 0.64) / 4)
    assert float(measure("ranked_probability(normalized=False)")(rows)) == pytest.approx((0.17 + 0.64) / 2)


@pytest.mark.parametrize("name", ["plain", "soft", "logits", "zeros", "many", "weights"])
def test_scores_equal_slow_loops(name):
    rows = make(name)
    p = np.asarray(rows.probabilities, float)
    q = rows.labels if rows.soft else np.eye(rows.k)[rows.labels]
    spherical, ranked = np.zeros(len(p)), np.zeros(len(p))
    for i, row in enumerate(p):
        for y, mass in enumerate(q[i]):
            spherical[i] += mass * (1 - row[y] / np.sqrt((row**2).sum()))
            ranked[i] += mass * sum((row[: j + 1].sum() - (y <= j)) ** 2 for j in range(rows.k - 1))
    # single-precision logits: probabilities agree to 1e-6
    close = {"abs": 1e-6 if rows.logits else ROUNDING, "rel": 0}
    assert SphericalScore().rows(rows) == pytest.approx(spherical, **close)
    assert RankedProbabilityScore(False).rows(rows) == pytest.approx(ranked, **close)


def test_of_two_classes_ranks_are_half_of_brier():
    rows = make("binary")
    assert float(measure("ranked_probability")(rows)) == pytest.approx(float(measure("brier")(rows)) / 2, abs=ROUNDING)


def test_blocks_do_not_matter(monkeypatch):
    rows = make("many")
    whole = RankedProbabilityScore().rows(rows)
    monkeypatch.setattr("calibrant.scoring.ranked_probability._BLOCK", 700)
    assert np.array_equal(RankedProbabilityScore().rows(rows), whole)


def test_refusals():
    with pytest.raises(DataError, match="have labels to be scored"):
        SphericalScore().rows(Predictions.from_probabilities(P))
    with pytest.raises(DataError, match="normalized must be True or False, got 1"):
        measure("ranked_probability(normalized=1)")
