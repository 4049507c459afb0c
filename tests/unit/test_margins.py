"""Margins of boosted trees: their softmax is what the library itself calls probabilities."""

import numpy as np
import pytest
from scipy.special import softmax

from calibrant import margins
from calibrant.errors import CapabilityError, DataError

rng = np.random.default_rng(3)
X = rng.normal(size=(200, 4))
THREE = (X[:, 0] + rng.normal(size=200) > 0).astype(int) + (X[:, 1] > 0)
NAMES = np.array(["x", "b", "m"])[THREE]
TARGETS = {"two": (THREE > 0).astype(int), "three": THREE}

# The libraries' own float32 or float64 probabilities, rounded once: an ulp or two of 1.
SINGLE, DOUBLE = 3e-7, 1e-14


def same(model, probabilities, tolerance, rows=X):
    found = margins.of(model, rows)
    assert found.shape == probabilities.shape
    rescaled = probabilities / probabilities.sum(1, keepdims=True)
    np.testing.assert_allclose(softmax(found.astype(float), axis=1), rescaled, rtol=0, atol=tolerance)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("stopping", [None, 1])
def test_xgboost(y, stopping):
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    model = xgboost.XGBClassifier(n_estimators=6, n_jobs=1, early_stopping_rounds=stopping)
    model.fit(X, y, eval_set=[(X[:50], 1 - np.minimum(y[:50], 1))], verbose=0)
    same(model, model.predict_proba(X), SINGLE)
    if stopping is None:
        same(model.get_booster(), model.predict_proba(X), SINGLE)
        same(model.get_booster(), model.predict_proba(X), SINGLE, xgboost.DMatrix(X))


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("options", [{}, {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}])
def test_lightgbm(y, options):
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    model = lightgbm.LGBMClassifier(n_estimators=6, n_jobs=1, verbose=-1, **options).fit(X, y)
    same(model, model.predict_proba(X), DOUBLE)
    same(lightgbm.Booster(model_str=model.booster_.model_to_string()), model.predict_proba(X), DOUBLE)


@pytest.mark.parametrize(("objective", "y"), [("binary", TARGETS["two"]), ("multiclassova", THREE)])
def test_lightgbm_with_another_slope_of_its_sigmoid(objective, y):
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    model = lightgbm.LGBMClassifier(n_estimators=6, n_jobs=1, verbose=-1, objective=objective, sigmoid=0.6).fit(X, y)
    same(model, model.predict_proba(X), DOUBLE)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("Logloss", NAMES == "x"),
        ("CrossEntropy", 0.9 * TARGETS["two"]),
        ("MultiClass", NAMES),
        ("MultiClassOneVsAll", NAMES),
    ],
)
def test_catboost(loss, y):
    catboost = pytest.importorskip("catboost", reason="catboost is not installed: it brings 700 MB")
    model = catboost.CatBoostClassifier(iterations=6, loss_function=loss, verbose=0, allow_writing_files=False)
    same(model.fit(X, y), model.predict_proba(X), DOUBLE)


def test_predictions_have_the_classes_of_the_model():
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    model = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(X, NAMES)
    batch = margins.predictions(model, X, NAMES, weights=np.arange(200))
    assert batch.kind == "logit"
    assert batch.classes == ("b", "m", "x")
    assert (np.array(batch.classes)[batch.labels] == NAMES).all()
    assert batch.weights[7] == 7
    soft = np.full((200, 3), 1 / 3)
    assert margins.predictions(model, X, soft).soft
    assert margins.predictions(model.booster_, X, THREE).classes is None
    with pytest.raises(DataError, match="among the classes of the model, got 'owl'"):
        margins.predictions(model, X[:2], ["b", "owl"])


def test_whole_numbers_that_are_no_indices_find_their_column():
    np.testing.assert_array_equal(margins.label_columns([30, 10, 30], [10, 20, 30]), [2, 0, 2])


def test_what_has_no_logits_is_refused():
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    regressor = xgboost.XGBRegressor(n_estimators=1, n_jobs=1).fit(X, THREE)
    with pytest.raises(CapabilityError, match=r"got 'reg:squarederror'; use its probabilities"):
        margins.of(regressor, X)
    several = xgboost.XGBClassifier(n_estimators=1, n_jobs=1).fit(X, np.eye(3, dtype=int)[THREE])
    with pytest.raises(CapabilityError, match="binary:logistic"):
        margins.of(several, X)
    with pytest.raises(CapabilityError, match="one of XGBoost, LightGBM or CatBoost, got dict"):
        margins.of({}, X)
