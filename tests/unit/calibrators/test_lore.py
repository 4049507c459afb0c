"""Local shares of right predictions: wide they are histogram binning, narrow they are those of the neighbours."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators.lore import LoRe
from calibrant.errors import DataError
from regional import regional


def test_very_wide_it_is_histogram_binning():
    batch, _ = regional(500, "scale")
    mapped = LoRe(bandwidth=1e9, smoothing=0.0).fit(batch)(batch)
    p = batch.probabilities
    h, right = p.max(1), batch.summary.correct
    place = np.clip(np.ceil(h * 15) - 1, 0, 14).astype(int)
    expected = np.bincount(place, right, 15)[place] / np.bincount(place, minlength=15)[place]
    top = batch.summary.top
    found = mapped.probabilities[np.arange(500), top]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_two_places_of_one_confidence_get_their_own_shares():
    n = 400
    place = np.arange(n) % 2
    rng = np.random.default_rng(0)
    right = rng.random(n) < np.where(place == 0, 0.5, 0.9)
    logits = np.zeros((n, 2))
    logits[:, 0] = np.log(0.7 / 0.3)
    batch = Predictions.from_logits(logits, np.where(right, 0, 1), features=place[:, None] * 10.0)
    learnt = LoRe(bandwidth=0.01, smoothing=0.0).fit(batch)
    found = learnt(batch).probabilities[:, 0]
    whole = right.mean()
    for side in (0, 1):
        share = right[place == side].mean()
        assert found[place == side] == pytest.approx((200 * share + 10 * whole) / 210, rel=1e-9)
    assert LoRe().fit(batch).bandwidth < 1  # the places are 2 apart in the space


def test_an_empty_bin_keeps_its_confidence_and_the_others_their_proportions():
    batch, _ = regional(300, "global", k=4)
    learnt = LoRe().fit(batch)
    fresh = Predictions.from_logits([[0.1, 0.0, 0.0, 0.05]], features=[[0.0, 0.0]])
    rows = learnt.bin_of[learnt.bin_of == 4]
    if not len(rows):  # confidences of .25 to .27
        np.testing.assert_allclose(learnt(fresh).probabilities, fresh.probabilities, rtol=1e-9)
    mapped, p = learnt(batch).probabilities, batch.probabilities
    others = p.argsort(1)[:, :3]
    before, after = (np.take_along_axis(each, others, 1) for each in (p, mapped))
    np.testing.assert_allclose(after / after.sum(1, keepdims=True), before / before.sum(1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("options", [{"bins": 0}, {"bandwidth": 0.0}, {"shrinkage": 0.0}, {"smoothing": -1.0}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        LoRe(**options)
