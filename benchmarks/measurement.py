"""What measurement costs beyond the seven numbers: suites, bins of equal mass, kernels; with their peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import Case
from numpy.typing import NDArray
from ours import BINS, WHO
from workload import Workload

import calibrant
from calibrant import Predictions
from calibrant.evaluation.suite import suite
from calibrant.metrics import Metric, measure
from calibrant.metrics.tests import CalibrationTest

DEFAULT = "default suite"
ACE = "class-wise equal-mass ECE"
SKCE = "SKCE, blocks of two rows"
SUITE = "probabilities in, numbers out"
BY_CLASS = "argsort, cumulative sums and cut of each class"
ALL, HALF_ROWS, HALF_CLASSES = "all rows and classes", "half of the rows", "half of the classes"
OF_CONFIDENCE = {"smECE": "smece", "MMCE": "mmce", "ECE-KDE": "ece_kde"}
KNOWN = 'measure("{}"), row summary known'
RESAMPLED = {"default": 3.0, "full": 60.0}  # seconds that the suite may take with its replicates
REPLICATES = 200
_APART = ("ace", "tace")  # class-wise with equal mass: a case of their own
_MOST_PAIRS = 1 << 28  # rows squared that a peer which looks at all pairs may hold in memory


def cases(work: Workload) -> list[Case]:
    """Return ours."""
    spec = f"ace(bins={BINS})"
    return [
        Case(DEFAULT, WHO, SUITE, lambda: lambda: _values(work, "default"), None),
        Case(ACE, WHO, f'measure("{spec}")', lambda: lambda: measure(spec)(_probable(work))),
        *[Case(name, WHO, KNOWN.format(known), _after_summary(work, known)) for name, known in OF_CONFIDENCE.items()],
        *[Case(SKCE, WHO, how, _kernel_error(work, how)) for how in (ALL, HALF_ROWS, HALF_CLASSES)],
    ]


def resampled(work: Workload) -> list[Case]:
    """Return the suites with intervals and null levels."""
    return [Case(f"{name} suite", WHO, with_replicates(), _resampled(work, name), None) for name in RESAMPLED]


def with_replicates() -> str:
    """Return the words for an evaluation with its replicates."""
    return f"evaluate, {REPLICATES} replicates"


def peers(work: Workload) -> list[Case]:
    """Return numpy by hand, which is no package but what one would write, and the peers."""
    p, y = work.probabilities, work.labels

    def by_class() -> Callable[[], object]:
        return lambda: sorted_class_by_class(p, y)

    def netcal_mass() -> Callable[[], object]:
        from netcal.metrics import ECE

        built = ECE(BINS, equal_intervals=False)
        return lambda: np.mean([built.measure(p[:, c], (y == c).astype(int)) for c in range(work.shape[1])])

    def marginal() -> Callable[[], object]:
        import calibration

        options = {"p": 1, "debias": False, "num_bins": BINS, "mode": "marginal"}
        return lambda: calibration.lower_bound_scaling_ce(p, y, binning_scheme=calibration.get_equal_bins, **options)

    def smooth() -> Callable[[], object]:
        from relplot import smECE

        confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
        return lambda: smECE(confidence, correct)

    return [
        Case(ACE, "numpy", BY_CLASS, by_class),
        Case(ACE, "netcal", "ECE.measure with equal_intervals=False, one class after the other", netcal_mass),
        Case(ACE, "uncertainty-calibration", "lower_bound_scaling_ce, equal mass, marginal", marginal),
        Case("smECE", "relplot", "smECE, numpy's max and argmax known", smooth),
        Case("MMCE", "netcal", "MMCE.measure, all pairs", lambda: _all_pairs(work)),
    ]


def sorted_class_by_class(p: NDArray[np.floating], y: NDArray[np.int64]) -> float:
    """Return the class-wise equal-mass ECE as one writes it in numpy: a sort of each class, ties in one bin."""
    n, k = p.shape
    counts = n // BINS + (np.arange(BINS) < n % BINS)
    last = np.maximum(np.cumsum(counts) - 1, 0)
    total = 0.0
    for c in range(k):
        order = np.argsort(p[:, c])
        scores = p[order, c]
        path = np.cumsum((y[order] == c) - scores.astype(np.float64))
        ends = np.searchsorted(scores, scores[last], side="right") - 1
        total += float(np.abs(np.diff(path[ends], prepend=0.0)).sum()) / n
    return total / k


def _all_pairs(work: Workload) -> Callable[[], object]:
    from netcal.metrics import MMCE

    if work.shape[0] ** 2 > _MOST_PAIRS:
        raise MemoryError(f"all pairs of {work.shape[0]:,} rows are not held in memory")
    built = MMCE()
    return lambda: built.measure(work.probabilities, work.labels)


def _probable(work: Workload) -> Predictions:
    return Predictions.from_probabilities(work.probabilities, work.labels)


def _values(work: Workload, name: str) -> object:
    return calibrant.evaluate(_probable(work), _without_equal_mass(name), uncertainty=False)


def _without_equal_mass(name: str) -> list[Metric | CalibrationTest | str]:
    wanted = suite(name)
    return [m for m in (*wanted.measures, *wanted.tests) if m.spec not in _APART]


def _after_summary(work: Workload, spec: str) -> Callable[[], Callable[[], object]]:
    def make() -> Callable[[], object]:
        predictions = _probable(work)
        return lambda: measure(spec)(predictions)

    return make


def _kernel_error(work: Workload, how: str) -> Callable[[], Callable[[], object]]:
    def make() -> Callable[[], object]:
        p, y = _part(work, how)
        predictions = Predictions.from_probabilities(p, y)
        return lambda: measure("skce(estimator='block')")(predictions)

    return make


def _part(work: Workload, how: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    n, k = work.shape
    if how == HALF_ROWS:
        return work.probabilities[: n // 2], work.labels[: n // 2]
    if how == ALL:
        return work.probabilities, work.labels
    half = work.probabilities[:, : k // 2]
    whole = half.sum(axis=1, keepdims=True)
    return half / whole, work.labels % (k // 2)


def _resampled(work: Workload, name: str) -> Callable[[], Callable[[], object]]:
    return lambda: lambda: calibrant.evaluate(_probable(work), name, replicates=REPLICATES)
