"""The lanes' own exp, log and log1p against NumPy's in extended precision."""

import numpy as np
import pytest

from calibrant.kernels import _native

EXP, LOG, LOG1P = 0, 1, 2
# float: two units in the last place, as fastmath.h promises. double: 1e-15, likewise.
TOLERANCE = {np.float32: 2 * np.finfo(np.float32).eps, np.float64: 1e-15}
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CLONES = pytest.mark.parametrize("clone", ["baseline", "auto"])


@pytest.fixture(autouse=True)
def _clone(clone):
    assert _native.choose_clone(clone)
    yield
    _native.choose_clone("auto")


def apply(function, x):
    out = np.empty_like(x)
    _native.apply_function(function, x, out)
    return out


def worst(function, exact, x):
    true = exact(x.astype(np.longdouble))
    keep = true != 0
    return float(np.abs(apply(function, x)[keep] / true[keep] - 1).max())


@CLONES
@TYPES
def test_exp_is_precise(dtype):
    low = -86.0 if dtype == np.float32 else -700.0
    x = np.concatenate([np.linspace(low, 20, 100_001), np.linspace(-1, 0, 10_001)]).astype(dtype)
    assert worst(EXP, np.exp, x) <= TOLERANCE[dtype]


@CLONES
@TYPES
def test_log_is_precise_also_near_one_and_for_subnormals(dtype):
    tiny = np.finfo(dtype).smallest_subnormal * np.arange(1, 50)
    wide = np.exp(np.linspace(-80, 80, 100_001))
    x = np.concatenate([wide, 1 + np.linspace(-0.3, 0.3, 100_001)]).astype(dtype)
    assert worst(LOG, np.log, np.concatenate([x, tiny.astype(dtype)])) <= TOLERANCE[dtype]


@CLONES
@TYPES
def test_log1p_is_precise_relative_to_the_result(dtype):
    x = np.concatenate([np.linspace(0, 1, 100_001), np.exp(np.linspace(-60, 0, 10_001))]).astype(dtype)
    assert worst(LOG1P, np.log1p, x) <= TOLERANCE[dtype]


@CLONES
@TYPES
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17])
def test_limits_are_exact_in_every_lane(dtype, n):
    def all_of(function, value):
        return apply(function, np.full(n, value, dtype))

    assert (all_of(EXP, -np.inf) == 0).all()
    assert (all_of(EXP, -1e30) == 0).all()
    assert (all_of(EXP, 0) == 1).all()
    assert (all_of(LOG, 0) == -np.inf).all()
    assert (all_of(LOG, np.inf) == np.inf).all()
    assert (all_of(LOG, 1) == 0).all()
    assert np.isnan(all_of(LOG, -1)).all()
    assert (all_of(LOG1P, 0) == 0).all()


@CLONES
@TYPES
def test_nan_stays_nan_whatever_its_bits(dtype):
    word = np.uint32 if dtype == np.float32 else np.uint64
    payloads = np.array([np.nan], dtype).view(word) + np.arange(64, dtype=word)
    for sign in (1, -1):
        nans = payloads.view(dtype) * dtype(sign)
        for function in (EXP, LOG, LOG1P):
            assert np.isnan(apply(function, nans)).all()
