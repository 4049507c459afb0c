"""`evaluate`: measures of a batch or a stream, each with an interval and the level of a perfect model.

One path serves all: the sums of every batch are gathered and merged, then the measures are computed from them.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from calibrant.errors import DataError, is_whole, require, sentence
from calibrant.estimate import Estimate
from calibrant.evaluation import intervals, resampling
from calibrant.evaluation.data_summary import DataSummary
from calibrant.evaluation.suite import suite
from calibrant.evaluation.verdict import verdict
from calibrant.metrics import CalibrationError, Metric
from calibrant.predictions import Predictions, as_predictions

Progress = Callable[[str, int, int], None]
Sums = dict[Hashable, Any]

_MOST_REPLICATE_BYTES = 1 << 30  # of kept replicate sums, over all measures
_FEWEST_REPLICATES = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Measures of one batch or stream, with a verdict in words. ``evaluation["ece"]`` is one `Estimate`."""

    data: DataSummary
    measures: tuple[Estimate, ...]
    verdict: str
    level: float

    def __getitem__(self, name: str) -> Estimate:
        for estimate in self.measures:
            if name in (estimate.name, estimate.spec):
                return estimate
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the strict-JSON record."""
        measures = [estimate.to_dict() for estimate in self.measures]
        return {"data": self.data.to_dict(), "measures": measures, "verdict": self.verdict}

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *(f"  {estimate!r}" for estimate in self.measures)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{e.name}</td><td>{e.value:.4g}</td><td>{_span(e.low, e.high)}</td>"
            f"<td>{_span(e.null_low, e.null_high)}</td></tr>"
            for e in self.measures
        )
        head = f"<tr><th>measure</th><th>value</th><th>{self.level:.0%} interval</th><th>if calibrated</th></tr>"
        return f"<p>{html.escape(self.verdict)}</p><table>{head}{rows}</table>"


def evaluate(
    source: Predictions | Iterable[Predictions],
    measures: str | Sequence[str | Metric] = "default",
    *,
    level: float = 0.95,
    replicates: int = 200,
    uncertainty: bool = True,
    seed: int = 0,
    in_sample: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure labelled predictions: values, intervals, null levels and a verdict.

    Parameters
    ----------
    source : one batch, or an iterable of batches that can be read again (a list, `calibrant.io.batches`): a stream
        larger than memory gives the same figures. An iterator that can be read only once gives values alone.
    measures : a suite (``"default"``, ``"quick"``), a spec string, or a list of specs and measures.
    level : of the intervals and of the null band.
    replicates : of the bootstrap and of the redrawn labels.
    uncertainty : False gives values alone, at the speed of reading the scores.
    seed : of the resampling; rows are keyed by their ids, so shards and streams agree.
    in_sample : allow rows on which the map that made the scores was fitted.
    progress : called with (what, done, total).

    Raises
    ------
    DataError : without labels, or for rows that the map was fitted on.
    """
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(is_whole(replicates) and replicates >= 1, "replicates", "be a positive whole number", replicates)
    require(is_whole(seed), "seed", "be a whole number", seed)
    metrics = suite(measures)
    told = progress or (lambda what, done, total: None)
    batches: Iterable[Predictions] = (source,) if isinstance(source, Predictions) else source
    require(isinstance(batches, Iterable), "source", "be predictions or batches of them", type(source).__name__)
    once = isinstance(batches, Iterator)
    batches = batches if once else _Numbered(batches)
    sums, data = _gather(metrics, batches, in_sample)
    estimates = [metric.estimate(sums[metric.gathering]) for metric in metrics]
    if uncertainty and not once and data.n >= resampling.FEWEST_ROWS:
        drawn = _Replicates.draw(metrics, sums, batches, replicates, seed, told)
        estimates = [drawn.add_to(*pair, level) for pair in zip(metrics, estimates, strict=True)]
    elif uncertainty:
        reason = "the source can be read only once" if once else f"fewer than {resampling.FEWEST_ROWS} rows"
        estimates = [_noted(estimate, f"no interval: {reason}") for estimate in estimates]
    return Evaluation(data=data, measures=tuple(estimates), verdict=verdict(data, estimates), level=level)


class _Numbered:
    """Batches that can be read again; one without ids or a position of its own starts where the one before ended."""

    def __init__(self, batches: Iterable[Predictions]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Predictions]:
        rows = 0
        for batch in self.batches:
            placed = as_predictions(batch).ids is not None or batch.positions is not None or batch.start
            yield batch if placed or not rows else batch.starting_at(rows)
            rows += len(batch)


def _gather(metrics: Sequence[Metric], batches: Iterable[Predictions], in_sample: bool) -> tuple[Sums, DataSummary]:
    """Read every batch once: the merged sums and what the data is."""
    keyed = {metric.gathering: metric for metric in metrics}
    sums: Sums | None = None
    data: DataSummary | None = None
    for batch in batches:
        check_rows(batch, in_sample)
        told = DataSummary.of(batch)
        data = told if data is None else data.merge(told)
        sums = resampling.merge(sums, resampling.gather(keyed, batch))
    if data is None or sums is None:
        raise DataError(sentence("source", "hold at least one batch", "none"))
    return sums, data


