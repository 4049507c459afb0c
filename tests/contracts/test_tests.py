"""Does every test of calibration keep the laws? Registry x laws; a new test needs no other edit."""

import dataclasses

import numpy as np
import pytest

from calibrant import Predictions, registry
from calibrant.errors import DataError
from calibrant.metrics.tests import test as make_test
from calibrant.metrics.tests.base import ASYMPTOTIC, EXACT, TOGETHER
from measure_bank import BANK, make
from simulation import simulate

# Sums in another order round differently; statistics are differences of some hundred terms that nearly cancel.
ROUNDING = 1e-9
REPLICATES = 39  # p-values down to 0.025

ENTRIES = {entry.name: entry for entry in registry.entries("test")}
SPECS = [f"{name}(replicates={REPLICATES})" if "replicates" in e.options else name for name, e in ENTRIES.items()]
SPECS += ["spiegelhalter(notion='confidence')", "spiegelhalter(rule='log_loss')", "skce_test(estimator='block')"]
SPECS += ["hosmer_lemeshow(p_value='chi_square')", f"hosmer_lemeshow(p_value='resampled', replicates={REPLICATES})"]
SPECS += [f"t_cal(notion='confidence', replicates={REPLICATES})"]

pytestmark = pytest.mark.parametrize("spec", SPECS)

every_set = pytest.mark.parametrize("name", [name for name in BANK if name != "soft"])
sets_of_weights = pytest.mark.parametrize(
    "name", ["plain", "ties", "zeros", "one_row", "logits", "weights", "real_weights"]
)


def same(one, other):
    """Assert that two results agree up to rounding; NaN agrees with NaN."""
    assert one.statistic == pytest.approx(other.statistic, rel=ROUNDING, abs=ROUNDING, nan_ok=True)
    assert one.p_value == pytest.approx(other.p_value, abs=ROUNDING, nan_ok=True)
    assert one.n == other.n


def copy(batch, rows=slice(None), order=slice(None), **columns):
    """Return some rows of the batch with its classes in another order, which keep their ids."""
    labels = np.arange(batch.k) if isinstance(order, slice) else np.argsort(order)
    chosen = batch.take(np.arange(len(batch))[rows])
    changed = {"ids": batch.row_keys[rows], "features": chosen.features, **columns}
    door = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    return door(
        chosen.scores[:, order],
        labels[chosen.labels],
        **{"weights": chosen.weights, "groups": chosen.groups, **changed},
    )


def redraws(spec):
    """Return whether the test redraws labels on some data."""
    return make_test(spec).level != ASYMPTOTIC


@every_set
def test_a_p_value_is_a_chance_or_a_note_says_why_there_is_none(spec, name):
    batch = make(name)
    result = make_test(spec)(batch)
    assert result.n == np.count_nonzero(batch.row_weights)
    if np.isnan(result.p_value):
        assert result.notes
    else:
        assert 0 <= result.p_value <= 1
        assert not np.isnan(result.statistic)


@every_set
def test_order_of_rows(spec, name):
    batch = make(name)
    order = np.random.default_rng(1).permutation(len(batch))
    same(make_test(spec)(batch.take(order)), make_test(spec)(batch))


@sets_of_weights
def test_scaling_all_weights_changes_nothing(spec, name):
    batch = make(name)
    same(make_test(spec)(copy(batch, weights=0.3 * batch.row_weights)), make_test(spec)(copy(batch)))


@sets_of_weights
def test_a_row_of_weight_zero_is_not_there(spec, name):
    batch = make(name)
    twice = copy(batch, np.tile(np.arange(len(batch)), 2), ids=np.arange(2 * len(batch)))
    weights = np.concatenate([batch.row_weights, np.zeros(len(batch))])
    labels = np.concatenate([batch.labels, np.roll(batch.labels, 1)])
    present = copy(batch, ids=np.arange(len(batch)))
    same(
        make_test(spec)(dataclasses.replace(twice, labels=labels, weights=weights, _memo={})), make_test(spec)(present)
    )


