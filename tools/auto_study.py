"""Compare `auto` with structured matrix scaling of probmetrics on a frozen list of problems; write docs/theory/auto.md.

    python tools/auto_study.py --problems FOLDER/auto.py --cache FOLDER --fit [--part 0/2]
    python tools/auto_study.py --problems FOLDER/auto.py --cache FOLDER --peer      (where probmetrics is installed)
    python tools/auto_study.py --problems FOLDER/auto.py --cache FOLDER [--offset 1000 --write]

Losses of every test row are kept in the cache, one file a problem and method, so that a run that was cut off goes on.
Means weigh every source alike; intervals are bootstraps over sources. The list for development is that of --offset 0,
the published one that of --offset 1000. Log losses are of probabilities of at least 1e-7, for ours and the peer alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import page_tables
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Problem = tuple[str, int, int, int]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "theory" / "auto.md"
LEAST = 1e-7
HARM, HARM_NATS = 0.01, 0.002
METHODS = {"auto": "auto", "auto, strict": "auto(gate=1.645)", "auto, quick": "auto(candidates='quick')", "sms": "sms"}
ORACLE = (  # what `auto` chooses from, and a vector
    *("identity", "temperature(prior=20.0)", "ensemble_temperature", "pooled_isotonic", "svs(penalty=1.0)"),
    *("sms(penalty=4.0)", "sms(penalty=1.0)", "sms(penalty=0.25)", "sms(penalty=0.0625)", "spline"),
)
PEER = "probmetrics sms"
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Losses:
    """Log loss and Brier score of each test row, and the seconds of the fit."""

    log_loss: Floats
    brier: Floats
    seconds: float


def row_losses(probabilities: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the log loss (n,) and the Brier score (n,), summed over classes."""
    p, rows = np.asarray(probabilities, dtype=np.float64), np.arange(len(labels))
    outcomes = np.zeros_like(p)
    outcomes[rows, labels] = 1.0
    return -np.log(np.maximum(p[rows, labels], LEAST)), ((p - outcomes) ** 2).sum(1)


class Study:
    """The problems, and what has been found of them."""

    def __init__(self, module: Path, cache: Path, offset: int) -> None:
        spec = importlib.util.spec_from_file_location("problems", module)
        assert spec is not None
        assert spec.loader is not None
        self._module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self.cache, self.problems = cache, list[Problem](self._module.problems(offset))

    def path(self, problem: Problem, method: str) -> Path:
        """Return the file of one result."""
        return self.cache / f"{'_'.join(map(str, problem))}.{''.join(c if c.isalnum() else '-' for c in method)}.npz"

    def run(self, method: str, predict: Callable[[dict[str, Any]], Floats], part: tuple[int, int]) -> None:
        """Fit and judge one method on every ``part[1]``-th problem from ``part[0]`` on, where that is missing."""
        for number, problem in enumerate(self.problems):
            path = self.path(problem, method)
            if number % part[1] != part[0] or path.exists():
                continue
            data, start = self._module.make(*problem), time.process_time()
            log_loss, brier = row_losses(predict(data), data["test_labels"])
            np.savez(path, log_loss=log_loss, brier=brier, seconds=time.process_time() - start)
            print(method, problem, f"{log_loss.mean():.4f}", flush=True)

    def size(self, problem: Problem) -> tuple[int, int]:
        """Return the number of calibration rows and of classes."""
        path = self.cache / f"{'_'.join(map(str, problem))}.size.txt"
        if not path.exists():
            data = self._module.make(*problem)
            path.write_text(f"{data['n']} {data['k']}")
        rows, classes = map(int, path.read_text().split())
        return rows, classes

    def identity(self, data: dict[str, Any]) -> Floats:
        """Return the scores as they are."""
        return np.exp(data["test"])

    def found(self, method: str) -> dict[Problem, Losses]:
        """Return what the cache holds of one method."""
        known = {}
        for problem in self.problems:
            if (path := self.path(problem, method)).exists():
                with np.load(path) as file:
                    known[problem] = Losses(file["log_loss"], file["brier"], float(file["seconds"]))
        return known


@dataclass(frozen=True)
class Duel:
    """One problem: the mean losses of a method, of the peer and of the identity, and paired z of both differences."""

    problem: Problem
    rows: int
    classes: int
    log_loss: tuple[float, float, float]
    brier: tuple[float, float, float]
    worse_than_peer: float
    worse_than_identity: float
    seconds: float


