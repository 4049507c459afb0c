"""From replicates of the sums to intervals and null levels of the estimates."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.estimate import Estimate
from calibrant.evaluation import intervals, resampling
from calibrant.evaluation.gathering import Gathered, Sums
from calibrant.metrics import CalibrationError, Metric
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

_MOST_REPLICATE_BYTES = 1 << 30  # of kept replicate sums, over all measures
_FEWEST_REPLICATES = 50


@dataclass(frozen=True)
class Plan:
    """How many replicates, from which seed, and who is told."""

    replicates: int
    seed: int
    progress: Progress


@dataclass(frozen=True)
class Replicates:
    """Sums of all replicates, by what the measures gather, with the measures on pinned bins."""

    pinned: Mapping[Metric, Metric]
    base: Sums
    boot: list[Sums]
    null: list[Sums]
    soft: bool
    count: int
    wanted: int

    @classmethod
    def draw(cls, read: Gathered, batches: Predictions | Iterable[Predictions], plan: Plan) -> Replicates:
        """Resample the batch, or every batch and merge the replicates."""
        pinned = _pin(read.measures, read.sums)
        whole = isinstance(batches, Predictions)
        affordable, count = _affordable(read, pinned, plan.replicates, whole)
        regular = {metric.gathering for metric in pinned.values() if metric.bootstraps}
        booted = {key: alike for key, alike in affordable.items() if key in regular}
        base: Sums | None = None
        drawn: dict[str, list[Sums]] = {"bootstrap": [], "null": []}
        soft = read.data.labels == "soft"
        for batch in (batches,) if isinstance(batches, Predictions) else batches:
            base = resampling.merge(base, resampling.gather(resampling.one_of_each(affordable), batch))
            methods = [("bootstrap", resampling.bootstrap, booted), ("null", resampling.null, affordable)]
            for what, method, measured in methods[: 1 if soft else 2]:
                replicates = method(measured, batch, replicates=count, seed=plan.seed, whole=whole)
                for i, replicate in enumerate(replicates):
                    _merge_into(drawn[what], i, replicate)
                    plan.progress(what, i + 1, count)
        return cls(pinned, base or {}, drawn["bootstrap"], drawn["null"], soft, count, plan.replicates)

    def add_to(self, metric: Metric, estimate: Estimate, level: float) -> Estimate:
        """Return the estimate with its interval and its null level."""
        pinned = self.pinned[metric]
        key = pinned.gathering
        if metric.costly:
            return noted(estimate, "no null level: too slow to be computed on redrawn labels")
        if key not in self.base:
            return noted(estimate, "no interval and no null level: too much memory to keep the replicates")
        if self.count < self.wanted:
            told = f"{self.count} replicates in place of {self.wanted}: the memory for replicates is bounded"
            estimate = noted(estimate, told)
        own = pinned.own_interval(self.base[key], level)
        if own is not None:
            estimate = replace(estimate, low=own[0], high=own[1], level=level)
        if self.soft:
            return self._without_null(pinned, estimate, level)
        null = [sums[key] for sums in self.null]
        estimate = _with_null(estimate, np.array([_value(pinned, sums) for sums in null]), level)
        if isinstance(pinned, CalibrationError) and estimate.per_class is not None and estimate.null is not None:
            largest = np.array([pinned.columns(sums).max() for sums in null])
            high = intervals.quantiles(largest, 2 * level - 1)[1]  # one-sided: errors are large or not
            estimate = replace(estimate, details={**estimate.details, "largest_null_high": high})
        if not metric.bootstraps and own is not None:
            return estimate
        if not metric.bootstraps:
            return noted(estimate, f"no valid interval for {_called(metric)}: compare with the null band")
        interval = self._interval(pinned, key, null, level)
        if isinstance(interval, str):
            return noted(estimate, interval)
        return replace(estimate, low=interval[0], high=interval[1])

    def _without_null(self, metric: Metric, estimate: Estimate, level: float) -> Estimate:
        """Return the estimate for soft labels, whose noise is not that of labels redrawn from probabilities."""
        estimate = noted(estimate, "no null level for soft labels: redrawn labels would be noisier than they are")
        if not metric.bootstraps:
            return estimate if estimate.low is not None else noted(estimate, f"no valid interval for {_called(metric)}")
        if isinstance(metric, CalibrationError):
            return noted(estimate, "no interval for soft labels: it is that of the noise of redrawn ones")
        values = np.array([_value(metric, sums[metric.gathering]) for sums in self.boot])
        interval = intervals.percentile(values[~np.isnan(values)], level)
        return estimate if interval is None else replace(estimate, level=level, low=interval[0], high=interval[1])

    def _interval(self, metric: Metric, key: Hashable, null: list[Any], level: float) -> tuple[float, float] | str:
        boot = [sums[key] for sums in self.boot]
        if isinstance(metric, CalibrationError):
            return intervals.binned(metric, self.base[key], boot, null, level)
        values = np.array([_value(metric, sums) for sums in boot])
        return intervals.percentile(values[~np.isnan(values)], level) or intervals.BLIND


def _called(metric: Metric) -> str:
    return "a maximum" if isinstance(metric, CalibrationError) and metric.binning != "sweep" else "this measure"


def _with_null(estimate: Estimate, values: Floats, level: float) -> Estimate:
    """Return the estimate with the null level that its values (R,) on redrawn labels give, as far as they are one."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return noted(estimate, "no null level: the measure is not defined on redrawn labels")
    if len(defined) < len(values):
        left_out = f"{len(values) - len(defined)} of {len(values)} redrawn label sets"
        estimate = noted(estimate, f"null level without {left_out}, on which the measure is not defined")
    low, high = intervals.quantiles(defined, level)
    return replace(estimate, level=level, null=float(defined.mean()), null_low=low, null_high=high)


