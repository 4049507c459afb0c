"""Raw margins of boosted trees as logits: what XGBoost, LightGBM and CatBoost add up before they make probabilities.

A margin has no ceiling and keeps the digits that a probability near 1 has lost. `of` reads them from a fitted model by
its own methods, so that no tree library is imported here; `predictions` puts them beside the labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.errors import CapabilityError, require, sentence
from calibrant.predictions import Predictions

Scores = NDArray[np.floating]

# How a library's objective makes probabilities of its margins: sigmoid of one, softmax of k, or k sigmoids.
_LINKS = {
    "binary:logistic": "sigmoid",
    "binary:logitraw": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softmax": "softmax",
    "multi:softprob": "softmax",
    "binary": "sigmoid",
    "cross_entropy": "sigmoid",
    "multiclass": "softmax",
    "multiclassova": "sigmoids",
    "Logloss": "sigmoid",
    "CrossEntropy": "sigmoid",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "sigmoids",
}


def supports(model: object) -> bool:
    """Whether the model is one of XGBoost, LightGBM or CatBoost."""
    return _library(model) is not None


def of(model: Any, X: Any) -> Scores:  # noqa: N803, the name that all of these libraries use
    """Return the margins of a fitted model as logits (n, k), in the dtype of the library.

    Parameters
    ----------
    model : a classifier or a booster of XGBoost, LightGBM or CatBoost, for two classes (the first column is then 0) or
        more. Where the library makes one sigmoid a class, the logits are their logarithms: the softmax rescales them.
    X : what its ``predict`` takes; for an XGBoost booster an array too.

    Raises
    ------
    CapabilityError : for another kind of model, or an objective whose margins are no logits.
    """
    library = _library(model)
    if library is None:
        condition, got = "be one of XGBoost, LightGBM or CatBoost", type(model).__name__
        raise CapabilityError(sentence("model", condition, got, way_out="for others use calibrant.sklearn.predictions"))
    objective, margins = _READERS[library](model, X)
    link = _LINKS.get(objective, "")
    if link not in ("sigmoid", "softmax", "sigmoids") or (link == "sigmoid") != (margins.ndim == 1):
        condition = "make one sigmoid, a softmax or a sigmoid a class of its margins"
        way_out = "use its probabilities: Predictions.from_probabilities"
        raise CapabilityError(sentence("the objective of the model", condition, repr(objective), way_out=way_out))
    if link == "sigmoids":
        return np.asarray(-np.logaddexp(0, -margins))
    return two_columns(margins)


def predictions(model: Any, X: Any, labels: ArrayLike | None = None, **columns: Any) -> Predictions:  # noqa: N803
    """Return the margins of a fitted model as a batch of logits, with its classes in the order of its columns.

    Parameters
    ----------
    model, X : as in `of`.
    labels : (n,) as the model was given them, or soft labels (n, k). A booster knows no classes: give it indices.
    columns : ``weights, features, groups, ids, start``, as in `Predictions`; ``classes`` for a booster.
    """
    known = getattr(model, "classes_", None)
    if known is not None and len(known):
        columns = {"classes": list(known), **columns}
        labels = labels if labels is None or np.ndim(labels) == 2 else label_columns(labels, known)
    return Predictions.from_logits(of(model, X), labels, **columns)


def two_columns(margins: Scores) -> Scores:
    """Return a margin for the second class (n,) as logits (n, 2), and logits (n, k) as they are."""
    return margins if margins.ndim == 2 else np.column_stack([np.zeros_like(margins), margins])


def label_columns(labels: ArrayLike, classes: ArrayLike) -> NDArray[np.int64]:
    """Return the column of each label (n,), given the class of each column; ``DataError`` for a label without one."""
    column = {name: i for i, name in enumerate(np.asarray(classes).tolist())}
    values, places = np.unique(np.asarray(labels), return_inverse=True)
    unknown = [value for value in values.tolist() if value not in column]
    require(not unknown, "labels", "be among the classes of the model", repr(unknown[0]) if unknown else None)
    return np.array([column[value] for value in values.tolist()], dtype=np.int64)[places.ravel()]


def _library(model: object) -> str | None:
    packages = [parent.__module__.partition(".")[0] for parent in type(model).__mro__]
    return next((package for package in packages if package in _READERS), None)


def _xgboost(model: Any, X: Any) -> tuple[str, Scores]:  # noqa: N803
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    if booster is model and not hasattr(X, "num_row"):  # an array, not a DMatrix
        return objective, model.inplace_predict(X, predict_type="margin")
    return objective, model.predict(X, output_margin=True)


def _lightgbm(model: Any, X: Any) -> tuple[str, Scores]:  # noqa: N803
    booster = getattr(model, "booster_", model)
    lines = booster.model_to_string(num_iteration=1).split("\n\n", 1)[0].splitlines()
    objective, *options = next((line[10:] for line in lines if line.startswith("objective=")), "custom").split()
    slope = next((float(option[8:]) for option in options if option.startswith("sigmoid:")), 1.0)
    if "average_output" in lines:  # a random forest: its probabilities come of the mean of what is added up
        slope /= booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return objective, np.asarray(model.predict(X, raw_score=True)) * slope


def _catboost(model: Any, X: Any) -> tuple[str, Scores]:  # noqa: N803
    objective = str(model.get_all_params().get("loss_function")).partition(":")[0]
    return objective, np.asarray(model.predict(X, prediction_type="RawFormulaVal"))


_READERS: dict[str, Callable[[Any, Any], tuple[str, Scores]]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
