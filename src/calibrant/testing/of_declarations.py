"""Laws of what a method declares, and of saving: ``check_...(calibrator, predictions)``, one law each."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibrant.calibrators.base import Calibrator, calibrator, load
from calibrant.errors import CapabilityError, DataError
from calibrant.predictions import Predictions
from calibrant.testing.formulas import evaluated
from calibrant.testing.tolerances import SAMPLING
from calibrant.testing.tools import close, declined, fitted, has_zeros, raises, same_maps


def check_saved_and_loaded(method: Calibrator, predictions: Predictions) -> None:
    """A map that was saved and loaded maps alike, bit for bit, and knows how it was learnt."""
    learnt = fitted(method, predictions)
    if learnt is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        again = load(learnt.save(Path(folder) / "map.safetensors"))
    assert type(again) is type(learnt), "another kind of map was loaded"
    assert np.array_equal(again(predictions).scores, learnt(predictions).scores), "the loaded map differs"
    assert again.record.spec == learnt.record.spec, "the loaded map has another spec"
    assert calibrator(again.record.spec) == method, "the spec does not make the same calibrator"


def check_labels_are_needed(method: Calibrator, predictions: Predictions) -> None:
    """Without labels the fit is declined with a sentence, and a fitted map needs none."""
    unlabelled = replace(predictions, labels=None, _memo={})
    declined(method, unlabelled)
    learnt = fitted(method, predictions)
    if learnt is not None:
        same = np.array_equal(learnt(unlabelled).scores, learnt(predictions).scores)
        assert same, "the labels of a batch change how it is mapped"


def check_batches(method: Calibrator, predictions: Predictions) -> None:
    """A method that fits batches learns from two what it learns from all rows; another declines them."""
    if not method.entry.capabilities.fits_batches:
        assert raises(CapabilityError, lambda: method.fit([predictions])), "batches were fitted, which is not declared"
        return
    learnt, half = fitted(method, predictions), len(predictions) // 2
    if learnt is not None and half:
        parts = [predictions.take(slice(None, half)), predictions.take(slice(half, None))]
        close(
            method.learn_batches(parts)(predictions).probabilities,
            learnt(predictions).probabilities,
            "the fits of two batches and of all rows",
        )


def check_features(method: Calibrator, predictions: Predictions) -> None:
    """A method that needs features declines a batch without; one that does not use them is not changed by them."""
    bare = replace(predictions, features=None, _memo={})
    if method.entry.capabilities.needs_features:
        declined(method, bare)
    elif not method.entry.capabilities.uses_features:
        same_maps(method, predictions, bare)


def check_number_of_classes(method: Calibrator, predictions: Predictions) -> None:
    """A method for two classes declines more; a map declines a batch with another number of classes."""
    if method.entry.capabilities.binary_only and predictions.k != 2:
        declined(method, predictions)
    learnt = fitted(method, predictions)
    if learnt is not None:
        wider = Predictions.from_probabilities(np.full((1, predictions.k + 1), 1 / (predictions.k + 1)))
        assert raises(DataError, lambda: learnt(wider)), "a batch with one class more was mapped"


def check_parameters(method: Calibrator, predictions: Predictions) -> None:
    """The number of parameters is what the declared formula says."""
    learnt = fitted(method, predictions)
    if learnt is not None:
        formula = method.entry.capabilities.parameters
        names = {**vars(method), "n": len(predictions), "k": predictions.k, "d": learnt.dimensions}
        most = evaluated(formula.removeprefix("at most "), names)
        holds = learnt.n_parameters <= most if formula.startswith("at most ") else learnt.n_parameters == most
        assert holds, f"{learnt.n_parameters} parameters, declared {formula} = {most:g}"


def check_truth_recovered(method: Calibrator, predictions: Predictions) -> None:
    """On many labels drawn from a map of its own the method finds that map again, within sampling error."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.recovers_truth or predictions.k > 20 or has_zeros(predictions):
        return
    rng = np.random.default_rng(8)
    rows = rng.integers(len(predictions), size=20_000)
    many = replace(predictions, labels=None, weights=None, ids=None, _memo={}).take(rows)
    truth = learnt(many).probabilities.astype(np.float64)
    labels = (truth.cumsum(1) < rng.random((len(rows), 1)) * truth.sum(1, keepdims=True)).sum(1)
    found = method.fit(replace(many, labels=labels, _memo={}))(many).probabilities
    divergence = float((truth * np.log(truth / found)).sum(1).mean())
    most = SAMPLING(learnt.n_parameters, len(rows))
    assert divergence <= most, f"the map found is {divergence:.1e} nats from the true one, allowed {most:.1e}"
