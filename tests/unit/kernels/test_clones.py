"""Both clones of the kernels give the same numbers, up to the rounding that fused multiply-add saves."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from unit.kernels.test_threads import run_all

from calibrant.kernels import _native


def test_the_clones_agree(case, baseline):
    with np.errstate(invalid="ignore"):  # the remainder of -inf, which stands for any value outside the bins
        plain = run_all(case, 1)
        baseline()
        fused = run_all(case, 1)
    # float32: as far apart as each is from the truth, 1e-5 of sums that may cancel. float64: likewise 1e-11.
    close = {"rtol": 2e-5, "atol": 2e-2} if case.single else {"rtol": 1e-10, "atol": 1e-9}
    for a, b in zip(plain, fused, strict=True):
        if np.asarray(a).dtype == np.int32 and case.single and case.logits:
            assert np.mean(a != b) <= 0.02  # a draw at a step may fall on its other side
        elif np.issubdtype(np.asarray(a).dtype, np.integer):
            assert_array_equal(a, b)
        else:
            assert_allclose(a, b, **close)


def test_the_environment_forces_the_baseline(monkeypatch):
    monkeypatch.setenv("CALIBRANT_ISA", "baseline")
    script = "from calibrant.kernels import _native; print(_native.clone_name())"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "baseline"


def test_an_unknown_clone_is_refused():
    before = _native.clone_name()
    assert not _native.choose_clone("v9")
    assert _native.clone_name() == before


@pytest.mark.skipif("avx2" not in open("/proc/cpuinfo").read() if sys.platform == "linux" else True, reason="no AVX2")
def test_the_best_clone_is_chosen_by_itself():
    _native.choose_clone("auto")
    assert _native.clone_name() == "v3"
