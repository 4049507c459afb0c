"""A law that cannot fail protects nothing: each law here meets a calibrator that breaks it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.calibrators.identity import Identity, IdentityMap
from calibrant.calibrators.temperature import TemperatureScaling
from calibrant.registry import Capabilities, Entry
from calibrant.testing import CALIBRATOR_LAWS, bank, check_calibrator, of_declarations
from calibrant.testing.formulas import evaluated


@dataclass(frozen=True, kw_only=True, eq=False)
class Altered(CalibrationMap):
    """A map made of any function of the probabilities."""

    change: object = None

    def formula(self, ops, log_p):
        return ops.exp(log_p)

    def transform(self, predictions):
        return self.change(predictions.probabilities.astype(float)), "probability"

    @property
    def n_parameters(self):
        return 0


class Broken(Calibrator):
    """A calibrator made of any function of the batch that returns a function of probabilities."""

    def __init__(self, learn, **capabilities):
        self._learn = learn
        declared = {"supports_soft_labels": True, **capabilities}
        able = Capabilities(**declared)
        self.entry = Entry(kind="calibrator", name="broken", factory=Identity, doc="", options={}, capabilities=able)

    def __getattr__(self, name):
        return getattr(Identity(), name)

    def learn(self, predictions):
        identity = Identity().fit(predictions)
        return Altered(record=identity.record, change=self._learn(predictions))


def scaled(p, beta):
    q = p**beta
    return q / q.sum(1, keepdims=True)


def first_label(batch):
    return float(batch.labels.ravel()[0])


BREAKS = {
    "rows_on_simplex": ("over_confident", Broken(lambda b: lambda p: p * 1.001)),
    "finite_log_loss": ("exact_zeros", Broken(lambda b: lambda p: p)),
    "argmax": ("over_confident", Broken(lambda b: lambda p: np.roll(p, 1, 1), preserves_argmax=True)),
    "training_loss": ("over_confident", Broken(lambda b: lambda p: scaled(p, 2.0), contains_identity=True)),
    "differentiable": ("over_confident", Broken(lambda b: lambda p: scaled(p.round(1) + 0.1, 1), differentiable=True)),
    "batch_size": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + p.max()))),
    "row_order": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + first_label(b)))),
    "class_relabelling": ("over_confident", Broken(lambda b: lambda p: scaled(p * [1, 2, 3, 4], 1))),
    "logit_shift": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + abs(b.scores[0, 0]) / 9))),
    "kinds_agree": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + b.logits))),
    "weight_scale": ("weights", Broken(lambda b: lambda p: scaled(p, b.row_weights.sum() / 99))),
    "whole_weights": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + b.effective_rows / 99))),
    "one_hot_labels": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + b.soft))),
    "features": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1 + (b.features is None)))),
    "formula": ("over_confident", Broken(lambda b: lambda p: scaled(p, 1.01))),
    "parameters": ("over_confident", Broken(lambda b: lambda p: p, parameters="k")),
    "truth_recovered": ("biased", Broken(lambda b: lambda p: scaled(p, 1 + len(b) / 1e4), recovers_truth=True)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_law_fails(name):
    dataset, broken = BREAKS[name]
    with pytest.raises(AssertionError):
        CALIBRATOR_LAWS[f"check_{name}"](broken, bank()[dataset])


def test_input_that_is_written_to_is_noticed():
    def write(batch):
        batch.scores.base.flags.writeable = True
        batch.scores.base[0, 0] += 1
        return lambda p: p

    batch = bank()["over_confident"]
    own = replace(batch, scores=batch.scores.copy().view(), _memo={})
    with pytest.raises(AssertionError, match="scores changed"):
        CALIBRATOR_LAWS["check_input_untouched"](Broken(write), own)


def test_randomness_is_noticed():
    rng = np.random.default_rng()
    restless = Broken(lambda b: lambda p: scaled(p, rng.random()))
    with pytest.raises(AssertionError, match="two fits differ"):
        CALIBRATOR_LAWS["check_same_answer"](restless, bank()["biased"])


def test_labels_that_leak_into_the_map_are_noticed():
    class Leaking(IdentityMap):
        def transform(self, predictions):
            return scaled(predictions.probabilities, 1 + (predictions.labels is None)), "probability"

    class Leak(Identity):
        def learn(self, predictions):
            return Leaking(record=self.fit_record(predictions))

    with pytest.raises(AssertionError, match="labels of a batch"):
        CALIBRATOR_LAWS["check_labels_are_needed"](Leak(), bank()["biased"])


def test_rows_of_weight_zero_that_count_are_noticed():
    class Counting(Broken):
        def fit(self, predictions):
            return self.learn(predictions)

    with pytest.raises(AssertionError, match="total variation"):
        CALIBRATOR_LAWS["check_zero_weights"](
            Counting(lambda b: lambda p: scaled(p, 1 + len(b) / 99)), bank()["biased"]
        )


def test_batches_that_are_fitted_otherwise_are_noticed():
    class FirstBatch(Broken):
        def learn_batches(self, batches):
            return self.learn(batches[0])

    method = FirstBatch(lambda b: lambda p: scaled(p, 1 + len(b) / 99), fits_batches=True)
    with pytest.raises(AssertionError, match="fits of two batches"):
        CALIBRATOR_LAWS["check_batches"](method, bank()["biased"])


def test_batches_that_are_fitted_undeclared_are_noticed():
    class Secret(Broken):
        def learn_batches(self, batches):
            return self.learn(batches[0])

    with pytest.raises(AssertionError, match="not declared"):
        CALIBRATOR_LAWS["check_batches"](Secret(lambda b: lambda p: p), bank()["biased"])


def test_a_loaded_map_that_differs_is_noticed(monkeypatch):
    monkeypatch.setattr(of_declarations, "load", lambda path: TemperatureScaling().fit(bank()["biased"]))
    with pytest.raises(AssertionError, match="another kind of map"):
        CALIBRATOR_LAWS["check_saved_and_loaded"](Identity(), bank()["biased"])


def test_undeclared_limits_are_noticed():
    binary = Broken(lambda b: lambda p: p, binary_only=True)
    binary.declines = lambda predictions: ""
    with pytest.raises(AssertionError, match="does not decline"):
        CALIBRATOR_LAWS["check_number_of_classes"](binary, bank()["biased"])


def test_declined_weights_and_soft_labels_count_as_kept():
    bare = Broken(lambda b: lambda p: p, supports_weights=False, supports_soft_labels=False)
    CALIBRATOR_LAWS["check_weight_scale"](bare, bank()["biased"])
    CALIBRATOR_LAWS["check_one_hot_labels"](bare, bank()["biased"])


def test_the_sentence_names_law_and_data_set():
    with pytest.raises(AssertionError, match=r"broken breaks check_rows_on_simplex on 'over_confident': a row sums"):
        check_calibrator(Broken(lambda b: lambda p: p * 1.001))


def test_formulas():
    names = {"n": 10, "k": 4, "bins": 15}
    found = [evaluated(f, names) for f in ("0", "2k - 1", "k^2 + k", "bins k", "2 n k", "3 + 2k")]
    assert found == [0, 7, 20, 60, 80, 11]
    with pytest.raises(KeyError):
        evaluated("2q", names)
