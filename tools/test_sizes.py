"""Check the size of every test on seeded null sets, and write the tables of docs/theory/tests.md.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/test_sizes.py --workers 2 [--sets 2000] [--write]

Null sets: logits 2 z with z standard normal, labels drawn from their softmax. The alternative of the power column:
labels drawn from softmax(logits / 1.5). Resampled tests use 99 redrawn label vectors, which has the exact levels 1, 5
and 10 %. The share of rejections must lie in simultaneous 99.9 % binomial bands over all cells of a run. Exit 1 and say
where one does not.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from calibrant import Predictions
from calibrant.metrics.tests import test

PAGE = Path(__file__).resolve().parents[1] / "docs" / "theory" / "tests.md"
LEVELS = (0.01, 0.05, 0.1)
CLASSES = (2, 3, 10, 100)
TEMPERATURE, POWER_SETS, POWER_ROWS = 1.5, 400, 1000
OUTSIDE = 0.001  # chance that any cell of a run is outside its band
NORMAL = {  # rows from which the normal limit holds
    "spiegelhalter": 200,
    "spiegelhalter(rule='log_loss')": 200,
    "spiegelhalter(notion='confidence')": 200,
    "skce_test(estimator='block')": 1000,
}
REDRAWN = [
    "skce_test(replicates=99)",
    "t_cal(replicates=99)",
    "t_cal(notion='confidence', replicates=99)",
    "hosmer_lemeshow(replicates=99)",
    "hosmer_lemeshow(outcomes='class', replicates=99)",
    "consistency(replicates=99)",
]
SPECS = [*NORMAL, *REDRAWN]
ROWS = (200, 1000)


@dataclass(frozen=True)
class Cell:
    """Share of rejections of one test at the three levels, over seeded sets."""

    spec: str
    k: int
    n: int
    sets: int
    shares: tuple[float, ...]

    def outside(self, cells: int) -> list[float]:
        """Return the levels at which the share is outside its band, simultaneous over so many cells and levels."""
        return [
            level
            for level, share in zip(LEVELS, self.shares, strict=True)
            if not inside(round(share * self.sets), self.sets, level, cells * len(LEVELS))
        ]


def inside(rejections: int, sets: int, level: float, figures: int) -> bool:
    """Whether a number of rejections is credible for a test of this level, allowing for all figures of a run."""
    tail = OUTSIDE / figures / 2
    return bool(binom.cdf(rejections, sets, level) > tail and binom.sf(rejections - 1, sets, level) > tail)


def drawn(seed: Sequence[int], n: int, k: int, temperature: float = 1.0) -> Predictions:
    """Return one set, calibrated at temperature 1; every set has row keys, and so redrawn labels, of its own."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    noise = rng.gumbel(size=(n, k))  # the largest of logits plus Gumbel noise has the softmax as its law
    p = np.exp(z - z.max(1, keepdims=True))
    labels = np.argmax(z / temperature + noise, axis=1)
    return Predictions.from_probabilities(p / p.sum(1, keepdims=True), labels, start=seed[0] * n)


def p_values(specs: Sequence[str], k: int, n: int, sets: range, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the p-values (tests, sets)."""
    tests = [test(spec) for spec in specs]
    found = np.empty((len(tests), len(sets)))
    for column, seed in enumerate(sets):
        batch = drawn((seed, k, n), n, k, temperature)
        found[:, column] = [each(batch).p_value for each in tests]
    return found


def cells(specs: Sequence[str], k: int, n: int, sets: int, pool: ProcessPoolExecutor | None) -> Iterator[Cell]:
    """Yield the cell of each test."""
    for spec, values in zip(specs, _gathered(specs, k, n, sets, 1.0, pool), strict=True):
        yield Cell(spec, k, n, sets, tuple(float(np.mean(values <= level + 1e-12)) for level in LEVELS))


def _gathered(
    specs: Sequence[str], k: int, n: int, sets: int, temperature: float, pool: ProcessPoolExecutor | None
) -> NDArray[np.float64]:
    if pool is None:
        return p_values(specs, k, n, range(sets), temperature)
    step = max(1, sets // 20)
    parts = [
        pool.submit(p_values, specs, k, n, range(start, min(start + step, sets)), temperature)
        for start in range(0, sets, step)
    ]
    return np.concatenate([part.result() for part in parts], axis=1)


def plain(spec: str) -> str:
    """Return the spec without the number of redrawn label vectors."""
    return spec.replace(", replicates=99", "").replace("(replicates=99)", "")


def size_table(found: Sequence[Cell]) -> str:
    """Return the sizes in per cent; a star marks one outside its band."""
    lines = [f"| test, {found[0].sets:,} sets | k | " + " | ".join(f"n = {n:,}" for n in ROWS) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(ROWS))
    by_key = {(cell.spec, cell.k, cell.n): _shown(cell, len(found)) for cell in found}
    for spec in SPECS:
        for k in CLASSES:
            shown = [by_key[spec, k, n] for n in ROWS]
            lines.append(f"| `{plain(spec)}` | {k} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _shown(cell: Cell, count: int) -> str:
    out = cell.outside(count)
    return " / ".join(
        f"{100 * share:.1f}" + "*" * (level in out) for level, share in zip(LEVELS, cell.shares, strict=True)
    )


def power_table(pool: ProcessPoolExecutor | None, sets: int) -> str:
    """Return the power at level 5 % against the temperature, in per cent."""
    lines = [f"| test, {sets:,} sets | " + " | ".join(f"k = {k}" for k in CLASSES) + " |"]
    lines.append("| --- |" + " ---: |" * len(CLASSES))
    columns = [_gathered(SPECS, k, POWER_ROWS, sets, TEMPERATURE, pool) for k in CLASSES]
    for row, spec in enumerate(SPECS):
        shares = [f"{100 * np.mean(column[row] <= 0.05 + 1e-12):.0f}" for column in columns]
        lines.append(f"| `{plain(spec)}` | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def broken(found: Sequence[Cell]) -> list[str]:
    """Return a sentence for each claim that does not hold: redrawn tests at every n, normal ones from theirs."""
    return [
        f"{plain(cell.spec)}, k = {cell.k}, n = {cell.n}: {cell.shares} outside its band at {cell.outside(len(found))}"
        for cell in found
        if cell.n >= NORMAL.get(cell.spec, 0) and cell.outside(len(found))
    ]


def write(tables: dict[str, str]) -> None:
    """Put the tables in their places on the page."""
    page = PAGE.read_text()
    for name, table in tables.items():
        page = re.sub(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", rf"\g<1>{table}\n\g<2>", page, flags=re.S)
    PAGE.write_text(page)


def main() -> int:
    """Run everything; return 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000, help="null sets in each cell")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        found: list[Cell] = []
        for n in ROWS:
            for k in CLASSES:
                found += cells(SPECS, k, n, options.sets, pool)
                print(*found[-len(SPECS) :], sep="\n", file=sys.stderr, flush=True)
        tables = {"sizes": size_table(found), "power": power_table(pool, min(POWER_SETS, options.sets))}
    print("\n\n".join(tables.values()))
    if options.write:
        write(tables)
    said = broken(found)
    print("\n".join(said) or "all sizes are in their bands")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
