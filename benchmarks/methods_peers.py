"""How each method is fitted and applied, ours and the peers': each as its package offers it, with its own defaults.

A peer that takes logits gets them where a set has them, else probabilities. Nothing is clipped here that the peer does
not clip itself, and rows that do not sum to 1 are divided by their sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from methods_sets import Floats, Rows, log, log_normalized

Apply = Callable[[Rows], Floats]  # log-probabilities of rows
OURS = "calibrant"
_BINS = 10  # where a peer has no default
_REST = ", one against the rest"
_FREE = "dirichlet(off_diagonal=1e-06, intercept=1e-06, prior=0.001)"  # as good as without penalties


@dataclass(frozen=True)
class Method:
    """One method: whose, the call in words, what fits it, and the method of ours of the same name.

    ``like`` is our spec of the very same definition, where that is not our default.
    """

    who: str
    how: str
    learn: Callable[[Rows], Apply]
    of: str = ""
    like: str = ""

    @property
    def name(self) -> str:
        return f"{self.who} {self.how}"


def ours() -> list[Method]:
    """Return every registered calibrator with its defaults."""
    from calibrant import registry

    return [mine(entry.name) for entry in registry.entries("calibrator")]


def mine(spec: str) -> Method:
    """Return our method of a spec."""
    return Method(OURS, spec, partial(_mine, spec))


def _mine(spec: str, rows: Rows) -> Apply:
    import calibrant

    learnt = calibrant.fit(_batch(rows), spec)

    def apply(other: Rows) -> Floats:
        repaired = learnt(_batch(other))
        return log_normalized(repaired.scores if repaired.logits else log(repaired.scores))

    return apply


def _batch(rows: Rows) -> Any:
    import calibrant

    make = calibrant.Predictions.from_logits if rows.logits else calibrant.Predictions.from_probabilities
    return make(rows.scores, rows.labels)


def peers() -> list[Method]:
    return [*_probmetrics_methods(), *_netcal_methods(), *_sklearn_methods(), *_other_methods()]


def _probmetrics_methods() -> list[Method]:
    def method(how: str, of: str, kind: str, like: str = "", **options: Any) -> Method:
        return Method("probmetrics", how, partial(_probmetrics, kind, options), of, like)

    return [
        method("temp-scaling", "temperature", "temp-scaling"),
        method("ts-mix", "temperature", "ts-mix"),
        method("guo-ts", "temperature", "guo-ts"),
        method("ETS, mse", "ensemble_temperature", "ETSCalibrator", "ensemble_temperature(loss='brier')", loss="mse"),
        method("ETS, ce", "ensemble_temperature", "ETSCalibrator", "ensemble_temperature(prior=1e-06)", loss="ce"),
        method("vector scaling", "vector", "VectorScalingCalibrator", "vector(prior=0.001)"),
        method("matrix scaling", "matrix", "MatrixScalingCalibrator", _FREE),
        method("svs", "svs", "svs", "svs(features='logits', penalty=1.0)"),
        method("sms", "sms", "sms", "sms(features='logits', penalty=1.0)"),
        method("cir", "isotonic", "cir", "isotonic(lines='probability')"),
        method("affine-scaling" + _REST, "platt", "one-vs-rest", "platt(prior=0.001)", kind_of="affine-scaling"),
        method("quadratic-scaling" + _REST, "quadratic", "one-vs-rest", "quadratic(prior=0.001, ridge=0.001)",
               kind_of="quadratic-scaling"),
        method("kernel", "", "KernelCalibrator"),
    ]  # fmt: skip


def _probmetrics(kind: str, options: dict[str, Any], rows: Rows) -> Apply:
    import torch
    from probmetrics import calibrators
    from probmetrics.distributions import CategoricalLogits, CategoricalProbs

    def distribution(rows: Rows) -> Any:
        return (CategoricalLogits if rows.logits else CategoricalProbs)(torch.from_numpy(rows.scores))

    if kind == "one-vs-rest":
        calibrator = calibrators.MulticlassOneVsRestCalibrator(calibrators.get_calibrator(options["kind_of"]))
    elif kind.endswith("Calibrator"):
        calibrator = getattr(calibrators, kind)(**options)
    else:
        calibrator = calibrators.get_calibrator(kind)
    calibrator.fit_torch(distribution(rows), torch.from_numpy(rows.labels))

    def apply(other: Rows) -> Floats:
        with torch.no_grad():
            found = calibrator.predict_proba_torch(distribution(other))
            scores = found.get_logits() if isinstance(found, CategoricalLogits) else found.get_probs()
        scores = np.asarray(scores, np.float64)
        return log_normalized(scores if isinstance(found, CategoricalLogits) else log(scores))

    return apply


def _netcal_methods() -> list[Method]:
    found = (
        ("scaling", "TemperatureScaling", "temperature"), ("scaling", "LogisticCalibration", "vector"),
        ("scaling", "BetaCalibration", "beta"), ("binning", "IsotonicRegression", "isotonic"),
        ("binning", "HistogramBinning", "histogram", "histogram(bins=10, edges='width', smoothing=0.0)"),
        ("binning", "BBQ"), ("binning", "ENIR"),
    )  # fmt: skip
    return [Method("netcal", name, partial(_netcal, module, name), *of) for module, name, *of in found]


def _netcal(module: str, name: str, rows: Rows) -> Apply:
    from netcal import binning, scaling

    calibrator = getattr({"scaling": scaling, "binning": binning}[module], name)()
    calibrator.fit(rows.probabilities, rows.labels)
    return lambda other: _probable(calibrator.transform(other.probabilities))


def _sklearn_methods() -> list[Method]:
    return [
        Method("scikit-learn", "temperature", partial(_sklearn, "temperature", True), "temperature"),
        Method("scikit-learn", "isotonic", partial(_sklearn, "isotonic", False), "isotonic"),
        Method("scikit-learn", "sigmoid, of predict_proba", partial(_sklearn, "sigmoid", False), "platt"),
        Method("scikit-learn", "sigmoid, of decision_function", partial(_sklearn, "sigmoid", True), "platt"),
    ]


def _sklearn(method: str, decides: bool, rows: Rows) -> Apply:
    """Fit CalibratedClassifierCV around a frozen classifier; one that ``decides`` gives its logits where it has any."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Given(ClassifierMixin, BaseEstimator):
        """A classifier whose features are its scores."""

        def fit(self, x: Any, y: Any) -> Any:
            self.classes_ = np.arange(rows.k)
            return self

        def predict_proba(self, x: Floats) -> Floats:
            return x

        def predict(self, x: Floats) -> Any:
            return x.argmax(1)

    class Deciding(Given):
        """One that gives its logits as well."""

        def decision_function(self, x: Floats) -> Floats:
            return x

    if decides and not rows.logits and method == "sigmoid":
        raise ValueError("the set has no logits, which a decision_function would give")
    every = np.arange(len(rows.labels))
    classifier = FrozenEstimator((Deciding if decides and rows.logits else Given)().fit(None, None))
    calibrator = CalibratedClassifierCV(classifier, method=method, cv=[(every, every)], ensemble=False)

    def scores(rows: Rows) -> Floats:
        return rows.scores if decides and rows.logits else rows.probabilities

    calibrator.fit(scores(rows), rows.labels)
    return lambda other: _probable(calibrator.predict_proba(scores(other)))


