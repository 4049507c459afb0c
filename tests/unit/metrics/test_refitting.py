"""Loss less refit loss: the parts add up, folds go by keys, and refusals are told."""

import numpy as np
import pytest

from calibrant import Predictions, fit, folds
from calibrant.errors import DataError, UnknownMethod
from calibrant.metrics import measure
from measure_bank import make
from simulation import simulate

RULES = ("log_loss", "brier", "spherical", "ranked_probability")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("calibrator", ["temperature", "histogram", "isotonic", "platt", "identity"])
def test_calibration_and_refinement_add_up_to_the_loss(rule, calibrator):
    for name in ("plain", "weights", "binary"):
        rows = make(name)
        found = measure(f"recalibration_error(rule='{rule}', calibrator='{calibrator}')")(rows)
        loss = float(measure(rule)(rows))
        assert found.details["loss"] == pytest.approx(loss, abs=1e-12)  # a sum in another order
        assert found.value + found.details["refinement"] == pytest.approx(loss, abs=1e-12)


def test_the_identity_gains_nothing():
    found = measure("recalibration_error(calibrator='identity')")(make("plain"))
    assert (found.value, found.details["se"]) == (0.0, 0.0)


def test_it_is_the_loss_of_maps_learnt_on_the_other_folds():
    rows = simulate(300, temperature=2.0)
    unlabelled = Predictions.from_probabilities(rows.scores)
    fold = folds.assign(unlabelled, 3, seed=4)
    refit = 0.0
    for held in range(3):
        learnt = fit(rows.take(fold != held), "temperature")
        kept = rows.take(fold == held)
        refit += float(measure("log_loss")(learnt(kept))) * len(kept) / 300
    found = measure("recalibration_error(folds=3, seed=4)")(rows)
    assert found.details["refinement"] == pytest.approx(refit, abs=1e-12)  # a sum in another order
    other = measure("recalibration_error(folds=3, seed=5)")(rows)
    assert other.details["refinement"] != found.details["refinement"]


def test_standard_error_by_hand():
    rows = simulate(200, temperature=2.0)
    metric = measure("recalibration_error")
    refit, _ = metric._refit(rows)
    gains = -np.log(rows.scores[np.arange(200), rows.labels]) - refit
    found = metric(rows)
    assert found.value == pytest.approx(gains.mean())
    assert found.details["se"] == pytest.approx(gains.std() / np.sqrt(200))


def test_a_calibrated_model_is_slightly_below_zero_on_average():
    values = [float(measure("recalibration_error")(simulate(200, seed=s))) for s in range(60)]
    # learning one parameter from 160 rows costs about 1 / (2 * 160) nats; 60 sets know the mean to .0006
    assert -0.007 < np.mean(values) < -0.001


@pytest.mark.parametrize(
    ("rows", "options", "note"),
    [
        ("two_rows", "", "cross-fitting needs at least 10 rows, got 2"),
        ("plain", "folds=91", "cross-fitting needs at least 91 rows, got 90"),
    ],
)
def test_too_few_rows(rows, options, note):
    found = measure(f"recalibration_error({options})")(make(rows))
    assert np.isnan(found.value)
    assert note in found.notes[0]


def test_infinite_losses():
    p = np.tile([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], (10, 1))
    labels = np.tile([2, 1], 10)
    never = measure("recalibration_error(calibrator='identity')")(Predictions.from_probabilities(p, labels))
    assert np.isnan(never.value)
    assert never.notes == ("no value: both losses are infinite",)
    helped = measure("recalibration_error(calibrator='histogram')")(Predictions.from_probabilities(p, labels))
    assert helped.value == np.inf


def test_a_method_that_declines_is_told(monkeypatch):
    class Refusing:
        def declines(self, predictions):
            return "labels must be hard"

    metric = measure("recalibration_error")
    monkeypatch.setattr(type(metric), "_method", Refusing())
    found = metric(make("plain"))
    assert np.isnan(found.value)
    assert found.notes == ("no value: labels must be hard",)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ("rule='zero_one'", DataError, "rule must be one of log_loss, brier, spherical, ranked_probability"),
        ("folds=1", DataError, "folds must be a whole number of at least 2, got 1"),
        ("seed=0.5", DataError, "seed must be a whole number"),
        ("calibrator=3", DataError, "calibrator must be a spec string, got int"),
        ("calibrator='temprature'", UnknownMethod, "did you mean 'temperature'"),
    ],
)
def test_refusals(options, error, message):
    with pytest.raises(error, match=message):
        measure(f"recalibration_error({options})")
