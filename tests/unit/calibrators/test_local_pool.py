"""Pools with local class frequencies: known regions, the fall-back far away, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions, fit
from calibrant.calibrators import load
from calibrant.calibrators.local_kernel import LocalRows
from calibrant.calibrators.local_pool import LocalPool
from calibrant.calibrators.local_pools import KINDS
from calibrant.errors import CapabilityError, DataError
from calibrant.programs import NumpyPlace, probabilities, recorded
from calibrant.solvers.gate import Sides, gate
from calibrant.solvers.log_pool import log_pool
from calibrant.testing import CALIBRATOR_LAWS
from regional import log_loss, regional, softmax


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_that_is_wrong_is_repaired(kind):
    batch, _ = regional(600, "blind")
    fresh, _ = regional(600, "blind", seed=1)
    learnt = LocalPool(kind=kind).fit(batch)
    assert len(learnt.points) == 600
    plain = fit(batch, "temperature")
    assert log_loss(learnt(fresh)) < log_loss(plain(fresh)) - 0.01  # some .03 to .05 nats


@pytest.mark.parametrize("kind", KINDS)
def test_far_from_the_calibration_rows_it_is_the_temperature_map(kind):
    batch, _ = regional(300, "blind")
    away, _ = regional(50, "blind", seed=1, far=1e8)
    learnt = LocalPool(kind=kind).fit(batch)
    expected = fit(batch, "temperature")(away).probabilities
    # the share is at most 1e-14 of a usual one, by the square of the distance
    np.testing.assert_allclose(learnt(away).probabilities, expected, rtol=1e-6, atol=1e-12)


def test_features_that_tell_nothing_leave_the_temperature_map():
    batch, _ = regional(300, "global")
    noise = replace(batch, features=np.random.default_rng(5).normal(size=(300, 4)), _memo={})
    learnt = LocalPool().fit(noise)
    assert learnt.points.shape == (0, 0)
    assert learnt.n_parameters == 1
    assert "temperature map" in learnt.record.message
    np.testing.assert_allclose(learnt(noise).probabilities, fit(batch, "temperature")(batch).probabilities, rtol=1e-12)


def test_few_rows_and_features_that_never_move_leave_it_too():
    batch, _ = regional(300, "blind")
    still = replace(batch, features=np.ones((300, 2)), _memo={})
    for rows in (batch.take(slice(0, 19)), still):
        assert "too few rows" in LocalPool().fit(rows).record.message


def test_frequencies_around_a_row_leave_it_out():
    """Two rows at each of ten far places, with different labels: each sees only the other."""
    features = np.repeat(100.0 * np.arange(10), 2)[:, None]
    labels = np.tile([0, 1], 10)
    batch = Predictions.from_logits(np.zeros((20, 2)), labels, features=features)
    rows = LocalRows.of(batch, None, 50)
    averages, mass = rows.left_out(np.arange(20), 1e-3, None)
    np.testing.assert_array_equal(averages, np.eye(2)[1 - labels])
    np.testing.assert_allclose(mass, 0.0, atol=1e-9)  # one row at distance 0
    wide, _ = rows.left_out(np.arange(20), 1e6, np.eye(2)[labels])
    np.testing.assert_allclose(wide, (10 - np.eye(2)[labels]) / 19, rtol=1e-9)


def test_a_repeated_row_is_a_weight():
    batch, _ = regional(120, "shift")
    weights = np.random.default_rng(3).integers(1, 4, size=120).astype(float)
    rows = LocalRows.of(replace(batch, weights=weights, _memo={}), None, 50)
    one = np.arange(5)
    values = np.eye(3)[batch.hard_labels]
    found, _ = rows.left_out(one, 0.5, values)
    for i in one:
        squared = np.square(rows.points - rows.points[i]).sum(1)
        w = np.repeat(np.exp(-squared / 0.5) * (np.arange(120) != i), weights.astype(int))
        expected = w @ np.repeat(values, weights.astype(int), axis=0) / w.sum()
        np.testing.assert_allclose(found[i], expected, rtol=1e-9)


def test_isolated_rows_have_finite_numbers():
    batch, _ = regional(100, "shift")
    features = batch.features.copy()
    features[0] = 1e6
    learnt = LocalPool().fit(replace(batch, features=features, _memo={}))
    for place in (1e3, 1e12, 1e300):
        p = learnt(replace(batch, features=np.full((100, 2), place), _memo={})).probabilities
        assert np.isfinite(p).all()


def test_the_order_of_the_rows_does_not_matter_to_the_last_digit():
    batch, _ = regional(150, "shift", ids=np.arange(150))
    shuffled = batch.take(np.random.default_rng(0).permutation(150))
    one, other = LocalPool().fit(batch), LocalPool().fit(shuffled)
    np.testing.assert_array_equal(one(batch).scores, other(batch).scores)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_exported_and_one_by_one_it_is_the_same(kind, tmp_path):
    batch, _ = regional(200, "blind")
    learnt = LocalPool(kind=kind).fit(batch)
    assert len(learnt.points)
    again = load(learnt.save(tmp_path / "map.safetensors"))
    np.testing.assert_array_equal(again(batch).scores, learnt(batch).scores)
    program = recorded(lambda ops, *given: probabilities(ops, learnt, *given), beside=1)
    u = np.log(softmax(batch.scores))
    np.testing.assert_allclose(
        program.run(NumpyPlace(), u, beside=[batch.features]), learnt(batch).probabilities, rtol=1e-9
    )


def test_a_batch_without_features_is_a_sentence():
    batch, _ = regional(100)
    bare = replace(batch, features=None, _memo={})
    with pytest.raises(CapabilityError, match="predictions must have features for local_pool; pass features="):
        LocalPool().fit(bare)
    learnt = LocalPool().fit(batch)
    with pytest.raises(DataError, match="predictions must have the 2 features of the map"):
        learnt(bare)
    with pytest.raises(DataError, match="features must be the 2 of the map, got 3"):
        learnt(replace(batch, features=np.zeros((100, 3)), _memo={}))


@pytest.mark.parametrize("options", [{"kind": "sum"}, {"support": 1.0}, {"dimensions": 0}, {"zero": 2.0}])
def test_wrong_options(options):
    with pytest.raises(DataError):
        LocalPool(**options)


def test_the_gate_is_at_its_optimum():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(200), rng.normal(size=200)])
    most, offset = rng.uniform(0.2, 1, 200), rng.normal(size=200)
    sides = Sides(
        rng.uniform(0.1, 0.9, 200), rng.uniform(0.1, 0.9, 200), most, offset, features, rng.uniform(0, 2, 200)
    )
    start = np.array([-1.0, 0.0])

    def loss(c):
        a = most / (1 + np.exp(-offset - features @ c))
        return -sides.weights @ np.log(sides.first + a * (sides.second - sides.first)) + 0.5 * np.sum((c - start) ** 2)

    best = gate(sides, start, [(-8.0, 8.0)] * 2)
    for step in np.vstack([np.eye(2), -np.eye(2)]) * 1e-3:
        assert loss(best + step) > loss(best)


def test_the_log_pool_is_at_its_optimum():
    rng = np.random.default_rng(1)
    z, features = rng.normal(size=(80, 4)), rng.normal(size=(2, 80, 4))
    labels, weights = rng.dirichlet(np.ones(4), size=80), np.full(80, 1 / 80)
    found = log_pool(z, features, labels, weights, 0.01)

    def loss(x):
        p = softmax(z + np.tensordot(x, features, 1))
        return -(weights[:, None] * labels * np.log(p)).sum() + 0.005 * x @ x

    assert found.converged
    assert found.loss == pytest.approx(loss(found.numbers) - 0.005 * found.numbers @ found.numbers, abs=1e-12)
    for step in np.vstack([np.eye(2), -np.eye(2)]) * 1e-3:
        assert loss(found.numbers + step) > loss(found.numbers)


@pytest.mark.parametrize("kind", ["linear", "log", "counts", "residual"])
def test_laws_of_the_other_kinds(kind):
    batch, _ = regional(60, "blind", k=4, seed=2)
    hidden = batch.scores.copy()
    hidden[::7, 1] = -np.inf
    uneven = replace(batch.rescored(hidden, "logit"), weights=np.arange(60) % 4 + 0.0, _memo={})
    for law in ("row_order", "class_relabelling", "one_hot_labels", "weight_scale", "kinds_agree", "finite_log_loss"):
        CALIBRATOR_LAWS[f"check_{law}"](LocalPool(kind=kind), uneven)
    soft = replace(batch, labels=0.8 * np.eye(4)[batch.hard_labels] + 0.05, _memo={})
    for law in ("batch_size", "saved_and_loaded", "parameters", "formula"):
        CALIBRATOR_LAWS[f"check_{law}"](LocalPool(kind=kind), soft)
