"""Write the tables of docs/theory/separable.md: what the maps make of separable rows, and how strong their priors are.

    python tools/separable_table.py                      the table of separable rows
    python tools/separable_table.py --data ../data       the tables on real scores too, from a folder of .npz files

A file of the folder holds `labels` and `logits` or `probabilities` (n, k); files in its folder `tabular` are read too.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibrant import Predictions
from calibrant.calibrators import fit

PAGE = Path(__file__).resolve().parents[1] / "docs" / "theory" / "separable.md"
SEEDS = 20
CLASSES, MARGIN, FRESH_ROWS = 4, 8.0, 5000
SIZES, SHIFTS = (50, 400, 5000), (1.0, 3.0, 8.0)
METHODS = {
    "temperature": "temperature",
    "vector": "vector",
    "platt": "platt",
    "Platt's targets": "platt(prior=None)",
    "isotonic": "isotonic",
    "histogram": "histogram",
}
EDGE_PRIORS = (1.0, 5.0, 10.0, 20.0, 50.0, 200.0)
EDGE_SIZES, EDGE_DRAWS, TEST_ROWS = (20, 50, 100, 200, 400), 40, 2000
SMALLEST = 1e-4  # nats: ratios of smaller losses say nothing
CLASS_PRIORS = (1.0, 5.0, 20.0, 80.0)
ROWS_PER_CLASS = (5, 20, 100, 500)
VECTOR_DRAWS = 4


def log_loss(predictions: Predictions) -> float:
    found = predictions.summary.label_log_probability
    assert found is not None
    return -float(found.mean())


def drawn(rng: np.random.Generator, n: int, shift: float) -> Predictions:
    labels = rng.integers(CLASSES, size=n)
    logits = rng.normal(size=(n, CLASSES))
    logits[np.arange(n), labels] += shift
    return Predictions.from_logits(logits, labels)


def separable_table() -> str:
    """Return the worst ratio of log losses over the seeds, by calibration rows and by the shift of fresh rows."""
    rows = []
    for n in SIZES:
        ratios = {shift: {name: [] for name in ["identity", *METHODS]} for shift in SHIFTS}
        for seed in range(SEEDS):
            rng = np.random.default_rng([seed, n])
            calibration = drawn(rng, n, MARGIN)
            maps = {name: fit(calibration, spec) for name, spec in METHODS.items()}
            for shift in SHIFTS:
                fresh = drawn(rng, FRESH_ROWS, shift)
                least = log_loss(fresh)
                ratios[shift]["identity"].append(least)
                for name, learnt in maps.items():
                    ratios[shift][name].append(log_loss(learnt(fresh)) / least)
        for shift in SHIFTS:
            identity = np.mean(ratios[shift].pop("identity"))
            worst = (f"{max(column):.2f}" for column in ratios[shift].values())
            rows.append([f"{n:,}", f"+{shift:g}", f"{identity:.4f}", *worst])
    return markdown(["rows", "fresh", "identity", *METHODS], rows)


def sources(folder: Path) -> Iterator[tuple[str, Predictions, Predictions]]:
    """Yield each source with its rows to calibrate on and to test on, halves of a fixed shuffle."""
    for path in [*sorted(folder.glob("*.npz")), *sorted((folder / "tabular").glob("*.npz"))]:
        with np.load(path, allow_pickle=False) as file:
            names = [name for name in ("probabilities", "logits") if name in file.files and file[name].ndim == 2]
            if not names:
                continue
            known = file["labels"] >= 0
            scores, labels = file[names[0]][known], file["labels"][known].astype(np.int64)
        whole = Predictions.from_logits(scores, labels)
        if names[0] == "probabilities":
            whole = Predictions.from_probabilities(scores, labels, normalize=True)
        order = np.random.default_rng(7).permutation(len(whole))
        half = len(order) // 2
        yield path.stem, whole.take(order[:half]), whole.take(order[half : half + TEST_ROWS])


def edge_table(folder: Path) -> str:
    """Return test log losses after temperature scaling at the edge, over the identity's, by the prior."""
    by_source, worst, draws = [], np.zeros(len(EDGE_PRIORS)), 0
    for _, calibration, test in sources(folder):
        ratios = [edge_ratios(rows, test) for rows in right_rows(calibration)]
        if ratios:
            by_source.append(np.log(ratios).mean(0))
            worst, draws = np.maximum(worst, np.max(ratios, axis=0)), draws + len(ratios)
    mean = np.exp(np.mean(by_source, axis=0))
    head = [f"{len(by_source)} sources, {draws} draws", *(f"m = {m:g}" for m in EDGE_PRIORS)]
    body = [["geometric mean", *(f"{v:.3f}" for v in mean)], ["worst draw", *(f"{v:.2f}" for v in worst)]]
    return markdown(head, body)


def right_rows(calibration: Predictions) -> Iterator[Predictions]:
    """Yield the seeded draws of calibration rows in which every row is ranked right."""
    rng = np.random.default_rng(11)
    for n in EDGE_SIZES:
        for _ in range(EDGE_DRAWS if n <= len(calibration) else 0):
            rows = calibration.take(rng.choice(len(calibration), n, replace=False))
            if (rows.summary.top == rows.labels).all():
                yield rows


def edge_ratios(rows: Predictions, test: Predictions) -> list[float]:
    """Return the ratios by prior; an endless prior is the identity with something in the place of exact zeros."""
    *losses, least = (log_loss(fit(rows, f"temperature(prior={m})")(test)) for m in (*EDGE_PRIORS, 1e12))
    return [max(loss, SMALLEST) / max(least, SMALLEST) for loss in losses]


def vector_table(folder: Path) -> str:
    """Return the mean difference of test log loss from the temperature map, times 1,000, by prior and rows a class."""
    body = []
    for per_class in ROWS_PER_CLASS:
        gains = [
            np.mean([vector_gains(rows, test) for rows in few_rows(calibration, per_class)], axis=0)
            for _, calibration, test in sources(folder)
            if per_class * calibration.k <= len(calibration)
        ]
        means = 1e3 * np.mean(gains, axis=0)
        body.append([f"{per_class}", f"{len(gains)}", *(f"{v:+.1f}" for v in means)])
    return markdown(["rows a class", "sources", *(f"{m:g} a class" for m in CLASS_PRIORS)], body)


def few_rows(calibration: Predictions, per_class: int) -> Iterator[Predictions]:
    rng = np.random.default_rng(13)
    for _ in range(VECTOR_DRAWS):
        yield calibration.take(rng.choice(len(calibration), per_class * calibration.k, replace=False))


def vector_gains(rows: Predictions, test: Predictions) -> NDArray[np.float64]:
    warm = log_loss(fit(rows, "temperature")(test))
    return np.array([log_loss(fit(rows, f"vector(prior={m})")(test)) - warm for m in CLASS_PRIORS])


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of prediction sets")
    folder = parser.parse_args().data
    tables = {"separable": separable_table()}
    if folder is not None:
        tables.update(edge=edge_table(folder), vector=vector_table(folder))
    page = PAGE.read_text()
    for name, table in tables.items():
        page = re.sub(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", rf"\g<1>{table}\n\g<2>", page, flags=re.S)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
