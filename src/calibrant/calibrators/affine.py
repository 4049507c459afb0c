"""Scores that are scaled and shifted class by class, by the kernels: what several maps do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.predictions import Kind, Predictions
from calibrant.solvers.rows import FLOOR
from calibrant.solvers.zeros import kept_positive, without_zeros

Floats = NDArray[np.float64]


def affine_scores(
    predictions: Predictions, zero: float, scale: Floats, shift: Floats
) -> tuple[NDArray[np.floating], Kind]:
    """Return scale * u + shift for logits, its softmax for probabilities, in the dtype of the scores (n, k).

    u = log p, with ``zero`` for exact zeros; ``scale`` and ``shift`` (k,).
    """
    batch = without_zeros(predictions, zero)
    if batch.logits:
        return kernels.affine_logits(batch.scores, scale, shift, total=batch.summary.total, floor=FLOOR), "logit"
    return kept_positive(kernels.affine_softmax(batch.scores, scale, shift, logits=False, floor=FLOOR)), "probability"
