"""Is the smooth calibration error the optimum of its linear programme?"""

import numpy as np
import pytest
from scipy.optimize import linprog

from calibrant.metrics import measure
from calibrant.metrics.calibration_distance import supremum
from calibrant.statistics import Column


def programme(f, r):
    """Return the largest sum r w over |w_(i+1) - w_i| <= f_(i+1) - f_i and |w| <= 1, by a general solver."""
    steps = np.eye(len(f))[1:] - np.eye(len(f))[:-1]
    gaps = np.diff(f)
    solved = linprog(-r, A_ub=np.concatenate([steps, -steps]), b_ub=np.concatenate([gaps, gaps]), bounds=(-1, 1))
    return -solved.fun


@pytest.mark.parametrize("seed", range(25))
def test_is_the_optimum(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 30))
    f = np.sort(rng.beta(*rng.choice([[1, 1], [0.2, 0.2], [9, 1]]), m))
    r = rng.normal(size=m) / m + rng.choice([0, 0.05])
    assert supremum(f, r) == pytest.approx(programme(f, r), abs=1e-7)  # the solver's own tolerance


def test_two_rows_by_hand():
    # w may fall by 0.3 between the scores: w = (1, 0.7), sum 0.2 * 1 - 0.3 * 0.7 < 0; w = (-0.7, -1) gives 0.16
    assert supremum(np.array([0.5, 0.8]), np.array([0.2, -0.3])) == pytest.approx(0.16, abs=1e-15)


def test_bounds_of_the_distance():
    column = Column.of(np.array([0.5, 0.8]), np.array([1.0, 0.0]))
    value = measure("smooth_ce").of_column(column)
    details = measure("smooth_ce").details(column)
    assert details["lower_distance_at_least"] == value / 2
    assert details["lower_distance_at_most"] == 2 * value
    assert details["distance_at_most"] <= 1


def test_is_at_most_the_binless_error_and_at_least_the_net_residual():
    rng = np.random.default_rng(2)
    f = rng.random(200)
    column = Column.of(f, (rng.random(200) < f**2) + 0.0)
    value = measure("smooth_ce").of_column(column)
    assert abs(column.residuals.sum()) <= value <= np.abs(column.residuals).sum()


def test_bounds_hold_for_a_known_calibrated_neighbour():
    # Scores 1/2 +- e of a fair coin: moving them to 1/2 costs e, so smCE is at most 2 e
    e = 0.05
    column = Column.of(np.array([0.5 - e, 0.5 + e]), np.array([0.5, 0.5]))
    assert 0 < measure("smooth_ce").of_column(column) <= 2 * e