def _other_methods() -> list[Method]:
    penalised = {"reg_lambda": 1e-3, "reg_mu": 1e-3}
    binned = (
        ("HistogramMarginalCalibrator", "histogram", "histogram(bins=10, smoothing=0.0)"),
        ("PlattBinnerMarginalCalibrator", "scaling_binning", "scaling_binning(method='platt', bins=10)"),
    )
    pairs = "venn_abers(strategy='one_vs_one')"
    return [
        Method("dirichletcal", "without penalty", partial(_dirichletcal, {}), "dirichlet", _FREE),
        Method("dirichletcal", "lambda and mu 1e-3", partial(_dirichletcal, penalised), "dirichlet"),
        Method("venn-abers", "one_vs_all", partial(_venn_abers, "one_vs_all"), "venn_abers"),
        Method("venn-abers", "one_vs_one", partial(_venn_abers, "one_vs_one"), "venn_abers", pairs),
        Method("betacal", "abm" + _REST, partial(_against_the_rest, "BetacalCalibrator"), "beta",
               "beta(prior=0.001, ridge=0.001)"),
        Method("splinecalib", "one against the rest", partial(_against_the_rest, "MLISplineCalibrator"), "spline"),
        *(Method("uncertainty-calibration", f"{name}, {_BINS} bins", partial(_uncertainty_calibration, name), *of)
          for name, *of in binned),
    ]  # fmt: skip


def _dirichletcal(options: dict[str, float], rows: Rows) -> Apply:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"  # one processor, as for the others
    from dirichletcal.calib.fulldirichlet import FullDirichletCalibrator

    calibrator = FullDirichletCalibrator(**options)
    calibrator.fit(rows.probabilities, rows.labels)
    return lambda other: _probable(calibrator.predict_proba(other.probabilities))


def _venn_abers(kind: str, rows: Rows) -> Apply:
    from venn_abers import VennAbersCalibrator

    def apply(other: Rows) -> Floats:
        found = VennAbersCalibrator().predict_proba(
            p_cal=rows.probabilities, y_cal=rows.labels, p_test=other.probabilities, va_type=kind
        )
        return _probable(found)

    return apply


def _against_the_rest(name: str, rows: Rows) -> Apply:
    """Fit one of two classes to each class against the rest, by the wrapper of probmetrics."""
    from probmetrics import calibrators

    calibrator = calibrators.MulticlassOneVsRestCalibrator(getattr(calibrators, name)())
    calibrator.fit(rows.probabilities, rows.labels)
    return lambda other: _probable(calibrator.predict_proba(other.probabilities))


def _uncertainty_calibration(name: str, rows: Rows) -> Apply:
    import calibration

    calibrator = getattr(calibration, name)(len(rows.labels), _BINS)
    calibrator.train_calibration(rows.probabilities, rows.labels)
    return lambda other: _probable(calibrator.calibrate(other.probabilities))


def _probable(probabilities: Any) -> Floats:
    return log_normalized(log(np.asarray(probabilities, np.float64)))
