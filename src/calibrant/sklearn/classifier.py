"""A scikit-learn classifier with repaired probabilities: any registered calibrator, learnt from scores out of fold."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import assert_all_finite, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, column_or_1d, has_fit_parameter

from calibrant.calibrators import CalibrationMap, Calibrator, calibrator
from calibrant.errors import is_whole, require, sentence
from calibrant.margins import label_columns
from calibrant.sklearn.pairs import CalibratedPair, Learner, joined
from calibrant.sklearn.scores import Response
from calibrant.validation import row_weights


class CalibratedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier with repaired probabilities: scores out of fold teach the map, all rows the classifier.

    Parameters
    ----------
    estimator : the classifier to calibrate; None: ``LogisticRegression()``. A fitted one goes in a ``FrozenEstimator``
        (or with ``cv="prefit"``, which a clone forgets): the rows of ``fit`` must then be none that it was trained on.
    method : the spec of a registered calibrator, or the calibrator itself.
    cv : number of stratified folds, a splitter, an iterable of (train, test) rows, or ``"prefit"``.
    ensemble : False fits the estimator once more, on all rows, beside one map from all scores out of fold. True keeps
        the estimator of each fold with a map of its own and averages their probabilities.
    response_method : which scores are calibrated; see `calibrant.sklearn.predictions`.
    n_jobs : number of folds fitted at a time, as in scikit-learn.
    random_state : None takes the rows of folds in their order, a number shuffles them; only where ``cv`` is a number.

    Attributes
    ----------
    classes_ : (k,), sorted, or those of the fitted estimator in its order.
    calibrated_ : tuple of `CalibratedPair`, one unless ``ensemble`` is True.
    estimator_, map_ : those of the one pair; the map takes what ``calibrated_[0].uncalibrated(X)`` gives.
    n_features_in_, feature_names_in_ : those of the estimator, where it has them.

    Notes
    -----
    Margins are taken as logits up to a scale, those of two classes as the logits (0, margin). Where an estimator has
    margins and no probabilities (support vector machines, ridge, perceptron) they have no unit, and are first divided
    by their fitted temperature. Their zero says only where the prediction changes. ``temperature`` keeps it there and
    so cannot repair a shift: where classes are unbalanced a map with intercepts (``platt``, ``vector``) or without a
    shape (``isotonic``) is the better choice for them.

    Rows of a class that the estimator of their fold has not seen are left out of the fit of the map. Weights count in
    the map, and in the estimator where it takes them. X goes to the estimator as it came: sparse, a frame, texts.
    """

    def __init__(
        self,
        estimator: Any = None,
        method: str | Calibrator = "temperature",
        *,
        cv: Any = 5,
        ensemble: bool = False,
        response_method: Response = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.ensemble = ensemble
        self.response_method = response_method
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> CalibratedClassifier:  # noqa: N803
        """Return the classifier, fitted and calibrated.

        Parameters
        ----------
        X, y : the rows, as the estimator takes them, and their classes (n,).
        sample_weight : (n,) or None.
        fit_params : further arguments of the estimator's ``fit``; what has an entry a row is split with the rows. With
            metadata routing on: what the estimator and the splitter request. Nothing where the estimator came fitted.
        """
        X, y = indexable(X, y)  # noqa: N806
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        weights = _checked_weights(sample_weight, len(y))
        prefit = isinstance(self._base(), FrozenEstimator) or (isinstance(self.cv, str) and self.cv == "prefit")
        if prefit:
            check_is_fitted(self._base())
        classes = np.asarray(self._base().classes_) if prefit else np.unique(y)
        require(len(classes) >= 2, "y", "hold at least two classes", "1 class")
        rows = Learner(X=X, y=y, weights=weights, classes=classes, response_method=self.response_method)
        self.calibrated_ = self._prefit(rows) if prefit else self._cross_fit(rows, fit_params)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> NDArray[np.floating]:  # noqa: N803
        """Return the repaired probabilities (n, k), columns in the order of ``classes_``."""
        check_is_fitted(self)
        found = [pair.probabilities(X) for pair in self.calibrated_]
        return found[0].copy() if len(found) == 1 else np.mean(found, axis=0)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest class of each row (n,), the first on ties."""
        likeliest = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[likeliest])

    # ---- fits ------------------------------------------------------------------------------------------------
    def _prefit(self, rows: Learner) -> tuple[CalibratedPair, ...]:
        way_out = "an ensemble fits its estimators itself"
        require(not self.ensemble, "ensemble", "be False for a fitted estimator", True, way_out=way_out)
        label_columns(rows.y, rows.classes)  # raises where a label is none of the estimator's
        batch = joined([rows.scored(self._base(), np.arange(len(rows.y)))])
        return (rows.pair(calibrator(self.method), self._base(), batch),)

    def _cross_fit(self, rows: Learner, fit_params: dict[str, Any]) -> tuple[CalibratedPair, ...]:
        method = calibrator(self.method)
        own, splitting = self._routed(rows, fit_params)
        splits = self._splitter(rows.y).split(rows.X, rows.y, **splitting)
        work = [delayed(rows.fold)(clone(self._base()), train, test, own) for train, test in splits]
        folds = Parallel(n_jobs=self.n_jobs)(work)
        if self.ensemble and any(batch is not None for _, batch in folds):
            return tuple(rows.pair(method, fitted, joined([batch])) for fitted, batch in folds if batch is not None)
        batch = joined(batch for _, batch in folds)
        whole = clone(self._base()).fit(rows.X, rows.y, **own)
        return (rows.pair(method, whole, batch),)

    def _routed(self, rows: Learner, fit_params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the arguments of the estimator's ``fit`` and those of the splitter's ``split``."""
        weights = rows.weights
        if sklearn.get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=weights, **fit_params)
            return dict(routed.estimator.fit), dict(routed.splitter.split)
        if weights is None:
            return fit_params, {}
        if has_fit_parameter(self._base(), "sample_weight"):
            return {**fit_params, "sample_weight": weights}, {}
        name, way_out = type(self._base()).__name__, "switch metadata routing on where a step of it does"
        told = sentence(name, "take sample_weight, which now counts in the calibration alone", way_out=way_out)
        warnings.warn(told, UserWarning, stacklevel=4)
        return fit_params, {}

    def _base(self) -> Any:
        return LogisticRegression() if self.estimator is None else self.estimator

    def _splitter(self, y: Any = None) -> Any:
        if is_whole(self.cv):
            shuffle = self.random_state is not None
            return StratifiedKFold(self.cv, shuffle=shuffle, random_state=self.random_state)
        return check_cv(5 if isinstance(self.cv, str) else self.cv, y, classifier=True)

    # ---- what scikit-learn asks ------------------------------------------------------------------------------
    @property
    def estimator_(self) -> Any:
        """The fitted estimator."""
        return self._only().estimator

    @property
    def map_(self) -> CalibrationMap:
        """The map for its scores."""
        return self._only().map

    @property
    def n_features_in_(self) -> int:
        """Number of features of X, where the estimator has it."""
        return int(self.calibrated_[0].estimator.n_features_in_)

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features of X, where the estimator has them."""
        names: NDArray[Any] = self.calibrated_[0].estimator.feature_names_in_
        return names

    def _only(self) -> CalibratedPair:
        if len(self.calibrated_) > 1:
            raise AttributeError("an ensemble has no one estimator; see calibrated_")
        return self.calibrated_[0]

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what goes where: to the estimator's ``fit`` and to the splitter's ``split``."""
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self._base(), method_mapping=to_fit).add(
            splitter=self._splitter(), method_mapping=to_split
        )

    def __sklearn_tags__(self) -> Any:
        tags, base = super().__sklearn_tags__(), get_tags(self._base())
        tags.input_tags = base.input_tags
        if base.classifier_tags is not None:
            tags.classifier_tags.multi_class = base.classifier_tags.multi_class
        return tags


def _checked_weights(sample_weight: Any, n: int) -> NDArray[np.float64] | None:
    if sample_weight is None:
        return None
    require(bool(np.asarray(sample_weight).any()), "sample_weight", "have an entry above zero")
    return row_weights(sample_weight, n)
