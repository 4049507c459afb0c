"""The inverse temperature beta of the smallest log loss: mean of lse(beta z) - beta z_y, convex in beta.

Its derivative g is increasing, so the maximum likelihood is finite and positive unless g(infinity) = mean(max z - z_y)
is 0 (every row is ranked right, ties included) or g(0) = mean(mean z - z_y) is not negative (the scores do not tell
the label). There a prior of m pseudo-rows, labelled as the scores themselves say, pulls to beta = 1: it solves
g(beta) = rho g(1) with rho = m / (n + m), between 1 and the edge. Source: Guo et al. 2017 for the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calibrant import kernels
from calibrant.errors import require
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.scalar import Minimum, minimise

# Pseudo-rows at the edge; docs/theory/separable.md has the experiment.
EDGE_PRIOR = 20.0
FEW_ROWS = 1024
SAMPLE_ENTRIES = 1 << 25  # of the thin sample: 128 MB in single precision
WIDEST = 1e30  # differences of logits beyond it are one to the kernel
# What the last, unchecked step may leave, in nats: next to nothing where passes are cheap.
CERTIFIED, CERTIFIED_CHEAP, CHEAP_ENTRIES = 1e-10, 1e-20, 1 << 20


class InverseTemperature(NamedTuple):
    """The fitted ``beta``, the number of passes over all rows, and whether a prior has acted."""

    beta: float
    passes: int
    converged: bool
    pulled: bool


class Derivatives(NamedTuple):
    """Three derivatives of the log loss in beta, as if all labels were the top class of their row."""

    gradient: float
    curvature: float
    third: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """What the search needs of the rows, however they are held.

    ``gap`` is the mean of max z - z_y and ``widest`` the largest of them, ``effective`` Kish's number of rows, ``thin``
    returns every so-manieth of them.
    """

    derivatives: Callable[[float], Derivatives]
    gap: float
    widest: float
    effective: float
    rows: int
    k: int
    thin: Callable[[], FitRows]

    @classmethod
    def of(cls, rows: FitRows, gap: float | None = None) -> Problem:
        """Return the problem of rows in memory; a ``gap`` that is known from more rows is better than their own."""
        gaps = rows.label_gaps() if gap is None else np.zeros(1)

        def derivatives(beta: float) -> Derivatives:
            sums = kernels.temperature_pass(
                rows.scores, beta, logits=rows.logits, top=rows.top, weights=rows.weights, floor=FLOOR
            )
            return Derivatives(sums.gradient, sums.curvature, sums.third)

        n = len(rows.scores)
        return cls(
            derivatives=derivatives,
            gap=-float(rows.weights @ gaps) if gap is None else gap,
            widest=-float(gaps.min()),
            effective=rows.effective,
            rows=n,
            k=rows.k,
            thin=lambda: rows.thinned(thin_step(n, rows.k)),
        )


def thin_step(n: int, k: int) -> int:
    """Return the step of the thin sample of n rows: 16, doubled while the sample would have too many entries."""
    step = 16
    while step < n and -(-n // step) * k > SAMPLE_ENTRIES:
        step *= 2
    return step


def inverse_temperature(rows: FitRows, prior: float | None = None) -> InverseTemperature:
    """Return the best inverse temperature; ``prior`` pseudo-rows act always, or only at the edge where None."""
    return solved(Problem.of(rows), prior)


def solved(problem: Problem, prior: float | None) -> InverseTemperature:
    """Return the best inverse temperature of a problem."""
    widest = problem.widest
    require(widest < WIDEST, "logits", f"differ by less than {WIDEST:.0e} within a row", f"{widest:.3g}")
    if prior is None and problem.gap > 0:
        found = _minimum(problem, 0.0)
        if found.x > 0:
            return InverseTemperature(found.x, found.steps, found.converged, False)
    pseudo_rows = EDGE_PRIOR if prior is None else prior
    rho = pseudo_rows / (problem.effective + pseudo_rows)
    found = _minimum(problem, rho)
    # Labels worse than chance can outweigh the prior: then rho itself stands between their 0 and the prior's 1.
    return InverseTemperature(found.x or rho, found.steps + 1, found.converged, True)


def _minimum(problem: Problem, rho: float) -> Minimum:
    """Return where g(beta) = rho g(1).

    Many rows are started from every sixteenth of them, these from every sixteenth again. The labels of all rows enter
    through the gap, so a thin sample errs in E_p z alone, and one pass over all rows is mostly left.
    """
    start = 1.0
    if problem.rows > FEW_ROWS:
        start = _minimum(Problem.of(problem.thin(), problem.gap), rho).x or start
    pull = rho * (problem.derivatives(1.0).gradient + problem.gap) if rho else 0.0

    def slope(beta: float) -> tuple[float, float, float]:
        gradient, curvature, third = problem.derivatives(beta)
        return gradient + problem.gap - pull, curvature, third

    return minimise(slope, start, CERTIFIED_CHEAP if problem.rows * problem.k <= CHEAP_ENTRIES else CERTIFIED)
