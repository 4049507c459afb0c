"""Check how often intervals hold the population value, and write the tables of docs/theory/coverage.md.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/interval_coverage.py --workers 2 [--sets 120] [--write]

Logits are 2 z with z standard normal, labels are drawn from softmax(logits / T): calibrated at T = 1, slightly over-
confident at 1.2 and strongly at 2. The population value is that of the same functional in the same
bins, from the conditional class probabilities of many rows; the unbinned one is taken in a thousand bins of equal mass.
A cell that is done is kept in the file of --cache, so that a run that was cut off goes on. Exit 1 and say where an
interval that is shown covers less than 92 % at nominal 95 %, beyond what the number of sets can tell.
"""

from __future__ import annotations

import argparse
import functools
import json
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
from calibrant.evaluation.gathering import gather
from calibrant.evaluation.replicates import Plan, Replicates
from calibrant.evaluation.suite import suite
from calibrant.metrics import CalibrationError, Metric
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "theory" / "coverage.md"
BINNED = ["ece", "ece(binning='mass')", "rmsce", "squared_ce", "sce", "ace", "tl_ece"]
MEANS = ["accuracy", "log_loss", "brier"]
ROWS, CLASSES, TEMPERATURES, LEVELS = (500, 5000, 50_000), (2, 10, 100), (1.0, 1.2, 2.0), (0.9, 0.95)
REPLICATES = 200
LEAST, NOMINAL = 0.92, 0.95
FINE = 1000  # bins of the value that is called unbinned
_POPULATION_PAIRS, _BLOCK = 4_000_000, 1 << 21
_MEAN_ROWS = 2_000_000  # of the population's mean scores, which must err by far less than those of 50,000 rows
_OUTSIDE = 0.001  # chance that any cell of a run is called too low though it covers LEAST


@dataclass(frozen=True)
class Cell:
    """What one measure's intervals did in one setting: shares of the sets in which they were shown and covered."""

    spec: str
    k: int
    n: int
    temperature: float
    sets: int
    shown: int
    covered: tuple[int, ...]  # at each level, of those shown, the binned value
    unbinned: int  # at the last level
    width: float  # mean, at the last level

    @property
    def too_low(self) -> bool:
        """Whether so few would be covered by an interval that covers LEAST only with a chance below `_OUTSIDE`."""
        cells = len(BINNED + MEANS) * len(ROWS) * len(CLASSES) * len(TEMPERATURES)
        return self.shown > 0 and bool(binom.cdf(self.covered[-1], self.shown, LEAST) < _OUTSIDE / cells)


@dataclass(frozen=True, eq=False)
class Curve:
    """Sorted scores of a population with cumulative sums of the scores and of the conditional outcome rates."""

    scores: Floats
    score_sums: Floats
    outcome_sums: Floats

    @classmethod
    def of(cls, scores: Floats, rates: Floats) -> Curve:
        order = np.argsort(scores)
        sums = [np.concatenate([[0.0], np.cumsum(values[order])]) for values in (scores, rates)]
        return cls(scores[order], *sums)

    def sums(self, edges: Floats, columns: int) -> BinSums:
        """Return the sums over bins of as many columns, all alike but for their edges."""
        places = np.searchsorted(self.scores, np.broadcast_to(edges, (columns, edges.shape[-1])), side="right")
        places[:, 0], places[:, -1] = 0, len(self.scores)
        rows = np.diff(places, axis=1)
        weight = rows.astype(np.float64)
        return BinSums(
            edges=edges,
            rows=rows,
            weight=weight,
            score=np.diff(self.score_sums[places], axis=1),
            outcome=np.diff(self.outcome_sums[places], axis=1),
            square_weight=weight,
            n=len(self.scores),
            mass=float(len(self.scores)),
        )

    def fine_edges(self) -> Floats:
        return np.quantile(self.scores, np.linspace(0, 1, FINE + 1))


@dataclass(frozen=True, eq=False)
class Population:
    """The confidence and one class of a population (by symmetry all classes are alike), and means of the rows."""

    confidence: Curve
    one_class: Curve
    means: dict[str, float]

    def of(self, metric: CalibrationError) -> Curve:
        return self.one_class if metric.notion == "class_wise" else self.confidence


