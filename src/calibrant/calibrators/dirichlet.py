"""Dirichlet calibration: matrix scaling of log-probabilities, which is what Dirichlet distributed scores call for.

Formula: q = softmax(W u + b), u = log p; the smallest log loss plus lambda / (k (k - 1)) sum_{i != j} W_ij^2 +
mu / k sum b_i^2 (shrunk to the identity) or plus lambda / k^2 sum W_ij^2 + mu / k sum b_i^2 (shrunk to zero).
Source: Kull, Perello-Nieto, Kaengsepp, Silva Filho, Song and Flach 2019; the scale of the penalties is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from calibrant.calibrators.linear_logits import LinearLogitsScaling
from calibrant.errors import require
from calibrant.registry import register
from calibrant.solvers.linear_logits import Towards


@register(
    "calibrator",
    "dirichlet",
    compared="",
    reference="kull2019",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="k^2 + k - 1",
    wants_rows="5k",
    cost="O(n k^2) a pass, 50 to 200 passes a fit, about 30 fits to choose penalties",
    guarantee="shrunk to the identity: training log loss never above the temperature map's",
    assumes="classes' log-probabilities follow Dirichlet laws",
    suits="few classes that are mixed up, thousands of rows",
)
@dataclass(frozen=True, kw_only=True)
class DirichletCalibration(LinearLogitsScaling):
    """Replace the log-probabilities by a linear function of all of them, shrunk to one temperature, or to zero.

    q = softmax(W log p + b). It differs from `matrix` in that how improbable a row makes all classes together, the mean
    of u, is one more feature.

    Parameters
    ----------
    off_diagonal : lambda. None: the best of a grid on rows left out, in five folds: 16, 4, 1, 1/4 and 1/16 times
        (k (k - 1))^2 / n towards the identity, k^2 / n towards zero, where it weighs the diagonal too.
    intercept : mu. None: the best of k^2 / n times 1, 1/4, 1/16 and 1/64, likewise, once lambda is chosen.
    towards : "identity", the penalties of the paper (off-diagonal and intercept; a free diagonal, which the prior
        holds), or "zero", the plain squares of the paper's comparison, which also shrink the diagonal.
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says; unused towards zero.
    seed : of the folds.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The authors' program weighs sums of squares, without k: its lambda is ours / (k (k - 1)) (towards zero / k^2), its
    mu is ours / k. The paper predicts with the mean of the maps of the folds; this is one map, learnt from all rows.
    Convex, solved to 1e-10 nats of predicted decrease; cost, missing classes and weights as for `matrix`.
    """

    towards: Towards = "identity"
    centred: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.towards in ("identity", "zero"), "towards", "be 'identity' or 'zero'", repr(self.towards))

    @property
    def shrunk_to(self) -> Towards:
        """Where the penalties pull to."""
        return self.towards
