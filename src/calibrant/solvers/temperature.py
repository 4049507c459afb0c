"""The inverse temperature beta of the smallest log loss: mean of lse(beta z) - beta z_y, convex in beta.

Its derivative g is increasing, so the maximum likelihood is finite and positive unless g(infinity) = mean(max z - z_y)
is 0 (every row is ranked right, ties included) or g(0) = mean(mean z - z_y) is not negative (the scores do not tell
the label). There a prior of m pseudo-rows, labelled as the scores themselves say, pulls to beta = 1: it solves
g(beta) = rho g(1) with rho = m / (n + m), between 1 and the edge. Source: Guo et al. 2017 for the method.
"""

from __future__ import annotations

from typing import NamedTuple

from calibrant import kernels
from calibrant.errors import require
from calibrant.solvers.rows import FLOOR, FitRows
from calibrant.solvers.scalar import Minimum, minimise

# Pseudo-rows at the edge; docs/theory/separable.md has the experiment.
EDGE_PRIOR = 20.0
FEW_ROWS = 1024
WIDEST = 1e30  # differences of logits beyond it are one to the kernel
# What the last, unchecked step may leave, in nats: next to nothing where passes are cheap.
CERTIFIED, CERTIFIED_CHEAP, CHEAP_ENTRIES = 1e-10, 1e-20, 1 << 20


class InverseTemperature(NamedTuple):
    """The fitted ``beta``, the number of passes over all rows, and whether a prior has acted."""

    beta: float
    passes: int
    converged: bool
    pulled: bool


def inverse_temperature(rows: FitRows, prior: float | None = None) -> InverseTemperature:
    """Return the best inverse temperature; ``prior`` pseudo-rows act always, or only at the edge where None."""
    gaps = rows.label_gaps()
    widest = -float(gaps.min())
    require(widest < WIDEST, "logits", f"differ by less than {WIDEST:.0e} within a row", f"{widest:.3g}")
    gap = -float(rows.weights @ gaps)
    if prior is None and gap > 0:
        found = _minimum(rows, gap, 0.0)
        if found.x > 0:
            return InverseTemperature(found.x, found.steps, found.converged, False)
    rho = rows.pull(EDGE_PRIOR if prior is None else prior)
    found = _minimum(rows, gap, rho)
    # Labels worse than chance can outweigh the prior: then rho itself stands between their 0 and the prior's 1.
    return InverseTemperature(found.x or rho, found.steps + 1, found.converged, True)


def _minimum(rows: FitRows, gap: float, rho: float) -> Minimum:
    """Return where g(beta) = rho g(1), with ``gap`` the mean of max z - z_y over all rows.

    Many rows are started from every sixteenth of them, these from every sixteenth again. The labels of all rows enter
    through the gap, so a thin sample errs in E_p z alone, and one pass over all rows is mostly left.
    """
    start = 1.0
    if len(rows.scores) > FEW_ROWS:
        start = _minimum(rows.thinned(16), gap, rho).x or start

    def slope(beta: float) -> tuple[float, float, float]:
        sums = kernels.temperature_pass(
            rows.scores, beta, logits=rows.logits, top=rows.top, weights=rows.weights, floor=FLOOR
        )
        return sums.gradient + gap, sums.curvature, sums.third

    pull = rho * slope(1.0)[0] if rho else 0.0

    def pulled(beta: float) -> tuple[float, float, float]:
        gradient, curvature, third = slope(beta)
        return gradient - pull, curvature, third

    return minimise(pulled, start, CERTIFIED_CHEAP if rows.scores.size <= CHEAP_ENTRIES else CERTIFIED)
