"""Matrix scaling: every class's logit moves every class's logit, held back by penalties where rows are few.

Formula: q = softmax(W z + b), z the logits less their mean over the classes; W and b have the smallest log loss plus
lambda / (k (k - 1)) sum_{i != j} W_ij^2 + mu / k sum b_i^2, with a prior of pseudo-rows labelled as the temperature map
says. Sources: Guo et al. 2017; Kull et al. 2019 for the penalties; the prior and the scale of the penalties are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.calibrators.linear_logits import LinearLogitsScaling
from calibrant.registry import register


@register(
    "calibrator",
    "matrix",
    compared="",
    reference="guo2017",
    contains_identity=True,
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="k^2 + k - 1",
    wants_rows="5k",
    cost="O(n k^2) a pass, 50 to 200 passes a fit, about 30 fits to choose penalties",
    guarantee="training log loss never above the temperature map's",
    assumes="the true log-probabilities are linear in all scores",
    suits="few classes that are mixed up, thousands of rows",
)
@dataclass(frozen=True, kw_only=True)
class MatrixScaling(LinearLogitsScaling):
    """Replace the logits by a linear function of all of them, shrunk to one temperature.

    q = softmax(W z + b). Choose it where classes are taken for each other in a way that is always the same, from some
    hundred rows a class on; `sms` is its stronger relative.

    Parameters
    ----------
    off_diagonal : lambda, the penalty of the entries off the diagonal, lambda / (k (k - 1)) times the sum of their
        squares. None: the best of (k (k - 1))^2 / n times 16, 4, 1, 1/4 and 1/16 on rows left out, in five folds.
    intercept : mu, the penalty of the intercepts, mu / k times the sum of their squares. None: the best of k^2 / n
    times
        1, 1/4, 1/16 and 1/64, likewise, once lambda is chosen.
    prior : pseudo-rows per class, labelled as the temperature map of the same rows says. They alone hold the diagonal.
    seed : of the folds.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Convex, solved to 1e-10 nats of predicted decrease. The search climbs from the second value of each grid while a
    neighbour is better; losses within 1e-5 nats count as one, and the stronger penalty wins. The off-diagonal matrix
    is dense: with 100 classes a fit of 5,000 rows takes seconds, with 1,000 hours; give lambda and mu there, or
    choose `sms`. A class without calibration rows keeps its column. Prior and penalties count Kish's effective rows;
    a weight of 2 is therefore not a row seen twice.
    """
