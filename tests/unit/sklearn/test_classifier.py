"""The calibrated classifier: what is learnt from which rows, and that nothing else changes."""

import pickle

import joblib
import numpy as np
import pytest
import scipy
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits, make_classification
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, RepeatedStratifiedKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from calibrant import calibrators, load, registry
from calibrant.errors import CapabilityError, DataError, UnknownMethod
from calibrant.predictions import Predictions
from calibrant.sklearn import CalibratedClassifier, predictions

DIGITS, DIGIT = load_digits(return_X_y=True)
FIT, TEST = slice(None, None, 2), slice(1, None, 2)
rng = np.random.default_rng(2)
X = rng.normal(size=(150, 3))
Y = np.array(["b", "c", "a"])[(X[:, 0] + rng.normal(size=150) > 0).astype(int) + (X[:, 1] > 0)]


def by_hand(model, cv, X, y, weights=None):  # noqa: N803
    """Return the batch out of fold, in the order of the rows."""
    logits = np.empty((len(y), 3))
    for train, test in cv.split(X, y):
        own = {} if weights is None else {"sample_weight": weights[train]}
        logits[test] = clone(model).fit(X[train], y[train], **own).decision_function(X[test])
    return Predictions.from_logits(logits, np.unique(y, return_inverse=True)[1], weights=weights)


@pytest.mark.parametrize("weights", [None, rng.integers(0, 3, 150) + 0.5])
def test_one_map_from_all_scores_out_of_fold(weights):
    found = CalibratedClassifier(LogisticRegression(), "vector", cv=3).fit(X, Y, sample_weight=weights)
    expected = calibrators.fit(by_hand(LogisticRegression(), StratifiedKFold(3), X, Y, weights), "vector")
    whole = LogisticRegression().fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(found.map_.scale, expected.scale)
    np.testing.assert_array_equal(found.estimator_.coef_, whole.coef_)
    by_the_map = expected(Predictions.from_logits(whole.decision_function(X))).probabilities
    np.testing.assert_array_equal(found.predict_proba(X), by_the_map)
    assert (found.predict(X) == found.classes_[by_the_map.argmax(1)]).all()


def test_an_ensemble_is_the_mean_of_its_folds():
    found = CalibratedClassifier(GaussianNB(), "vector", cv=3, ensemble=True).fit(X, Y)
    expected = []
    for train, test in StratifiedKFold(3).split(X, Y):
        model = GaussianNB().fit(X[train], Y[train])
        learnt = calibrators.fit(predictions(model, X[test], Y[test]), "vector")
        expected.append(learnt(predictions(model, X)).probabilities)
    np.testing.assert_array_equal(found.predict_proba(X), np.mean(expected, axis=0))
    assert len(found.calibrated_) == 3
    assert not hasattr(found, "map_")
    assert not hasattr(found, "estimator_")


@pytest.mark.parametrize("how", ["frozen", "prefit"])
def test_a_fitted_estimator_is_scored_once_on_all_rows(how):
    model = LogisticRegression().fit(X[FIT], Y[FIT])
    own = {"estimator": FrozenEstimator(model)} if how == "frozen" else {"estimator": model, "cv": "prefit"}
    found = CalibratedClassifier(**own).fit(X[TEST], Y[TEST])
    expected = calibrators.fit(predictions(model, X[TEST], Y[TEST]), "temperature")
    assert found.map_.beta == expected.beta
    assert predictions(found.estimator_, X).scores.tobytes() == predictions(model, X).scores.tobytes()
    with pytest.raises(DataError, match="ensemble must be False for a fitted estimator"):
        CalibratedClassifier(**own, ensemble=True).fit(X[TEST], Y[TEST])


def test_an_estimator_said_to_be_fitted_must_be():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        CalibratedClassifier(GaussianNB(), cv="prefit").fit(X, Y)


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("method", ["temperature", "vector", "platt", "isotonic"])
def test_the_probabilities_become_better(method, ensemble):
    plain = DecisionTreeClassifier(min_samples_leaf=3, random_state=0).fit(DIGITS[FIT], DIGIT[FIT])
    found = CalibratedClassifier(clone(plain), method, ensemble=ensemble, random_state=0).fit(DIGITS[FIT], DIGIT[FIT])
    before, after = (log_loss(DIGIT[TEST], model.predict_proba(DIGITS[TEST])) for model in (plain, found))
    assert after < before / 2


class Loud(LinearSVC):
    def decision_function(self, X):  # noqa: N803
        return 1e4 * super().decision_function(X)


def test_margins_without_a_unit_do_not_saturate():
    """Isotonic sees probabilities: of margins in the thousands all are 0 or 1, unless they are given a unit first."""
    features, labels = make_classification(800, 8, n_informative=5, flip_y=0.1, random_state=0)
    quiet, loud = (
        CalibratedClassifier(base(C=0.01, random_state=0), "isotonic", cv=3).fit(features, labels)
        for base in (LinearSVC, Loud)
    )
    assert quiet.calibrated_[0].scale == pytest.approx(1e4 * loud.calibrated_[0].scale, rel=1e-6)
    # the temperature is found to 1e-9 in log loss, thus to some 1e-5 itself
    np.testing.assert_allclose(loud.predict_proba(features), quiet.predict_proba(features), rtol=0, atol=1e-4)