@every_set
def test_sharded_is_pooled(spec, name):
    batch, test = make(name), make_test(spec)
    pieces = [batch.take(rows) for rows in np.array_split(np.arange(len(batch)), min(3, len(batch)))]
    pieces = [test.statistic(piece) for piece in pieces if piece.row_weights.any()]
    merged = pieces[-1]
    for piece in pieces[:-1]:
        merged = merged.merge(piece)
    assert merged.merging in ("exact", "collecting", "approximate")
    same(merged.compute(), test(batch))


def test_rows_that_share_an_id_are_noted(spec):
    batch, test, order = make("real_weights"), make_test(spec), np.random.default_rng(1).permutation(90)
    together = copy(batch, ids=np.arange(90) // 3)
    found = test(together)
    assert TOGETHER in found.notes
    assert TOGETHER not in test(batch).notes
    same(test(together.take(order)), found)
    same(test.statistic(together.take(order[:50])).merge(test.statistic(together.take(order[50:]))).compute(), found)


def test_input_is_untouched(spec):
    batch = make("weights")
    before = batch.scores.tobytes(), batch.labels.tobytes()
    make_test(spec)(batch)
    assert (batch.scores.tobytes(), batch.labels.tobytes()) == before


def test_order_of_classes(spec):
    for name in ("plain", "binary", "missing_class", "weights"):  # not of ties for the top class
        batch = make(name)
        order = np.random.default_rng(2).permutation(batch.k)
        one, other = make_test(spec)(batch), make_test(spec)(copy(batch, order=order))
        # other labels are redrawn: five standard errors of a difference of two shares of REPLICATES
        most = 5 * np.sqrt(2 * 0.25 / REPLICATES) if redraws(spec) else ROUNDING
        assert one.p_value == pytest.approx(other.p_value, abs=most)


def test_two_classes_agree_with_the_binary_door(spec):
    batch = make("binary")
    other = Predictions.binary(batch.scores[:, 1], batch.labels, features=batch.features)
    same(make_test(spec)(other), make_test(spec)(batch))


def test_same_seed_same_answer(spec):
    batch = make("plain")
    one, other = make_test(spec)(batch), make_test(spec)(batch)
    assert (one.statistic, one.p_value) == (other.statistic, other.p_value)


def test_what_is_declared(spec):
    test = make_test(spec)
    assert test.null.startswith("the ")
    assert not test.entry.capabilities.supports_soft_labels
    assert test.entry.reference
    assert make_test(test.spec) == test
    result = test(make("plain"))
    assert (result.name, result.spec, result.null) == (test.entry.name, test.spec, test.null)


def test_the_declared_level(spec):
    test, batch = make_test(spec), make("plain")
    if test.level == EXACT:  # the p-value is a rank among the redrawn ones
        ranks = test(batch).p_value * (REPLICATES + 1)
        assert ranks == pytest.approx(round(ranks), abs=1e-9)
    elif "seed" in test.entry.options and test.level == ASYMPTOTIC:  # nothing is redrawn
        other = dataclasses.replace(test, seed=1)
        assert other(batch).p_value == test(batch).p_value
    else:
        assert test.level == ASYMPTOTIC or "asymptotic" in test.level


def test_soft_labels_are_refused_in_one_sentence(spec):
    with pytest.raises(DataError, match=r"^labels must be hard, one class a row, for a test of calibration, got soft"):
        make_test(spec)(make("soft"))


def test_labels_are_needed(spec):
    with pytest.raises(DataError, match="have labels to be tested"):
        make_test(spec)(dataclasses.replace(make("plain"), labels=None, _memo={}))


def test_strong_miscalibration_is_found(spec):
    if make_test(spec).blind_to:
        pytest.skip(f"not about {make_test(spec).blind_to}")
    for k in (2, 4):
        batch = simulate(400, k=k, features=2)
        assert make_test(spec)(batch.relabelled(batch.scores.argmin(1))).p_value <= 0.05  # the least probable class


def test_labels_from_the_probabilities_are_not_often_rejected(spec):
    found = [make_test(spec)(simulate(150, seed=seed, features=2)).p_value for seed in range(8)]
    # under the null each is at most 0.05 with chance 0.05: five of eight by chance once in 65,000 choices of the seeds
    assert np.count_nonzero(np.array(found) <= 0.05) <= 4
    assert np.max(found) > 0.2
