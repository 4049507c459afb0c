"""Count how often the tests of local calibration reject, and write the table of docs/theory/local.md.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/local_sizes.py [--sets 2000] [--write]

Sets are those of the page: three classes in the plane, labels drawn from the true chances. The predictions are these,
under-confident (T = 1.7), over-confident (T = 0.6), or both by the sign of the first feature. Each cell of sizes has
all sets, of powers a tenth of them. Exit 1 where the size of an exact test at 5 % is off by more than 1.5 %.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from page_tables import markdown, write

from calibrant import Predictions
from calibrant.metrics.tests import CalibrationTest, test

Floats = NDArray[np.float64]
PAGE = Path(__file__).parent.parent / "docs" / "theory" / "local.md"
SPECS = [
    "lce_test(replicates=99)",
    "lce_test(notion='top_label', replicates=99)",
    "klce_test(replicates=99)",
    "proximity_bias",  # by a limit law, which few rows do not meet
]
EXACT = SPECS[:-1]
ROWS = (100,)
LEVELS = (0.01, 0.05, 0.1)
MOST = 0.015
WRONG = ("under-confident", "over-confident", "by region")


def softmax(z: Floats) -> Floats:
    """Return the probabilities of logits (n, k)."""
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def simulated(seed: int, n: int, what: str) -> Predictions:
    """Return one set: predictions that are right, or wrong in one way."""
    rng = np.random.default_rng((seed, n))
    x, a, b = rng.normal(size=(n, 2)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    logits = 1.2 * x @ a + 0.6 * np.sin(2 * x @ b)
    labels = np.argmax(logits + rng.gumbel(size=(n, 3)), axis=1)
    temperatures = {"true": 1.0, "under-confident": 1.7, "over-confident": 0.6}
    heat = np.where(x[:, :1] > 0, 1.7, 0.6) if what == "by region" else temperatures[what]
    return Predictions.from_probabilities(softmax(logits / heat), labels, features=x)


def seeded(spec: str, seed: int) -> CalibrationTest:
    """Return the test with a seed of its own, if it redraws labels: one seed for all sets would tie them together."""
    made = test(spec)
    return replace(made, seed=seed) if "seed" in made.entry.options else made  # type: ignore[type-var]


def shares(spec: str, n: int, what: str, sets: int) -> list[float]:
    """Return the shares of rejections at the three levels."""
    found = np.array([seeded(spec, seed)(simulated(seed, n, what)).p_value for seed in range(sets)])
    return [float((found <= level + 1e-12).mean()) for level in LEVELS]


def lines(sets: int) -> list[list[str]]:
    """Return the rows of the table, and say of each size at 5 % whether it holds."""
    rows = []
    for spec in SPECS:
        for n in ROWS:
            size = shares(spec, n, "true", sets)
            if spec in EXACT and abs(size[1] - 0.05) > MOST:
                print(f"off: {spec} at n = {n} rejects {size[1]:.1%} at 5 %")
            powers = [shares(spec, n, what, max(1, sets // 10))[1] for what in WRONG]
            sizes = " / ".join(f"{100 * share:.1f}" for share in size)
            name = spec.replace(", replicates=99", "").replace("(replicates=99)", "")
            rows.append([f"`{name}`", str(n), sizes, *(f"{100 * power:.0f}" for power in powers)])
            print(rows[-1], flush=True)
    return rows


def main() -> int:
    """Print the table; return 1 if a size is off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000, help="null sets in each cell")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    options = parser.parse_args()
    head = [f"test, {options.sets:,} null sets", "n", "size at 1 / 5 / 10 %", *(f"power, {what}" for what in WRONG)]
    rows = lines(options.sets)
    table = markdown(head, rows)
    if options.write:
        write(PAGE, {"sizes": lambda: table}, "")
    exact = rows[: len(EXACT) * len(ROWS)]
    return int(any(abs(float(row[2].split(" / ")[1]) - 5) > 100 * MOST for row in exact))


if __name__ == "__main__":
    sys.exit(main())
