"""Laws for all inputs: random small batches, few in continuous integration, many on demand (HYPOTHESIS_EXAMPLES)."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import Predictions
from calibrant.metrics import measure

settings.register_profile("ci", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "25")), deadline=None)
settings.load_profile("ci")

SPECS = st.sampled_from(["accuracy", "brier", "ece", "mce", "rmsce", "squared_ce", "sce", "ace", "tace", "log_loss"])


@st.composite
def batches(draw):
    """Return a labelled batch with ties, zeros, and whole weights now and then."""
    n, k = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    counts = draw(st.lists(st.lists(st.integers(0, 5), min_size=k, max_size=k), min_size=n, max_size=n))
    p = np.array(counts, float) + np.eye(k)[np.arange(n) % k]
    labels = np.array(draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)))
    weights = draw(st.none() | st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return Predictions.from_probabilities((p / p.sum(1, keepdims=True)).astype(dtype), labels, weights=weights)


def value(spec, batch):
    return float(measure(spec)(batch))


@given(batches(), SPECS, st.integers(1, 11))
def test_any_cut_merges_to_the_whole(batch, spec, cut):
    metric, cut = measure(spec), min(cut, len(batch) - 1)
    parts = [batch.take(rows) for rows in (slice(0, cut), slice(cut, None)) if len(batch.scores[rows])]
    parts = [part for part in parts if part.row_weights.any()]
    merged = metric.statistic(parts[0])
    for part in parts[1:]:
        merged = merged.merge(metric.statistic(part))
    whole = pytest.approx(value(spec, batch), abs=1e-12, nan_ok=True)  # sums in another order; NaN: too few rows
    assert float(merged.compute()) == whole


@given(batches(), SPECS, st.floats(0.01, 100))
def test_the_scale_of_weights(batch, spec, factor):
    scaled = batch.reweighted(batch.row_weights * factor)
    assert value(spec, scaled) == pytest.approx(value(spec, batch), abs=1e-12, nan_ok=True)


@given(batches(), SPECS)
def test_logits_of_the_probabilities(batch, spec):
    with np.errstate(divide="ignore"):
        logits = np.log(batch.scores.astype(float)) + 3.0
    other = Predictions.from_logits(logits, batch.labels, weights=batch.weights)
    if spec in ("ece", "mce", "rmsce", "sce", "squared_ce", "ace", "tace", "accuracy"):
        return  # a probability on a bin's edge, or a tie, may round to the other side
    # the exponential of a logarithm of float32 probabilities that sum to 1 within 1e-7
    assert value(spec, other) == pytest.approx(value(spec, batch), abs=1e-6)


@given(batches())
def test_brier_bounds_the_squared_confidence_error(batch):
    # Jensen: the binned squared gap is at most the mean squared residual of the top class, a part of the Brier score
    assert value("rmsce(root=False)", batch) <= value("brier", batch) + 1e-12


@given(batches())
def test_norms_are_ordered(batch):
    assert value("ece", batch) <= value("rmsce", batch) + 1e-12
    assert value("rmsce", batch) <= value("mce", batch) + 1e-12


@given(batches())
def test_ece_is_at_least_the_gap_of_the_means(batch):
    w, s = batch.row_weights, batch.summary
    gap = abs(np.average(s.correct, weights=w) - np.average(s.confidence, weights=w))
    assert value("ece", batch) >= gap - 1e-12