def test_a_class_with_one_row_is_learnt_from_the_others():
    y = Y.astype(object)
    y[7] = "only"
    with pytest.warns(UserWarning, match="least populated class"):
        found = CalibratedClassifier(LogisticRegression(), cv=3).fit(X, y)
    assert list(found.classes_) == ["a", "b", "c", "only"]
    assert found.map_.record.rows == 149
    shown = found.predict_proba(X)
    assert shown.shape == (150, 4)
    assert (shown > 0).all()
    with pytest.warns(UserWarning, match="least populated class"):
        several = CalibratedClassifier(LogisticRegression(), cv=3, ensemble=True).fit(X, y).predict_proba(X)
    # three rows of float64 probabilities averaged
    np.testing.assert_allclose(several.sum(1), 1, rtol=0, atol=1e-12)


class WithoutWeights(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):  # noqa: N803
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def decision_function(self, X):  # noqa: N803
        return self.inner_.decision_function(X)

    def predict(self, X):  # noqa: N803
        return self.inner_.predict(X)


def test_weights_that_the_estimator_does_not_take_count_in_the_map():
    weights = rng.uniform(0.1, 3, 150)
    with pytest.warns(UserWarning, match="WithoutWeights must take sample_weight, which now counts in the calibration"):
        found = CalibratedClassifier(WithoutWeights(), cv=3).fit(X, Y, sample_weight=weights)
    assert found.map_.beta != CalibratedClassifier(WithoutWeights(), cv=3).fit(X, Y).map_.beta
    assert found.estimator_.inner_.coef_.tobytes() == LogisticRegression().fit(X, Y).coef_.tobytes()


def test_metadata_goes_where_it_is_asked_for():
    weights, groups = rng.uniform(0.1, 3, 150), np.arange(150) // 30
    pipeline = make_pipeline(LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline[0].set_fit_request(sample_weight=True)
        found = CalibratedClassifier(pipeline, cv=LeaveOneGroupOut()).fit(X, Y, sample_weight=weights, groups=groups)
        outer = make_pipeline(CalibratedClassifier(pipeline, cv=GroupKFold(5)).set_fit_request(sample_weight=True)).fit(
            X, Y, sample_weight=weights, groups=groups
        )
    expected = LogisticRegression().fit(X, Y, sample_weight=weights)
    assert found.estimator_[0].coef_.tobytes() == expected.coef_.tobytes()
    assert outer[0].estimator_[0].coef_.tobytes() == expected.coef_.tobytes()
    logits = np.empty((150, 3))
    for train, test in LeaveOneGroupOut().split(X, Y, groups):
        logits[test] = LogisticRegression().fit(X[train], Y[train], weights[train]).decision_function(X[test])
    batch = Predictions.from_logits(logits, np.unique(Y, return_inverse=True)[1], weights=weights)
    assert found.map_.beta == calibrators.fit(batch, "temperature").beta


def test_arguments_of_fit_are_split_with_the_rows():
    seen = []

    class Telling(LogisticRegression):
        def fit(self, X, y, per_row=None, listed=None, eval_set=None, limit=None):  # noqa: N803
            seen.append((len(y), per_row, listed, eval_set, limit))
            return super().fit(X, y)

    held = [(X[:5], Y[:5])]
    marks = np.arange(150)
    CalibratedClassifier(Telling(), cv=3).fit(X, Y, per_row=marks, listed=marks.tolist(), eval_set=held, limit="150")
    assert [n for n, *_ in seen] == [100, 100, 100, 150]
    train, _ = next(StratifiedKFold(3).split(X, Y))
    np.testing.assert_array_equal(seen[0][1], train)
    assert seen[0][2] == train.tolist()
    assert all(told[3:] == (held, "150") for told in seen)


def test_x_goes_to_the_estimator_as_it_came():
    sparse = CalibratedClassifier(LogisticRegression(), cv=3).fit(scipy.sparse.csr_array(X), Y)
    dense = CalibratedClassifier(LogisticRegression(), cv=3).fit(X, Y)
    # another order of the sums in the solver
    np.testing.assert_allclose(sparse.predict_proba(scipy.sparse.csr_array(X)), dense.predict_proba(X), atol=1e-4)
    texts = [" ".join(["good", "bad", "plain"][i] for i in rng.integers(0, 3, 4)) for _ in range(60)]
    y = np.array([text.count("good") > 1 for text in texts])
    found = CalibratedClassifier(make_pipeline(CountVectorizer(), MultinomialNB()), cv=3).fit(texts, y)
    assert found.classes_.dtype == bool
    assert (found.predict(texts) == y).mean() > 0.8
    assert not hasattr(found, "n_features_in_")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_keep_the_names_of_their_features(library):
    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    frame = frames.DataFrame({"u": X[:, 0], "v": X[:, 1], "w": X[:, 2]})
    found = CalibratedClassifier(LogisticRegression(), cv=3).fit(frame, frames.Series(Y))
    assert list(found.feature_names_in_) == ["u", "v", "w"]
    assert found.n_features_in_ == 3
    plain = CalibratedClassifier(LogisticRegression(), cv=3).fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(frame), plain.predict_proba(X))


