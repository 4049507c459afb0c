"""Record size and power of other packages' tests on the sets of test_sizes.py, into tools/peer_powers.json.

Run it in the environment of benchmarks/, which has statsmodels: `benchmarks/.venv/bin/python tools/peer_powers.py`.
The page docs/theory/tests.md is then written from the record, without the packages.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import scipy
import statsmodels.api
from numpy.typing import NDArray

TOOLS = Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))

from simulated_sets import simulated  # noqa: E402 - found only now

TARGET = TOOLS / "peer_powers.json"
LEVELS = (0.01, 0.05, 0.1)
CLASSES, CURVE_CLASSES = (2, 3, 10, 100), (2, 10)
ROWS, NULL_ROWS = (50, 100, 200, 500, 1000), (50, 200, 1000)
TEMPERATURES = (1.1, 1.2, 1.3, 1.5)
GROUPS = 10

Floats = NDArray[np.float64]


def recalibration(chance: Floats, happened: NDArray[np.bool_]) -> float:
    """Return the p-value of intercept 0 and slope 1 of the event on the logit of its chance (Cox), by likelihood ratio.

    Where the events are separated by their chances the fit stops near the supremum of the likelihood, which is 1.
    """
    design = statsmodels.api.add_constant(np.log(chance) - np.log1p(-chance), has_constant="add")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separation and few iterations: the likelihood is what counts
        fitted = statsmodels.api.Logit(happened.astype(float), design).fit(disp=0).llf
    told = np.sum(np.log(np.where(happened, chance, 1 - chance)))
    return float(scipy.stats.chi2.sf(2 * (fitted - told), 2))


def grouped_chi_square(chance: Floats, happened: NDArray[np.bool_]) -> float:
    """Return the p-value of Pearson's statistic of ten groups of equal size by chance, with ten degrees of freedom."""
    groups = np.array_split(np.argsort(chance, kind="stable"), GROUPS)
    expected = np.array([[chance[rows].sum(), (1 - chance[rows]).sum()] for rows in groups])
    observed = np.array([[happened[rows].sum(), (~happened[rows]).sum()] for rows in groups])
    return float(scipy.stats.chisquare(observed.ravel(), expected.ravel(), ddof=GROUPS - 1).pvalue)


def events(p: Floats, labels: NDArray[np.int64], notion: str) -> tuple[Floats, NDArray[np.bool_]]:
    """Return chances and events: of class 1, or of the top class being right."""
    if notion == "class 1":
        return p[:, 1], labels == 1
    return p.max(1), p.argmax(1) == labels


TESTS: dict[str, tuple[Callable[[Floats, NDArray[np.bool_]], float], str]] = {
    "statsmodels: logistic recalibration of the binary label": (recalibration, "class 1"),
    "statsmodels: logistic recalibration of the confidence": (recalibration, "confidence"),
    "scipy: chi-square of ten groups of confidence": (grouped_chi_square, "confidence"),
}


def cells(sets: int, null_sets: int) -> list[tuple[int, int, float, int]]:
    """Return k, n, temperature and number of sets of everything that the page shows."""
    null = [(k, n, 1.0, null_sets) for n in NULL_ROWS for k in CLASSES]
    power = [(k, 1000, 1.5, sets) for k in CLASSES]
    over = [(k, 1000, t, sets) for k in CURVE_CLASSES for t in TEMPERATURES]
    over_rows = [(k, n, 1.5, sets) for k in CURVE_CLASSES for n in ROWS]
    return [*dict.fromkeys((*null, *power, *over, *over_rows))]


def measured(name: str, k: int, n: int, temperature: float, sets: int) -> dict[str, object]:
    """Return how often a test rejects at each level."""
    call, notion = TESTS[name]
    found = np.array([call(*events(*simulated(seed, n, k, temperature), notion)) for seed in range(sets)])
    rejected = [int(np.count_nonzero(found <= level)) for level in LEVELS]
    undefined = int(np.isnan(found).sum())
    record = {"test": name, "k": k, "n": n, "temperature": temperature, "sets": sets, "rejected": rejected}
    return {**record, "undefined": undefined}


def main() -> int:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=400, help="sets of each alternative")
    parser.add_argument("--null-sets", type=int, default=2000)
    options = parser.parse_args()
    found = [
        measured(name, *cell)
        for cell in cells(options.sets, options.null_sets)
        for name, (_, notion) in TESTS.items()
        if notion == "confidence" or cell[0] == 2
    ]
    versions = {name: metadata.version(name) for name in ("numpy", "scipy", "statsmodels")}
    head = json.dumps({"versions": versions, "levels": LEVELS}, indent=1)[1:-2]
    lines = ",\n".join("  " + json.dumps(record) for record in found)
    TARGET.write_text("{" + head + ',\n "found": [\n' + lines + "\n ]\n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
