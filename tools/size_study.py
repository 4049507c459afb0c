"""Size and power of every test on simulated sets: what is run, its cache, and the bands that a size must be in.

Sets: logits 2 z with z standard normal, labels drawn from the softmax of the logits divided by a temperature, 1 for the
null. Resampled tests use 99 redrawn label vectors, which has the exact levels 1, 5 and 10 %. One set serves all tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc
from simulated_sets import simulated

from calibrant import Predictions
from calibrant.metrics.tests import test

LEVELS = (0.01, 0.05, 0.1)
CLASSES = (2, 3, 10, 100)
OUTSIDE = 0.001  # chance that any claimed figure of a correct set of tests is outside its band
SETS, POWER_SETS, AT_ONCE = 2000, 200, 100
REDRAWN = [
    "skce_test(replicates=99)",
    "t_cal(replicates=99)",
    "t_cal(notion='confidence', replicates=99)",
    "hosmer_lemeshow(p_value='resampled', replicates=99)",
    "hosmer_lemeshow(outcomes='class', p_value='resampled', replicates=99)",
    "consistency(replicates=99)",
]
LIMIT: dict[str, dict[int, int]] = {  # rows from which the limit law is claimed to hold, for each number of classes
    "spiegelhalter": dict.fromkeys(CLASSES, 50),
    "spiegelhalter(rule='log_loss')": dict.fromkeys(CLASSES, 50),
    "spiegelhalter(notion='confidence')": dict.fromkeys(CLASSES, 50),
    "spiegelhalter(rule='log_loss', notion='confidence')": dict.fromkeys(CLASSES, 50),
    "hosmer_lemeshow(p_value='chi_square')": dict.fromkeys(CLASSES, 50),
    "hosmer_lemeshow(outcomes='class', p_value='chi_square')": {2: 1000, 3: 500, 10: 50, 100: 50},
    "skce_test(estimator='block')": {2: 500, 3: 500, 10: 500, 100: 10_000},
}
MIXED = [  # redrawn, or by a limit law where counts are large
    "hosmer_lemeshow(replicates=99)",
    "hosmer_lemeshow(outcomes='class', replicates=99)",
]
BLOCK = "skce_test(estimator='block')"
SPECS = [*LIMIT, *MIXED, *REDRAWN]
REDRAWN_ROWS = (50, 200, 1000)
MIXED_ROWS = 1000  # with fewer rows labels are nearly always redrawn
LIMIT_ROWS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
POWER_SPECS = [spec for spec in SPECS if "p_value" not in spec]
POWER_ROWS, POWER_TEMPERATURE = 1000, 1.5
CURVE_CLASSES = (2, 10)
CURVE_ROWS = (50, 100, 200, 500, 1000)
CURVE_TEMPERATURES = (1.1, 1.2, 1.3, 1.5)


@dataclass(frozen=True)
class Cell:
    """One test on sets of one kind."""

    spec: str
    k: int
    n: int
    temperature: float = 1.0


@dataclass(frozen=True)
class Job:
    """Tests on sets of one kind, from one seed up to another."""

    specs: tuple[str, ...]
    k: int
    n: int
    temperature: float
    start: int
    stop: int


Found = dict[Cell, dict[int, list[float]]]  # the p-values of the sets from each seed on


def drawn(seed: int, n: int, k: int, temperature: float = 1.0) -> Predictions:
    """Return one set; every set has row keys, and so redrawn labels, of its own."""
    return Predictions.from_probabilities(*simulated(seed, n, k, temperature), start=seed * n)


def p_values(job: Job) -> NDArray[np.float64]:
    """Return the p-values (tests, sets)."""
    tests = [test(spec) for spec in job.specs]
    found = np.empty((len(tests), job.stop - job.start))
    for column, seed in enumerate(range(job.start, job.stop)):
        batch = drawn(seed, job.n, job.k, job.temperature)
        found[:, column] = [each(batch).p_value for each in tests]
    return found


def null_cells() -> list[Cell]:
    """Return the cells of the two tables of sizes, the small ones first."""
    redrawn = [Cell(spec, k, n) for n in REDRAWN_ROWS for spec in REDRAWN for k in CLASSES]
    redrawn += [Cell(spec, k, MIXED_ROWS) for spec in MIXED for k in CLASSES]
    limit = [Cell(spec, k, n) for n in LIMIT_ROWS for spec in LIMIT for k in CLASSES]
    return [cell for cell in (*redrawn, *limit) if cell.n <= 1000 or (cell.spec == BLOCK and cell.k == 100)]


def power_cells() -> list[Cell]:
    """Return the cells of the tables of powers."""
    at_once = [Cell(spec, k, POWER_ROWS, POWER_TEMPERATURE) for k in CLASSES for spec in POWER_SPECS]
    over_rows = [Cell(spec, k, n, POWER_TEMPERATURE) for n in CURVE_ROWS for k in CURVE_CLASSES for spec in POWER_SPECS]
    over = [Cell(spec, k, POWER_ROWS, t) for t in CURVE_TEMPERATURES for k in CURVE_CLASSES for spec in POWER_SPECS]
    return [*dict.fromkeys((*at_once, *over, *over_rows))]


def jobs(cells: Sequence[Cell], sets: int, found: Found) -> Iterator[Job]:
    """Yield what is missing: the tests of one kind of set together, a hundred sets at once."""
    for kind in dict.fromkeys((cell.k, cell.n, cell.temperature) for cell in cells):
        of_kind = [cell for cell in cells if (cell.k, cell.n, cell.temperature) == kind]
        for start in range(0, sets, AT_ONCE):
            stop = min(start + AT_ONCE, sets)
            specs = [cell.spec for cell in of_kind if len(found.get(cell, {}).get(start, ())) < stop - start]
            if specs:
                yield Job(tuple(specs), *kind, start, stop)


def read(cache: Path) -> Found:
    """Return what a file holds; a line that was cut off is left out."""
    found: Found = {}
    for line in cache.read_text().splitlines() if cache.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        cell = Cell(record["spec"], record["k"], record["n"], record["temperature"])
        found.setdefault(cell, {})[record["start"]] = record["p_values"]
    return found


def run(todo: Sequence[Job], workers: int, cache: Path) -> None:
    """Do the jobs and append what they find to the file."""
    with cache.open("a") as file:
        file.write("\n")  # ends a line that was cut off
        for number, (job, found) in enumerate(_results(todo, workers), 1):
            for spec, values in zip(job.specs, found.tolist(), strict=True):
                record = {"spec": spec, "k": job.k, "n": job.n, "temperature": job.temperature, "start": job.start}
                file.write(json.dumps({**record, "p_values": values}) + "\n")
            file.flush()
            print(f"{number} of {len(todo)}: k = {job.k}, n = {job.n}, T = {job.temperature}", file=sys.stderr)


def _results(todo: Sequence[Job], workers: int) -> Iterator[tuple[Job, NDArray[np.float64]]]:
    """Yield each job with its p-values, as they come."""
    if workers == 1:
        yield from ((job, p_values(job)) for job in todo)
        return
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(p_values, job): job for job in todo}
        yield from ((waiting[done], done.result()) for done in as_completed(waiting))


def gathered(found: Found, cells: Sequence[Cell], sets: int) -> dict[Cell, NDArray[np.float64]]:
    """Return the p-values of each cell that has all its sets."""
    starts = range(0, sets, AT_ONCE)
    whole = {cell: [found.get(cell, {}).get(start, []) for start in starts] for cell in cells}
    joined = {cell: np.array([p for part in parts for p in part][:sets]) for cell, parts in whole.items()}
    return {cell: values for cell, values in joined.items() if len(values) == sets}


def inside(rejections: int, sets: int, level: float, figures: int) -> bool:
    """Whether a number of rejections is credible for a test of this level, allowing for all figures of a run."""
    tail = OUTSIDE / figures / 2
    return bool(bdtr(rejections, sets, level) > tail and bdtrc(rejections - 1, sets, level) > tail)


def rejections(p: NDArray[np.float64], level: float) -> int:
    """Return how many p-values are at most the level."""
    return int(np.count_nonzero(p <= level + 1e-12))  # 0.01 is 1/100 up to rounding


def claimed(cell: Cell) -> bool:
    """Whether the size of this cell is claimed: redrawn tests at every n, the others from theirs."""
    return cell.n >= LIMIT.get(cell.spec, {}).get(cell.k, 0)


def outside(values: Mapping[Cell, NDArray[np.float64]]) -> dict[Cell, list[float]]:
    """Return the levels at which each cell is outside its band."""
    figures = len(LEVELS) * max(1, sum(claimed(cell) for cell in values))
    return {
        cell: [level for level in LEVELS if not inside(rejections(p, level), len(p), level, figures)]
        for cell, p in values.items()
    }


def broken(values: Mapping[Cell, NDArray[np.float64]]) -> list[str]:
    """Return a sentence for each claim that does not hold."""
    return [
        f"{cell}: {[rejections(values[cell], level) for level in LEVELS]} of {len(values[cell])} rejected at {LEVELS}, "
        f"outside the band at {levels}"
        for cell, levels in outside(values).items()
        if levels and claimed(cell)
    ]
