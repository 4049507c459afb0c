"""Bins of a smooth map, made again by hand from its halves."""

from dataclasses import replace

import numpy as np
import pytest

from calibrant import Predictions, folds
from calibrant.calibrators import fit, load
from calibrant.errors import CapabilityError, DataError, UnknownMethod
from calibrant.formulas import NUMPY
from calibrant.solvers.rows import log_probabilities
from calibrant.testing import bank, check_calibrator


def drawn(seed, n=300, k=3, **columns):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, k))
    return Predictions.from_logits(logits, (logits / 2 + rng.gumbel(size=logits.shape)).argmax(1), **columns)


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_levels_are_means_of_the_smooth_map_on_rows_that_it_has_not_seen(method):
    batch = drawn(0)
    learnt = fit(batch, f"scaling_binning(method={method!r}, bins=4)")
    assert learnt.smooth.record.spec == method
    smooth = learnt.smooth(batch).probabilities
    binned = unseen_half(batch, learnt.smooth)
    for c in range(3):
        column = np.sort(smooth[binned, c])
        edges = column[np.ceil(np.arange(1, 4) / 4 * len(column)).astype(int) - 1]
        np.testing.assert_allclose(learnt.edges[c], edges, rtol=1e-11)
        place = np.searchsorted(edges * (1 + 1e-9), column)
        np.testing.assert_allclose(learnt.levels[c], [column[place == b].mean() for b in range(4)], rtol=1e-12)
    values = learnt.levels[np.arange(3), [np.searchsorted(learnt.edges[c], smooth[7, c]) for c in range(3)]]
    np.testing.assert_allclose(learnt(batch).probabilities[7], values / values.sum(), rtol=1e-12)


def unseen_half(batch, smooth):
    """Return the rows that the map in front was not fitted on: those whose fit would give another fingerprint."""
    second = folds.assign(replace(batch, labels=None, _memo={}), 2, seed=0) == 1
    assert batch.take(~second).fingerprint == smooth.record.fitted_on
    return second


def test_the_halves_go_by_the_ids():
    batch = drawn(1, ids=np.arange(300) // 3)
    learnt = fit(batch, "scaling_binning")
    assert set(learnt.smooth.record.row_keys) < set(batch.row_keys)
    order = np.random.default_rng(2).permutation(300)
    shuffled = fit(batch.take(order), "scaling_binning")
    np.testing.assert_allclose(shuffled.edges, learnt.edges, rtol=1e-6)  # the temperature is found to 1e-9 nats
    assert (fit(batch, "scaling_binning(seed=1)").edges != learnt.edges).any()


def test_labels_of_the_second_half_do_not_matter():
    batch = drawn(3)
    second = unseen_half(batch, fit(batch, "scaling_binning").smooth)
    other = batch.relabelled(np.where(second, (batch.labels + 1) % 3, batch.labels))
    np.testing.assert_array_equal(fit(other, "scaling_binning").levels, fit(batch, "scaling_binning").levels)


def test_weights_of_the_second_half_move_edges_and_means():
    p = np.linspace(0.1, 0.9, 41)
    labels, weights = np.arange(41) % 2, np.arange(41) % 4 + 1.0
    batch = Predictions.binary(p, labels, weights=weights)
    learnt = fit(batch, "scaling_binning(bins=2)")
    second = unseen_half(batch, learnt.smooth)
    g, w = learnt.smooth(batch).probabilities[second, 1], weights[second]
    low = g <= learnt.edges[1, 0]
    assert learnt.levels[1] == pytest.approx([np.average(g[low], weights=w[low]), np.average(g[~low], weights=w[~low])])
    assert w[low].sum() >= w.sum() / 2 > w[low][:-1].sum()


def test_a_score_on_an_edge_stays_below_it_however_exp_and_log_round():
    batch = drawn(4)
    learnt = fit(batch, "scaling_binning(bins=100)")
    log_p = log_probabilities(batch, slice(None))
    for rounding in (-1e-15, 1e-15):
        np.testing.assert_allclose(
            learnt.formula(NUMPY, log_p * (1 + rounding)), learnt(batch).probabilities, atol=1e-12
        )


def test_it_is_saved_with_the_map_in_front(tmp_path):
    batch = drawn(5)
    learnt = fit(batch, "scaling_binning(method='vector(prior=5.0)')")
    again = load(learnt.save(tmp_path / "map"))
    assert again.smooth.record.spec == "vector(prior=5.0)"
    np.testing.assert_array_equal(again(batch).scores, learnt(batch).scores)


def test_laws_of_another_method_in_front():
    some = ("biased", "ties", "class_missing", "soft_labels", "weights", "minus_infinity", "one_row")
    check_calibrator("scaling_binning(method='platt', bins=5, seed=3)", {name: bank()[name] for name in some})


def test_what_is_declined():
    with pytest.raises(CapabilityError, match="predictions must have two distinct rows for scaling_binning, got 1"):
        fit(drawn(6, n=4, ids=[1, 1, 1, 1]), "scaling_binning")
    with pytest.raises(UnknownMethod, match="did you mean 'platt'"):
        fit(drawn(6), "scaling_binning(method='plat')")
    with pytest.raises(DataError, match="bins must be a whole number of at least 2, got 1"):
        fit(drawn(6), "scaling_binning(bins=1)")
