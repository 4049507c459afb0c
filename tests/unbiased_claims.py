"""Measures that say they are unbiased, and the exact population values that they must have in the mean.

Binned ones aim at the functional of the same fixed bins, not at the unbinned quantity; by quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from calibrant import Predictions
from calibrant.metrics import measure
from calibrant.metrics.base import Metric
from populations import Nodes, Population

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
REPEATS = 200
BAND = 2.5758  # standard errors on either side: 99 %
# With 500 rows these bins, of each class and cubes too, hold two rows or more; finer ones do not, and a bin of one row
# tells no noise.
BINS = 5


@lru_cache(maxsize=2)
def samples(population: Population, n: int, repeats: int, first: int = 0) -> list[Predictions]:
    """Return seeded samples of n rows."""
    return [population.draw(n, seed) for seed in range(first, first + repeats)]


@dataclass(frozen=True)
class Claim:
    """A measure (or a term among its details) that says it is unbiased, and its exact value in a population.

    ``truth`` takes the nodes of the population on a ``grid`` (cells a side, degree); ``detail`` names the term.
    """

    k: int
    spec: str
    truth: Callable[[Nodes], float]
    rows: int = 500
    grid: tuple[int, int] = (15, 10)
    detail: str = ""

    @cached_property
    def _measure(self) -> Metric:
        return measure(self.spec)

    def exact(self, population: Population) -> float:
        """Return the population value by quadrature."""
        return _exact(self.truth, population, self.grid)

    def draw(self, population: Population, repeats: int, first: int = 0) -> Floats:
        """Return the estimates on seeded samples (repeats,)."""
        found = [self._measure(batch) for batch in samples(population, self.rows, repeats, first)]
        return np.array([e.details[self.detail] if self.detail else e.value for e in found])


@cache
def _exact(truth: Callable[[Nodes], float], population: Population, grid: tuple[int, int]) -> float:
    return truth(population.nodes(*grid))


def _bins(scores: Floats, bins: int = BINS) -> Ints:
    return np.minimum((scores * bins).astype(np.int64), bins - 1)


def _class_wise(nodes: Nodes) -> float:
    return float(np.mean([nodes.squared_gap(p, q, _bins(p)) for p, q in zip(nodes.p.T, nodes.q.T, strict=True)]))


def _confidence(nodes: Nodes) -> float:
    p, q, _ = nodes.top
    return nodes.squared_gap(p, q, _bins(p))


def _top_label(nodes: Nodes) -> float:
    p, q, top = nodes.top
    return nodes.squared_gap(p, q, BINS * top + _bins(p))


def _cubes(nodes: Nodes) -> float:
    return nodes.squared_gap(nodes.p, nodes.q, _bins(nodes.p) @ 10 ** np.arange(nodes.p.shape[1]))


def _uncertainty(nodes: Nodes) -> float:
    rate = nodes.mean(nodes.top[1])
    return rate * (1 - rate)


def _kernel(nodes: Nodes) -> float:
    """Return E k(p, p') d(p) . d(p') for the Laplacian kernel of width 1/2."""
    return _pairs(nodes, lambda difference: np.sqrt((difference**2).sum(2)))


def _variation(nodes: Nodes) -> float:
    """Return the same for the total variation kernel."""
    return _pairs(nodes, lambda difference: np.abs(difference).sum(2) / 2)


def _pairs(nodes: Nodes, distance: Callable[[Floats], Floats]) -> float:
    d, total = nodes.w[:, None] * (nodes.q - nodes.p), 0.0
    for start in range(0, len(d), 200):
        some = slice(start, start + 200)
        kernel = np.exp(-2 * distance(nodes.p[some, None] - nodes.p))
        total += float(np.sum(kernel * (d[some] @ d.T)))
    return total


def _ranked(nodes: Nodes) -> float:
    p, q = nodes.p.cumsum(1)[:, :-1], nodes.q.cumsum(1)[:, :-1]
    return nodes.mean((q * (1 - p) ** 2 + (1 - q) * p**2).mean(1))


MEANS = {
    "accuracy": lambda nodes: nodes.mean(nodes.top[1]),
    "brier": lambda nodes: nodes.mean(1 - 2 * (nodes.p * nodes.q).sum(1) + (nodes.p**2).sum(1)),
    "log_loss": lambda nodes: nodes.mean(-(nodes.q * np.log(nodes.p)).sum(1)),
    "ranked_probability": _ranked,
    "spherical": lambda nodes: nodes.mean(1 - (nodes.p * nodes.q).sum(1) / np.sqrt((nodes.p**2).sum(1))),
}

# Few nodes: their pairs are summed; degree 4 in 5 cells leaves an error of 1e-6 beside bands of 1e-4.
_PAIRS = {2: (15, 10), 3: (5, 4)}


def _claims(k: int) -> list[Claim]:
    pairs = {"rows": 100, "grid": _PAIRS[k]}
    fixed = f"binning='width', bins={BINS}"
    class_wise, murphy = "notion='class_wise'", f"murphy_reliability(bins={BINS}, debiased=True)"
    found = [Claim(k, name, truth) for name, truth in MEANS.items()]
    found += [
        Claim(k, f"squared_ce({class_wise}, {fixed})", _class_wise),
        Claim(k, f"squared_ce({fixed})", _confidence),
        Claim(k, f"squared_ce(notion='top_label', {fixed})", _top_label),
        Claim(k, f"murphy_reliability({class_wise}, bins={BINS}, debiased=True)", _class_wise),
        Claim(k, murphy, _confidence),
        Claim(k, murphy, _uncertainty, detail="unc"),
        Claim(k, f"squared_canonical(bins={BINS})", _cubes),
        Claim(k, f"squared_canonical(top=1, bins={BINS})", _confidence),
        Claim(k, "skce(bandwidth=0.5)", _kernel, **pairs),
        Claim(k, "skce(bandwidth=0.5, estimator='block')", _kernel, grid=_PAIRS[k]),
        Claim(k, "skce(bandwidth=0.5, estimator='block', block_size=10)", _kernel, grid=_PAIRS[k]),
        Claim(k, "skce(kernel='total_variation', bandwidth=0.5)", _variation, **pairs),
    ]
    return found


CLAIMS = {k: _claims(k) for k in (2, 3)}
