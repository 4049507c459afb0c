"""Which scores of a classifier are taken, and in which columns they stand."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from calibrant.errors import CapabilityError, DataError
from calibrant.sklearn import predictions
from calibrant.sklearn.scores import has_unit

rng = np.random.default_rng(11)
X = rng.normal(size=(60, 3))
THREE = np.array([30, 10, 20])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
TWO = np.where(X[:, 0] + X[:, 2] > 0, "yes", "no")


def test_a_decision_function_goes_before_probabilities():
    for y in (TWO, THREE):
        model = LogisticRegression().fit(X, y)
        batch = predictions(model, X, y)
        assert batch.kind == "logit"
        # a softmax of logits against scikit-learn's own, each rounded once
        np.testing.assert_allclose(batch.probabilities, model.predict_proba(X), rtol=0, atol=1e-15)
        assert batch.classes == tuple(str(c) for c in model.classes_)
        assert (model.classes_[batch.labels] == y).all()


def test_the_margin_of_two_classes_is_that_of_the_second():
    model = RidgeClassifier().fit(X, TWO)
    batch = predictions(model, X)
    np.testing.assert_array_equal(batch.scores[:, 0], 0)
    np.testing.assert_array_equal(batch.scores[:, 1], model.decision_function(X))
    assert not has_unit(model, "auto")
    assert has_unit(LogisticRegression().fit(X, TWO), "auto")


def test_probabilities_where_there_is_nothing_else():
    model = GaussianNB().fit(X, THREE)
    assert predictions(model, X).kind == "probability"
    for method in ("predict_log_proba", "predict_joint_log_proba"):
        batch = predictions(model, X, response_method=method)
        assert batch.kind == "logit"
        # logarithms of up to some tens, to an ulp or two
        np.testing.assert_allclose(batch.probabilities, model.predict_proba(X), rtol=1e-12, atol=0)


def test_logarithms_of_exact_zeros_are_zeros_again():
    model = DecisionTreeClassifier(random_state=0).fit(X, THREE)
    batch = predictions(model, X, response_method="predict_log_proba")
    np.testing.assert_array_equal(batch.probabilities, model.predict_proba(X))


@pytest.mark.parametrize("wrap", [lambda m: m, FrozenEstimator, lambda m: make_pipeline(StandardScaler(), m)])
def test_a_decision_function_of_pairs_is_not_one_of_classes(wrap):
    model = wrap(SVC(decision_function_shape="ovo", random_state=0).fit(X, THREE)).fit(X, THREE)
    with pytest.raises(CapabilityError, match="estimator must have decision_function or predict_proba"):
        predictions(model, X)
    found = GridSearchCV(SVC(decision_function_shape="ovo"), {"C": [1.0]}, cv=2).fit(X, THREE)
    with pytest.raises(CapabilityError, match="estimator must have decision_function"):
        predictions(found, X)
    fine = wrap(SVC(decision_function_shape="ovr").fit(X, THREE)).fit(X, THREE)
    np.testing.assert_array_equal(predictions(fine, X).scores.argmax(1), fine.decision_function(X).argmax(1))


def test_trees_of_a_library_give_their_margins():
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(X, TWO)
    for fitted in (model, FrozenEstimator(model)):
        batch = predictions(fitted, X, TWO)
        np.testing.assert_array_equal(batch.scores[:, 1], model.predict(X, raw_score=True))
    assert predictions(model, X, response_method="predict_proba").kind == "probability"


def test_logits_of_a_callable():
    model = LogisticRegression().fit(X, THREE)
    batch = predictions(model, X, response_method=lambda fitted, rows: 2 * fitted.decision_function(rows))
    np.testing.assert_array_equal(batch.scores, 2 * model.decision_function(X))
    with pytest.raises(DataError, match=r"give 3 columns, one a class, got shape \(60,\)"):
        predictions(model, X, response_method=lambda fitted, rows: fitted.decision_function(rows)[:, 0])


def test_classes_that_the_model_has_not_seen_have_probability_zero():
    for model, kind in ((LogisticRegression(), "logit"), (GaussianNB(), "probability")):
        model.fit(X[THREE != 20], THREE[THREE != 20])
        batch = predictions(model, X, THREE, classes=[30, 20, 10])
        assert batch.kind == kind
        assert batch.classes == ("30", "20", "10")
        np.testing.assert_array_equal(batch.probabilities[:, 1], 0)
        # the same numbers, rescaled at most once more
        np.testing.assert_allclose(batch.probabilities[:, [2, 0]], model.predict_proba(X), rtol=1e-12, atol=0)


def test_wrong_requests_are_one_sentence():
    model = LogisticRegression().fit(X, THREE)
    with pytest.raises(DataError, match="response_method must be 'auto', a callable or one of decision_function"):
        predictions(model, X, response_method="margin")
    with pytest.raises(DataError, match="labels must be among the classes of the model, got 7"):
        predictions(model, X[:2], [10, 7])
    regression = LinearRegression().fit(X, THREE)
    regression.classes_ = [10, 20, 30]
    with pytest.raises(CapabilityError, match="got LinearRegression; pass response_method="):
        predictions(regression, X)
