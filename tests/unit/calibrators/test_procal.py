"""Confidence by proximity: the identities of the paper on the rows of the fit, and degenerate outcomes."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators.procal import FORMS, METHODS, Cells, ProCal, _cells, _in_cells, _proximity, _shifts
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from regional import log_loss, regional

ALL = [(method, form) for method in METHODS for form in FORMS]


def drawn(n=2000):
    rng = np.random.default_rng(0)
    c, d, w = rng.uniform(0.2, 1, n), rng.uniform(0, 1, n), rng.uniform(0.5, 2, n)
    return c, d, (rng.random(n) < c * d).astype(float), w


def test_a_full_shift_gives_each_cell_its_share_and_never_raises_the_brier_score():
    c, d, right, w = drawn()
    cells = _cells(c, d, w, (10, 15))
    share, mean = _shifts(cells, c, d, right, w)
    moved = c + _in_cells(NUMPY, cells, c[:, None], d[:, None], share - mean)[:, 0]
    place = _in_cells(NUMPY, cells, c[:, None], d[:, None], np.arange(share.size).reshape(share.shape))[:, 0].astype(
        int
    )
    mass = np.bincount(place, w, share.size)
    after, some = np.bincount(place, w * moved, share.size), mass > 0  # ties of confidences may leave a cell empty
    np.testing.assert_allclose(after[some] / mass[some], share.ravel()[some], atol=1e-12)
    before, now = (w @ (each - right) ** 2 for each in (c, moved))
    assert now == pytest.approx(before - mass @ ((share - mean) ** 2).ravel(), rel=1e-9)  # Brier's decomposition
    assert 80 <= len(mass) <= 100  # about 2,500 of weight, 25 a cell


def test_without_a_share_of_the_shift_nothing_changes():
    batch, _ = regional(400, "scale")
    mapped = ProCal(method="bin_mean_shift", share=0.0).fit(batch)(batch)
    np.testing.assert_allclose(mapped.probabilities, batch.probabilities, atol=1 / 400)  # confidences above 1 - 1/402


@pytest.mark.parametrize(("method", "form"), ALL)
def test_rows_stay_probabilities_and_the_others_keep_their_order(method, form):
    batch, _ = regional(300, "scale", k=4)
    mapped = ProCal(method=method, form=form).fit(batch)(batch).probabilities
    np.testing.assert_allclose(mapped.sum(1), 1, rtol=1e-12)
    assert (mapped > 0).all()
    others = batch.probabilities.argsort(1)[:, :3]
    assert (np.diff(np.take_along_axis(mapped, others, 1), axis=1) >= 0).all()


@pytest.mark.parametrize(("method", "form"), ALL)
def test_all_right_all_wrong_and_certain_rows(method, form):
    batch, _ = regional(60, "scale")
    top = batch.summary.top
    for labels in (top, (top + 1) % 3):
        same = replace(batch, labels=labels.astype(np.int64), _memo={})
        learnt = ProCal(method=method, form=form).fit(same)
        np.testing.assert_allclose(learnt(same).probabilities, batch.probabilities, rtol=1e-9)
    certain = Predictions.from_probabilities(np.eye(3)[top], batch.hard_labels, features=batch.features)
    p = ProCal(method=method, form=form).fit(certain)(certain).probabilities
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)


def test_densities_find_what_the_proximity_tells():
    """Rows in a crowd are right as often as they say, lone ones much less."""

    def made(seed):
        batch, _ = regional(800, "global", seed=seed)
        rng = np.random.default_rng(seed + 50)
        lone = rng.random(800) < 0.5
        features = np.array([3.0, 0, 0, 0]) + rng.normal(size=(800, 4)) * np.where(lone, 9.0, 0.05)[:, None]
        labels = np.where(lone, rng.integers(3, size=800), batch.summary.top)
        return replace(batch, features=features, labels=labels, _memo={}), lone

    batch, _ = made(0)
    fresh, lone = made(1)
    for form in FORMS:
        mapped = ProCal(form=form).fit(batch)(fresh)
        assert log_loss(mapped) < log_loss(fresh) - 0.2
        own = mapped.probabilities[np.arange(800), fresh.summary.top]
        assert own[lone].mean() < 0.6 < own[~lone].mean()


def test_proximities_by_hand():
    squared = np.array([[1.0, 4.0]])
    assert _proximity(NUMPY, squared, "paper", 2)[0, 0] == pytest.approx(np.exp(-1.5))
    assert _proximity(NUMPY, squared, "released", 2)[0, 0] == pytest.approx((np.exp(-1) + np.exp(-4)) / 2)


def test_the_cell_of_a_row_by_hand():
    cells = Cells(np.array([[0.5]]), np.array([[0.3], [0.6]]))
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = _in_cells(
        NUMPY, cells, np.array([[0.3], [0.4], [0.5], [0.7]]), np.array([[0.5], [0.5], [0.6], [0.6]]), table
    )
    np.testing.assert_array_equal(found[:, 0], [1, 2, 3, 4])


@pytest.mark.parametrize("options", [{"method": "kde"}, {"form": "code"}, {"neighbours": 0}, {"share": 1.5}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        ProCal(**options)
