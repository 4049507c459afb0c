"""Repaired scores of rows that their maps never saw: what figures and pictures of a repair are made from."""

from __future__ import annotations

import warnings

import numpy as np

from calibrant import folds as splits
from calibrant.calibrators import Calibrator
from calibrant.errors import ConvergenceWarning
from calibrant.predictions import Predictions


def out_of_fold(method: Calibrator, predictions: Predictions, *, folds: int, seed: int) -> Predictions:
    """Return the batch, without rows of weight zero, with each row's scores from a map learnt on the other folds.

    The folds are those of the first split of `compare`.
    """
    batch = predictions.without_absent_rows()
    fold = splits.assign(batch, folds, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the comparison has met and noted them on these folds
        pieces = list(splits.out_of_fold(batch, method.fit, fold))
    first = pieces[0][1]
    scores = np.empty(batch.scores.shape, dtype=np.result_type(*(piece.scores for _, piece in pieces)))
    for rows, piece in pieces:
        scores[rows] = piece.scores
    return batch.rescored(scores, first.kind)
