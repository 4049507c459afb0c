"""The laws of calibrators, one function a law: ``check_...(calibrator, predictions)`` raises ``AssertionError``.

A law that does not concern a method (it says so in its declaration) or a batch that the method declines passes. Each
tolerance has its sentence in `tolerances`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator, calibrator, load
from calibrant.errors import CapabilityError, DataError
from calibrant.predictions import Predictions
from calibrant.testing.bank import bank as shipped_bank
from calibrant.testing.formulas import evaluated
from calibrant.testing.tolerances import SAMPLING, SLOPES, SUMS, TWO_FITS, TWO_LOSSES

Law = Callable[[Calibrator, Predictions], None]
Array = NDArray[Any]

CALIBRATOR_LAWS: list[Law] = []


def law(check: Law) -> Law:
    """Add a check to the laws of calibrators."""
    CALIBRATOR_LAWS.append(check)
    return check


def check_calibrator(spec: str | Calibrator, bank: dict[str, Predictions] | None = None) -> None:
    """Check every law on every data set of the bank.

    Raises
    ------
    AssertionError : with the law, the data set and what was found.
    """
    method = calibrator(spec)
    for check in CALIBRATOR_LAWS:
        for name, predictions in (shipped_bank() if bank is None else bank).items():
            try:
                check(method, predictions)
            except AssertionError as error:
                raise AssertionError(f"{method.entry.name} breaks {check.__name__} on {name!r}: {error}") from None


# ---- what a map returns ------------------------------------------------------------------------------------------
@law
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


@law
def check_finite_log_loss(method: Calibrator, predictions: Predictions) -> None:
    """No probability of a mapped row of the fit is 0, if the method declares a finite log loss."""
    learnt = fitted(method, predictions)
    if learnt is not None and method.entry.capabilities.finite_log_loss:
        assert (learnt(predictions).probabilities > 0).all(), "a probability is 0, so its log loss is infinite"


@law
def check_argmax(method: Calibrator, predictions: Predictions) -> None:
    """The predicted class keeps the largest probability, if the method declares it; rounding may add a tie."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.preserves_argmax:
        return
    scores = learnt(predictions).probabilities.astype(np.float64)
    kept = scores[np.arange(len(scores)), predictions.summary.top]
    below = (scores.max(1) - kept).max()
    assert below <= SUMS(predictions.scores.dtype), f"another class overtakes the predicted one by {below:.1e}"


@law
def check_training_loss(method: Calibrator, predictions: Predictions) -> None:
    """The log loss on the rows of the fit is not above the identity's, if the method declares that it contains it.

    Batches with exact zeros are left out: a method that needs a finite log starts from slightly other scores there.
    """
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.contains_identity or has_zeros(predictions):
        return
    excess = log_loss(learnt(predictions)) - log_loss(predictions)
    assert excess <= TWO_LOSSES(predictions.scores.dtype), f"the training log loss rises by {excess:.1e} nats"


@law
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


