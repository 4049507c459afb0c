"""The shared increasing function: derivatives, optimum, truth, and what the prior does."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from scipy.special import log_softmax

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.errors import DataError
from calibrant.scoring import LogLoss
from calibrant.solvers import isotonic_softmax
from calibrant.solvers.isotonic_softmax import LEAST_SLOPE, _edges, _Loss, best_slopes
from calibrant.solvers.rows import FitRows

NAME = "normalization_aware_isotonic"


def drawn(n, k, seed, heat=1.5, **columns):
    rng = np.random.default_rng(seed)
    z = 3 * rng.normal(size=(n, k))
    labels = np.argmax(z / heat + rng.gumbel(size=z.shape), axis=1)
    return Predictions.from_logits(z, labels, **columns)


def test_derivatives_are_those_of_the_loss():
    weights = np.random.default_rng(1).random(300)
    loss = _Loss(rows := FitRows.of(drawn(300, 4, 0, weights=weights)), _edges(rows, 6), 0.1)
    at = np.random.default_rng(2).random(6) + 0.3
    sums = loss.sums(at, loss.target)
    slopes = scipy.optimize.approx_fprime(at, lambda x: loss.sums(x, loss.target).value, 1e-6)
    np.testing.assert_allclose(sums.gradient, slopes, atol=1e-5)  # one-sided differences of step 1e-6
    ahead, behind = ([loss.sums(at + h * d, loss.target).gradient for d in np.eye(6)] for h in (1e-5, -1e-5))
    np.testing.assert_allclose(sums.curvature, (np.array(ahead) - behind) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("soft", [False, True])
def test_no_bounded_search_finds_less(soft):
    batch = drawn(400, 5, 3)
    if soft:
        labels = np.random.default_rng(4).dirichlet(np.ones(5), 400)
        batch = Predictions.from_logits(batch.scores, labels)
    rows = FitRows.of(batch)
    found = best_slopes(rows, 8, 20.0)
    assert found.converged
    loss = _Loss(rows, found.edges, rows.pull(20.0))

    def both(x):
        sums = loss.sums(x, loss.target)
        return sums.value, sums.gradient

    start, bounds = np.full(len(found.slopes), 2.0), [(LEAST_SLOPE, None)] * len(found.slopes)
    other = scipy.optimize.minimize(both, start, jac=True, bounds=bounds, method="L-BFGS-B", tol=1e-14)
    assert both(found.slopes)[0] <= other.fun + 1e-9  # both certify about 1e-10 nats


def test_one_piece_is_a_temperature():
    batch = drawn(3000, 4, 5)
    learnt = fit(batch, f"{NAME}(pieces=1, prior=1e-6)")
    slope = np.diff(learnt.levels) / np.diff(learnt.centres)
    assert slope[0] == pytest.approx(fit(batch, "temperature(prior=1e-6)").beta, rel=1e-4)


def test_a_bend_is_found():
    # the truth has slope 1 below log p = -1 and 0.3 above it
    rng = np.random.default_rng(6)
    u = log_softmax(3 * rng.normal(size=(20_000, 4)), axis=1)
    bent = np.where(u < -1, u + 0.7, 0.3 * u)
    labels = np.argmax(bent + rng.gumbel(size=u.shape), axis=1)
    batch = Predictions.from_logits(u, labels)
    truth = Predictions.from_logits(bent, labels)
    loss = {
        name: LogLoss().rows(one).mean()
        for name, one in {
            "truth": truth,
            "found": fit(batch, NAME)(batch),
            "temperature": fit(batch, "temperature")(batch),
        }.items()
    }
    # ten slopes on 20,000 rows: 10 / (2 n) = 2.5e-4 below the truth on average, and the bend is in a piece
    assert abs(loss["found"] - loss["truth"]) < 1e-3
    assert loss["temperature"] - loss["truth"] > 3e-3


def test_a_large_prior_is_the_identity():
    batch = drawn(200, 3, 7)
    learnt = fit(batch, f"{NAME}(prior=1e9)")
    np.testing.assert_allclose(learnt(batch).probabilities, batch.probabilities, atol=1e-5)


def test_slopes_are_held_above_zero():
    batch = drawn(500, 3, 8, heat=-2.0)  # the labels go to the smallest scores
    learnt = fit(batch, f"{NAME}(prior=1e-3)")
    slopes = np.diff(learnt.levels) / np.diff(learnt.centres)
    assert slopes.min() >= LEAST_SLOPE * (1 - 1e-9)
    assert slopes.max() < 0.1


def test_many_rows_start_from_some(monkeypatch):
    rows = FitRows.of(drawn(8000, 4, 9))
    alone = best_slopes(rows, 10, 20.0)
    monkeypatch.setattr(isotonic_softmax, "_FIRST", 1 << 13)
    found = best_slopes(rows, 10, 20.0)
    # The pieces are others, placed by a quarter of the rows.
    assert found.steps < alone.steps
    assert len(found.edges) == len(alone.edges)


def test_pieces_that_no_pseudo_row_holds_are_held_near_one():
    # Two groups are certain to seven and ten digits, the first wrong half of the time: below log p = -18 nothing but
    # the slopes' own pull says how steep h is, and without it the slope runs off to millions.
    rng = np.random.default_rng(1)
    z = np.stack([np.repeat([24.0, 18.0, -1.0], 300), np.zeros(900)], axis=1)
    labels = np.concatenate([np.zeros(300), rng.integers(0, 2, 300), rng.random(300) < 0.7]).astype(int)
    learnt = fit(Predictions.from_logits(z, labels), NAME)
    assert learnt.record.converged
    assert np.diff(learnt.levels).max() / 18 < 100


@pytest.mark.parametrize("options", ["pieces=0", "pieces=1.5", "prior=0", "prior=-1.0"])
def test_options_are_checked(options):
    with pytest.raises(DataError, match=r"(pieces|prior) must be"):
        fit(drawn(20, 2, 0), f"{NAME}({options})")
