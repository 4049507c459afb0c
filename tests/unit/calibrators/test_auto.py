"""The gate and the pool of `auto`, by hand-made gains and likelihoods."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import calibrator, fit
from calibrant.calibrators.auto import Gain
from calibrant.errors import DataError
from calibrant.solvers.pool import pool_weights
from regional import log_loss, regional
from simulation import simulate


def batch(n, **columns):
    return Predictions.from_probabilities(np.full((n, 2), 0.5), np.arange(n) % 2, **columns)


def test_one_lucky_row_is_no_evidence():
    gains = np.full(200, -0.001)
    gains[7] = 5.0
    assert not Gain.of(gains, batch(200), 2, 0.0).holds
    gains[8] = 5.0  # two such rows: without one of them it still gains
    assert Gain.of(gains, batch(200), 2, 0.0).holds
    together = batch(200, ids=np.maximum(np.arange(200) - 7, 0))  # rows 0 to 7 are one unit
    gains[8], gains[6] = -0.001, 5.0
    assert not Gain.of(gains, together, 2, 0.0).holds


def test_a_gain_must_exceed_what_fitting_the_weights_gains():
    gains = np.tile([0.002, 0.0], 100)  # 0.001 nats a row
    assert Gain.of(gains, batch(200), 2, 0.0).holds  # 0.05 / 200 nats are expected of one free weight
    assert not Gain.of(gains, batch(200), 6, 0.0).holds  # of five, more than it gains


def test_the_gate_counts_standard_errors_and_is_strict_with_few_rows():
    for n, default in ((200, True), (80, False)):
        noise = np.tile([1.0, -1.0], n // 2)
        gains = noise + 1.2 * np.sqrt(n / (n - 1)) / np.sqrt(n)  # about 1.2 standard errors
        assert Gain.of(gains, batch(n), 1, 0.0).holds is default
        assert not Gain.of(gains, batch(n), 1, 1.645).holds


def test_the_map_tells_what_decided():
    rows = simulate(400, k=3, temperature=3.0)
    learnt = fit(rows, "auto(candidates=('temperature',))")
    assert learnt.specs == ("identity", "temperature")
    assert learnt.shares[1] > 0.8
    assert learnt.gain[0] > 0.05
    assert "a pool of" in learnt.record.message
    kept = fit(rows.take(slice(0, 15)), "auto(candidates=('temperature',))")
    assert len(kept.maps) == 1
    assert "too few" in kept.record.message


def test_soft_labels_of_one_likeliest_class_are_of_two_classes():
    p = np.linspace(0.02, 0.45, 300)
    sharp = p**3 / (p**3 + (1 - p) ** 3)
    soft = Predictions.from_probabilities(np.stack([1 - sharp, sharp], 1), np.stack([1 - p, p], 1))
    assert len(fit(soft, "auto(candidates=('temperature',))").specs) == 2


def test_pool_weights_solve_the_likelihood_with_pseudo_rows():
    p = np.random.default_rng(0).uniform(0.1, 0.9, size=(50, 3))
    a = pool_weights(np.log(p), np.ones(50), 3.0)
    # the fixed point of the EM step; steps are certified to 1e-10 a row, their square root in the weights
    assert a == pytest.approx((a * (p / (p @ a)[:, None]).sum(0) + 1) / 53, abs=1e-5)


@pytest.mark.parametrize("options", ["gate=-1.0", "candidates='all'", "candidates=()", "candidates=5", "seed=0.5"])
def test_wrong_options(options):
    with pytest.raises(DataError):
        calibrator(f"auto({options})")


def test_local_methods_are_candidates_where_there_are_features():
    batch, _ = regional(500, "blind", k=3)
    learnt = fit(batch, "auto(candidates='quick')")
    assert "local_pool" in learnt.specs
    assert learnt.shares[[learnt.specs.index(spec) for spec in learnt.specs if "local" in spec]].sum() > 0.5
    assert learnt.dimensions == 2
    bare = replace(batch, features=None, _memo={})
    with pytest.raises(DataError, match="predictions must have the 2 features of the map"):
        learnt(bare)
    without = fit(bare, "auto(candidates='quick')")
    assert not any("local" in spec for spec in without.specs)
    assert without.dimensions == 0
    fresh, _ = regional(500, "blind", k=3, seed=1)
    assert log_loss(learnt(fresh)) < log_loss(without(fresh)) - 0.01