def z_of(difference: Floats) -> float:
    """Return the mean over its standard error, 0 where nothing differs."""
    spread = difference.std(ddof=1) / len(difference) ** 0.5
    return float(difference.mean() / spread) if spread > 0 else 0.0


def duels(study: Study, method: str) -> list[Duel]:
    """Return the problems of which all three are known."""
    ours, peer, identity = (study.found(name) for name in (method, PEER, "identity"))
    found = []
    for problem in study.problems:
        if problem in ours and problem in peer and problem in identity:
            trio = (ours[problem], peer[problem], identity[problem])
            found.append(
                Duel(
                    problem,
                    *study.size(problem),
                    tuple(float(one.log_loss.mean()) for one in trio),  # type: ignore[arg-type]
                    tuple(float(one.brier.mean()) for one in trio),  # type: ignore[arg-type]
                    z_of(trio[0].log_loss - trio[1].log_loss),
                    z_of(trio[0].log_loss - trio[2].log_loss),
                    trio[0].seconds,
                )
            )
    return found


Rows = Sequence[Duel]
Figure = Callable[[Rows, Floats], float]


def mean(of: Callable[[Duel], float]) -> Figure:
    """Return the mean of a figure, every source alike."""
    return lambda rows, weights: float(np.dot([of(row) for row in rows], weights))


def median(of: Callable[[Duel], float]) -> Figure:
    """Return the median of a figure, every source alike."""

    def found(rows: Rows, weights: Floats) -> float:
        values = np.array([of(row) for row in rows])
        order = np.argsort(values)
        return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5)])

    return found


def harmed(row: Duel) -> bool:
    """Whether the method is worse than the identity by more than 1 % and .002 nats."""
    loss, identity = row.log_loss[0], row.log_loss[2]
    return loss > identity * (1 + HARM) and loss > identity + HARM_NATS


# Name, figure, factor, digits. Shares and means weigh sources alike; the harms count problems.
FIGURES: dict[str, tuple[Figure, float, int]] = {
    "wins, log loss %": (mean(lambda r: float(r.log_loss[0] < r.log_loss[1])), 100, 0),
    "wins, Brier %": (mean(lambda r: float(r.brier[0] < r.brier[1])), 100, 0),
    "median gain, log loss %": (median(lambda r: (r.log_loss[1] - r.log_loss[0]) / r.log_loss[1]), 100, 1),
    "mean gain, log loss x 100": (mean(lambda r: r.log_loss[1] - r.log_loss[0]), 100, 2),
    "mean gain, Brier x 100": (mean(lambda r: r.brier[1] - r.brier[0]), 100, 2),
}
COUNTS: dict[str, Callable[[Rows], str]] = {
    "worse than the scores by 1 % and .002 nats": lambda rows: f"{100 * np.mean([harmed(r) for r in rows]):.1f} %",
    "worst harm, nats": lambda rows: f"{max(r.log_loss[0] - r.log_loss[2] for r in rows):.3f}",
    "significantly worse than the scores": lambda rows: (
        f"{100 * np.mean([r.worse_than_identity > 2 for r in rows]):.1f} %"
    ),
    "significantly worse than the peer": lambda rows: f"{100 * np.mean([r.worse_than_peer > 2 for r in rows]):.1f} %",
    "seconds, median": lambda rows: f"{np.median([r.seconds for r in rows]):.2f}",
    "seconds, most": lambda rows: f"{max(r.seconds for r in rows):.1f}",
}


def source_weights(rows: Rows) -> Floats:
    """Return weights (rows,) with which every source counts alike."""
    names = [row.problem[0] for row in rows]
    weights = np.array([1 / names.count(name) for name in names])
    return weights / weights.sum()