@functools.cache
def population(k: int, temperature: float) -> Population:
    """Return many rows with the class probabilities of their labels."""
    parts = [_rows_of(_BLOCK // k, k, temperature, block) for block in range(-(-_POPULATION_PAIRS // _BLOCK))]
    confidence, correct, scores, rates, *_ = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Population(Curve.of(confidence, correct), Curve.of(scores, rates), _means(k, temperature))


def _means(k: int, temperature: float) -> dict[str, float]:
    """Return the mean scores of the population."""
    sums, rows = np.zeros(3), 0
    for block in range(-(-_MEAN_ROWS * k // _BLOCK)):
        _, correct, _, _, loss, brier = _rows_of(_BLOCK // k, k, temperature, block)
        sums += np.array([correct.sum(), loss.sum(), brier.sum()])
        rows += len(loss)
    return dict(zip(("accuracy", "log_loss", "brier"), (sums / rows).tolist(), strict=True))


def _rows_of(n: int, k: int, temperature: float, block: int) -> tuple[Floats, ...]:
    z = 2 * np.random.default_rng([7, k, block]).normal(size=(n, k))
    p, q = softmax(z), softmax(z / temperature)
    top, rows = p.argmax(1), np.arange(n)
    brier = 1 + (p**2).sum(1) - 2 * (p * q).sum(1)
    return p[rows, top], q[rows, top], p.ravel(), q.ravel(), -(q * np.log(p)).sum(1), brier


def softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def drawn(seed: int, n: int, k: int, temperature: float) -> Predictions:
    """Return one set, with row keys of its own."""
    rng = np.random.default_rng([seed, n, k])
    z = 2 * rng.normal(size=(n, k))
    labels = np.argmax(z / temperature + rng.gumbel(size=(n, k)), axis=1)
    return Predictions.from_probabilities(softmax(z), labels, start=seed * n)


def outcomes(k: int, n: int, temperature: float, seeds: range) -> list[list[tuple[float, ...]]]:
    """Return, by measure and set, (covered at each level, unbinned covered, width), or () where none is shown."""
    asked = suite([*BINNED, *MEANS])
    found: list[list[tuple[float, ...]]] = [[] for _ in asked.measures]
    for seed in seeds:
        batch = drawn(seed, n, k, temperature)
        read = gather(asked, (batch,), False)
        replicates = Replicates.draw(read, batch, Plan(REPLICATES, seed, lambda what, done, total: None))
        for metric, told in zip(asked.measures, found, strict=True):
            told.append(_outcome(metric, replicates, read.sums[metric.gathering], k, temperature))
    return found


def _outcome(metric: Metric, replicates: Replicates, sums: object, k: int, temperature: float) -> tuple[float, ...]:
    estimate = metric.estimate(sums)
    shown = [replicates.add_to(metric, estimate, level) for level in LEVELS]
    if shown[-1].low is None:
        return ()
    truth, unbinned = truths(metric, replicates, k, temperature)
    covered = [_holds(each.low, each.high, truth) for each in shown]
    last = shown[-1]
    return (*covered, _holds(last.low, last.high, unbinned), float(last.high or 0) - float(last.low or 0))


def truths(metric: Metric, replicates: Replicates, k: int, temperature: float) -> tuple[float, float]:
    """Return the population value in the bins of the measure, and without bins."""
    known = population(k, temperature)
    if not isinstance(metric, CalibrationError):
        return (known.means[metric.name],) * 2
    pinned = replicates.pinned[metric]
    assert isinstance(pinned, CalibrationError)
    edges, curve = replicates.base[pinned.gathering].edges, known.of(metric)
    columns = len(replicates.base[pinned.gathering].weight)
    binned, fine = curve.sums(edges, columns), curve.sums(curve.fine_edges(), 1)
    of_bins, of_rows = (m.function_of_gaps(s, truth=True)(s.gaps) for m, s in ((pinned, binned), (metric, fine)))
    return float(of_bins), float(of_rows)


def _holds(low: float | None, high: float | None, value: float) -> float:
    return float(low is not None and high is not None and low - 1e-12 <= value <= high + 1e-12)


def cells(k: int, n: int, temperature: float, sets: int, pool: ProcessPoolExecutor) -> list[Cell]:
    """Return the cell of each measure."""
    step = max(1, sets // 20)
    jobs = [
        pool.submit(outcomes, k, n, temperature, range(start, min(start + step, sets)))
        for start in range(0, sets, step)
    ]
    parts = [job.result() for job in jobs]
    return [
        _cell(spec, k, n, temperature, [told for part in parts for told in part[i]])
        for i, spec in enumerate([*BINNED, *MEANS])
    ]


def _cell(spec: str, k: int, n: int, temperature: float, told: Sequence[tuple[float, ...]]) -> Cell:
    shown = np.array([each for each in told if each]).reshape(-1, len(LEVELS) + 2)
    *covered, unbinned, width = shown.sum(0)
    mean_width = float(width / max(len(shown), 1))
    return Cell(spec, k, n, temperature, len(told), len(shown), tuple(map(int, covered)), int(unbinned), mean_width)


def table(found: Sequence[Cell], k: int) -> str:
    """Return the coverage in per cent at 90 and 95 %, and of the unbinned value at 95 %; a star: too low."""
    lines = [f"| measure, k = {k} | T | " + " | ".join(f"n = {n:,}" for n in ROWS) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(ROWS))
    by_key = {(cell.spec, cell.n, cell.temperature): cell for cell in found if cell.k == k}
    for spec in [*BINNED, *MEANS]:
        for temperature in TEMPERATURES:
            shown = [_shown(by_key.get((spec, n, temperature))) for n in ROWS]
            lines.append(f"| `{spec}` | {temperature:g} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "not run"
    if cell.shown < cell.sets / 2:
        return "not shown"
    low, high = (f"{100 * count / cell.shown:.0f}" for count in cell.covered)
    of_unbinned = "" if cell.spec in MEANS else f" ({100 * cell.unbinned / cell.shown:.0f})"
    return f"{low} / {high}{'*' * cell.too_low}{of_unbinned}"


def run(options: argparse.Namespace) -> Iterator[Cell]:
    """Yield all cells, from the cache where it has them."""
    known = json.loads(options.cache.read_text()) if options.cache and options.cache.exists() else {}
    with ProcessPoolExecutor(options.workers or 1) as pool:
        for n in ROWS:
            sets = options.sets if n < max(ROWS) else options.sets // 2
            for k in CLASSES:
                for temperature in TEMPERATURES:
                    key = f"{k} {n} {temperature} {sets}"
                    if key not in known and not options.workers:
                        continue
                    if key not in known:
                        known[key] = [vars(cell) for cell in cells(k, n, temperature, sets, pool)]
                        print(key, *known[key], sep="\n", file=sys.stderr, flush=True)
                        if options.cache:
                            options.cache.write_text(json.dumps(known))
                    yield from (Cell(**{**told, "covered": tuple(told["covered"])}) for told in known[key])


def main() -> int:
    """Run everything; return 1 if an interval that is shown covers too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=120, help="sets in each cell; half as many of the most rows")
    parser.add_argument("--workers", type=int, default=1, help="processes; 0 takes the cells of the cache alone")
    parser.add_argument("--cache", type=Path, help="a file that keeps the cells that are done")
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    options = parser.parse_args()
    found = list(run(options))
    tables = "\n\n".join(table(found, k) for k in CLASSES)
    print(tables)
    if options.write:
        page = PAGE.read_text()
        PAGE.write_text(re.sub(r"(<!-- tables -->\n).*?(<!-- end -->)", rf"\g<1>{tables}\n\g<2>", page, flags=re.S))
    low = [cell for cell in found if cell.too_low and cell.shown >= cell.sets / 2]
    print(*low, sep="\n")
    return bool(low)


if __name__ == "__main__":
    sys.exit(main())
