"""The confidence as a problem of two classes, by hand."""

import numpy as np
import pytest

from calibrant import Predictions
from calibrant.calibrators import fit, load
from calibrant.errors import UnknownMethod
from calibrant.testing import bank, check_calibrator


def drawn(seed, n=400, k=5):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(n, k))
    return Predictions.from_logits(logits, (logits / 2 + rng.gumbel(size=logits.shape)).argmax(1))


@pytest.mark.parametrize("method", ["isotonic", "temperature", "platt"])
def test_the_confidence_is_mapped_as_two_classes_and_ratios_of_the_others_stay(method):
    batch = drawn(0)
    p, top = batch.probabilities, batch.summary.top
    rows, h = np.arange(400), batch.probabilities.max(1)
    binary = Predictions.binary(h, batch.labels == top)
    expected = fit(binary, method)(binary).probabilities[:, 1]
    mapped = fit(batch, f"top_versus_all(method={method!r})")(batch).probabilities
    np.testing.assert_allclose(mapped[rows, top], expected, rtol=1e-6)  # solvers stop within 1e-9 nats
    others = np.where(np.eye(5)[top] > 0, 0, p)
    np.testing.assert_allclose(
        np.where(np.eye(5)[top] > 0, 0, mapped),
        (1 - expected)[:, None] * others / others.sum(1, keepdims=True),
        rtol=1e-6,
    )


def test_classes_that_tie_are_each_right_in_part():
    batch = Predictions.from_probabilities([[0.4, 0.4, 0.2], [0.4, 0.3, 0.3]], [0, 0])
    learnt = fit(batch, "top_versus_all(method='histogram')")
    # right in half of the first row and in the second: (1.5 + 0.4) / 3
    q = 1.9 / 3
    row = learnt(batch).probabilities[0]
    assert row[0] == row[1] == pytest.approx((q + (1 - q) * 0.4 / 0.6) / 2)
    assert learnt(batch).probabilities[1] == pytest.approx([q, (1 - q) / 2, (1 - q) / 2])


def test_soft_labels_and_weights_reach_the_map_of_the_confidence():
    p = [[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]]
    batch = Predictions.from_probabilities(p, [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], weights=[1, 3])
    q = fit(batch, "top_versus_all(method='histogram')")(batch).probabilities[0, 0]
    assert q == pytest.approx((1.6 * (0.25 * 0.5 + 0.75) + 0.7) / 2.6)  # Kish's rows are 16 / 10


def test_few_rows_of_many_classes_make_one_good_curve():
    rng = np.random.default_rng(1)
    logits = 6 * rng.normal(size=(5_000, 200))
    labels = (logits / 2 + rng.gumbel(size=logits.shape)).argmax(1)
    batch, test = (Predictions.from_logits(logits[part], labels[part]) for part in (slice(2_000), slice(2_000, 5_000)))
    right = test.labels == test.summary.top

    def gap(predictions):
        """Return the mean difference of confidence and share of right labels over ten groups of 300 rows."""
        h = predictions.probabilities[np.arange(3_000), test.summary.top]
        groups = np.argsort(h).reshape(10, 300)
        return np.abs(h[groups].mean(1) - right[groups].mean(1)).mean()

    # a share of 300 labels is off by 0.02 on average, an isotonic curve of 2,000 rows by as much
    assert gap(fit(batch, "top_versus_all")(test)) < 0.05
    assert gap(test) > 0.1


def test_it_is_saved_with_its_map(tmp_path):
    batch = drawn(2)
    learnt = fit(batch, "top_versus_all(method='venn_abers')")
    again = load(learnt.save(tmp_path / "map"))
    assert again.confidence.record.spec == "venn_abers"
    np.testing.assert_array_equal(again(batch).scores, learnt(batch).scores)


@pytest.mark.parametrize("method", ["temperature", "top_versus_all(method='spline')"])
def test_laws_of_other_methods(method):
    some = ("biased", "ties", "class_missing", "soft_labels", "weights", "minus_infinity", "one_row")
    check_calibrator(f"top_versus_all(method={method!r})", {name: bank()[name] for name in some})


def test_unknown_methods():
    with pytest.raises(UnknownMethod, match="did you mean 'isotonic'"):
        fit(drawn(3), "top_versus_all(method='isotonik')")
