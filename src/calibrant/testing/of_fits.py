"""Laws of what a fit may depend on: ``check_...(calibrator, predictions)``, one law each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibrant.calibrators.base import Calibrator
from calibrant.predictions import Predictions
from calibrant.testing.tools import close, declined, fitted, relabelled, same_maps


def check_input_untouched(method: Calibrator, predictions: Predictions) -> None:
    """Fitting and mapping write nothing into the arrays of the batch."""
    columns = ("scores", "labels", "weights", "features")
    arrays = {name: getattr(predictions, name) for name in columns if getattr(predictions, name) is not None}
    before = {name: array.tobytes() for name, array in arrays.items()}
    learnt = fitted(method, predictions)
    if learnt is not None:
        learnt(predictions)
    for name, array in arrays.items():
        assert array.tobytes() == before[name], f"{name} changed"


def check_same_answer(method: Calibrator, predictions: Predictions) -> None:
    """Two fits on the same rows map them alike, bit for bit."""
    first, second = fitted(method, predictions), fitted(method, predictions)
    if first is not None and second is not None:
        assert np.array_equal(first(predictions).scores, second(predictions).scores), "two fits differ"


def check_row_order(method: Calibrator, predictions: Predictions) -> None:
    """Shuffling the rows changes nothing."""
    order = np.random.default_rng(3).permutation(len(predictions))
    same_maps(method, predictions, predictions.take(order))


def check_class_relabelling(method: Calibrator, predictions: Predictions) -> None:
    """Naming the classes in another order renames the result, if the method declares that it is equivariant."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.equivariant:
        return
    order = np.random.default_rng(4).permutation(predictions.k)
    other = relabelled(predictions, order)
    there = method.fit(other)(other).probabilities
    close(there, learnt(predictions).probabilities[:, order], "relabelled classes")


def check_logit_shift(method: Calibrator, predictions: Predictions) -> None:
    """Adding a constant to each row of logits changes nothing."""
    if predictions.logits:
        shift = np.random.default_rng(6).integers(-256, 256, size=(len(predictions), 1)) / 64
        scores = predictions.scores + shift.astype(predictions.scores.dtype)
        same_maps(method, predictions, predictions.rescored(scores, "logit"), on_both=True)


def check_kinds_agree(method: Calibrator, predictions: Predictions) -> None:
    """Logits and their softmax give the same probabilities."""
    if predictions.logits:
        other = predictions.rescored(predictions.probabilities, "probability")
        same_maps(method, predictions, other, on_both=True)


def check_weight_scale(method: Calibrator, predictions: Predictions) -> None:
    """Multiplying all weights by one number changes nothing; a method without weights declines them."""
    scaled = replace(predictions, weights=predictions.row_weights * 0.3, _memo={})
    if method.entry.capabilities.supports_weights:
        same_maps(method, predictions, scaled)
    else:
        declined(method, scaled)


def check_zero_weights(method: Calibrator, predictions: Predictions) -> None:
    """A row of weight zero is not there."""
    if method.entry.capabilities.supports_weights and len(predictions) > 2:
        kept = np.arange(len(predictions)) % 3 > 0
        kept[0] = predictions.row_weights[0] > 0
        weights = np.where(kept, predictions.row_weights, 0.0)
        same_maps(method, predictions.take(kept), replace(predictions, weights=weights, _memo={}))


def check_whole_weights(method: Calibrator, predictions: Predictions) -> None:
    """A whole weight is a repetition, unless the method declares that it depends on the number of rows."""
    able = method.entry.capabilities
    if able.supports_weights and not able.depends_on_row_count:
        times = np.arange(len(predictions)) % 3 + 1
        repeated = np.repeat(np.arange(len(predictions)), times)
        weighted = replace(predictions, weights=predictions.row_weights * times, _memo={})
        same_maps(method, weighted, predictions.take(repeated))


def check_one_hot_labels(method: Calibrator, predictions: Predictions) -> None:
    """Soft labels that are hard give the map of the hard ones; a method without soft labels declines them."""
    if not predictions.soft:
        soft = replace(predictions, labels=np.eye(predictions.k)[predictions.hard_labels], _memo={})
        if method.entry.capabilities.supports_soft_labels:
            same_maps(method, predictions, soft)
        else:
            declined(method, soft)
