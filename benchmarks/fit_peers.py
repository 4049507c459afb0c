"""The fastest correct way in which each peer fits a map; the input is in the form that the peer likes best."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from harness import Case
from ours import brier_of
from workload import Workload

Call = Callable[[], object]


def fits(work: Workload) -> list[Case]:
    """Return the peers of every fit."""
    cases = [
        ("temperature", "scikit-learn", "what method='temperature' fits", _sklearn_temperature),
        ("temperature", "probmetrics", "temp-scaling, bisection", partial(_probmetrics, optimizer="bisection")),
        ("temperature", "probmetrics", "temp-scaling, L-BFGS", partial(_probmetrics, optimizer="lbfgs_line_search")),
        ("temperature", "netcal", "TemperatureScaling.fit, float64", _netcal_temperature),
        ("isotonic one-vs-rest", "scikit-learn", "IsotonicRegression a class", _sklearn_isotonic),
        ("isotonic one-vs-rest", "netcal", "IsotonicRegression", _netcal_isotonic),
        ("histogram one-vs-rest", "netcal", "HistogramBinning", _netcal_histogram),
    ]
    value = {"temperature": _inverse}
    return [
        Case(number, who, how, partial(make, work), value.get(number, brier_of(work)))
        for number, who, how, make in cases
    ]


def _inverse(inverse_temperature: Any) -> float:
    return 1.0 / float(np.ravel(inverse_temperature)[0])


def _sklearn_temperature(work: Workload) -> Call:
    from sklearn.calibration import _TemperatureScaling  # without the copies and checks of the class around it

    return lambda: _TemperatureScaling().fit(work.logits, work.labels).beta_


def _probmetrics(work: Workload, optimizer: str) -> Call:
    import torch
    from probmetrics.calibrators import get_calibrator
    from probmetrics.distributions import CategoricalLogits

    z, y = torch.from_numpy(work.logits), torch.from_numpy(work.labels)

    def fit() -> float:
        calibrator = get_calibrator("temp-scaling", ts_opt=optimizer)
        calibrator.fit_torch(CategoricalLogits(z), y)
        return float(calibrator.invtemp_)

    return fit


def _netcal_temperature(work: Workload) -> Call:
    from netcal.scaling import TemperatureScaling

    wide = work.probabilities.astype(np.float64)  # of float32 it makes T = 1, without an error

    def fit() -> object:
        calibrator = TemperatureScaling()
        calibrator.fit(wide, work.labels)
        return calibrator.temperature

    return fit


def _sklearn_isotonic(work: Workload) -> Call:
    from sklearn.isotonic import IsotonicRegression

    p, y = work.probabilities, work.labels

    def repair() -> object:
        out = np.empty_like(p)
        for c in range(work.shape[1]):
            out[:, c] = IsotonicRegression(out_of_bounds="clip").fit_transform(p[:, c], y == c)
        return _normalized(out)

    return repair


def _normalized(out: Any) -> Any:
    """Return the rows divided by their sums, uniform where a class against the rest leaves nothing."""
    sums = out.sum(axis=1, keepdims=True)
    out[sums[:, 0] == 0] = 1.0
    return out / np.where(sums == 0, np.float32(out.shape[1]), sums)


def _netcal_isotonic(work: Workload) -> Call:
    from netcal.binning import IsotonicRegression

    return lambda: IsotonicRegression().fit_transform(work.probabilities, work.labels)


def _netcal_histogram(work: Workload) -> Call:
    from netcal.binning import HistogramBinning

    return lambda: HistogramBinning(bins=10).fit_transform(work.probabilities, work.labels)
