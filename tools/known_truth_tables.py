"""Write the tables of docs/theory/known-truth.md: each measure beside the truth it targets, and the unbiased ones.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/known_truth_tables.py [--workers 2] [--table NAME]

The lists of targets and of claims are those of the tests: tests/known_truths.py, tests/unbiased_claims.py. Every draw
is seeded by its population, its number of rows and its number. Without --table all are made, in about ten minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

from page_tables import figure, markdown, write  # noqa: E402

from calibrant.metrics import measure  # noqa: E402 - after the path
from known_truths import ELSEWHERE, MODELS, NEARLY, TARGETS, TRUTHS  # noqa: E402
from populations import Population  # noqa: E402
from unbiased_claims import BAND, CLAIMS, REPEATS  # noqa: E402

PAGE = ROOT / "docs" / "theory" / "known-truth.md"
SETS = {1_000: 50, 10_000: 20, 200_000: 4}  # samples of each number of rows
# Kernel regression uses at most 2,000 rows and takes seconds.
FEW_SETS = {1_000: 10, 10_000: 4, 200_000: 2}
CHECK = 2_000  # fresh samples for the second look at the claims
SECOND = 1_000_000  # the number of the first of them


def name(population: Population) -> str:
    """Return the name that a population has in the places of the page."""
    return f"{population.k}-{population.temperature:g}"


def targets(k: int) -> str:
    """Return the table of columns and the measures that target them."""
    rows = []
    for t in (t for t in [*TARGETS, *NEARLY] if t.k == k):
        rows.append([t.column, f"`{t.spec}`" + (" / 2" if t.unit == 2 else ""), t.how])
    return markdown(["column", "measure", "how"], rows, left=3)


def elsewhere() -> str:
    """Return the table of measures without a column."""
    return markdown(["measure", "what it is about"], [[f"`{m}`", words] for m, words in ELSEWHERE.items()], left=2)


def values(population: Population, pool: ProcessPoolExecutor) -> str:
    """Return truth, and mean (standard deviation) of each measure by the number of rows."""
    listed = [t for t in [*TARGETS, *NEARLY] if t.k == population.k]
    jobs = {n: [pool.submit(_values, population, n, seed) for seed in range(SETS[n])] for n in SETS}
    rows = [[t.column, f"`{t.spec}`", figure(TRUTHS[population][t.column], 5)] for t in listed]
    for found in jobs.values():
        sets = [job.result() for job in found]
        for i, row in enumerate(rows):
            v = [values[i] for values in sets if i < len(values)]
            row.append(f"{figure(np.mean(v), 5)} ({figure(np.std(v, ddof=1), 5)})")
    return markdown(["column", "measure", "truth", *(f"n = {n:,}" for n in SETS)], rows, left=2)


def _values(population: Population, n: int, seed: int) -> list[float]:
    """Return the value of each target on one sample; without those of `NEARLY` after the first samples."""
    batch = population.draw(n, seed)
    listed = TARGETS if seed >= FEW_SETS[n] else [*TARGETS, *NEARLY]
    return [float(measure(t.spec)(batch)) / t.unit for t in listed if t.k == population.k]


def unbiased(population: Population, pool: ProcessPoolExecutor) -> str:
    """Return exact value, mean over the repeats, its 99 % band, and the distance of a second, larger run."""
    numbers = range(len(CLAIMS[population.k]))
    first = [pool.submit(_claimed, population, i, REPEATS, 0) for i in numbers]
    second = [pool.submit(_claimed, population, i, CHECK, SECOND) for i in numbers]
    rows = []
    for claim, a, b in zip(CLAIMS[population.k], first, second, strict=True):
        exact, (mean, se), (again, narrow) = claim.exact(population), a.result(), b.result()
        term = f", `{claim.detail}`" if claim.detail else ""
        inside = "yes" if abs(mean - exact) < BAND * se else "**no**"
        band = f"{figure(mean, 5)} ± {figure(BAND * se, 5)}"
        z = figure((again - exact) / narrow, 1)
        rows.append([f"`{claim.spec}`{term}", f"{claim.rows}", figure(exact, 5), band, inside, z])
    head = ["measure", "n", "truth", f"mean of {REPEATS}, 99 % band", "inside", f"z of {CHECK:,}"]
    return markdown(head, rows)


def _claimed(population: Population, number: int, repeats: int, first: int) -> tuple[float, float]:
    found = CLAIMS[population.k][number].draw(population, repeats, first)
    return float(found.mean()), float(found.std(ddof=1) / repeats**0.5)


def tables(pool: ProcessPoolExecutor) -> dict[str, Callable[[], str]]:
    """Return what makes each table, by its place."""
    made: dict[str, Callable[[], str]] = {f"targets-{k}": partial(targets, k) for k in (2, 3)}
    made["elsewhere"] = elsewhere
    made |= {f"unbiased-{name(m)}": partial(unbiased, m, pool) for m in MODELS}
    return made | {f"values-{name(m)}": partial(values, m, pool) for m in MODELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", default="", help="one of: targets-2, elsewhere, unbiased-2-1.5, values-3-2, ...")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        write(PAGE, tables(pool), options.table)


if __name__ == "__main__":
    main()
