"""The reliability diagram of the confidence: how often the top class is right, against how sure the scores are.

Source: Murphy and Winkler (1977), Reliability of subjective probability forecasts; for classifiers Guo et al. (2017).
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import require
from calibrant.evaluation import resampling
from calibrant.metrics import CalibrationError
from calibrant.metrics.notions import Notion
from calibrant.plot import bands
from calibrant.plot.diagram import Band, ReliabilityDiagram, diagram_of
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


def prepare(
    predictions: Predictions,
    *,
    bins: int = 15,
    level: float = 0.95,
    band: Band = "consistency",
    replicates: int = 200,
    seed: int = 0,
) -> ReliabilityDiagram:
    """Return the diagram of the confidence in equal-width, right-closed bins: those of the measure ``ece``.

    Parameters
    ----------
    predictions : labelled rows. Of soft labels there is no consistency band.
    bins : number of bins on [0, 1].
    level : of the band.
    band : ``"consistency"``, where the bins of a calibrated model lie, computed from the sums of the bins; or
        ``"bootstrap"``, the interval of the outcome rate of each bin (Poisson bootstrap, percentiles; the exact one
        where all rows of the bin agree), at the cost of one pass over the confidences a replicate.
    replicates, seed : of the bootstrap.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    known = "be 'consistency' or 'bootstrap'"
    require(band in ("consistency", "bootstrap"), "band", known, repr(band))
    metric = CalibrationError(bins=bins, preset="ece")
    sums = metric.final(metric.sums(predictions))
    limits = (
        _consistency(predictions, sums.edges, level)
        if band == "consistency"
        else _bootstrap(metric, predictions, level, replicates=replicates, seed=seed)
    )
    return diagram_of(
        sums,
        0,
        limits,
        notion="confidence",
        level=level,
        error=metric.value(sums),
        least_score=1 / predictions.k,
        band=band,
    )


def _consistency(predictions: Predictions, edges: Floats, level: float) -> tuple[Floats, Floats]:
    if not bands.known(predictions):
        return bands.unknown(len(edges) - 1)
    notion: Notion = registry.create("notion", "confidence")
    return bands.of_cells(notion.bin(predictions, bands.fine_edges(edges), right=True, squares=True), level)


def _bootstrap(
    metric: CalibrationError, predictions: Predictions, level: float, *, replicates: int, seed: int
) -> tuple[Floats, Floats]:
    """Return the percentiles (B,) of the outcome rates over the replicates that leave rows in the bin."""
    drawn = resampling.bootstrap({0: [metric]}, predictions, replicates=replicates, seed=seed)
    finals = [metric.final(sums[0]) for sums in drawn]
    rates = np.stack([np.where(final.filled[0], final.outcome_rates[0], np.nan) for final in finals])  # (R, B)
    limits = np.zeros((2, rates.shape[1]))
    some = ~np.isnan(rates).all(0)
    limits[:, some] = np.nanquantile(rates[:, some], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _without_certainty((limits[0], limits[1]), predictions, metric, level)


def _without_certainty(
    limits: tuple[Floats, Floats], predictions: Predictions, metric: CalibrationError, level: float
) -> tuple[Floats, Floats]:
    """Return the limits with those of bins whose rows all agree by Clopper and Pearson (1934).

    Resampling rows that agree shows no spread, however few they are. Soft labels spread less than the hard ones of
    their mean, which the interval allows for.
    """
    notion: Notion = registry.create("notion", "confidence")
    sums = notion.bin(predictions, metric.final(metric.sums(predictions)).edges, right=True, squares=True)
    trials, rates = np.maximum(bands.trials_of(sums)[0], 1), sums.outcome_rates[0]
    agree = sums.filled[0] & (limits[1] - limits[0] < 1e-12)
    low = np.where(agree, _beta((1 - level) / 2, trials * rates, trials * (1 - rates) + 1), limits[0])
    return low, np.where(agree, 1 - _beta((1 - level) / 2, trials * (1 - rates), trials * rates + 1), limits[1])


def _beta(chance: float, one: Floats, other: Floats) -> Floats:
    """Return the quantile of the beta distribution, 0 where the first parameter is."""
    return np.asarray(np.where(one > 0, scipy.stats.beta.ppf(chance, np.maximum(one, 1e-9), other), 0.0))
