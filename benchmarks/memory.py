"""Peak memory of one call beyond its loaded input: a fresh process a call, `VmHWM` of Linux.

The child first makes the same call on a toy batch, so that imports, thread pools and code count as loaded.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import fit_peers
import measure_peers
import measurement
import numpy as np
import ours
import repairs
from harness import Case
from workload import Workload, classifier

_ARRAYS = ("probabilities", "logits", "labels")


def extra_megabytes(work: Workload, cases: Iterable[Case], limit: float) -> dict[str, float | None]:
    """Return the peak memory of each case in MB beyond what was loaded; None for one that fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name in _ARRAYS:
            np.save(Path(folder) / f"{name}.npy", getattr(work, name))
        return {f"{case.number}: {case.who}, {case.how}": _of_child(folder, case, limit) for case in cases}


def _of_child(folder: str, case: Case, limit: float) -> float | None:
    command = [sys.executable, "-W", "ignore", __file__, folder, case.number, case.who, case.how]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def _child(folder: str, *wanted: str) -> None:
    _find(classifier(100, 10), wanted).make()()
    work = Workload(*(np.load(Path(folder) / f"{name}.npy") for name in _ARRAYS))
    call = _find(work, wanted).make()
    loaded = _status("VmRSS")
    result = call()
    sys.stdout.write(f"\n{json.dumps(_status('VmHWM') - loaded)}\n")
    del result


def _find(work: Workload, wanted: tuple[str, ...]) -> Case:
    cases = [
        *ours.measures(work),
        *measurement.cases(work),
        *ours.fits(work),
        *repairs.matrix(work),
        *measure_peers.measures(work),
        *fit_peers.fits(work),
    ]
    return next(case for case in cases if (case.number, case.who, case.how) == wanted)


def _status(name: str) -> float:
    """Return a figure of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    _child(*sys.argv[1:])
