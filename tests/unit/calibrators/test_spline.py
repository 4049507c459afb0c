"""Splines against SciPy's, their fits against perturbations and refits, and curves that are known."""

import numpy as np
import pytest
import scipy
from scipy.special import expit, logit

from calibrant import Predictions
from calibrant.calibrators import fit
from calibrant.calibrators.spline import candidates
from calibrant.errors import DataError
from calibrant.solvers.natural_spline import design, knots_at_quantiles, spline_basis
from calibrant.solvers.ridge_logistic import Rows, ridge_logistic

KNOTS = np.array([-3.0, -1.2, 0.1, 0.9, 2.5])


def bent(s):
    up = np.maximum(s, 0.0)
    return 0.6 * s + 0.5 * up**2 / (1 + up)


def batch_of(s, seed, truth=bent):
    rng = np.random.default_rng(seed)
    return Predictions.binary(expit(s), (rng.random(len(s)) < expit(truth(s))).astype(int))


def test_basis_is_scipys_natural_spline_and_straight_beyond_it():
    cubics = spline_basis(KNOTS[None])[0]
    inside, beyond = np.linspace(-3, 2.5, 101), np.array([-7.0, -5.0, -3.0, 2.5, 4.0, 8.0])
    at_knots = design(KNOTS, KNOTS, cubics)
    np.testing.assert_allclose(at_knots[:, :2], np.stack([np.ones(5), KNOTS], axis=1), atol=1e-12)
    for values, curve, ends in zip(
        at_knots.T, design(inside, KNOTS, cubics).T, design(beyond, KNOTS, cubics).T, strict=True
    ):
        theirs = scipy.interpolate.CubicSpline(KNOTS, values, bc_type="natural")
        np.testing.assert_allclose(curve, theirs(inside), atol=1e-10)
        straight = [theirs(-3) + (beyond[:3] + 3) * theirs(-3, 1), theirs(2.5) + (beyond[3:] - 2.5) * theirs(2.5, 1)]
        np.testing.assert_allclose(ends, np.concatenate(straight), atol=1e-10)


def test_squared_coefficients_are_the_integral_of_the_squared_second_derivative():
    cubics = spline_basis(np.stack([KNOTS - 1, KNOTS]))[1]
    x = np.array([0.3, -2.0, 0.7, -1.1, 0.4])
    curve = scipy.interpolate.CubicSpline(KNOTS, design(KNOTS, KNOTS, cubics) @ x, bc_type="natural")
    second = curve(np.linspace(-3, 2.5, 20_001), 2)
    integral = scipy.integrate.simpson(second**2, dx=5.5 / 20_000)
    assert integral == pytest.approx(x[2:] @ x[2:], rel=1e-6)  # Simpson's rule across the kinks of f''


def test_knots_are_apart():
    x = np.array([0.0, 0.0, 0.0, 0.1, 0.2, 5.0])
    np.testing.assert_allclose(knots_at_quantiles(x, np.ones(6), 3, 0.3), [0.0, 0.3, 0.6])
    np.testing.assert_allclose(knots_at_quantiles(x, np.array([1, 0, 0, 1, 0, 4.0]), 3, 0.3), [0.0, 5.0, 5.3])


def ridge_case(n):
    rng = np.random.default_rng(0)
    features, offset = rng.normal(size=(2, n, 3)), rng.normal(size=(2, n))
    return Rows(features, offset, rng.random((2, n)).round(), rng.random(n) + 0.5), np.array([1.0, 2.0, 5.0])


def test_minimum_is_one_and_each_regression_is_alone():
    rows, penalty = ridge_case(200)
    found = ridge_logistic(rows, penalty, np.zeros((2, 3)))

    def value(x):
        return rows.loss(rows.predictor(x)) + (penalty * x * x).sum(1) / 2

    for way in np.eye(3):
        for step in (-1e-3, 1e-3):
            assert (value(found.x + step * way) > value(found.x)).all()
    alone = ridge_logistic(Rows(*(part[1:] for part in rows[:3]), rows.weights), penalty, np.ones((1, 3)))
    np.testing.assert_allclose(alone.x[0], found.x[1], atol=1e-5)  # 1e-9 nats at curvatures above 10


