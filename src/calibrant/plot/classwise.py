"""Reliability diagrams of the classes: how often each class occurs, against the probability it was given.

Drawn for the classes with the largest class-wise error; of the others the errors are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics import CalibrationError
from calibrant.plot import bands
from calibrant.plot.diagram import ReliabilityDiagram, diagram_of
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassDiagrams:
    """The errors of all k classes and the diagrams of some.

    Attributes
    ----------
    names : the k class names.
    errors : (k,) mean absolute gap of the bins of each class: the ``per_class`` of the measure ``sce``.
    null : (k,) its mean for a perfectly calibrated model with the same scores.
    null_ranked : (k,) the mean of the largest, second largest, ... error of such a model: what ``errors[order]`` is
        compared with, because the worst of many classes is bad by chance too.
    order : (k,) class indices, largest error first.
    shown : the classes that have a diagram, in the order asked for.
    diagrams : one each.
    """

    names: tuple[str, ...]
    errors: Floats
    null: Floats
    null_ranked: Floats
    order: Ints
    shown: tuple[int, ...]
    diagrams: tuple[ReliabilityDiagram, ...]

    @property
    def others(self) -> int:
        """Number of classes without a diagram."""
        return len(self.names) - len(self.shown)


def prepare(
    predictions: Predictions,
    *,
    classes: Sequence[int] | None = None,
    most: int = 12,
    bins: int = 15,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> ClassDiagrams:
    """Return the class-wise errors and the diagrams of the worst classes, worst first.

    Parameters
    ----------
    predictions : labelled rows.
    classes : indices of the classes to draw instead of the worst, for a picture after beside one before.
    most : how many of the worst classes to draw.
    bins, level, replicates, seed : as for the diagram of the confidence.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    metric = CalibrationError(notion="class_wise", bins=bins, preset="sce")
    sums = metric.final(metric.sums(predictions))
    errors = _errors(metric, sums)
    order = np.argsort(-errors, kind="stable")
    shown = tuple(int(c) for c in (order[:most] if classes is None else classes))
    null, ranked, rates = _redraw(metric, predictions, shown, replicates=replicates, seed=seed)
    low, high = bands.band(rates, level)  # (shown, B)
    names = predictions.class_labels
    diagrams = tuple(
        diagram_of(
            sums,
            c,
            (low[i], high[i]),
            notion="class_wise",
            level=level,
            error=float(errors[c]),
            name=names[c],
        )
        for i, c in enumerate(shown)
    )
    return ClassDiagrams(
        names=names, errors=errors, null=null, null_ranked=ranked, order=order, shown=shown, diagrams=diagrams
    )


def _errors(metric: CalibrationError, sums: BinSums) -> Floats:
    """Return the error of each class (k,)."""
    errors = metric.estimate(sums).per_class
    return np.zeros(len(sums.rows)) if errors is None else errors


def _redraw(
    metric: CalibrationError, predictions: Predictions, shown: tuple[int, ...], *, replicates: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return, over redraws of the labels, mean errors by class (k,) and by rank (k,), and rates (R, shown, B)."""
    total, ranked, rates = np.zeros(predictions.k), np.zeros(predictions.k), []
    for sums in bands.redrawn(metric, predictions, replicates=replicates, seed=seed):
        errors = _errors(metric, sums)
        total += errors
        ranked += np.sort(errors)[::-1]
        rates.append(sums.outcome_rates[list(shown)])
    return total / replicates, ranked / replicates, np.stack(rates)
