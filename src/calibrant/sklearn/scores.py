"""The scores of a fitted scikit-learn classifier as `Predictions`: which method is asked, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from calibrant import margins
from calibrant.errors import CapabilityError, DataError, require, sentence
from calibrant.predictions import Kind, Predictions
from calibrant.validation import frozen

Response = str | Callable[[Any, Any], Any]
Scores = NDArray[np.floating]

METHODS = ("decision_function", "predict_joint_log_proba", "predict_log_proba", "predict_proba")
AUTO = ("decision_function", "predict_proba")


def predictions(
    estimator: Any,
    X: Any,  # noqa: N803
    y: Any = None,
    *,
    response_method: Response = "auto",
    sample_weight: Any = None,
    classes: Any = None,
    **columns: Any,
) -> Predictions:
    """Return the scores of a fitted classifier as one batch, with its ``classes_`` in the order of the columns.

    Parameters
    ----------
    estimator : any fitted scikit-learn classifier, a pipeline or a search that ends in one, or one of the tree
        libraries of `calibrant.margins`.
    X, y, sample_weight : as the estimator takes them; labels are values of ``classes_``.
    response_method : the method that is asked: ``"decision_function"``, ``"predict_joint_log_proba"`` or
        ``"predict_log_proba"``, whose numbers are logits; ``"predict_proba"``; or a callable of the estimator and X
        that returns logits. ``"auto"`` takes the first there is of: the decision function, unless it has a column a
        pair of classes; the margins of a tree library; the probabilities.
    classes : the columns that the batch shall have; those that the estimator has not seen get probability zero.
        None: those of the estimator.
    columns : ``features, groups, ids, start``, as in `Predictions`.

    Raises
    ------
    CapabilityError : if the estimator has no such method.
    DataError : for a label that is not among the classes, and for scores that are no numbers.
    """
    model = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
    own = np.asarray(model.classes_)
    known = own if classes is None else np.asarray(classes)
    scores, kind = _scores(model, X, _asked(model, response_method), len(own))
    if own.tolist() != known.tolist():
        scores = _spread(scores, kind, margins.label_columns(own, known), len(known))
    labels = None if y is None else margins.label_columns(y, known)
    make = Predictions.from_logits if kind == "logit" else Predictions.from_probabilities
    return make(scores, labels, weights=sample_weight, classes=known.tolist(), **columns)


def has_unit(estimator: Any, response_method: Response) -> bool:
    """Whether the scores are logits by construction: false of margins beside which the estimator has no probabilities.

    The margins of a support vector machine or of a perceptron grow with the features; nothing says what 1 means.
    """
    model = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
    return _asked(model, response_method) != "decision_function" or hasattr(model, "predict_proba")


def _asked(model: Any, response_method: Response) -> Response:
    """Return the method to ask, or the callable."""
    if callable(response_method):
        return response_method
    condition = f"be 'auto', a callable or one of {', '.join(METHODS)}"
    require(response_method in ("auto", *METHODS), "response_method", condition, repr(response_method))
    wanted = AUTO if response_method == "auto" else (response_method,)
    there = [name for name in wanted if hasattr(model, name) and not (name == "decision_function" and _by_pairs(model))]
    if response_method == "auto" and there[:1] != ["decision_function"] and margins.supports(model):
        return margins.of
    if not there:
        got, way_out = type(model).__name__, "pass response_method=, a callable that returns logits"
        raise CapabilityError(sentence("estimator", f"have {' or '.join(wanted)}", got, way_out=way_out))
    return there[0]


def _by_pairs(model: Any) -> bool:
    """Whether the decision function has a column a pair of classes, which three classes do not tell by its shape."""
    last = model
    while hasattr(last, "best_estimator_") or hasattr(last, "steps"):
        last = last.best_estimator_ if hasattr(last, "best_estimator_") else last.steps[-1][1]
    return getattr(last, "decision_function_shape", "ovr") == "ovo" and len(model.classes_) > 2


def _scores(model: Any, X: Any, asked: Response, k: int) -> tuple[Scores, Kind]:  # noqa: N803
    """Return the scores (n, k) and their kind."""
    name = getattr(asked, "__name__", "response_method") if callable(asked) else asked
    with np.errstate(divide="ignore"):  # the logarithm of an exact zero is what it is
        found = np.asarray(asked(model, X) if callable(asked) else getattr(model, asked)(X))
    if k == 2 and asked != "predict_proba" and found.ndim == 1:
        found = margins.two_columns(found)
    if found.ndim != 2 or found.shape[1] != k:
        raise DataError(sentence(name, f"give {k} columns, one a class", f"shape {found.shape}"))
    return found, "probability" if asked == "predict_proba" else "logit"


def _spread(scores: Scores, kind: Kind, places: NDArray[np.int64], k: int) -> Scores:
    """Return the scores (n, k) with those of the estimator in their places, and probability zero elsewhere."""
    whole = np.full((len(scores), k), -np.inf if kind == "logit" else 0.0, dtype=scores.dtype)
    whole[:, places] = scores
    return frozen(whole)
