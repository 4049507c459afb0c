"""One increasing function for the probabilities of all classes, which keeps their order: isotonic regression pooled.

Formula: isotonic regression of 1{y = c} on p_c over all n k pairs, smoothed and joined in log-odds as in `isotonic`;
then q_c = sigma((1 - t) g(s_c) + t s_c) over the row's sum, s the log-odds, t = 1/1000. Source: Zhang, Kailkhura and
Han 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.curves import CurveMap
from calibrant.errors import require
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.isotonic import pooled_groups, rising_curve
from calibrant.solvers.zeros import check_zero, prepared

# The share of the identity: between two probabilities that differ by a thousandth, a millionth is left between the
# results, which single precision still tells apart; and no more of the fit is given up than a thousandth.
TILT = 1e-3


@register(
    "calibrator",
    "pooled_isotonic",
    compared="",
    reference="zhang2020",
    depends_on_row_count=True,
    preserves_argmax=True,
    parameters="at most n k",
    wants_rows="1000",
    cost="O(n k)",
    guarantee="The order of the classes of a row is kept, so accuracy is unchanged.",
    assumes="one monotone curve for the scores of all classes",
    suits="odd shapes, few rows a class, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class PooledIsotonicCalibration(Calibrator):
    """Fit one increasing function for the probabilities of all classes, so that the predicted class stays.

    Choose it where curves are wrong in shape and alike in all classes; there are k pairs for each row, so that it does
    with far fewer rows than `isotonic`. In the literature: IRM.

    Parameters
    ----------
    smoothing : pseudo-rows at the mean score of each block, labelled as the score says; they keep the log loss finite.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The function rises everywhere, beyond its outer blocks too: a thousandth of the identity, on the log-odds scale, is
    mixed with it. The rows' sums do not depend on the class, so that the order of the classes is kept; rounding may
    make ties. Up to 2^20 pairs each counts; of more, probabilities that agree in ten binary digits (those above 1/2 by
    1 - p) count as one, at their mean, so that memory does not grow with n k. A class without calibration rows is
    mapped like every other. The smoothing counts against Kish's effective number of rows.
    """

    smoothing: float = 1.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.smoothing < np.inf, "smoothing", "be positive and finite", self.smoothing)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> CurveMap:
        """Return the map of the one smoothed isotonic function."""
        batch, floor = prepared(predictions, self.zero)
        centres, levels = rising_curve(pooled_groups(batch), self.smoothing)
        return CurveMap(
            offsets=np.array([0, len(centres)]),
            centres=centres,
            levels=(1 - TILT) * levels,
            tilt=TILT,
            floor=floor,
            record=self.fit_record(predictions),
        )
