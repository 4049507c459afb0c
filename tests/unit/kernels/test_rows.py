"""`scan_rows` and `entropy` against plain NumPy in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.kernels import entropy, ranked_rows, row_variances, scan_rows


def tolerance(case):
    # A float32 logit's distance from the row's maximum is known to 6e-8 of itself, and float32 exp to 2.4e-7; distances
    # of up to 40 that matter give 2e-6. float64 is the same with an epsilon of 2e-16. Probabilities are only summed.
    if not case.logits:
        return {"rtol": 1e-13, "atol": 1e-15}
    return {"rtol": 3e-6, "atol": 1e-12} if case.single else {"rtol": 1e-13, "atol": 1e-15}


def naive_ranks(case):
    s, y = case.scores, case.labels
    own = s[np.arange(len(s)), y][:, None]
    earlier = np.arange(s.shape[1]) < y[:, None]
    return 1 + (s > own).sum(1) + ((s == own) & earlier).sum(1)


def test_columns_equal_the_plain_formulas(case):
    scan = scan_rows(case.scores, logits=case.logits, labels=case.labels)
    rows, close = np.arange(len(case.scores)), tolerance(case)
    assert scan.fault is None
    assert_array_equal(scan.top, case.scores.argmax(1))
    assert_allclose(scan.confidence, case.probabilities.max(1), **close)
    assert_allclose(scan.total, case.total, **close)
    assert_allclose(scan.sum_of_squares, (case.probabilities**2).sum(1), **close)
    assert_allclose(scan.label_probability, case.probabilities[rows, case.labels], **close)
    assert_allclose(scan.label_log_probability, case.log_probabilities[rows, case.labels], **close)
    assert_array_equal(scan.label_rank, naive_ranks(case))
    assert_array_equal(scan.label_rank == 1, scan.top == case.labels)


def test_label_probability_of_the_top_class_is_the_confidence(case):
    scan = scan_rows(case.scores, logits=case.logits, labels=case.scores.argmax(1))
    assert_array_equal(scan.label_probability, scan.confidence)


@pytest.mark.parametrize("weighted", [False, True])
def test_class_totals_are_weighted_sums(case, weighted):
    weights = case.weights if weighted else None
    scan = scan_rows(case.scores, logits=case.logits, weights=weights)
    w = case.weights if weighted else np.ones(len(case.scores))
    assert_allclose(scan.class_totals, w @ case.probabilities, **tolerance(case))


def test_without_labels_the_label_columns_are_none(small_case):
    scan = scan_rows(small_case.scores, logits=small_case.logits)
    assert scan.label_rank is scan.label_probability is scan.label_log_probability is None


def test_a_row_without_label_has_nan_and_rank_zero(small_case):
    labels = small_case.labels.copy()
    labels[::2] = -1
    labels[1] = small_case.scores.shape[1]
    scan = scan_rows(small_case.scores, logits=small_case.logits, labels=labels)
    known = (labels >= 0) & (labels < small_case.scores.shape[1])
    full = scan_rows(small_case.scores, logits=small_case.logits, labels=small_case.labels)
    assert_array_equal(scan.label_rank, np.where(known, full.label_rank, 0))
    assert np.isnan(scan.label_probability[~known]).all()
    assert np.isnan(scan.label_log_probability[~known]).all()
    assert_array_equal(scan.label_probability[known], full.label_probability[known])


def test_ties_go_to_the_first_column():
    scores = np.array([[1, 3, 3, 2, 3]] * 5, np.float32)
    scan = scan_rows(scores, logits=True, labels=np.arange(5))
    assert scan.top.tolist() == [1] * 5
    assert scan.label_rank.tolist() == [5, 1, 2, 4, 3]


def test_a_shift_of_the_logits_changes_nothing_but_the_total():
    z = np.round(np.random.default_rng(1).normal(size=(50, 30)), 3)
    a, b = scan_rows(z, logits=True), scan_rows(z + 4096.0, logits=True)
    # z + 4096 is rounded to 5e-13, and so are its exponentials
    assert_allclose(b.confidence, a.confidence, rtol=1e-11)
    assert_allclose(b.total - 4096.0, a.total, rtol=1e-11, atol=1e-11)


BAD = [("nan", np.nan, False), ("nan", np.nan, True), ("infinite", np.inf, False), ("infinite", np.inf, True)]
BAD += [("negative", -1e-30, False), ("infinite", -np.inf, False)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "value", "logits"), BAD)
@pytest.mark.parametrize(("n", "k"), [(5, 3), (5, 17), (5, 1000), (3000, 500)])
def test_the_first_fault_is_found_wherever_it_is(dtype, kind, value, logits, n, k):
    for row, column in [(0, 0), (2, k - 1), (n - 1, k // 2)]:
        scores = np.full((n, k), 1 / k, dtype)
        scores[row, column] = value
        scores[n - 1, k - 1] = value
        assert scan_rows(scores, logits=logits).fault == (kind, row, column)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_of_impossible_classes_is_empty(dtype):
    scores = np.zeros((4, 9), dtype)
    scores[2] = -np.inf
    assert scan_rows(scores, logits=True).fault == ("empty", 2, 0)


def test_minus_zero_and_numbers_above_one_are_no_fault():
    scan = scan_rows(np.array([[-0.0, 1.25]]), logits=False)
    assert scan.fault is None
    assert scan.confidence[0] == scan.total[0] == 1.25


def test_no_rows():
    scan = scan_rows(np.empty((0, 4), np.float32), logits=True, labels=np.empty(0, np.int64))
    assert scan.fault is None
    assert len(scan.top) == len(scan.label_rank) == 0
    assert scan.class_totals.tolist() == [0, 0, 0, 0]


def test_entropy(case):
    p, logs = case.probabilities, case.log_probabilities
    expected = -np.where(p > 0, p * np.where(p > 0, logs, 0), 0).sum(1)
    # float32: each log is known to 2.4e-7 of itself, and logits to 6e-8 of their distance from the total
    close = {"rtol": 3e-6, "atol": 1e-6} if case.single else {"rtol": 1e-13, "atol": 1e-13}
    assert_allclose(entropy(case.scores, logits=case.logits, total=case.total), expected, **close)


def test_non_contiguous_scores_are_refused():
    with pytest.raises(TypeError):
        scan_rows(np.zeros((4, 6))[:, ::2], logits=True)


@pytest.mark.parametrize("logs", [False, True])
def test_row_variances_equal_the_formula(small_case, logs):
    p, logits = small_case.probabilities, small_case.logits
    p = p / p.sum(1, keepdims=True)
    with np.errstate(divide="ignore"):
        label = (np.log(p) if logs else p)[np.arange(len(p)), small_case.labels]
    values = np.where(p > 0, np.log(np.where(p > 0, p, 1)), 0.0) if logs else p
    mean = (p * values).sum(1)
    columns = {"top": small_case.scores.argmax(1).astype(np.int32), "labels": small_case.labels}
    excess, variance = row_variances(small_case.scores, logits=logits, logs=logs, **columns)
    # Float32 logarithms of up to 90 are off by 1e-5, and enter squared where p is small.
    near = {"rtol": 2e-5, "atol": 1e-6} if small_case.single else {"rtol": 1e-11, "atol": 1e-14}
    assert_allclose(variance, (p * (values - mean[:, None]) ** 2).sum(1), **near)
    assert_allclose(excess, mean - label, **near)


def test_ranked_rows_equal_the_formula(small_case):
    y, cuts = small_case.labels, np.arange(small_case.shape[1] - 1)
    below = np.minimum(np.cumsum(small_case.probabilities, axis=1)[:, :-1], 1.0)
    expected = ((below - (y[:, None] <= cuts)) ** 2).sum(1)
    for rows in (len(y), 3, 1):  # the last group of rows is not whole
        scores, total = small_case.scores[:rows], small_case.total[:rows]
        found = ranked_rows(scores, y[:rows], logits=small_case.logits, total=total)
        assert_allclose(
            found, expected[:rows], **tolerance(small_case) | {"atol": 1e-6 if small_case.single else 1e-13}
        )
