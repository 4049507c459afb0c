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
from calibrant.solvers.scalar import minimise

# Pseudo-rows at the edge; docs/theory/separable.md has the experiment.
EDGE_PRIOR = 20.0
FEW_ROWS = 1024
# The last Newton step in log beta. Its square is the error that is left: 4e-6, so 1e-11 nats, where passes are dear,
# and nothing but rounding where they are cheap.
SETTLED, SETTLED_CHEAP, CHEAP_ENTRIES = 2e-3, 1e-6, 1 << 20
WIDEST = 1e30  # differences of logits beyond it are one to the kernel


class InverseTemperature(NamedTuple):
    """The fitted ``beta``, the number of passes over all rows, and whether a prior has acted."""

    beta: float
    passes: int
    converged: bool
    pulled: bool


def inverse_temperature(rows: FitRows, prior: float | None = None) -> InverseTemperature:
    """Return the best inverse temperature; ``prior`` pseudo-rows act always, or only at the edge where None.

    Many rows are started from every sixteenth of them, these from every sixteenth again; two or three passes over all
    are left. Whatever the thin rows say, the bracket around the minimum is that of all rows.
    """
    start, settled = 1.0, SETTLED_CHEAP if rows.scores.size <= CHEAP_ENTRIES else SETTLED
    if len(rows.scores) > FEW_ROWS:
        start = inverse_temperature(rows.thinned(16), prior).beta
    gaps = rows.label_gaps()
    widest = -float(gaps.min())
    require(widest < WIDEST, "logits", f"differ by less than {WIDEST:.0e} within a row", f"{widest:.3g}")
    target = rows.top_scores() + gaps  # (n,) expected score of the label

    def slope(beta: float) -> tuple[float, float]:
        _, gradient, curvature = kernels.temperature_pass(
            rows.scores, beta, logits=rows.logits, target=target, weights=rows.weights, floor=FLOOR
        )
        return gradient, curvature

    if prior is None and gaps.any():
        found = minimise(slope, start, settled)
        if found.x > 0:
            return InverseTemperature(found.x, found.steps, found.converged, False)
    rho = rows.pull(EDGE_PRIOR if prior is None else prior)
    pull = rho * slope(1.0)[0]

    def pulled(beta: float) -> tuple[float, float]:
        gradient, curvature = slope(beta)
        return gradient - pull, curvature

    found = minimise(pulled, start, settled)
    # Labels worse than chance can outweigh the prior: then rho itself stands between their 0 and the prior's 1.
    return InverseTemperature(found.x or rho, found.steps + 1, found.converged, True)
