"""Measures as scorers: sign, columns, weights, and the places of scikit-learn that take them."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from calibrant import metrics
from calibrant.errors import CapabilityError, UnknownMethod
from calibrant.predictions import Predictions
from calibrant.sklearn import CalibratedClassifier, scorer

rng = np.random.default_rng(5)
X = rng.normal(size=(120, 3))
Y = np.array(["b", "c", "a"])[(X[:, 0] + rng.normal(size=120) > 0).astype(int) + (X[:, 1] > 0)]
MODEL = LogisticRegression().fit(X, Y)


def test_less_is_better_is_negated_and_more_is_not():
    assert scorer("log_loss")(MODEL, X, Y) == pytest.approx(-log_loss(Y, MODEL.predict_proba(X)), rel=1e-12)
    assert scorer("accuracy")(MODEL, X, Y) == pytest.approx(MODEL.score(X, Y), rel=1e-12)


def test_it_is_the_measure_with_its_options_and_weights():
    weights = rng.integers(0, 4, 120)
    labels = np.searchsorted(MODEL.classes_, Y)
    batch = Predictions.from_probabilities(MODEL.predict_proba(X), labels, weights=weights)
    for spec in ("ece(bins=7)", "squared_ce", "brier"):
        assert scorer(spec)(MODEL, X, Y, sample_weight=weights) == -float(metrics.measure(spec)(batch))
    assert scorer(metrics.measure("ece(bins=7)"))(MODEL, X, Y) == scorer("ece(bins=7)")(MODEL, X, Y)


def test_a_fold_without_a_class_keeps_the_columns():
    rows = Y != "a"
    assert scorer("log_loss")(MODEL, X[rows], Y[rows]) == pytest.approx(
        -log_loss(Y[rows], MODEL.predict_proba(X[rows]), labels=MODEL.classes_), rel=1e-12
    )


def test_validations_and_searches_take_it():
    assert cross_val_score(MODEL, X, Y, scoring=scorer("brier"), cv=3).shape == (3,)
    found = cross_validate(MODEL, X, Y, scoring={"ece": scorer("ece"), "right": "accuracy"}, cv=3)
    assert (found["test_ece"] <= 0).all()
    search = GridSearchCV(
        CalibratedClassifier(MODEL, cv=2), {"method": ["identity", "temperature"]}, scoring=scorer("log_loss"), cv=2
    )
    assert np.isfinite(clone(search).fit(X, Y).best_score_)


def test_weights_are_routed_when_asked_for():
    weights = rng.uniform(0.1, 3, 120)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = scorer("log_loss").set_score_request(sample_weight=True)
        model = LogisticRegression().set_fit_request(sample_weight=False)
        routed = cross_val_score(model, X, Y, scoring=asking, cv=3, params={"sample_weight": weights})
    plain = cross_val_score(model, X, Y, scoring=scorer("log_loss"), cv=3)
    assert (routed != plain).all()


def test_scores_of_a_classifier_without_probabilities_only_on_request():
    ridge = RidgeClassifier().fit(X, Y)
    with pytest.raises(CapabilityError, match="estimator must have predict_proba, got RidgeClassifier"):
        scorer("ece")(ridge, X, Y)
    assert scorer("ece", response_method="auto")(ridge, X, Y) < 0


def test_a_misspelt_measure_is_told_at_once():
    with pytest.raises(UnknownMethod, match="did you mean 'ece'"):
        scorer("eec")
    assert repr(scorer("ece(bins=7)")) == "MeasureScorer(measure='ece(bins=7)')"