def interval(rows: Rows, figure: Figure) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap over sources."""
    names, rng = sorted({row.problem[0] for row in rows}), np.random.default_rng(0)
    of_source = [np.array([i for i, row in enumerate(rows) if row.problem[0] == name]) for name in names]
    values = []
    for _ in range(BOOTSTRAPS):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weights = np.zeros(len(rows))
        for at, count in zip(of_source, times, strict=True):
            weights[at] = count / len(at)
        values.append(figure(rows, weights / weights.sum()))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


GROUPS: dict[str, Callable[[Duel], bool]] = {
    "all": lambda r: True,
    "without naive Bayes": lambda r: "_nb" not in r.problem[0],
    "n up to 200": lambda r: r.rows <= 200,
    "n 201 to 999": lambda r: 200 < r.rows < 1000,
    "n from 1,000": lambda r: r.rows >= 1000,
    "k up to 5": lambda r: r.classes <= 5,
    "k 6 to 30": lambda r: 5 < r.classes <= 30,
    "k from 31": lambda r: r.classes > 30,
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_group(rows: Rows) -> str:
    """Return the figures of one method by groups of problems, with intervals."""
    lines = []
    for name, belongs in GROUPS.items():
        some = [row for row in rows if belongs(row)]
        if not some:
            continue
        cells = [name, str(len(some)), str(len({row.problem[0] for row in some}))]
        for figure, factor, digits in FIGURES.values():
            value = figure(some, source_weights(some))
            low, high = interval(some, figure)
            cells.append(f"{factor * value:.{digits}f} [{factor * low:.{digits}f}, {factor * high:.{digits}f}]")
        lines.append(cells)
    return table(["problems", "number", "sources", *FIGURES], lines)


def by_method(study: Study) -> str:
    """Return all figures of every method that has met the peer."""
    lines = []
    for name in (*METHODS, "identity"):
        rows = duels(study, METHODS.get(name, name))
        if rows:
            weights = source_weights(rows)
            shown = [f"{factor * figure(rows, weights):.{digits}f}" for figure, factor, digits in FIGURES.values()]
            lines.append([name, str(len(rows)), *shown, *(count(rows) for count in COUNTS.values())])
    return table(["method", "problems", *FIGURES, *COUNTS], lines)


def gap(study: Study) -> str:
    """Return how much of what the best candidate of each problem gains over the peer `auto` reaches."""
    known = {spec: study.found(spec) for spec in (*ORACLE, "auto", PEER)}
    problems = [p for p in study.problems if all(p in found for found in known.values())]
    best = {p: min(known[spec][p].log_loss.mean() for spec in ORACLE) for p in problems}
    names = [p[0] for p in problems]
    weights = np.array([1 / names.count(name) for name in names])
    peer, auto = (np.array([known[name][p].log_loss.mean() for p in problems]) for name in (PEER, "auto"))
    most, reached = (
        float(np.average(peer - x, weights=weights)) for x in (np.array([best[p] for p in problems]), auto)
    )
    return (
        f"The best single candidate of each problem, known only afterwards, gains {100 * most:.2f} over the peer (log"
        f" loss x 100, {len(problems)} problems); `auto` gains {100 * reached:.2f}, {100 * reached / most:.0f} % of it."
    )


def predictor(spec: str) -> Callable[[dict[str, Any]], Floats]:
    """Return what fits one of our methods and maps the test rows."""
    import calibrant

    def predict(data: dict[str, Any]) -> Floats:
        rows = calibrant.Predictions.from_logits(data["cal"], data["cal_labels"])
        repaired = calibrant.fit(rows, spec)(calibrant.Predictions.from_logits(data["test"]))
        return np.asarray(repaired.probabilities)

    return predict


def peer(data: dict[str, Any]) -> Floats:
    """Return the test probabilities of the peer with its defaults."""
    from probmetrics.calibrators import get_calibrator

    fitted = get_calibrator("sms")
    fitted.fit(np.exp(data["cal"]), data["cal_labels"])
    return np.asarray(fitted.predict_proba(np.exp(data["test"])))


def main() -> int:
    """Fit what is asked for, then show the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--fit", nargs="*", help="fit these specs, or all")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--part", default="0/1", help="every PARTS-th problem from PART on")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.write and not options.offset:
        parser.error("--write is for the published list: --offset 1000")
    options.cache.mkdir(parents=True, exist_ok=True)
    study = Study(options.problems, options.cache, options.offset)
    part, parts = map(int, options.part.split("/"))
    if options.peer:
        study.run(PEER, peer, (part, parts))
        return 0
    if options.fit is not None:
        study.run("identity", study.identity, (part, parts))
        for spec in options.fit or dict.fromkeys((*METHODS.values(), *ORACLE)):
            study.run(spec, predictor(spec), (part, parts))
        return 0
    tables = {"methods": by_method(study), "groups": by_group(duels(study, "auto")), "gap": gap(study)}
    for name, text in tables.items():
        print(f"{name}\n{text}\n")
    if options.write:
        page_tables.write(PAGE, {name: partial(str, text) for name, text in tables.items()}, "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