def test_loss_on_rows_left_out_is_that_of_refits():
    rows, penalty = ridge_case(60)
    found, total = ridge_logistic(rows, penalty, np.zeros((2, 3))), np.zeros(2)
    for i in range(60):
        rest = np.arange(60) != i
        part = Rows(rows.features[:, rest], rows.offset[:, rest], rows.outcome[:, rest], rows.weights[rest])
        out = Rows(rows.features[:, [i]], rows.offset[:, [i]], rows.outcome[:, [i]], rows.weights[[i]])
        total += out.loss(out.predictor(ridge_logistic(part, penalty, found.x).x))
    in_sample = rows.loss(rows.predictor(found.x))
    # one Newton step errs by the square of what a row moves the fit; a tenth of the optimism is ample
    np.testing.assert_allclose(found.left_out - in_sample, total - in_sample, rtol=0.1)


def test_a_known_curve_is_found():
    s = 2 * np.random.default_rng(1).normal(size=20_000)
    learnt = fit(batch_of(s, 2), "spline")
    x = np.linspace(-4, 4, 41)
    found = logit(learnt(Predictions.binary(expit(x))).probabilities[:, 1])
    # a Platt line errs by 0.6 at its worst here; standard errors of the curve are 0.15 at the ends
    assert np.abs(found - bent(x)).max() < 0.4
    assert np.abs(found - bent(x)).mean() < 0.1


def test_straight_beyond_the_outer_knots():
    s = 2 * np.random.default_rng(1).normal(size=2_000)
    learnt = fit(batch_of(s, 2), "spline")
    assert (learnt.cubics[2:, :, [0, -1]] == 0).all()
    low, high = learnt.knots[1, 0], learnt.knots[1, -1]
    for x in (low - 0.3 - np.arange(4.0), high + 0.3 + np.arange(4.0)):  # class 0 has knots of its own, very near
        of_one = logit(learnt(Predictions.binary(expit(x / learnt.beta))).probabilities[:, 1])
        np.testing.assert_allclose(np.diff(of_one, 2), 0, atol=1e-4)  # but for slopes that are nearly mirrored


def test_strong_penalties_leave_the_temperature_map():
    rng = np.random.default_rng(3)
    logits = 3 * rng.normal(size=(300, 4))
    batch = Predictions.from_logits(logits, (logits / 2 + rng.gumbel(size=logits.shape)).argmax(1))
    learnt, temperature = fit(batch, "spline(penalty=(1e9, 1e9))"), fit(batch, "temperature")
    assert learnt.penalties.tolist() == [1e9, 1e9]
    np.testing.assert_allclose(learnt(batch).probabilities, temperature(batch).probabilities, atol=1e-6)


def test_rows_left_out_choose_a_straight_line_where_there_is_one():
    s = 2 * np.random.default_rng(4).normal(size=20_000)
    lines = [fit(batch_of(s[:400], i, truth=lambda s: 0.7 * s), "spline").penalties[1] for i in range(12)]
    curve = fit(batch_of(s, 6), "spline").penalties[1]
    # a criterion of prediction takes a curve for a line in about one case of six for each bend
    assert np.mean(np.array(lines) == candidates(400)[0][1]) > 0.5
    assert curve <= 10
    assert (len(candidates(999)), len(candidates(1_000))) == (9, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("knots=2", "knots must be a whole number of at least 3, got 2"),
        ("penalty=3.0", "penalty must be two positive finite numbers, or None, got 3.0"),
        ("penalty=(1.0, 0.0)", "penalty must be two positive"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(DataError, match=message):
        fit(Predictions.binary([0.5], [1]), f"spline({options})")
