"""The histogram that a scan fills on the way is that of `bin_classes`."""

import numpy as np
import pytest

from calibrant import kernels

EDGES = np.linspace(0, 1, 16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 2), (37, 3), (5000, 10), (1500, 1000)])
def test_fused_is_separate(dtype, logits, weighted, shape):
    rng = np.random.default_rng(shape[0])
    scores = (rng.normal(size=shape) * 3).astype(dtype)
    if not logits:
        scores = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    weights = rng.integers(0, 3, shape[0]).astype(float) if weighted else None
    labels = rng.integers(-1, shape[1], shape[0])
    fused = kernels.scan_rows(scores, logits=logits, labels=labels, weights=weights, edges=EDGES, threads=2)
    alone = kernels.scan_rows(scores, logits=logits, weights=weights)
    given = {"logits": logits, "total": alone.total, "weights": weights, "class_totals": alone.class_totals}
    separate = kernels.bin_classes(scores, EDGES, **given)
    assert np.array_equal(fused.bins.rows, separate.rows)
    for name in ("weight", "score"):  # sums of blocks that are cut elsewhere
        assert getattr(fused.bins, name) == pytest.approx(getattr(separate, name), rel=1e-10, abs=1e-9)
    assert np.array_equal(fused.lowest, scores.min(1))
    for name in ("top", "confidence", "total", "sum_of_squares"):
        assert np.array_equal(getattr(fused, name), getattr(alone, name))
    there = labels >= 0
    bins = kernels.label_bins(scores, np.maximum(labels, 0), EDGES, logits=logits, total=alone.total)
    assert np.array_equal(fused.label_bins[there], bins[there])
    assert (fused.label_bins[~there] == -1).all()
    again = kernels.scan_rows(scores, logits=logits, weights=weights, edges=EDGES, threads=1)
    assert all(np.array_equal(a, b) for a, b in zip(fused.bins[:3], again.bins[:3], strict=True))


def test_a_fault_leaves_no_histogram():
    scores = np.full((9, 4), 0.25)
    scores[7, 2] = np.nan
    read = kernels.scan_rows(scores, logits=False, edges=EDGES)
    assert read.fault == ("nan", 7, 2)
    assert read.bins is None
