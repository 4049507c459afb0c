"""The tests that redraw labels: their statistics equal slow loops, and their p-values follow the rule."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError
from calibrant.metrics import measure
from calibrant.metrics.simplex_cubes import cubes
from calibrant.metrics.tests import test as make_test
from calibrant.metrics.tests.grouped_counts import _cells
from calibrant.metrics.tests.kernel_resampled import unbiased_sums
from calibrant.metrics.tests.redraw import observed_and_redrawn, upper_p_value
from calibrant.metrics.tests.scales import Scale, scales_of
from calibrant.metrics.vector_kernels import Kernel
from simulation import simulate

ROUNDING = 1e-12  # a few thousand float64 operations on values of order one
SPECS = ["skce_test(replicates=19)", "t_cal(replicates=19)", "t_cal(notion='confidence', replicates=19)"]
SPECS += ["hosmer_lemeshow(p_value='resampled', replicates=19)", "hosmer_lemeshow(outcomes='class', replicates=19)"]
SPECS += ["consistency(replicates=19)", "consistency(measure='brier', alternative='two_sided', replicates=19)"]
SPECS += ["skce_test(estimator='block')", "spiegelhalter", "spiegelhalter(rule='log_loss', notion='confidence')"]
every_test = pytest.mark.parametrize("spec", SPECS)


def weighted(batch, weights, **columns):
    return Predictions.from_probabilities(batch.scores, batch.labels, weights=weights, **columns)


def random_weights(n):
    return np.random.default_rng(4).gamma(2.0, size=n)


def test_p_value_counts_ties_against_the_observed():
    assert upper_p_value(np.array([2.0, 1.0, 2.0, 3.0])) == 0.75
    assert upper_p_value(np.array([2.0, 1.0, 2.0 - 1e-12, 3.0])) == 0.75
    assert upper_p_value(np.array([4.0, 1.0, 2.0, 3.0])) == 0.25
    assert upper_p_value(np.array([np.inf, 1.0, 2.0, 3.0])) == 0.25
    assert np.isnan(upper_p_value(np.array([np.nan, 1.0])))


def test_redrawn_labels_follow_the_probabilities():
    p = np.tile([0.2, 0.5, 0.3], (2000, 1))
    labels = observed_and_redrawn(Predictions.from_probabilities(p, np.zeros(2000, int)), 50, 3)
    assert (labels[0] == 0).all()
    # 100,000 labels: a standard error of 0.0016
    assert np.bincount(labels[1:].ravel()) / 100_000 == pytest.approx([0.2, 0.5, 0.3], abs=0.008)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", ["laplacian", "total_variation"])
def test_kernel_sums_equal_the_loop(name, weights):
    batch = simulate(300, k=3)
    batch = weighted(batch, random_weights(300)) if weights else batch
    labels = observed_and_redrawn(batch, 3, 0)
    found = unbiased_sums(batch, Kernel(name, 0.4), labels)
    p, w = batch.scores, batch.row_weights
    order = 1 if name == "total_variation" else 2
    distance = np.linalg.norm(p[:, None] - p, ord=order, axis=2) / (2 if order == 1 else 1)
    k = np.exp(-distance / 0.4) * np.outer(w, w) * (1 - np.eye(300))
    for value, y in zip(found, labels, strict=True):
        r = np.eye(3)[y] - p
        assert value == pytest.approx(np.sum(k * (r @ r.T)), rel=1e-10)  # sums of 90,000 terms that cancel


def test_the_kernel_test_reports_the_measure():
    batch = weighted(simulate(80), random_weights(80))
    assert make_test("skce_test(replicates=9)")(batch).statistic == pytest.approx(float(measure("skce")(batch)))
    block = make_test("skce_test(estimator='block', block_size=5)")(batch)
    assert block.statistic == pytest.approx(float(measure("skce(estimator='block', block_size=5)")(batch)))


def test_block_test_by_hand():
    batch = Predictions.from_probabilities(np.full((4, 2), 0.5), [0, 0, 0, 1])
    found = make_test("skce_test(estimator='block', bandwidth=1.0)")(batch)
    # blocks (0, 1) and (2, 3): equal residuals give 1/2, opposite ones -1/2
    assert found.statistic == 0
    assert found.p_value == 0.5
    alike = make_test("skce_test(estimator='block', bandwidth=1.0)")(batch.relabelled(np.zeros(4, int)))
    assert alike.details["z"] == pytest.approx(1 / np.sqrt(0.5))
    assert alike.p_value == pytest.approx(0.0786, abs=1e-4)  # the upper tail of the normal law at 1.414


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("per_axis", [1, 2, 8])
def test_plug_in_equals_the_loop(per_axis, weights):
    batch = simulate(60, k=3)
    w = random_weights(60) if weights else np.ones(60)
    batch = weighted(batch, w)
    labels = observed_and_redrawn(batch, 4, 0)
    found = Scale.of(batch, per_axis).plug_in(batch, labels)
    keys = [tuple(np.minimum(np.floor(row * per_axis), per_axis - 1)) for row in batch.scores]
    for value, y in zip(found, labels, strict=True):
        r, total = np.eye(3)[y] - batch.scores, 0.0
        for key in set(keys):
            rows = [i for i in range(60) if keys[i] == key]
            cross = sum(w[i] * w[j] * (r[i] @ r[j]) for i in rows for j in rows if i != j)
            total += cross / w[rows].sum()
        assert value == pytest.approx(total, abs=1e-11)


def test_cubes_and_scales():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [1.0, 0.0]])
    batch = Predictions.from_probabilities(p, [0, 0, 0, 0])
    number, count = cubes(batch, 2)
    assert count == 1
    assert number.tolist() == [0, 0, -1, 0]
    scales = [scale.per_axis for scale in scales_of(simulate(200, k=2))]
    assert scales == [2**i for i in range(len(scales))]
    assert len(scales) > 3
    assert [scale.per_axis for scale in scales_of(batch)] == [1, 2, 4]  # 12, 6 and 6 ordered pairs, then 2 < 4 rows


def test_many_classes_are_counted_by_sorting():
    batch = simulate(8, k=200)  # 200 cells, over eight times the rows
    labels = observed_and_redrawn(batch, 3, 0)
    residuals = [np.eye(200)[y] - batch.scores for y in labels]
    expected = [(np.sum(r.sum(0) ** 2) - np.sum(r**2)) / 8 for r in residuals]
    assert Scale.of(batch, 1).plug_in(batch, labels) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("weights", [False, True])
def test_hosmer_lemeshow_is_a_quadratic_form(weights):
    p = np.tile([0.6, 0.25, 0.15], (120, 1))
    w = random_weights(120) if weights else np.ones(120)
    y = np.random.default_rng(0).choice(3, 120, p=[0.5, 0.3, 0.2])
    found = make_test("hosmer_lemeshow(p_value='chi_square')")(Predictions.from_probabilities(p, y, weights=w))
    d = w @ (np.eye(3)[y] - p)
    covariance = np.sum(w**2) * (np.diag(p[0]) - np.outer(p[0], p[0]))
    assert found.statistic == pytest.approx(d[:2] @ np.linalg.solve(covariance[:2, :2], d[:2]), rel=1e-10)
    assert found.details["degrees_of_freedom"] == 2
    if not weights:  # one group of equal probabilities: Pearson's statistic
        assert found.statistic == pytest.approx(np.sum(d**2 / (120 * p[0])), rel=1e-10)


def test_groups_of_ranks_and_of_classes():
    p = np.array([[0.8, 0.2], [0.2, 0.8]] * 20)
    y = np.array([0, 1] * 20)
    batch = Predictions.from_probabilities(p, y)
    by_rank = make_test("hosmer_lemeshow(p_value='chi_square')")(batch)
    assert by_rank.statistic == pytest.approx(8**2 / (40 * 0.8 * 0.2))  # 40 right where 32 were promised
    by_class = make_test("hosmer_lemeshow(outcomes='class', p_value='chi_square')")(batch)
    assert by_class.statistic == pytest.approx(0, abs=ROUNDING)  # 20 of each class, as promised


def test_few_rows_make_few_groups():
    for n, groups in ((30, 1), (70, 3), (300, 10)):
        found = make_test("hosmer_lemeshow(replicates=1)")(simulate(n))
        assert found.details["groups"] == groups
    weighted_rows = weighted(simulate(300), np.where(np.arange(300) < 40, 1.0, 1e-6))
    assert make_test("hosmer_lemeshow(replicates=1)")(weighted_rows).details["groups"] <= 2


def test_rare_classes_are_counted_together():
    assert _cells(np.array([10.0, 1.0, 4.5, 6.0])).tolist() == [2, 0, 0, 1]
    assert _cells(np.array([10.0, 1.0, 3.5, 6.0])).tolist() == [1, 0, 0, 0]
    assert _cells(np.array([0.0, 6.0, 7.0])).tolist() == [0, 0, 1]
    assert _cells(np.array([2.0, 1.0])).tolist() == [0, 0]
    assert _cells(np.full(6, 2.0)).tolist() == [0, 0, 0, 1, 1, 1]
    assert _cells(np.full(5, 2.0)).tolist() == [0, 0, 0, 0, 0]


def test_consistency_compares_the_measure_with_its_redrawn_values():
    batch = simulate(400, temperature=2.0)
    found = make_test("consistency(replicates=19)")(batch)
    assert found.statistic == float(measure("ece")(batch))
    assert found.p_value == 0.05
    mass = make_test("consistency(measure=\"ece(binning='mass')\", replicates=19)")(batch)
    assert mass.statistic == pytest.approx(float(measure("ece(binning='mass')")(batch)), abs=ROUNDING)
    less = make_test("consistency(measure='accuracy', alternative='less', replicates=19)")(batch)
    assert less.p_value == 0.05


def test_a_measure_that_is_not_defined_gives_no_p_value():
    one = Predictions.from_probabilities([[0.5, 0.5]], [0])
    found = make_test("consistency(measure='skce', replicates=3)")(one)
    assert np.isnan(found.p_value)
    assert found.notes
    for spec in ("skce_test", "t_cal"):
        found = make_test(spec)(one)
        assert np.isnan(found.p_value)
        assert found.notes


@every_test
def test_logits_and_probabilities_agree(spec):
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(120, 3))
    labels = rng.integers(0, 3, 120)
    of_logits = Predictions.from_logits(logits, labels)
    other = Predictions.from_probabilities(np.asarray(of_logits.probabilities), labels)
    test = make_test(spec)
    assert test(of_logits).statistic == pytest.approx(test(other).statistic, rel=1e-9, abs=1e-12)


@every_test
def test_soft_labels_are_refused(spec):
    soft = Predictions.from_probabilities([[0.4, 0.6]] * 3, [[0.5, 0.5]] * 3)
    with pytest.raises(DataError, match="hard"):
        make_test(spec)(soft)


@pytest.mark.parametrize(
    "spec",
    [
        "skce_test(kernel='gauss')",
        "skce_test(bandwidth=0)",
        "skce_test(estimator='biased')",
        "skce_test(block_size=1)",
        "t_cal(notion='class_wise')",
        "t_cal(replicates=0)",
        "hosmer_lemeshow(groups=0)",
        "hosmer_lemeshow(p_value='exact')",
        "hosmer_lemeshow(outcomes='top')",
        "consistency(alternative='both')",
        "consistency(seed=0.5)",
        "spiegelhalter(rule='spherical')",
        "spiegelhalter(notion='top_label')",
    ],
)
def test_wrong_options(spec):
    with pytest.raises(DataError):
        make_test(spec)


def test_a_confidence_that_rounds_above_one_is_one():
    p = simulate(200).scores.astype(np.float32)
    p[7] = [1, 0, 0, 0]
    above = p.copy()
    above[7, 0] = np.nextafter(np.float32(1), np.float32(2))
    labels = simulate(200).labels.copy()
    labels[7] = 0
    one, other = (
        make_test("t_cal(notion='confidence', replicates=19)")(Predictions.from_probabilities(s, labels))
        for s in (p, above)
    )
    assert (other.statistic, other.p_value) == (one.statistic, one.p_value)


@pytest.mark.parametrize("spec", ["skce_test(estimator='block')", "skce_test(replicates=19)"])
def test_weights_count_in_any_unit(spec):
    plain = simulate(60)
    w = np.random.default_rng(0).integers(1, 4, 60) * 1.0
    one, *others = (
        make_test(spec)(Predictions.from_probabilities(plain.scores, plain.labels, weights=w * unit))
        for unit in (1.0, 1e90, 1e-90)
    )
    for other in others:
        assert (other.statistic, other.p_value) == pytest.approx((one.statistic, one.p_value))
