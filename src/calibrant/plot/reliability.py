"""The reliability diagram of the confidence: how often the top class is right, against how sure the scores are.

Source: Murphy and Winkler (1977), Reliability of subjective probability forecasts; for classifiers Guo et al. (2017).
"""

from __future__ import annotations

import numpy as np

from calibrant.metrics import CalibrationError
from calibrant.plot import bands
from calibrant.plot.diagram import ReliabilityDiagram, diagram_of
from calibrant.predictions import Predictions


def prepare(
    predictions: Predictions, *, bins: int = 15, level: float = 0.95, replicates: int = 200, seed: int = 0
) -> ReliabilityDiagram:
    """Return the diagram of the confidence in equal-width, right-closed bins: those of the measure ``ece``.

    Parameters
    ----------
    predictions : labelled rows.
    bins : number of bins on [0, 1].
    level, replicates, seed : of the consistency band, from labels redrawn from the predictions; it costs a gather of
        n scores a replicate.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    metric = CalibrationError(bins=bins, preset="ece")
    sums = metric.final(metric.sums(predictions))
    drawn = bands.redrawn(metric, predictions, replicates=replicates, seed=seed)
    rates = np.stack([replicate.outcome_rates[0] for replicate in drawn])  # (R, B)
    return diagram_of(
        sums,
        0,
        bands.band(rates, level),
        notion="confidence",
        level=level,
        error=metric.value(sums),
        least_score=1 / predictions.k,
    )
