"""Many label vectors or weightings at once give what each gives alone, for every registered measure."""

import numpy as np
import pytest

from calibrant import registry
from calibrant.metrics import measure
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.tests.redraw import redrawn, relabellings
from measure_bank import make

SPECS = [entry.name for entry in registry.entries("measure") if not measure(entry.name).costly]
SPECS += ["ece(binning='mass')", "smece(notion='class_wise')", "corp_miscalibration(rule='log_loss')"]
SPECS += [
    "ks(notion='within_top')",
    "mmce(notion='within_top')",
    "squared_canonical(bins=1)",
    "squared_canonical(top=2)",
    "ece_sweep(notion='class_wise')",
]
SPECS += ["squared_canonical(bins=1)", "squared_canonical(top=2)"]
SETS = ["ties", "real_weights", "weights", "zeros", "logits", "binary", "missing_class"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("spec", SPECS)
def test_many_label_vectors_give_what_each_gives(spec, name):
    metric, batch = measure(spec), make(name)
    labels = np.random.default_rng(1).integers(0, batch.k, (3, len(batch)))  # also labels of probability 0
    known = metric.sums(batch)
    metric = metric.pinned(known)
    known = metric.sums(batch)
    alone = [metric.value(metric.sums(batch.relabelled(one))) for one in labels]
    # sums in another order: a few hundred float64 roundings of numbers of order one
    together = metric.relabelled_values(known, Relabellings(batch, labels))
    assert together == pytest.approx(alone, abs=1e-12, nan_ok=True)
    merged = [metric.value(one) for one in metric.relabelled_many(known, Relabellings(batch, labels))]
    assert merged == pytest.approx(alone, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "spec",
    ["accuracy", "log_loss", "ece", "sce", "tl_ece", "squared_ce", "group_ece", "squared_ce(notion='top_label')"],
)
def test_many_weightings_give_what_each_gives(spec, name):
    metric, batch = measure(spec), make(name)
    metric = metric.pinned(metric.sums(batch))
    weights = np.random.default_rng(0).poisson(1.0, (len(batch), 3)).astype(float)
    weights[0] = 1.0  # at least one row
    alone = [metric.sums(batch.reweighted(np.ascontiguousarray(one))) for one in weights.T]
    together = metric.reweighted_sums(batch, weights)
    for one, other in zip(together, alone, strict=True):
        assert metric.estimate(one).n == metric.estimate(other).n
        # the order of sums, as above; kernels for one and for many weightings take exp of float32 logits apart, to 1e-7
        assert metric.value(one) == pytest.approx(metric.value(other), abs=1e-6 if batch.logits else 1e-12)


def test_a_row_of_weight_zero_and_infinite_loss_is_not_there():
    batch = make("zeros")
    loss = measure("log_loss")
    rows = loss.score.rows(batch)
    assert np.isinf(rows).any()
    weights = np.where(np.isinf(rows), 0.0, 1.0)[:, None] * [1.0, 2.0]
    assert [loss.value(one) for one in loss.reweighted_sums(batch, weights)] == pytest.approx(
        [rows[np.isfinite(rows)].mean()] * 2,
        abs=1e-12,  # the order of sums
    )


def test_all_label_vectors_come_in_their_order():
    batch = make("logits")
    several = list(relabellings(batch, 150, seed=3))
    assert len(several) > 1
    every = np.concatenate([drawn.labels for drawn in several])
    np.testing.assert_array_equal(every, list(redrawn(batch, 150, seed=3)))