def _pin(metrics: Sequence[Metric], sums: Sums) -> dict[Metric, Metric]:
    """Fix data-dependent bins; measures that gathered together share their fixed bins."""
    fixed: dict[Hashable, Any] = {}
    pinned = {}
    for metric in metrics:
        done = fixed.setdefault(metric.gathering, metric.pinned(sums[metric.gathering]))
        same = isinstance(metric, CalibrationError) and isinstance(done, CalibrationError) and done.bins_in_use
        pinned[metric] = replace(metric, bins_in_use=done.bins_in_use) if same else metric  # type: ignore[type-var]
    return pinned


def _affordable(
    read: Gathered, pinned: Mapping[Metric, Metric], replicates: int, whole: bool
) -> tuple[dict[Hashable, list[Metric]], int]:
    """Return the measures that can be drawn again with what their replicates take, and how many replicates."""
    keyed: dict[Hashable, list[Metric]] = {}
    for metric in pinned.values():
        if not metric.costly:
            keyed.setdefault(metric.gathering, []).append(metric)
    sizes = {}
    for original, metric in pinned.items():
        sums = read.sums[original.gathering]
        final = original.final(sums) if isinstance(original, CalibrationError) else sums
        sizes[metric.gathering] = _bytes(final, read.data.n, whole)
    most = {key: _MOST_REPLICATE_BYTES // (sizes[key] * len(keyed)) for key in keyed}
    kept = {key: alike for key, alike in keyed.items() if most[key] >= _FEWEST_REPLICATES}
    return kept, int(min([replicates, *(most[key] for key in kept)]))


def _bytes(sums: Any, rows: int, whole: bool) -> int:
    """Return about what one replicate takes: of the sums over bins ten arrays, of collected rows five columns."""
    if isinstance(sums, BinSums):
        return 10 * 8 * sums.weight.size
    return 64 if whole or sums.merging == "exact" else 5 * 8 * rows


def _value(metric: Metric, sums: Any) -> float:
    return sums.of[metric] if isinstance(sums, resampling.Values) else metric.value(sums)


def _merge_into(replicates: list[Sums], index: int, sums: Sums) -> None:
    if index == len(replicates):
        replicates.append(sums)
    else:
        replicates[index] = resampling.merge(replicates[index], sums)


def noted(estimate: Estimate, note: str) -> Estimate:
    """Return the estimate with one more note."""
    return replace(estimate, notes=(*estimate.notes, note))
