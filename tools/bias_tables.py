"""Write the tables of docs/theory/bias.md: what each measure gives where the truth is zero, and where T = 1.5.

    OPENBLAS_NUM_THREADS=1 CALIBRANT_NUM_THREADS=1 python tools/bias_tables.py [--workers 2] [--table NAME]

Pairs (score, outcome) with outcomes of chance equal to the score, or rows of logits 2 z. Every set is seeded by where
it comes from, its number of rows and its number. Without --table all are made, in about half an hour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from page_tables import figure, markdown, write  # noqa: E402 - after the path

from calibrant import Predictions  # noqa: E402
from calibrant.metrics import measure  # noqa: E402

Floats = NDArray[np.float64]
PAGE = ROOT / "docs" / "theory" / "bias.md"
SCORES = {"Beta(12, .9)": (12.0, 0.9), "Beta(3, 1.2)": (3.0, 1.2), "U(0, 1)": (1.0, 1.0)}
ROWS = (200, 1_000, 5_000, 10_000)
SETS = {200: 400, 1_000: 400, 5_000: 200, 10_000: 200}
ONE = "notion='class_wise'"  # of which the column of class 1 is taken
PUBLISHED_SPECS = {
    "width 15": "sce",
    "mass 15": "ace",
    "width 100": "sce(bins=100)",
    "sweep": f"ece_sweep({ONE})",
    "root of debiased": f"squared_ce({ONE})",
}
# Published means in the order of the columns above; None where none was published.
PUBLISHED: dict[tuple[str, int], tuple[float | None, ...]] = {
    ("Beta(12, .9)", 200): (0.0312, 0.0474, 0.0736, 0.0227, 0.0161),
    ("Beta(12, .9)", 1_000): (0.0146, 0.0217, 0.0357, 0.0121, 0.0077),
    ("Beta(12, .9)", 5_000): (0.0065, 0.0095, 0.0164, 0.0066, 0.0033),
    ("Beta(12, .9)", 10_000): (0.0046, 0.0068, 0.0117, 0.0053, 0.0024),
    ("Beta(3, 1.2)", 200): (0.0778, 0.0862, 0.1857, 0.0455, 0.0267),
    ("Beta(3, 1.2)", 1_000): (0.0352, 0.0382, 0.0888, 0.0253, 0.0116),
    ("Beta(3, 1.2)", 5_000): (0.0158, 0.0173, 0.0403, 0.0144, 0.0053),
    ("Beta(3, 1.2)", 10_000): (0.0111, 0.0120, 0.0285, 0.0112, 0.0035),
    ("U(0, 1)", 1_000): (0.0386, None, None, None, None),
    ("U(0, 1)", 10_000): (0.0123, None, None, None, None),
}
PUBLISHED_SETS = 200  # not said; from their distances to ours, hardly fewer
OTHERS = {
    f"rmsce({ONE})": 100,
    "mce": 100,
    f"smece({ONE})": 100,
    f"smooth_ce({ONE})": 40,
    f"ece_kde({ONE})": 20,
    f"ks({ONE})": 100,
    f"kuiper({ONE})": 100,
    f"mmce({ONE})": 100,
    f"corp_miscalibration({ONE})": 100,
    f"corp_miscalibration({ONE}, rule='log_loss')": 100,
    f"murphy_reliability({ONE})": 100,
    f"murphy_reliability({ONE}, rule='log_loss')": 100,
}
BINS, BINNINGS = (5, 15, 50, 100), {"width": "sce", "mass": "ace"}
CLASSES, TEMPERATURES, POPULATION_ROWS = (2, 10, 100), (1.0, 1.5), {2: 400_000, 10: 400_000, 100: 100_000}
BY_CLASSES = {  # rows: sets
    "ece": {1_000: 100, 10_000: 25},
    "ece_sweep": {1_000: 100, 10_000: 25},
    "sce": {1_000: 100, 10_000: 25},
    "ace": {1_000: 100, 10_000: 25},
    "tl_ece": {1_000: 100, 10_000: 25},
    "within_top_ece": {1_000: 100, 10_000: 25},
    "decision_error": {1_000: 100, 10_000: 25},
    "squared_ce": {1_000: 100, 10_000: 25},
    "skce(bandwidth=0.5, estimator='biased')": {1_000: 20},
}


def pairs(name: str, n: int, seed: int) -> Predictions:
    """Return n calibrated pairs as two classes; class 1 has the score."""
    rng = np.random.default_rng([list(SCORES).index(name), n, seed])
    scores = rng.beta(*SCORES[name], n)
    return Predictions.binary(scores, rng.random(n) < scores)


def value(spec: str, batch: Predictions) -> float:
    """Return the measure of the pairs: that of class 1, the root of what is debiased, 0 where that is negative."""
    found = measure(spec)(batch)
    one = float(found) if found.per_class is None else float(found.per_class[1])
    return max(one, 0.0) ** 0.5 if spec.startswith("squared_ce") else one


def cells(sets: dict[str, int], name: str, n: int) -> dict[str, Floats]:
    """Return the values of each spec on so many seeded sets."""
    found: dict[str, list[float]] = {spec: [] for spec in sets}
    for seed in range(max(sets.values())):
        batch = pairs(name, n, seed)
        for spec, count in sets.items():
            if seed < count:
                found[spec].append(value(spec, batch))
    return {spec: np.array(values) for spec, values in found.items()}


def distance(values: Floats, published: float) -> float:
    """Return how many standard errors, of both means and of four digits, a published mean is away."""
    variance = values.var(ddof=1) * (1 / len(values) + 1 / PUBLISHED_SETS)
    return float((values.mean() - published) / (variance + 1e-8 / 12) ** 0.5)


def shown(values: Floats, digits: int = 4) -> str:
    return f"{figure(values.mean(), digits)} ({figure(values.std(ddof=1), digits)})"


def published(pool: ProcessPoolExecutor) -> str:
    """Return means, standard deviations and the published means; then the distances, in words."""
    keys = [(name, n) for name in SCORES for n in ROWS]
    jobs = {key: pool.submit(cells, dict.fromkeys(PUBLISHED_SPECS.values(), SETS[key[1]]), *key) for key in keys}
    rows, far = [], []
    for key in keys:
        row = [key[0], f"{key[1]:,}"]
        known = PUBLISHED.get(key, (None,) * len(PUBLISHED_SPECS))
        for spec, theirs in zip(PUBLISHED_SPECS.values(), known, strict=True):
            values = jobs[key].result()[spec]
            row.append(shown(values) + (f" [{figure(theirs)}]" if theirs is not None else ""))
            far += [distance(values, theirs)] if theirs is not None else []
        rows.append(row)
    largest, spread = max(map(abs, far)), float(np.sqrt(np.mean(np.square(far))))
    words = f"{len(far)} published means: the furthest is {largest:.1f} standard errors away, their root mean square"
    return f"{markdown(['scores', 'n', *PUBLISHED_SPECS], rows)}\n\n{words} {spread:.2f}."


def others(name: str, pool: ProcessPoolExecutor) -> str:
    """Return the other biased measures by the number of rows."""
    found = [pool.submit(cells, OTHERS, name, n) for n in ROWS]
    rows = [[f"`{spec}`", *(shown(job.result()[spec], 5) for job in found)] for spec in OTHERS]
    return markdown(["measure", *(f"n = {n:,}" for n in ROWS)], rows)


def expected(name: str, n: int, bins: int, binning: str) -> float:
    """Return sum_b sqrt(2 v_b n_b / pi) / n, v_b the mean variance of an outcome in bin b, from many scores."""
    scores = np.sort(np.random.default_rng([7, list(SCORES).index(name)]).beta(*SCORES[name], 1_000_000))
    where = np.arange(len(scores)) * bins // len(scores) if binning == "mass" else (scores * bins).astype(np.int64)
    variance = np.bincount(where, scores * (1 - scores), minlength=bins) / len(scores)  # v_b n_b / n
    return float(np.sqrt(2 * variance / (np.pi * n)).sum())


def by_bins(pool: ProcessPoolExecutor) -> str:
    """Return mean, standard deviation and the approximation by the number of bins."""
    rows = []
    for name in SCORES:
        for kind, preset in BINNINGS.items():
            for n in (1_000, 10_000):
                specs = {f"{preset}(bins={bins})": 100 for bins in BINS}
                found = pool.submit(cells, specs, name, n).result()
                told = (f" [{figure(expected(name, n, bins, kind))}]" for bins in BINS)
                rows.append([name, kind, f"{n:,}", *(shown(v) + t for v, t in zip(found.values(), told, strict=True))])
    return markdown(["scores", "bins of equal", "n", *(f"{bins} bins" for bins in BINS)], rows, left=2)


def logits(k: int, temperature: float, n: int, seed: int, *, soft: bool = False) -> Predictions:
    """Return rows of logits 2 z with labels of the softmax of logits / T, or with those chances as soft labels."""
    rng = np.random.default_rng([k, round(10 * temperature), n, seed])
    z = 2 * rng.normal(size=(n, k))
    if soft:
        rates = np.exp(z / temperature)
        return Predictions.from_logits(z, rates / rates.sum(1, keepdims=True))
    labels = np.argmax(z / temperature + rng.gumbel(size=(n, k)), axis=1)  # softmax is the law of this argmax
    return Predictions.from_logits(z, labels, start=seed * n)


def _on_logits(k: int, temperature: float, n: int) -> dict[str, Floats]:
    """Return the values of each measure that has so many rows in its list."""
    sets = {spec: counts[n] for spec, counts in BY_CLASSES.items() if n in counts}
    found: dict[str, list[float]] = {spec: [] for spec in sets}
    for seed in range(max(sets.values())):
        batch = logits(k, temperature, n, seed)
        for spec in (spec for spec, count in sets.items() if seed < count):
            found[spec].append(float(measure(spec)(batch)))
    return {spec: np.array(values) for spec, values in found.items()}


def population(spec: str, k: int, temperature: float) -> float:
    """Return the value without noise of labels: 0 where calibrated, else from many rows with their true chances."""
    if temperature == 1:
        return 0.0
    plain = {"squared_ce": "rmsce(root=False, binning='mass')", "ece_sweep": "ece(binning='mass', bins=100)"}
    plain["skce(bandwidth=0.5, estimator='biased')"] = "skce(bandwidth=0.5)"
    rows = 2_000 if spec.startswith("skce") else POPULATION_ROWS[k]
    return float(measure(plain.get(spec, spec))(logits(k, temperature, rows, 0, soft=True)))


def by_classes(temperature: float, pool: ProcessPoolExecutor) -> str:
    """Return the bias (standard deviation) by the number of classes, and the value that it is a bias from."""
    jobs = {(k, n): pool.submit(_on_logits, k, temperature, n) for k in CLASSES for n in (1_000, 10_000)}
    rows = []
    for spec, sets in BY_CLASSES.items():
        truths = [population(spec, k, temperature) for k in CLASSES]
        for n in sets:
            found = [jobs[k, n].result()[spec] for k in CLASSES]
            rows.append([f"`{spec}`", f"{n:,}", *(_bias(v, t) for v, t in zip(found, truths, strict=True))])
    return markdown(["measure", "n", *(f"k = {k}" for k in CLASSES)], rows)


def _bias(values: Floats, truth: float) -> str:
    off = figure(values.mean() - truth, 5)
    text = f"{'' if off.startswith('−') else '+'}{off} ({figure(values.std(ddof=1), 5)})"
    return f"{text} [{figure(truth, 5)}]" if truth else text


def tables(pool: ProcessPoolExecutor) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the place of each table and what makes it."""
    yield "published", partial(published, pool)
    for number, name in enumerate(SCORES):
        yield f"others-{number}", partial(others, name, pool)
    yield "bins", partial(by_bins, pool)
    for temperature in TEMPERATURES:
        yield f"classes-{temperature:g}", partial(by_classes, temperature, pool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", default="", help="published, others-0, bins, classes-1, classes-1.5, ...")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        write(PAGE, dict(tables(pool)), options.table)


if __name__ == "__main__":
    main()
