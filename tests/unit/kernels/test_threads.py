"""The result is bit-equal for any number of threads, on every path: busy pool, forked process, many callers."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from calibrant import kernels
from calibrant.kernels._threads import thread_count

EDGES = np.linspace(0, 1, 16)


def run_all(case, threads):
    """Return every array that the kernels make of a case."""
    s, y, w, total, kind = case.scores, case.labels, case.weights, case.total, {"logits": case.logits}
    k, kind = s.shape[1], kind | {"threads": threads}
    fit = {"total": total, "weights": w, "floor": 1e-9} | kind
    one, zero = np.full(k, 0.9), np.zeros(k)
    scan = kernels.scan_rows(s, labels=y, weights=w, **kind)
    results = [*scan[:9], kernels.entropy(s, total=total, **kind)]
    results += kernels.bin_classes(s, EDGES, total=total, weights=w, class_totals=scan.class_totals, **kind)[:3]
    results += kernels.bin_classes(s, EDGES, total=total, **kind)[:3]
    results += kernels.temperature_pass(s, 0.9, top=scan.top, weights=w, floor=1e-9, **kind)
    results += [*kernels.affine_pass(s, one, zero, **fit), *kernels.logistic_pass(s, one, zero, **fit)]
    results += [kernels.softmax(s, threads=threads), kernels.log_softmax(s, threads=threads)]
    results += [kernels.draw_labels(s, np.random.default_rng(0).random(len(s)), total=total, **kind)]
    values = np.nan_to_num(s, neginf=0).ravel() % 1
    results += kernels.bin_values(values, np.ones(s.size, np.float32), EDGES, threads=threads)
    return results


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        assert_array_equal(x, y)


def test_any_number_of_threads_gives_the_same_bits(big_case):
    one = run_all(big_case, 1)
    for threads in (2, 3):
        assert_same(run_all(big_case, threads), one)


def test_callers_on_many_threads_get_the_same_bits(big_case):
    def scan(_):
        return kernels.scan_rows(big_case.scores, logits=big_case.logits, labels=big_case.labels, threads=2)[:-1]

    expected = scan(0)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(scan, range(12)):
            assert_same(result, expected)


FORK = """
import os, sys
import numpy as np
from calibrant.kernels import scan_rows
p = np.random.default_rng(0).random((3000, 500))
before = scan_rows(p, logits=False, threads=2)
child = os.fork()
same = np.array_equal(scan_rows(p, logits=False, threads=2).class_totals, before.class_totals)
if child == 0:
    os._exit(0 if same else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not same)
"""


@pytest.mark.skipif(not hasattr(sys.modules["os"], "fork"), reason="no fork here")
def test_a_forked_child_and_its_parent_go_on_working():
    # newer Pythons warn of fork in a process with threads, which is what is tested
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=60)


def test_the_argument_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    monkeypatch.delenv("CALIBRANT_NUM_THREADS", raising=False)
    assert thread_count(None) == 3
    monkeypatch.setenv("CALIBRANT_NUM_THREADS", "5")
    assert thread_count(None) == 5
    assert thread_count(2) == 2
    assert thread_count(0) == 1


@pytest.mark.parametrize("nonsense", ["", "many", "0", "-2"])
def test_a_senseless_environment_is_passed_over(monkeypatch, nonsense):
    monkeypatch.setenv("CALIBRANT_NUM_THREADS", nonsense)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_count(None) >= 1
