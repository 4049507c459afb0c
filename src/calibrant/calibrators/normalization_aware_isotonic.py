"""One increasing function of the probabilities of all classes, fitted with the division by the row's sum in mind.

Formula: q_c = g(p_c) / sum_j g(p_j); log g is increasing and piecewise linear in log p, and minimises the log loss of q
plus a prior of m pseudo-rows labelled as the identity says. Source: Arad and Rosset 2025 (NA-FIR); the pieces, the
prior and the solver are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.curves import CurveMap
from calibrant.errors import is_whole, require
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.isotonic_softmax import best_slopes
from calibrant.solvers.rows import FitRows
from calibrant.solvers.zeros import check_zero, prepared


@register(
    "calibrator",
    "normalization_aware_isotonic",
    compared="",
    reference="arad2025",
    depends_on_row_count=True,
    preserves_argmax=True,
    contains_identity=True,
    parameters="at most pieces",
    wants_rows="20 pieces",
    cost="O(n k) a pass, about 5 passes",
    guarantee="The order of the classes of a row is kept, so accuracy is unchanged.",
    assumes="one monotone curve for the scores of all classes",
    suits="odd shapes, few rows a class, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class NormalizationAwareIsotonicCalibration(Calibrator):
    """Fit one increasing function of all probabilities to the log loss of the rows it gives.

    A temperature is the special case of one slope. Choose it where confidence is wrong in a way that changes along the
    scale: too high near 1 and right elsewhere, say. In the literature: NA-FIR.

    Parameters
    ----------
    pieces : straight pieces of log g, between quantiles of the log-probabilities, where these vary most.
    prior : pseudo-rows, labelled as the identity says; they hold the slopes b_j at 1 where rows are few, together with
        r (b_j - 1)^2 / (2 pieces) for each, where r is the share of the pseudo-rows among all.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The original fits a step function with a level for each distinct score, so that g can be flat and 0. Here g has few
    pieces and rises everywhere (slopes are at least 1/1000): the problem stays convex, has one solution, takes few
    passes over the scores, and gives every class a positive probability. Each pass costs about three times as much as
    one of temperature scaling. The prior counts against Kish's effective number of rows.
    """

    pieces: int = 8
    prior: float = 20.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(is_whole(self.pieces) and self.pieces >= 1, "pieces", "be a whole number of at least 1", self.pieces)
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> CurveMap:
        """Return the map of the best slopes."""
        batch, floor = prepared(predictions, self.zero)
        found = best_slopes(FitRows.of(batch), self.pieces, self.prior)
        message = "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"
        return CurveMap(
            offsets=np.array([0, len(found.edges)]),
            centres=found.edges,
            levels=found.levels,
            scale="log",
            floor=floor,
            record=self.fit_record(predictions, converged=found.converged, iterations=found.steps, message=message),
        )
