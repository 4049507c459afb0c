"""Log-odds s = log p - log(1 - p), exact where p is so near 1 that 1 - p would be rounding.

There 1 - p is the sum of the other classes. The kernels find it so in logits; probabilities become logits first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.predictions import Predictions
from calibrant.solvers.rows import FLOOR, FitRows

Floats = NDArray[np.float64]


def as_logits(predictions: Predictions) -> Predictions:
    """Return the batch with log-probabilities for scores; itself where it holds logits already."""
    if predictions.logits:
        return predictions
    return predictions.rescored(kernels.log_probabilities(predictions.scores, floor=FLOOR), "logit")


def label_odds(rows: FitRows) -> Floats:
    """Return the log-odds of each class summed over its label mass, sum_i w_i q_ic s_ic (k,), of rows of logits."""
    rest = _rest_of_top(rows)
    if rows.labels is not None:
        p = rows.picked_probabilities(rows.labels)
        others = np.where(rows.labels == rows.top, rest, 1 - p)
        return rows.by_label(_log_odds(p, others))
    total = np.zeros(rows.k)
    for (block, narrow), (_, soft) in zip(rows.probability_blocks(), rows.soft_blocks(), strict=True):
        p = narrow.astype(np.float64)  # (block, k)
        others = 1 - p
        np.put_along_axis(others, rows.top[block, None].astype(np.int64), rest[block, None], axis=1)
        total += rows.weights[block] @ (soft * _log_odds(p, others))
    return total


def _rest_of_top(rows: FitRows) -> Floats:
    """Return 1 - p of the top class of each row (n,)."""
    rest = np.empty(len(rows.top))
    for block, p in rows.probability_blocks():
        np.put_along_axis(p, rows.top[block, None].astype(np.int64), 0.0, axis=1)
        rest[block] = p.sum(1, dtype=np.float64)
    return rest


def _log_odds(p: Floats, others: Floats) -> Floats:
    return np.log(np.maximum(p, FLOOR)) - np.log(np.maximum(others, FLOOR))
