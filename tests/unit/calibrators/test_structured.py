"""Structured vectors and matrices: the published optimum, a plain optimiser's, and what the record says."""

import numpy as np
import pytest
import scipy

from calibrant import Predictions
from calibrant.calibrators import calibrator, fit
from calibrant.calibrators.structured import PENALTIES
from calibrant.errors import DataError
from calibrant.formulas import NUMPY
from calibrant.scoring import LogLoss
from simulation import simulate

# The certificate of a fit, and as much for what the optimiser beside it leaves.
OPTIMUM = 1e-8


def objective(batch, learnt, penalty):
    """Return the penalised loss of the published form at a fitted map, from its definition."""
    n, k = len(batch), batch.k
    v, b = learnt.slopes[0] - 1, learnt.shift
    matrix = (learnt.matrix**2).sum() * k * (k - 1) if learnt.matrix.size else 0.0
    loss = float(np.mean(LogLoss().rows(learnt(batch))))
    return loss + penalty / n * (k * (v**2).sum() + k * (b**2).sum() + matrix)


def plain_objective(x, z, y, penalty, matrix):
    n, k = z.shape
    v, b = x[:k], x[k : 2 * k]
    m = x[2 * k :].reshape(k, k) * (1 - np.eye(k)) if matrix else np.zeros((k, k))
    logits = z * (1 + v) + z @ m + b
    loss = np.mean(scipy.special.logsumexp(logits, axis=1) - logits[np.arange(n), y])
    return loss + penalty / n * (k * (v @ v) + k * (b @ b) + k * (k - 1) * (m**2).sum())


@pytest.mark.parametrize(("name", "matrix"), [("svs", False), ("sms", True)])
def test_the_optimum_is_that_of_a_plain_optimiser(name, matrix):
    batch = simulate(150, k=3, temperature=2.0)
    learnt = fit(batch, f"{name}(penalty=0.5, features='logits')")
    k, mix = 3, 1 / 151
    z = np.log((1 - mix) * scipy.special.softmax(learnt.beta * np.log(batch.scores), axis=1) + mix / k)
    start = np.zeros(2 * k + k * k * matrix)
    found = scipy.optimize.minimize(
        plain_objective, start, (z, batch.labels, 0.5, matrix), method="BFGS", options={"gtol": 1e-8}
    )
    # the shift is known up to a constant, and reported with mean 0, where its ridge is smallest
    assert objective(batch, learnt, 0.5) == pytest.approx(found.fun, abs=OPTIMUM)
    assert learnt.record.converged


def test_what_the_rows_do_not_show_stays_as_the_temperature_map_has_it():
    batch = simulate(200, k=4, temperature=1.7)
    there = fit(batch, "temperature")(batch).probabilities
    held = fit(batch, "sms(penalty=1e9)")(batch).probabilities
    # all that is left is the share 1 / (n + 1) of the uniform distribution
    assert np.abs(held - there).max() <= 1 / 201
    assert np.abs(fit(batch, "sms(penalty=0.01)")(batch).probabilities - there).max() > 0.02


def test_the_penalty_is_chosen_on_rows_left_out():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 3))
    mixed = z @ np.array([[1.0, 1.5, 0.0], [0.0, 1.0, -1.5], [1.5, 0.0, 1.0]])
    labels = (scipy.special.softmax(mixed, axis=1).cumsum(1) < rng.random((2000, 1))).sum(1)
    assert fit(Predictions.from_logits(z, labels), "sms").penalty == PENALTIES[-1]
    calibrated = (scipy.special.softmax(z, axis=1).cumsum(1) < rng.random((2000, 1))).sum(1)
    assert fit(Predictions.from_logits(z, calibrated), "sms").penalty == PENALTIES[0]


def test_axes_hold_all_that_a_matrix_of_full_rank_can():
    """On all axes the ridge is that of the free matrix, its diagonal included: a slightly larger family."""
    batch = simulate(300, k=5, temperature=1.5)
    on_axes, free = (fit(batch, f"sms(penalty=1.0, features='logits', rank={rank})") for rank in (4, 0))
    assert on_axes.axes.shape == (5, 4)
    assert free.axes.size == 0
    gap = np.mean(LogLoss().rows(on_axes(batch))) - np.mean(LogLoss().rows(free(batch)))
    assert abs(gap) < 0.05


@pytest.mark.parametrize("options", ["penalty=0", "penalty=-1.0", "features='logit'", "prior=0.0", "seed=0.5"])
def test_wrong_options(options):
    for name in ("svs", "sms"):
        with pytest.raises(DataError):
            calibrator(f"{name}({options})")


def test_a_rank_must_be_a_number():
    with pytest.raises(DataError, match="rank"):
        calibrator("sms(rank=-1)")


def slopes_objective(x, u, y, beta, penalty):
    n, k = u.shape
    scale, b = x[:k], x[k:]
    logits = u * scale + b
    loss = np.mean(scipy.special.logsumexp(logits, axis=1) - logits[np.arange(n), y])
    return loss + penalty * k / n * ((scale - beta) @ (scale - beta) + b @ b)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_of_very_many_scores_slopes_and_shift_have_the_optimum_of_a_plain_optimiser(monkeypatch, kind):
    monkeypatch.setattr("calibrant.calibrators.structured_vector._MANY", 0)
    batch = simulate(150, k=3, temperature=2.0)
    u = np.log(batch.probabilities)
    given = batch if kind == "probabilities" else Predictions.from_logits(u + 5, batch.labels)
    learnt, beta = fit(given, "svs(penalty=0.5)"), fit(batch, "temperature").beta
    found = scipy.optimize.minimize(
        slopes_objective,
        np.r_[[beta] * 3, 0, 0, 0],
        (u, batch.labels, beta, 0.5),
        method="BFGS",
        options={"gtol": 1e-8},
    )
    at = slopes_objective(np.r_[learnt.slopes[0], learnt.shift], u, batch.labels, beta, 0.5)
    assert at == pytest.approx(found.fun, abs=OPTIMUM)
    assert np.allclose(learnt.formula(NUMPY, u), learnt(Predictions.from_logits(u)).scores, rtol=1e-12, atol=1e-12)
    assert learnt.n_parameters == 7


def test_the_penalty_of_very_many_scores_is_chosen_by_the_same_fits(monkeypatch):
    batch = simulate(400, k=3, temperature=2.0)
    monkeypatch.setattr("calibrant.calibrators.structured_vector._MANY", 0)
    learnt = fit(batch, "svs")
    assert learnt.penalty in PENALTIES
    assert learnt.slopes[1:].any() == 0
