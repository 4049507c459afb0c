"""What the three isotonic methods share: the formula is the map, also where probabilities round to 0 or 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.calibrators.curves import CurveMap
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from calibrant.testing import check_calibrator

SPECS = [
    "isotonic",
    "isotonic(lines='probability')",
    "pooled_isotonic",
    "normalization_aware_isotonic",
]


def confident(n=400, k=5, seed=0, spread=12.0):
    """Return logits (n, k) whose probabilities come within 1e-9 of 0 and of 1, and labels."""
    rng = np.random.default_rng(seed)
    z = spread * rng.normal(size=(n, k))
    return z, np.argmax(z / 3 + rng.gumbel(size=z.shape), axis=1)


def formula_of(learnt, batch):
    total = batch.summary.total[:, None] if batch.logits else None
    wide = batch.scores.astype(np.float64)
    return learnt.formula(NUMPY, np.log(wide) if total is None else wide - total)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_formula_is_the_map(spec, kind, dtype):
    z, labels = confident()
    if kind == "logits":
        batch = Predictions.from_logits(z.astype(dtype), labels)
    else:
        batch = Predictions.from_probabilities(softmax(z, axis=1).astype(dtype), labels)
        assert dtype == np.float64 or (batch.scores == 1).sum() > 20  # in single precision many round to 1
    learnt = fit(batch, spec)
    # A float carries seven digits; in double precision the kernel's functions err by 1e-15, times slopes of up to 100.
    most = 1e-6 if dtype == np.float32 else 1e-12
    assert np.abs(learnt(batch).scores - formula_of(learnt, batch)).max() <= most


@pytest.mark.parametrize("spec", SPECS)
def test_the_formula_is_the_map_of_zeros(spec):
    batch = Predictions.from_probabilities(np.eye(3)[[0, 1, 2, 0, 1, 2]], [0, 1, 2, 1, 1, 2])
    learnt = fit(batch, spec)
    filled = np.where(batch.scores == 0, learnt.floor, 1.0)
    expected = learnt.formula(NUMPY, np.log(filled / filled.sum(1, keepdims=True)))
    np.testing.assert_allclose(learnt(batch).scores, expected, atol=1e-12)


@pytest.mark.parametrize("spec", ["isotonic", "pooled_isotonic"])
def test_logits_tell_what_probabilities_round_away(spec):
    # A third of the rows are certain to ten digits and right; another third to seven digits, and one in five wrong. As
    # float32 probabilities both say 1, and only the other class tells them apart.
    rng = np.random.default_rng(1)
    gap = np.repeat([24.0, 18.0, 0.5], 300)
    wrong = np.concatenate([np.zeros(300), rng.random(300) < 0.2, rng.random(300) > expit(0.5)])
    labels = wrong.astype(int)
    z = np.stack([gap, np.zeros(900)], axis=1).astype(np.float32)
    for batch in (Predictions.from_logits(z), Predictions.from_probabilities(softmax(z, axis=1))):
        assert (batch.probabilities[:600, 0] == 1).all()
        learnt = fit(Predictions.from_logits(z, labels) if batch.logits else relabelled(batch, labels), spec)
        mapped = learnt(batch).probabilities[:, 0]
        assert mapped[300] < 0.9
        assert mapped[0] > mapped[300] + 0.05


def relabelled(batch, labels):
    return Predictions.from_probabilities(batch.scores, labels)


@pytest.mark.parametrize("spec", ["pooled_isotonic", "normalization_aware_isotonic"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_function_keeps_the_order_of_the_classes(spec, dtype):
    z, labels = confident(seed=2, spread=4.0)
    learnt = fit(Predictions.from_logits(z, labels), spec)
    fresh = log_softmax(4 * np.random.default_rng(3).normal(size=(500, 5)), axis=1).astype(dtype)
    mapped = learnt(Predictions.from_logits(fresh)).scores
    ranked = np.take_along_axis(mapped, fresh.argsort(1), axis=1)
    assert (np.diff(ranked, axis=1) >= 0).all()
    if dtype == np.float64:
        assert (np.diff(ranked, axis=1) > 0).all()


def test_pooled_blocks_by_hand():
    # pairs .3:0 .7:1, .4:1 .6:0: scores .3 .4 .6 .7 with outcomes 0 1 0 1, blocks {.3}, {.4, .6}, {.7}
    learnt = fit(Predictions.binary([0.7, 0.4], [1, 1]), "pooled_isotonic")
    np.testing.assert_allclose(learnt.centres, [logit(0.3), 0, logit(0.7)], atol=1e-12)
    levels = logit([0.3 / 2, 0.5, (1 + 0.7) / 2])  # (W y + s) / (W + 1)
    np.testing.assert_allclose(learnt.levels, 0.999 * levels, atol=1e-12)
    assert learnt.tilt == 1e-3
    found = expit(0.999 * logit(0.85) + 0.001 * logit(0.9))  # beyond the last block only the tilt rises
    np.testing.assert_allclose(learnt(Predictions.binary([0.9])).scores[0, 1], found, rtol=1e-12)


def test_pooled_weights_are_kish_rows():
    rng = np.random.default_rng(4)
    z, labels = confident(60, 3, seed=5, spread=1.0)
    weights = rng.integers(1, 4, 60).astype(float)
    one = fit(Predictions.from_logits(z, labels, weights=weights), "pooled_isotonic")
    other = fit(Predictions.from_logits(z, labels, weights=7 * weights), "pooled_isotonic")
    np.testing.assert_allclose(one.levels, other.levels, rtol=1e-12)


def test_lines_between_probabilities_keep_every_law():
    check_calibrator("isotonic(lines='probability')")


def test_lines_between_probabilities_by_hand():
    p = np.array([0.2, 0.4, 0.6, 0.8])
    learnt = fit(Predictions.binary(p, [0, 1, 0, 1]), "isotonic(lines='probability')")
    of_one = slice(learnt.offsets[1], learnt.offsets[2])
    np.testing.assert_allclose(learnt.centres[of_one], [0.2, 0.5, 0.8], rtol=1e-12)
    np.testing.assert_allclose(learnt.levels[of_one], [0.1, 0.5, 0.9], rtol=1e-12)
    mapped = learnt(Predictions.binary([0.2, 0.35, 0.8, 0.95])).scores[:, 1]
    np.testing.assert_allclose(mapped, [0.1, 0.3, 0.9, 0.9], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "logit"}, "scale must be one of odds, probability, log"),
        ({"offsets": np.array([0, 2, 3, 4])}, "offsets must be of one curve or of 2"),
        ({"scale": "log"}, "offsets must be of one curve"),
        ({"tilt": 0.1}, "offsets must be of one curve"),
        ({"offsets": np.array([0, 0, 4])}, "offsets must rise from 0"),
        ({"levels": np.zeros(3)}, "centres and levels must have shape"),
        ({"levels": np.array([0, 1, np.nan, 1])}, "must be finite"),
        ({"centres": np.array([0.0, 1.0, 1.0, 1.0])}, "centres must rise within each curve"),
        ({"scale": "probability", "centres": np.array([-1.0, 1, 0, 1])}, "must be probabilities"),
    ],
)
def test_a_map_checks_its_curves(change, message):
    record = fit(Predictions.binary([0.2, 0.8], [0, 1]), "isotonic").record
    right = {"offsets": np.array([0, 2, 4]), "centres": np.array([0.0, 1, 0, 1]), "levels": np.array([0.0, 1, 0, 1])}
    CurveMap(record=record, **right)
    with pytest.raises(DataError, match=message):
        CurveMap(record=record, **(right | change))