@law
def check_batch_size(method: Calibrator, predictions: Predictions) -> None:
    """Mapping the rows one by one gives the mapped batch, bit for bit: a row does not depend on its neighbours."""
    learnt = fitted(method, predictions)
    if learnt is not None:
        whole = learnt(predictions).scores
        some = range(0, len(predictions), max(1, len(predictions) // 10))
        alone = [learnt(predictions.take(slice(i, i + 1))).scores[0] for i in some]
        assert np.array_equal(np.stack(alone), whole[list(some)]), "a row maps differently in another batch"


# ---- what a fit may depend on ------------------------------------------------------------------------------------
@law
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


@law
def check_same_answer(method: Calibrator, predictions: Predictions) -> None:
    """Two fits on the same rows map them alike, bit for bit."""
    first, second = fitted(method, predictions), fitted(method, predictions)
    if first is not None and second is not None:
        assert np.array_equal(first(predictions).scores, second(predictions).scores), "two fits differ"


@law
def check_row_order(method: Calibrator, predictions: Predictions) -> None:
    """Shuffling the rows changes nothing."""
    order = np.random.default_rng(3).permutation(len(predictions))
    same_maps(method, predictions, predictions.take(order))


@law
def check_class_relabelling(method: Calibrator, predictions: Predictions) -> None:
    """Naming the classes in another order renames the result, if the method declares that it is equivariant."""
    learnt = fitted(method, predictions)
    if learnt is None or not method.entry.capabilities.equivariant:
        return
    order = np.random.default_rng(4).permutation(predictions.k)
    other = relabelled(predictions, order)
    there = method.fit(other)(other).probabilities
    close(there, learnt(predictions).probabilities[:, order], "relabelled classes")


@law
def check_logit_shift(method: Calibrator, predictions: Predictions) -> None:
    """Adding a constant to each row of logits changes nothing."""
    if predictions.logits:
        shift = np.random.default_rng(6).integers(-256, 256, size=(len(predictions), 1)) / 64
        scores = predictions.scores + shift.astype(predictions.scores.dtype)
        same_maps(method, predictions, predictions.rescored(scores, "logit"), on_both=True)


@law
def check_kinds_agree(method: Calibrator, predictions: Predictions) -> None:
    """Logits and their softmax give the same probabilities."""
    if predictions.logits:
        other = predictions.rescored(predictions.probabilities, "probability")
        same_maps(method, predictions, other, on_both=True)


@law
def check_weight_scale(method: Calibrator, predictions: Predictions) -> None:
    """Multiplying all weights by one number changes nothing; a method without weights declines them."""
    scaled = replace(predictions, weights=predictions.row_weights * 0.3, _memo={})
    if method.entry.capabilities.supports_weights:
        same_maps(method, predictions, scaled)
    else:
        declined(method, scaled)


@law
def check_zero_weights(method: Calibrator, predictions: Predictions) -> None:
    """A row of weight zero is not there."""
    if method.entry.capabilities.supports_weights and len(predictions) > 2:
        kept = np.arange(len(predictions)) % 3 > 0
        kept[0] = predictions.row_weights[0] > 0
        weights = np.where(kept, predictions.row_weights, 0.0)
        same_maps(method, predictions.take(kept), replace(predictions, weights=weights, _memo={}))


@law
def check_whole_weights(method: Calibrator, predictions: Predictions) -> None:
    """A whole weight is a repetition, unless the method declares that it depends on the number of rows."""
    able = method.entry.capabilities
    if able.supports_weights and not able.depends_on_row_count:
        times = np.arange(len(predictions)) % 3 + 1
        repeated = np.repeat(np.arange(len(predictions)), times)
        weighted = replace(predictions, weights=predictions.row_weights * times, _memo={})
        same_maps(method, weighted, predictions.take(repeated))


@law
def check_one_hot_labels(method: Calibrator, predictions: Predictions) -> None:
    """Soft labels that are hard give the map of the hard ones; a method without soft labels declines them."""
    if not predictions.soft:
        soft = replace(predictions, labels=np.eye(predictions.k)[predictions.hard_labels], _memo={})
        if method.entry.capabilities.supports_soft_labels:
            same_maps(method, predictions, soft)
        else:
            declined(method, soft)


# ---- what a method declares --------------------------------------------------------------------------------------
@law
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


@law
def check_labels_are_needed(method: Calibrator, predictions: Predictions) -> None:
    """Without labels the fit is declined with a sentence, and a fitted map needs none."""
    unlabelled = replace(predictions, labels=None, _memo={})
    declined(method, unlabelled)
    learnt = fitted(method, predictions)
    if learnt is not None:
        same = np.array_equal(learnt(unlabelled).scores, learnt(predictions).scores)
        assert same, "the labels of a batch change how it is mapped"


@law
def check_features(method: Calibrator, predictions: Predictions) -> None:
    """A method that needs features declines a batch without; one that does not is not changed by them."""
    bare = replace(predictions, features=None, _memo={})
    if method.entry.capabilities.needs_features:
        declined(method, bare)
    else:
        same_maps(method, predictions, bare)


@law
def check_number_of_classes(method: Calibrator, predictions: Predictions) -> None:
    """A method for two classes declines more; a map declines a batch with another number of classes."""
    if method.entry.capabilities.binary_only and predictions.k != 2:
        declined(method, predictions)
    learnt = fitted(method, predictions)
    if learnt is not None:
        wider = Predictions.from_probabilities(np.full((1, predictions.k + 1), 1 / (predictions.k + 1)))
        assert raises(DataError, lambda: learnt(wider)), "a batch with one class more was mapped"


@law
def check_parameters(method: Calibrator, predictions: Predictions) -> None:
    """The number of parameters is what the declared formula says."""
    learnt = fitted(method, predictions)
    if learnt is not None:
        formula = method.entry.capabilities.parameters
        names = {**vars(method), "n": len(predictions), "k": predictions.k}
        most = evaluated(formula.removeprefix("at most "), names)
        holds = learnt.n_parameters <= most if formula.startswith("at most ") else learnt.n_parameters == most
        assert holds, f"{learnt.n_parameters} parameters, declared {formula} = {most:g}"


@law
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


# ---- tools of the laws -------------------------------------------------------------------------------------------
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
    return replace(predictions, scores=scores, labels=labels, _memo={})


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
