"""The fastest correct way in which each peer computes a number; imports and conversions to tensors are not timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import Case
from ours import BINS, STREAM
from workload import Pairs, Workload

Call = Callable[[], object]


def measures(work: Workload) -> list[Case]:
    """Return the peers of every measure."""
    return [
        *_torchmetrics(work),
        *_netcal(work),
        *_uncertainty_calibration(work),
        *_pycalib(work),
        *_relplot(work),
        *_scikit_learn(work),
        *_probmetrics(work),
        *_torch(work),
    ]


def _torchmetrics(work: Workload) -> list[Case]:
    def error(norm: str) -> Call:
        from torchmetrics.functional.classification import multiclass_calibration_error as measure

        p, y = _tensors(work.probabilities, work.labels)
        k = work.shape[1]
        return lambda: measure(p, y, num_classes=k, n_bins=BINS, norm=norm, validate_args=False)

    def accuracy() -> Call:
        from torchmetrics.functional.classification import multiclass_accuracy as measure

        p, y = _tensors(work.probabilities, work.labels)
        return lambda: measure(p, y, num_classes=work.shape[1], average="micro", validate_args=False)

    how = "functional multiclass_calibration_error, unchecked"
    return [
        Case("confidence ECE", "torchmetrics", how, lambda: error("l1")),
        Case("confidence MCE", "torchmetrics", how, lambda: error("max")),
        Case("confidence RMSCE", "torchmetrics", how, lambda: error("l2")),
        Case("accuracy", "torchmetrics", "functional multiclass_accuracy, unchecked", accuracy),
    ]


def _netcal(work: Workload) -> list[Case]:
    p, y = work.probabilities, work.labels

    def error(name: str) -> Call:
        from netcal import metrics

        return lambda: getattr(metrics, name)(BINS).measure(p, y)

    def class_wise() -> Call:
        from netcal.metrics import ECE

        return lambda: np.mean([ECE(BINS).measure(p[:, c], (y == c).astype(int)) for c in range(work.shape[1])])

    return [
        Case("confidence ECE", "netcal", "ECE.measure", lambda: error("ECE")),
        Case("confidence MCE", "netcal", "MCE.measure", lambda: error("MCE")),
        Case("class-wise ECE", "netcal", "ECE.measure, one class after the other", class_wise),
    ]


def _uncertainty_calibration(work: Workload) -> list[Case]:
    def error(power: int, mode: str) -> Call:
        import calibration

        options = {"p": power, "debias": False, "num_bins": BINS, "mode": mode}
        scheme = calibration.get_equal_prob_bins
        p, y = work.probabilities, work.labels
        return lambda: calibration.lower_bound_scaling_ce(p, y, binning_scheme=scheme, **options)

    who, how = "uncertainty-calibration", "lower_bound_scaling_ce, equal width"
    return [
        Case("confidence ECE", who, how, lambda: error(1, "top-label")),
        Case("confidence RMSCE", who, how, lambda: error(2, "top-label")),
        Case("class-wise ECE", who, f"{how}, marginal", lambda: error(1, "marginal")),
    ]


def _pycalib(work: Workload) -> list[Case]:
    def error(name: str) -> Call:
        from pycalib import metrics

        return lambda: getattr(metrics, name)(work.labels, work.probabilities, bins=BINS)

    return [
        Case("confidence ECE", "pycalib", "conf_ECE", lambda: error("conf_ECE")),
        Case("confidence MCE", "pycalib", "conf_MCE", lambda: error("conf_MCE")),
        Case("class-wise ECE", "pycalib", "classwise_ECE", lambda: error("classwise_ECE")),
    ]


def _relplot(work: Workload) -> list[Case]:
    p, y = work.probabilities, work.labels

    def confidence() -> Call:
        from relplot.metrics import binnedECE

        return lambda: binnedECE(p.max(axis=1), p.argmax(axis=1) == y, BINS)

    def class_wise() -> Call:
        from relplot.metrics import binnedECE

        return lambda: np.mean([binnedECE(p[:, c], y == c, BINS) for c in range(work.shape[1])])

    return [
        Case("confidence ECE", "relplot", "binnedECE of numpy's max and argmax", confidence),
        Case("class-wise ECE", "relplot", "binnedECE, one class after the other", class_wise),
    ]


def _scikit_learn(work: Workload) -> list[Case]:
    p, y, classes = work.probabilities, work.labels, np.arange(work.shape[1])

    def loss(name: str) -> Call:
        from sklearn import metrics

        return lambda: getattr(metrics, name)(y, p, labels=classes)

    def accuracy() -> Call:
        from sklearn.metrics import accuracy_score as measure

        return lambda: measure(y, p.argmax(axis=1))

    return [
        Case("log loss", "scikit-learn", "log_loss", lambda: loss("log_loss")),
        Case("Brier", "scikit-learn", "brier_score_loss", lambda: loss("brier_score_loss")),
        Case("accuracy", "scikit-learn", "accuracy_score of numpy's argmax", accuracy),
    ]


def _probmetrics(work: Workload) -> list[Case]:
    def measure(name: str) -> Call:
        from probmetrics.metrics import Metrics

        built = Metrics.from_names([name])
        p, y = _tensors(work.probabilities, work.labels)
        return lambda: built.compute_all_from_labels_probs(y, p)[name]

    names = {
        "confidence ECE": f"ece-{BINS}",
        "confidence MCE": f"mce-{BINS}",
        "confidence RMSCE": f"rmsce-{BINS}",
        "log loss": "logloss",
        "Brier": "brier",
        "accuracy": "accuracy",
    }
    return [
        Case(number, "probmetrics", f"Metrics {name}", lambda name=name: measure(name))
        for number, name in names.items()
    ]


def _torch(work: Workload) -> list[Case]:
    def from_probabilities() -> Call:
        import torch

        p, y = _tensors(work.probabilities, work.labels)
        return lambda: torch.nn.functional.nll_loss(torch.log(p), y)

    def from_logits() -> Call:
        import torch

        z, y = _tensors(work.logits, work.labels)
        return lambda: torch.nn.functional.cross_entropy(z, y)

    return [
        Case("log loss", "torch", "nll_loss of log", from_probabilities),
        Case("log loss", "torch", "cross_entropy of the logits", from_logits),
    ]


def stream(pairs: Pairs) -> list[Case]:
    """Return the peers of the ECE of a long stream of pairs; they take it in one piece."""
    confidence, correct = pairs.confidence, pairs.correct

    def relplot() -> Call:
        from relplot.metrics import binnedECE

        return lambda: binnedECE(confidence, correct, BINS)

    def netcal() -> Call:
        from netcal.metrics import ECE

        labels = correct.astype(int)
        return lambda: ECE(BINS).measure(confidence, labels)

    def torchmetrics() -> Call:
        from torchmetrics.functional.classification import binary_calibration_error as measure

        p, y = _tensors(confidence, correct.astype(np.int64))
        return lambda: measure(p, y, n_bins=BINS, validate_args=False)

    return [
        Case(STREAM, "relplot", "binnedECE", relplot),
        Case(STREAM, "netcal", "ECE.measure", netcal),
        Case(STREAM, "torchmetrics", "functional binary_calibration_error, unchecked", torchmetrics),
    ]


def _tensors(*arrays: Any) -> tuple[Any, ...]:
    """Return tensors that share the memory of the arrays."""
    import torch

    return tuple(torch.from_numpy(array) for array in arrays)