def test_folds_shuffle_by_their_seed_alone():
    def beta(**own):
        return CalibratedClassifier(GaussianNB(), cv=3, **own).fit(X, Y).map_.beta

    assert beta() == beta()
    with joblib.parallel_config("threading"):  # processes take seconds to start
        assert beta(random_state=1) == beta(random_state=1, n_jobs=2)
    assert len({beta(), beta(random_state=1), beta(random_state=2)}) == 3


def test_folds_may_be_masks():
    part = np.arange(150) % 3
    masks = [(part != i, part == i) for i in range(3)]
    places = [(np.flatnonzero(train), np.flatnonzero(test)) for train, test in masks]
    found, expected = (CalibratedClassifier(GaussianNB(), cv=cv).fit(X, Y).map_.beta for cv in (masks, places))
    assert found == expected


def test_rows_that_come_more_than_once_are_known_to_be_the_same():
    repeated = CalibratedClassifier(GaussianNB(), cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=3, random_state=0))
    keys = repeated.fit(X, Y).map_.record.row_keys
    assert len(keys) == 450
    assert len(np.unique(keys)) == 150
    once = CalibratedClassifier(GaussianNB(), cv=2).fit(X, Y).map_.record
    assert once.row_keys is None


def test_the_map_is_one_file_for_the_scores_of_the_estimator(tmp_path):
    for base in (LogisticRegression(), LinearSVC(random_state=0)):
        found = CalibratedClassifier(base, cv=3).fit(X, Y)
        (pair,) = found.calibrated_
        saved = load(found.map_.save(tmp_path / "map.safetensors"))
        np.testing.assert_array_equal(saved(pair.uncalibrated(X)).probabilities, found.predict_proba(X))
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict_proba(X), found.predict_proba(X))


def test_methods_are_specs_or_calibrators_and_survive_a_clone():
    method = calibrators.calibrator("vector(prior=7.0)")
    found = clone(CalibratedClassifier(GaussianNB(), method, cv=3)).fit(X, Y)
    assert found.map_.record.spec == "vector(prior=7.0)"
    assert clone(found).fit(X, Y).get_params()["method"] == method
    with pytest.raises(UnknownMethod, match="did you mean 'temperature'"):
        CalibratedClassifier(GaussianNB(), "temprature").fit(X, Y)


def test_the_result_may_be_written_to():
    assert CalibratedClassifier(GaussianNB(), cv=3).fit(X, Y).predict_proba(X).flags.writeable


def test_data_that_cannot_be_calibrated():
    with pytest.raises(DataError, match="y must hold at least two classes, got 1 class"):
        CalibratedClassifier(GaussianNB()).fit(X, np.zeros(150, int))
    with pytest.raises(DataError, match="sample_weight must have an entry above zero"):
        CalibratedClassifier(GaussianNB()).fit(X, Y, sample_weight=np.zeros(150))
    with pytest.raises(DataError, match="labels must be among the classes of the model, got 'd'"):
        CalibratedClassifier(FrozenEstimator(GaussianNB().fit(X, Y))).fit(X[:3], ["a", "b", "d"])
    apart = [(np.flatnonzero(Y != "a"), np.flatnonzero(Y == "a"))]
    for ensemble in (False, True):
        with pytest.raises(DataError, match="cv must leave a row out of fold whose class was seen in the fold"):
            CalibratedClassifier(GaussianNB(), cv=apart, ensemble=ensemble).fit(X, Y)
    with pytest.raises(CapabilityError, match="estimator must have"):
        CalibratedClassifier(SGDClassifier(random_state=0), response_method="predict_proba", cv=3).fit(X, Y)


def test_two_classes_only_stays_two_classes_only():
    class Two(GaussianNB):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.classifier_tags.multi_class = False
            return tags

    assert not get_tags(CalibratedClassifier(Two())).classifier_tags.multi_class
    assert get_tags(CalibratedClassifier(GaussianNB())).classifier_tags.multi_class


@pytest.mark.parametrize("name", [entry.name for entry in registry.entries("calibrator")])
def test_every_registered_method_goes_through_the_door(name):
    able = registry.lookup("calibrator", name).capabilities
    rows = np.flatnonzero(Y != "a") if able.binary_only else np.arange(150)
    model = FrozenEstimator(GaussianNB().fit(X[rows][::2], Y[rows][::2]))
    if able.needs_features:
        with pytest.raises(CapabilityError, match="features"):
            CalibratedClassifier(model, name).fit(X[rows], Y[rows])
        return
    found = CalibratedClassifier(model, name).fit(X[rows], Y[rows])
    expected = calibrators.fit(predictions(model, X[rows], Y[rows]), name)(predictions(model, X[rows])).probabilities
    np.testing.assert_array_equal(found.predict_proba(X[rows]), expected)
