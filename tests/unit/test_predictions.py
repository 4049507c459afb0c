"""The door: what is accepted, kept as it is, and refused in one sentence."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.errors import DataError

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
Z = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, -np.inf], [1.0, 1.0, 1.0]])
Y = np.array([0, 2, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("door", [Predictions.from_probabilities, Predictions.from_logits])
def test_contiguous_floats_are_not_copied_and_stay_writable(door, dtype):
    scores = np.full((4, 2), 0.5, dtype)
    batch = door(scores)
    assert np.shares_memory(batch.scores, scores)
    assert batch.scores.dtype == dtype
    assert not batch.scores.flags.writeable
    assert scores.flags.writeable


def test_halves_are_widened_and_have_a_wider_tolerance():
    batch = Predictions.from_probabilities(np.full((2, 3), 1 / 3, np.float16))
    assert batch.scores.dtype == np.float32
    with pytest.raises(DataError, match="sum to 1"):
        Predictions.from_probabilities(np.full((2, 3), 1 / 3, np.float16).astype(np.float32))


def test_rows_are_used_as_given_unless_asked():
    off = P * (1 + 5e-6)
    assert np.array_equal(Predictions.from_probabilities(off).scores, off)
    rescaled = Predictions.from_probabilities(2 * P, normalize=True).scores
    assert np.allclose(rescaled, P, rtol=1e-15)


def test_summary_by_hand():
    summary = Predictions.from_probabilities(P, Y).summary
    assert summary.top.tolist() == [0, 1, 2]
    assert summary.confidence.tolist() == [0.7, 0.8, 0.4]
    assert summary.correct.tolist() == [1, 0, 0]
    assert summary.label_rank.tolist() == [1, 3, 3]  # 0.1 ties with 0.1 in an earlier column
    assert summary.label_log_probability == pytest.approx(np.log([0.7, 0.1, 0.3]))
    assert summary.sum_of_squares == pytest.approx([0.54, 0.66, 0.34])
    assert summary.entropy == pytest.approx(-(P * np.log(P)).sum(1))


def test_logits_with_minus_infinity_are_probability_zero():
    summary = Predictions.from_logits(Z, Y).summary
    assert summary.label_probability[1] == 0
    assert summary.label_log_probability[1] == -np.inf
    assert summary.confidence[1] == pytest.approx(1 / (1 + np.exp(-3)))
    assert summary.top[2] == 0  # the first on ties
    assert summary.entropy[2] == pytest.approx(np.log(3))


def test_soft_labels_are_the_expectation_over_hard_ones():
    soft = np.array([[1, 0, 0], [0.5, 0.25, 0.25], [0, 0, 1.0]])
    summary = Predictions.from_probabilities(P, soft).summary
    assert summary.correct == pytest.approx([1, 0.25, 1])
    assert summary.label_log_probability == pytest.approx((soft * np.log(P)).sum(1))
    zero = Predictions.from_probabilities([[1.0, 0.0]], [[1.0, 0.0]]).summary
    assert zero.label_log_probability[0] == 0


def test_relabelled_agrees_with_the_door():
    other = np.array([2, 1, 0])
    for door, scores in ((Predictions.from_probabilities, P), (Predictions.from_logits, Z)):
        fresh, shared = door(scores, other).summary, door(scores, Y).relabelled(other).summary
        assert shared.correct.tolist() == fresh.correct.tolist()
        assert shared.label_log_probability == pytest.approx(fresh.label_log_probability, rel=1e-15)


def test_class_names_are_read_as_labels():
    batch = Predictions.from_probabilities(P, ["b", "c", "a"], classes=["a", "b", "c"])
    assert batch.hard_labels.tolist() == [1, 2, 0]


def test_binary_is_the_explicit_door():
    batch = Predictions.binary([0.2, 0.9], [False, True])
    assert batch.scores == pytest.approx(np.array([[0.8, 0.2], [0.1, 0.9]]))
    assert batch.hard_labels.tolist() == [0, 1]


def test_keys_are_ids_or_positions_and_survive_take():
    plain = Predictions.from_probabilities(P, start=10)
    assert plain.row_keys.tolist() == [10, 11, 12]
    assert plain.take(np.array([2, 0])).row_keys.tolist() == [12, 10]
    named = Predictions.from_probabilities(P, ids=["x", "y", "x"])
    assert named.row_keys[0] == named.row_keys[2] != named.row_keys[1]


def test_fingerprint_knows_the_batch():
    assert Predictions.from_probabilities(P, Y).fingerprint == Predictions.from_probabilities(P.copy(), Y).fingerprint
    assert Predictions.from_probabilities(P, Y).fingerprint != Predictions.from_probabilities(P, Y[::-1]).fingerprint


BAD = [
    (lambda: Predictions.from_probabilities([[0.5, 0.4], [0.5, 0.5]]), "each row of probabilities must sum to 1, got 0.9 in row 0 (1 of 2 rows); pass normalize=True to rescale"),
    (lambda: Predictions.from_probabilities([[0.5, np.nan]]), "probabilities must be finite and not negative, got nan in row 0, column 1"),
    (lambda: Predictions.from_probabilities([[1.5, -0.5]]), "probabilities must be finite and not negative, got -0.5 in row 0, column 1"),
    (lambda: Predictions.from_logits([[0.0, np.inf]]), "logits must be real numbers or -inf, got inf in row 0, column 1"),
    (lambda: Predictions.from_logits([[0.0, 1.0], [-np.inf, -np.inf]]), "each row of logits must have a finite entry, got only -inf in row 1"),
    (lambda: Predictions.from_probabilities([0.2, 0.8]), "probabilities must have shape (n, k), got shape (2,); one probability a row goes through Predictions.binary"),
    (lambda: Predictions.from_probabilities([[1.0], [1.0]]), "probabilities must have at least two columns, got shape (2, 1)"),
    (lambda: Predictions.from_probabilities(np.empty((0, 3))), "probabilities must have at least one row, got shape (0, 3)"),
    (lambda: Predictions.from_probabilities([[0.5, 0.5], [1.0]]), "probabilities must be one rectangular array"),
    (lambda: Predictions.from_probabilities([["a", "b"]]), "probabilities must hold real numbers"),
    (lambda: Predictions.from_probabilities(P, [0, 1, 3]), "labels must lie in 0..2, got 3 in row 2 (1 of 3 rows)"),
    (lambda: Predictions.from_probabilities(P, [0, 1, -1]), "labels must lie in 0..2, got -1 in row 2 (1 of 3 rows)"),
    (lambda: Predictions.from_probabilities(P, [0.0, 1.0, 2.0]), "labels must be whole class indices or class names, got dtype float64"),
    (lambda: Predictions.from_probabilities(P, [0, 1]), "labels must have shape (3,) or (3, 3), got shape (2,)"),
    (lambda: Predictions.from_probabilities(P, ["a", "b", "c"]), "labels must be class indices when no class names are given, got names; pass classes="),
    (lambda: Predictions.from_probabilities(P, ["a", "b", "q"], classes=["a", "b", "c"]), "labels must be among the classes, got 'q' in row 2 (1 of 3 rows); classes are a, b, c"),
    (lambda: Predictions.from_probabilities(P, np.full((3, 3), 0.4)), "each row of soft labels must be non-negative and sum to 1, got sum 1.2 in row 0 (3 of 3 rows)"),
    (lambda: Predictions.from_probabilities(P, Y, weights=[1, -1, 1]), "weights must be finite and not negative, got -1.0 in row 1 (1 of 3 rows)"),
    (lambda: Predictions.from_probabilities(P, Y, weights=[0, 0, 0]), "weights must have a positive sum, got 0"),
    (lambda: Predictions.from_probabilities(P, Y, features=[[1.0], [np.nan], [2.0]]), "features must be finite, got NaN or infinity in row 1 (1 of 3 rows)"),
    (lambda: Predictions.from_probabilities(P, classes=["a", "b"]), "classes must hold one name for each of the 3 columns, got 2 names"),
    (lambda: Predictions.from_probabilities(P, classes=["a", "b", "a"]), "classes must be distinct, got ['a'] twice"),
    (lambda: Predictions.from_probabilities(P, ids=[0.5, 1, 2]), "ids must be whole numbers or text, got dtype float64"),
    (lambda: Predictions.from_probabilities(P, ids=["a", None, "b"]), "ids must have a value in each row, got None at row 1; give rows without a value one of their own"),
    (lambda: Predictions.binary([0.5, 1.5]), "probabilities must lie in [0, 1], got 1.5 in row 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=[m[:60] for _, m in BAD])
def test_bad_input_gets_one_sentence(call, message):
    with pytest.raises(DataError) as error:
        call()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_fault_of_scores_that_no_door_checked_is_told_when_they_are_read():
    batch = replace(Predictions.from_probabilities([[0.5, 0.5]]), scores=np.array([[1.5, -0.5]]), _memo={})
    with pytest.raises(DataError, match="not negative"):
        _ = batch.summary
