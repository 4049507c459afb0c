"""Do the notions pair, split, weigh and merge rows as they say? Two-row examples, slow loops, shards."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError, UnknownMethod
from calibrant.evaluation import evaluate
from calibrant.metrics import CalibrationError, measure
from calibrant.metrics.notions.group import Group
from calibrant.metrics.notions.top_label import TopLabel
from calibrant.statistics import BinSums
from measure_bank import make

ROUNDING = 1e-12  # sums in another order
P = np.array([[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def batch(groups=("a", "a", "b", "b"), labels=(0, 0, 1, 2), rows=slice(None), **more):
    return Predictions.from_probabilities(P[rows], np.array(labels)[rows], groups=np.array(groups)[rows], **more)


def slow_error(p, labels, weights, parts):
    """Return the sum over parts of their share times their ECE over 15 right-closed bins, by loops."""
    cells = {}
    for i, row in enumerate(p):
        bin_of = max(0, int(np.ceil(row.max() * 15 - 1e-12)) - 1)
        cells.setdefault((parts[i], bin_of), []).append(i)
    gaps = []
    for rows in cells.values():
        hit = sum(weights[i] * (p[i].argmax() == labels[i]) for i in rows)
        said = sum(weights[i] * p[i].max() for i in rows)
        gaps.append(abs(hit - said))
    return sum(gaps) / sum(weights)


@pytest.mark.parametrize("name", ["plain", "weights", "real_weights", "missing_class", "many", "binary"])
def test_partitions_equal_a_slow_loop(name):
    rows = make(name)
    p, top, groups = np.asarray(rows.probabilities, float), rows.summary.top, rows.groups
    both = [f"{g} {c}" for g, c in zip(groups, top, strict=True)]
    for spec, parts in (("tl_ece", top), ("group_ece", groups), ("predicted_group_ece", both)):
        expected = slow_error(p, rows.labels, rows.row_weights, parts)
        assert float(measure(spec)(rows)) == pytest.approx(expected, abs=ROUNDING)


def test_the_mean_over_predicted_classes_is_weighed_by_rows():
    # Predicted 0: rows 0 and 2, gaps +.2 and -.9 in bins of their own; 1: row 1, -.6; 2: row 3, +.5.
    found = measure("tl_ece")(batch())
    assert found.per_class == pytest.approx([0.55, 0.6, 0.5])
    assert float(found) == pytest.approx((2 * 0.55 + 0.6 + 0.5) / 4)
    assert found.details == {"columns": (0, 1, 2), "worst": 1}
    assert float(measure("tl_ece(aggregate='sum')")(batch())) == pytest.approx(1.65)
    assert float(measure("tl_ece(aggregate='max')")(batch())) == pytest.approx(0.6)


def test_a_class_that_is_never_predicted_counts_nothing():
    found = measure("tl_ece")(batch(rows=[0, 2, 3]))
    assert found.per_class == pytest.approx([0.55, 0.0, 0.5])
    assert float(found) == pytest.approx((2 * 0.55 + 0.5) / 3)


def test_groups_stand_in_order_and_are_named():
    found = measure("group_ece")(batch(groups=(7, 7, -2, -2)))
    assert found.details["columns"] == (-2, 7)
    assert found.per_class == pytest.approx([(0.9 + 0.5) / 2, (0.2 + 0.6) / 2])
    both = measure("predicted_group_ece")(batch())
    assert both.details["columns"] == (("a", 0), ("a", 1), ("b", 0), ("b", 2))
    assert both.details["worst"] == ("b", 0)


def test_named_groups_leave_the_others_out():
    found = measure("group_ece(notion=\"group(values=('c', 'b'))\")")(batch())
    assert found.details["columns"] == ("c", "b")
    assert (found.n, float(found)) == (2, pytest.approx(0.7))


@pytest.mark.parametrize("values", [("c", "b"), ("b", "a"), ("b",), ("c",)])
def test_measures_of_sorted_pairs_leave_them_out_too(values):
    rows = batch(groups=("a", "a", "b", "d"))
    for spec in ("ks", "corp_miscalibration", "smece"):
        found = measure(f'{spec}(notion="group(values={values})")')(rows)
        binned = measure(f'group_ece(notion="group(values={values})")')(rows)
        assert found.n == binned.n
        assert len(found.per_class) == len(values)
    alone = measure("ks")(batch(rows=[1, 3]))
    assert float(measure("ks(notion=\"group(values=('c', 'b'))\")")(batch())) == pytest.approx(float(alone))


@pytest.mark.parametrize("spec", ["group_ece", "predicted_group_ece", "tl_ece"])
def test_shards_with_other_groups_align(spec):
    metric, whole = measure(spec), batch(groups=("b", "a", "c", "b"))
    shards = [batch(groups=("b", "a", "c", "b"), rows=[i]) for i in (2, 0, 3, 1)]
    merged = metric.statistic(shards[0])
    for shard in shards[1:]:
        merged = merged.merge(metric.statistic(shard))
    found, expected = merged.compute(), metric(whole)
    assert float(found) == pytest.approx(float(expected), abs=ROUNDING)
    assert found.per_class == pytest.approx(expected.per_class, abs=ROUNDING)
    assert found.details == expected.details


def test_columns_of_several_batches_hold_each_row_once():
    shards = [batch(rows=[0, 2]), batch(rows=[1, 3])]
    columns = [(s.tolist(), y.tolist(), w.tolist()) for s, y, w in Group().columns_of(shards)]
    assert columns == [([0.8, 0.6], [1.0, 0.0], [1.0, 1.0]), ([0.9, 0.5], [0.0, 1.0], [1.0, 1.0])]
    scores = [s.tolist() for s, _, _ in TopLabel().columns_of(shards)]
    assert scores == [[0.8, 0.9], [0.6], [0.5]]
    named = [s.tolist() for s, _, _ in Group(values=("b",)).columns_of(shards)]
    assert named == [[0.9, 0.5]]


def test_pairs_mark_the_rows_of_other_parts():
    (first, _), (second, _) = Group().pairs(batch())
    assert np.isnan(first).tolist() == [False, False, True, True]
    assert second[2:].tolist() == [0.9, 0.5]


def test_equal_mass_bins_of_each_part():
    rows = make("plain")
    found = measure("tl_ece(binning='mass', bins=3)")(rows)
    for c in range(4):
        mine = rows.take(rows.summary.top == c)
        assert found.per_class[c] == pytest.approx(float(measure("ece(binning='mass', bins=3)")(mine)), abs=ROUNDING)


def test_bins_of_their_own_need_the_same_parts():
    notion, edges = Group(), np.array([[0.0, 0.5, 1.0], [0.0, 0.85, 1.0]])
    sums = notion.bin(batch(), edges, right=True, squares=True)
    assert sums.weight.tolist() == [[0, 2], [1, 1]]
    assert sums.square_weight.tolist() == [[0, 2], [1, 1]]
    with pytest.raises(DataError, match=r"parts of a batch must be those .* got 1; name them all"):
        notion.bin(batch(rows=[0, 1]), edges, right=True, squares=False)
    with pytest.raises(DataError, match="merged parts must be the same"):
        sums.merge(notion.bin(batch(groups=("a", "c", "a", "c")), edges, right=True, squares=True))


def test_messages_about_groups():
    without = Predictions.from_probabilities(P, [0, 0, 1, 2])
    with pytest.raises(DataError, match="predictions must have groups to be measured by group; pass groups="):
        measure("group_ece")(without)
    metric = measure("group_ece")
    mixed = metric.statistic(batch()).merge
    with pytest.raises(DataError, match="groups of all batches must be of one type"):
        mixed(metric.statistic(batch(groups=(1, 2, 3, 4))))
    with pytest.raises(DataError, match="values must name each group once"):
        measure("group_ece(notion=\"group(values=('a', 'a'))\")")


def test_within_top_adds_the_largest_and_asks_for_the_label_among_them():
    # Sums of two: 1.0, .9, 1.0, .8; labels at ranks 1, 3, 2, 1.
    found = measure("within_top_ece")(batch())
    assert float(found) == pytest.approx((0.0 + 0.9 + 0.0 + 0.2) / 4)
    one = measure("within_top_ece(notion='within_top(r=1)')")(batch())
    assert float(one) == pytest.approx(float(measure("ece")(batch())))
    soft = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    softly = Predictions.from_probabilities(P, soft)
    outcome = measure("within_top_ece")._notion.outcome(softly)
    assert outcome.tolist() == [1.0, 0.8, 0.0, 1.0]  # in row 3 classes 2 and 1 are the likeliest
    every = measure("within_top_ece(notion='within_top(r=3)')")._notion.outcome(softly)
    assert every.tolist() == [1.0, 1.0, 0.0, 1.0]  # a class of probability 0 is not among them


@pytest.mark.parametrize("r", [1, 2, 3, 4, 9])
def test_within_top_equals_a_slow_loop(r):
    for name in ("plain", "ties", "zeros", "logits", "many"):
        rows = make(name)
        p = np.asarray(rows.probabilities, float)
        notion = CalibrationError(notion=f"within_top(r={r})")._notion
        order = np.argsort(-rows.scores, axis=1, kind="stable")[:, :r]
        scores = [min(1.0, p[i, best].sum()) for i, best in enumerate(order)]
        hits = [float(rows.labels[i] in best and p[i, rows.labels[i]] > 0) for i, best in enumerate(order)]
        # single-precision logits: the sums of exponentials agree to 1e-6
        assert notion.scores(rows) == pytest.approx(scores, abs=1e-6 if rows.logits else ROUNDING)
        assert notion.outcome(rows).tolist() == hits
        assert notion.outcome(rows.relabelled(rows.labels)).tolist() == hits


def test_within_top_needs_a_number():
    with pytest.raises(DataError, match="r must be a positive whole number, got 0"):
        measure("within_top_ece(notion='within_top(r=0)')")
    with pytest.raises(UnknownMethod):
        measure("ece(notion='within_topp')")


@pytest.mark.parametrize("spec", ["tl_ece", "group_ece", "predicted_group_ece", "within_top_ece"])
def test_evaluation_gives_interval_and_null_level(spec):
    rng = np.random.default_rng(5)
    p = rng.dirichlet([1, 1, 1], size=4000)
    rows = Predictions.from_probabilities(p, rng.integers(0, 3, 4000), groups=rng.integers(0, 2, 4000))
    found = evaluate(rows, [spec], replicates=40)[spec]
    assert 0 < found.null < found.value
    assert found.low < found.value < found.high + found.null


def test_redrawn_labels_need_no_new_sums():
    rows = batch()
    for notion in ("top_label", "group", "predicted_group", "within_top"):
        metric = CalibrationError(notion=notion)
        other = rows.relabelled(np.array([1, 1, 0, 2]))
        known = metric.relabelled_sums(metric.sums(rows), other)
        assert isinstance(known, BinSums)
        assert metric.value(known) == pytest.approx(metric.value(metric.sums(other)), abs=ROUNDING)


@pytest.mark.parametrize("name", ["plain", "weights", "real_weights"])
def test_measures_of_pairs_take_the_parts(name):
    rows = make(name)
    found = measure("kuiper(notion='group')")(rows)
    parts = [rows.take(rows.groups == g) for g in (0, 1)]
    values = [float(measure("kuiper")(part)) for part in parts]
    assert found.per_class == pytest.approx(values, abs=ROUNDING)
    mass = [part.row_weights.sum() for part in parts]
    assert float(found) == pytest.approx(np.average(values, weights=mass), abs=ROUNDING)


def test_noise_within_parts_knows_the_weights():
    rows = make("real_weights")
    found = measure("squared_ce(notion='group', binning='width', bins=4)")(rows)
    for c in (0, 1):
        mine = measure("squared_ce(binning='width', bins=4)")(rows.take(rows.groups == c))
        assert found.per_class[c] == pytest.approx(float(mine), abs=ROUNDING)


def test_specs_with_options_of_the_notion_build_again():
    for spec in ("within_top_ece(notion='within_top(r=3)')", "group_ece(notion=\"group(values=('b', 'a'))\")"):
        metric = measure(spec)
        assert measure(metric.spec) == metric


def test_a_mean_that_rows_weigh_says_so():
    estimands = {name: measure(name).estimand for name in ("sce", "tl_ece", "group_ece", "predicted_group_ece")}
    assert estimands["sce"].endswith("mean over classes")
    assert estimands["tl_ece"].endswith("mean over predicted classes, weighed by their rows")
    assert estimands["group_ece"].endswith("mean over groups, weighed by their rows")
    assert estimands["predicted_group_ece"].endswith("mean over groups and predicted classes, weighed by their rows")
    assert measure("tl_ece(aggregate='max')").estimand.endswith("max over predicted classes")
