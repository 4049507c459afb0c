"""Both clones of the kernels give the same numbers, up to the rounding that fused multiply-add saves."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from calibrant.kernels import _native
from unit.kernels.test_threads import run_all


def test_the_clones_agree(small_case, baseline):
    case = small_case
    plain = run_all(case, 1)
    baseline()
    fused = run_all(case, 1)
    # As far apart as each is from the truth: an epsilon times logits of up to 100, of terms that may cancel.
    precision = 1e-5 if case.single else 1e-12
    for a, b in zip(plain, fused, strict=True):
        if np.asarray(a).dtype == np.int32 and case.single and case.logits:
            assert np.mean(a != b) <= 0.02  # a draw at a step may fall on its other side
        elif np.issubdtype(np.asarray(a).dtype, np.integer):
            assert_array_equal(a, b)
        else:
            finite = np.where(np.isfinite(a), a, 0)
            assert_allclose(a, b, rtol=precision, atol=precision * max(np.abs(finite).max(), case.weights.sum()))


def test_the_environment_forces_the_baseline(monkeypatch):
    monkeypatch.setenv("CALIBRANT_ISA", "baseline")
    script = "from calibrant.kernels import _native; print(_native.clone_name())"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "baseline"


def test_an_unknown_clone_is_refused():
    before = _native.clone_name()
    assert not _native.choose_clone("v9")
    assert _native.clone_name() == before


def test_the_best_clone_is_chosen_by_itself():
    flags = Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
    _native.choose_clone("auto")
    assert _native.clone_name() == ("v3" if {"avx2", "fma"} <= set(flags) else "baseline")
