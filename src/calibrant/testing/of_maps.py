"""Laws of what a map returns: ``check_...(calibrator, predictions)``, one law each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.predictions import Predictions
from calibrant.testing.tolerances import SLOPES, SUMS, TWO_LOSSES
from calibrant.testing.tools import fitted, has_zeros, log_loss, log_probabilities, unseen

Array = NDArray[Any]


def check_rows_on_simplex(method: Calibrator, predictions: Predictions) -> None:
    """Rows are finite, not negative and sum to 1, on the rows of the fit and on rows never seen."""
    learnt = fitted(method, predictions)
    if learnt is None:
        return
    for batch in (predictions, unseen(predictions)):
        mapped = learnt(batch)
        assert mapped.scores.shape == batch.scores.shape, "the shape of the scores changed"
        p = mapped.probabilities.astype(np.float64)
        assert np.isfinite(p).all(), "a probability is not finite"
        assert (p >= 0).all(), "a probability is negative"
        off = np.abs(p.sum(1) - 1).max()
        assert off <= SUMS(mapped.scores.dtype), f"a row sums to 1 only within {off:.1e}"


def check_finite_log_loss(method: Calibrator, predictions: Predictions) -> None:
    """No probability of a mapped row of the fit is 0, if the method declares a finite log loss."""
    learnt = fitted(method, predictions)
    if learnt is not None and method.entry.capabilities.finite_log_loss:
        assert (learnt(predictions).probabilities > 0).all(), "a probability is 0, so its log loss is infinite"


def check_argmax(method: Calibrator, predictions: Predictions) -> None:
    """The predicted class keeps the largest probability, if the method declares it; rounding may add a tie."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.preserves_argmax:
        return
    scores = learnt(predictions).probabilities.astype(np.float64)
    kept = scores[np.arange(len(scores)), predictions.summary.top]
    below = (scores.max(1) - kept).max()
    assert below <= SUMS(predictions.scores.dtype), f"another class overtakes the predicted one by {below:.1e}"


def check_training_loss(method: Calibrator, predictions: Predictions) -> None:
    """The log loss on the rows of the fit is not above the identity's, if the method declares that it contains it.

    Batches with exact zeros are left out: a method that needs a finite log starts from slightly other scores there.
    """
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.contains_identity or has_zeros(predictions):
        return
    excess = log_loss(learnt(predictions)) - log_loss(predictions)
    assert excess <= TWO_LOSSES(predictions.scores.dtype), f"the training log loss rises by {excess:.1e} nats"


def check_differentiable(method: Calibrator, predictions: Predictions) -> None:
    """Central differences at two step lengths agree, if the method declares that it is differentiable."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.differentiable or has_zeros(predictions):
        return
    logits = log_probabilities(predictions)
    direction = np.random.default_rng(5).normal(size=logits.shape)

    def slope(step: float) -> Array:
        ahead, behind = (predictions.rescored(logits + sign * step * direction, "logit") for sign in (1, -1))
        return (learnt(ahead).probabilities - learnt(behind).probabilities) / (2 * step)

    off = np.abs(slope(1e-2) - slope(1e-3)).max()
    assert off <= SLOPES, f"slopes at two step lengths differ by {off:.1e}"


def check_batch_size(method: Calibrator, predictions: Predictions) -> None:
    """Mapping the rows one by one gives the mapped batch, bit for bit: a row does not depend on its neighbours."""
    learnt = fitted(method, predictions)
    if learnt is not None:
        whole = learnt(predictions).scores
        some = range(0, len(predictions), max(1, len(predictions) // 10))
        alone = [learnt(predictions.take(slice(i, i + 1))).scores[0] for i in some]
        assert np.array_equal(np.stack(alone), whole[list(some)]), "a row maps differently in another batch"
