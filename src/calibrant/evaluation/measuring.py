"""`evaluate`: measures of a batch or a stream, each with an interval and the level of a perfect model.

One path serves all: the sums of every batch are gathered and merged, then the measures are computed from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from calibrant.errors import is_whole, require
from calibrant.estimate import Estimate
from calibrant.evaluation import resampling
from calibrant.evaluation.gathering import Gathered, Numbered, gather
from calibrant.evaluation.record import Evaluation
from calibrant.evaluation.replicates import Plan, Progress, Replicates, noted
from calibrant.evaluation.suite import Method, Suite, suite
from calibrant.evaluation.verdict import verdict
from calibrant.metrics import Metric
from calibrant.predictions import Predictions

_FEW_UNITS = 400  # intervals covered 91 to 92 % at nominal 95 % with 110 and 200 ids of several rows, 95 % with 600


def evaluate(
    source: Predictions | Iterable[Predictions],
    measures: Method | Sequence[Method] = "default",
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
    measures : a suite (``"quick"``, ``"default"``, ``"full"``), a spec string, a measure or test, or a list of these.
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
    wanted = suite(measures)
    told = progress or (lambda what, done, total: None)
    whole = isinstance(source, Predictions)
    batches: Iterable[Predictions] = (source,) if isinstance(source, Predictions) else source
    require(isinstance(batches, Iterable), "source", "be predictions or batches of them", type(source).__name__)
    once = isinstance(batches, Iterator)
    read = _telling(gather(wanted, Numbered(batches), in_sample), wanted)
    estimates = [_estimated(metric, read) for metric in read.measures]
    if uncertainty and not once and read.units >= resampling.FEWEST_ROWS:
        drawn = Replicates.draw(read, source if whole else Numbered(batches), Plan(replicates, seed, told))
        estimates = [drawn.add_to(*pair, level) for pair in zip(read.measures, estimates, strict=True)]
        estimates = [_with_enough(estimate, drawn.count, level) for estimate in estimates]
        if read.units < min(_FEW_UNITS, read.data.n):
            rough = f"the rows have {read.units} different ids: an interval from so few independent units is rough"
            estimates = [estimate if estimate.low is None else noted(estimate, rough) for estimate in estimates]
    elif uncertainty:
        few = f"fewer than {resampling.FEWEST_ROWS} rows with different ids"
        reason = "the source can be read only once" if once else few
        estimates = [noted(estimate, f"no interval: {reason}") for estimate in estimates]
    return Evaluation(
        data=read.data,
        measures=tuple(estimates),
        tests=tuple(read.sums[test.spec].compute() for test in read.tests),
        skipped=read.skipped,
        verdict=verdict(read.data, estimates),
        level=level,
    )


def _with_enough(estimate: Estimate, replicates: int, level: float) -> Estimate:
    """Return the estimate, with a note where so few replicates do not tell its interval and its null band."""
    if replicates * (1 - level) / 2 >= 1 - 1e-9 or estimate.low is None is estimate.null_low:
        return estimate
    needed = math.ceil(2 / (1 - level) - 1e-9)
    return noted(estimate, f"{replicates} replicates do not tell what a level of {level:g} asks: at least {needed}")


def _telling(read: Gathered, wanted: Suite) -> Gathered:
    """Return the sums without the measures of a named suite whose value so many classes decide alone."""
    reasons = {metric.spec: metric.trivial(read.data.k) for metric in read.measures if metric.spec in wanted.optional}
    trivial = {spec: reason for spec, reason in reasons.items() if reason}
    kept = tuple(metric for metric in read.measures if metric.spec not in trivial)
    return replace(read, measures=kept, skipped={**read.skipped, **trivial})


def _estimated(metric: Metric, read: Gathered) -> Estimate:
    """Return the value, with a note where the number of classes alone decides it."""
    estimate, reason = metric.estimate(read.sums[metric.gathering]), metric.trivial(read.data.k)
    return noted(estimate, reason) if reason else estimate