def check_rows(batch: Predictions, in_sample: bool) -> None:
    """Raise ``DataError`` without labels, or for rows on which the map behind the scores was fitted."""
    require(
        as_predictions(batch).labels is not None, "predictions", "have labels to be measured", way_out="pass labels="
    )
    for made in batch.provenance:
        shared = 0 if in_sample else made.shared_rows(len(batch), None if batch.ids is None else batch.row_keys)
        if shared:
            condition = "differ from the rows that the map was fitted on"
            way_out = "evaluate on other rows, or pass in_sample=True"
            raise DataError(
                sentence("evaluated rows", condition, f"{shared} of {len(batch)} the same", way_out=way_out)
            )


@dataclass(frozen=True)
class _Replicates:
    """Sums of all replicates, by what the measures gather, with the measures on pinned bins."""

    pinned: Mapping[Metric, Metric]
    base: Sums
    boot: list[Sums]
    null: list[Sums]
    soft: bool
    wanted: int

    @classmethod
    def draw(
        cls,
        metrics: Sequence[Metric],
        sums: Sums,
        batches: Iterable[Predictions],
        replicates: int,
        seed: int,
        progress: Progress,
    ) -> _Replicates:
        """Resample every batch and merge the replicates."""
        pinned = _pin(metrics, sums)
        keyed = {metric.gathering: metric for metric in pinned.values()}
        affordable, count = _affordable(keyed, pinned, sums, replicates)
        base: Sums | None = None
        drawn: dict[str, list[Sums]] = {"bootstrap": [], "null": []}
        methods = (("bootstrap", resampling.bootstrap), ("null", resampling.null))
        soft = False
        for batch in batches:
            soft = batch.soft
            base = resampling.merge(base, resampling.gather(affordable, batch))
            for what, method in methods[: 1 if soft else 2]:
                for i, replicate in enumerate(method(affordable, batch, replicates=count, seed=seed)):
                    _merge_into(drawn[what], i, replicate)
                    progress(what, i + 1, count)
        return cls(pinned, base or {}, drawn["bootstrap"], drawn["null"], soft, replicates)

    def add_to(self, metric: Metric, estimate: Estimate, level: float) -> Estimate:
        """Return the estimate with its interval and its null level."""
        pinned = self.pinned[metric]
        key = pinned.gathering
        if key not in self.base:
            return _noted(estimate, "no interval and no null level: too many bins to keep their replicates")
        if len(self.boot) < self.wanted:
            told = f"{len(self.boot)} replicates in place of {self.wanted}: the memory for replicates is bounded"
            estimate = _noted(estimate, told)
        if self.soft:
            return self._without_null(pinned, estimate, level)
        null = [sums[key] for sums in self.null]
        values = np.array([pinned.value(sums) for sums in null])
        low, high = intervals.quantiles(values, level)
        estimate = replace(estimate, level=level, null=float(values.mean()), null_low=low, null_high=high)
        if not metric.bootstraps:
            return _noted(estimate, "no valid interval for a maximum: compare with the null band")
        interval = self._interval(pinned, key, estimate.value, null, level)
        if interval is None:
            return _noted(estimate, "no valid interval here: the replicates do not carry the noise of the value")
        return replace(estimate, low=interval[0], high=interval[1])

    def _without_null(self, metric: Metric, estimate: Estimate, level: float) -> Estimate:
        """Return the estimate for soft labels, whose noise is not that of labels redrawn from probabilities."""
        estimate = _noted(estimate, "no null level for soft labels: redrawn labels would be noisier than they are")
        if isinstance(metric, CalibrationError):
            return estimate
        values = np.array([metric.value(sums[metric.gathering]) for sums in self.boot])
        interval = intervals.basic(estimate.value, values[~np.isnan(values)], level)
        return estimate if interval is None else replace(estimate, level=level, low=interval[0], high=interval[1])

    def _interval(
        self, metric: Metric, key: Hashable, value: float, null: list[Any], level: float
    ) -> tuple[float, float] | None:
        boot = [sums[key] for sums in self.boot]
        if isinstance(metric, CalibrationError):
            return intervals.scaled_gaps(metric, self.base[key], boot, null, level)
        values = np.array([metric.value(sums) for sums in boot])
        return intervals.basic(value, values[~np.isnan(values)], level)


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
    keyed: Mapping[Hashable, Metric], pinned: Mapping[Metric, Metric], sums: Sums, replicates: int
) -> tuple[dict[Hashable, Metric], int]:
    """Return the measures whose replicates can be kept, and how many replicates."""
    sizes = {}
    for original, metric in pinned.items():
        final = original.final(sums[original.gathering]) if isinstance(original, CalibrationError) else None
        sizes[metric.gathering] = 1 if final is None else 10 * 8 * final.weight.size
    most = {key: _MOST_REPLICATE_BYTES // (size * len(keyed)) for key, size in sizes.items()}
    kept = {key: metric for key, metric in keyed.items() if most[key] >= _FEWEST_REPLICATES}
    return kept, int(min([replicates, *(most[key] for key in kept)]))


def _merge_into(replicates: list[Sums], index: int, sums: Sums) -> None:
    if index == len(replicates):
        replicates.append(sums)
    else:
        replicates[index] = resampling.merge(replicates[index], sums)


def _noted(estimate: Estimate, note: str) -> Estimate:
    return replace(estimate, notes=(*estimate.notes, note))


def _span(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.4g} to {high:.4g}"
