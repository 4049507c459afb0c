"""What the laws share: fitting with declines, comparing two maps, and making other batches from one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import CapabilityError, DataError
from calibrant.predictions import Predictions
from calibrant.testing.tolerances import TWO_FITS

Array = NDArray[Any]


def fitted(method: Calibrator, predictions: Predictions) -> CalibrationMap | None:
    """Return the map, or None where the method declines the batch with a sentence; any other error passes through."""
    try:
        return method.fit(predictions)
    except (CapabilityError, DataError):
        return None


def declined(method: Calibrator, predictions: Predictions) -> None:
    """Assert that the method declines the batch, before and at the fit, with the same sentence."""
    reason = method.declines(predictions)
    assert reason, "the method does not decline what it cannot do"
    assert raises(CapabilityError, lambda: method.fit(predictions)), "the fit went on with what it cannot do"


def raises(error: type[Exception], action: Callable[[], object]) -> bool:
    """Return whether the action raises the error."""
    try:
        action()
    except error:
        return True
    return False


def same_maps(method: Calibrator, one: Predictions, other: Predictions, *, on_both: bool = False) -> None:
    """Assert that fits on two batches map alike: rows of the first, or each its own where ``on_both``."""
    first = fitted(method, one)
    second = fitted(method, other)
    assert (first is None) == (second is None), "one of two equivalent batches was declined"
    if first is not None and second is not None:
        close(second(other if on_both else one).probabilities, first(one).probabilities, "two equivalent fits")


def close(found: Array, expected: Array, what: str) -> None:
    """Assert that two sets of rows of probabilities (n, k) agree in mean total variation."""
    off = float(np.abs(found.astype(np.float64) - expected).sum(1).mean() / 2)
    assert off <= TWO_FITS(expected.dtype), f"{what} differ by {off:.1e} in mean total variation"


def relabelled(predictions: Predictions, order: Array) -> Predictions:
    """Return the batch with column ``order[j]`` as column j, and labels to match."""
    labels = predictions.labels
    if labels is not None:
        labels = labels[:, order] if predictions.soft else np.argsort(order)[labels]
    scores = np.ascontiguousarray(predictions.scores[:, order])
    return dataclasses.replace(predictions, scores=scores, labels=labels, _memo={})


def unseen(predictions: Predictions) -> Predictions:
    """Return rows that the fit has not seen: classes moved by one, a row that says nothing, and certain rows."""
    scores = np.roll(predictions.scores, 1, axis=1)
    k, zero = predictions.k, -np.inf if predictions.logits else 0.0
    certain = np.where(np.eye(k, dtype=bool), 1.0, zero)
    flat = np.full((1, k), 1 / k)
    rows = np.concatenate([scores, flat, certain]).astype(scores.dtype)
    features = predictions.features
    if features is not None:
        features = np.concatenate([features, np.zeros((k + 1, features.shape[1]), features.dtype)])
    make = Predictions.from_logits if predictions.logits else Predictions.from_probabilities
    return make(rows, features=features)


def has_zeros(predictions: Predictions) -> bool:
    """Whether some class of some row has probability exactly 0."""
    return bool((predictions.probabilities == 0).any())


def log_probabilities(predictions: Predictions) -> Array:
    """Return log-probabilities (n, k) in float64."""
    scores = predictions.scores.astype(np.float64)
    return scores - predictions.summary.total[:, None] if predictions.logits else np.log(scores)


def log_loss(predictions: Predictions) -> float:
    """Return the weighted mean log loss."""
    weights = predictions.row_weights
    found = predictions.summary.label_log_probability
    assert found is not None
    return -float(weights @ found / weights.sum())
