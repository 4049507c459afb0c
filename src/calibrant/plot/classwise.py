"""Reliability diagrams of the classes: how often each class occurs, against the probability it was given.

Or, with ``notion="top_label"``, how often each predicted class is right against the confidence it was predicted with
(Gupta and Ramdas, 2022, Top-label calibration). Drawn for the classes with the largest error; of all classes the errors
are kept, and a map of the gaps by class and bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import require
from calibrant.metrics.notions import Notion
from calibrant.plot import bands
from calibrant.plot.diagram import ReliabilityDiagram, diagram_of
from calibrant.plot.gap_map import GapMap, gap_map
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ByClass = Literal["class_wise", "top_label"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassDiagrams:
    """The errors of all k classes and the diagrams of some.

    Attributes
    ----------
    notion : ``"class_wise"`` or ``"top_label"``.
    names : the k class names.
    errors : (k,) sum over the bins of |outcomes - scores| over the weight of all rows. Class-wise it is the mean
        absolute gap of the class, the ``per_class`` of the measure ``sce``; of the predicted class it is its part of
        the top-label error, the share of its rows times their mean absolute gap.
    null : (k,) its mean for a perfectly calibrated model with the same scores; NaN for soft labels.
    null_ranked : (k,) the mean of the largest, second largest, ... error of such a model: what ``errors[order]`` is
        compared with, because the worst of many classes is bad by chance too.
    order : (k,) class indices, largest error first.
    shown : the classes that have a diagram, in the order asked for.
    diagrams : one each.
    gaps : the gaps of all classes by bin.
    """

    notion: ByClass
    names: tuple[str, ...]
    errors: Floats
    null: Floats
    null_ranked: Floats
    order: Ints
    shown: tuple[int, ...]
    diagrams: tuple[ReliabilityDiagram, ...]
    gaps: GapMap

    @property
    def others(self) -> int:
        """Number of classes without a diagram."""
        return len(self.names) - len(self.shown)


def prepare(
    predictions: Predictions,
    *,
    notion: ByClass = "class_wise",
    classes: Sequence[int] | None = None,
    most: int = 12,
    bins: int = 15,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
) -> ClassDiagrams:
    """Return the errors of the classes and the diagrams of the worst, worst first.

    Everything is computed from the sums of the bins; the rows of a bin count with their mean score.

    Parameters
    ----------
    predictions : labelled rows. Of soft labels there are no bands and no errors of a calibrated model.
    notion : ``"class_wise"``, each class's probability in all rows; ``"top_label"``, the confidence in the rows where
        the class is predicted.
    classes : indices of the classes to draw instead of the worst, for a picture after beside one before.
    most : how many of the worst classes to draw.
    bins : number of equal-width, right-closed bins.
    level : of the bands of the diagrams, and of all cells of the map together.
    replicates, seed : of the errors of a calibrated model, whose outcomes are drawn bin by bin.

    Raises
    ------
    DataError : without labels.
    """
    bands.check(predictions, level, replicates)
    require(notion in _SUMS, "notion", "be 'class_wise' or 'top_label'", repr(notion))
    sums = _SUMS[notion](predictions, np.linspace(0.0, 1.0, bins + 1))
    errors = _errors(sums, sums.outcome)
    order = np.argsort(-errors, kind="stable")
    shown = tuple(int(c) for c in (order[:most] if classes is None else classes))
    known = bands.known(predictions)
    null, ranked = _null(sums, replicates, seed) if known else bands.unknown(predictions.k)
    low, high = bands.of_sums(sums, level) if known else bands.unknown(*sums.rows.shape)  # (k, B)
    names = predictions.class_labels
    return ClassDiagrams(
        notion=notion,
        names=names,
        errors=errors,
        null=null,
        null_ranked=ranked,
        order=order,
        shown=shown,
        diagrams=_diagrams(sums, shown, names, notion, level, (low, high)),
        gaps=gap_map(sums, order, names, level=level, banded=known),
    )


def _class_sums(predictions: Predictions, edges: Floats) -> BinSums:
    """Return the sums (k, B) of the probability of each class over all rows."""
    notion: Notion = registry.create("notion", "class_wise")
    return notion.bin(predictions, edges, right=True, squares=True)


def _label_sums(predictions: Predictions, edges: Floats) -> BinSums:
    """Return the sums (k, B) of the confidence over the rows where each class is predicted."""
    there = predictions.without_absent_rows()
    notion: Notion = registry.create("notion", "confidence")
    ((confidence, correct),) = notion.pairs(there)
    bins = len(edges) - 1
    where = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    cell, shape = there.summary.top * np.int64(bins) + where, (there.k, bins)
    w = there.row_weights

    def summed(values: Floats) -> Floats:
        sums = np.bincount(cell, values, minlength=there.k * bins)
        return sums.reshape(shape).astype(np.float64)

    return BinSums(
        edges=edges,
        rows=np.bincount(cell, minlength=there.k * bins).reshape(shape),
        weight=summed(w),
        score=summed(w * confidence),
        outcome=summed(w * correct),
        square_weight=summed(w**2),
        n=len(there),
        mass=float(w.sum()),
    )


_SUMS = {"class_wise": _class_sums, "top_label": _label_sums}


def _errors(sums: BinSums, outcome: Floats) -> Floats:
    """Return the error of each class (k,) with these outcomes (k, B)."""
    return np.asarray(np.abs(outcome - sums.score).sum(1) / sums.mass)


def _null(sums: BinSums, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Return the mean error of each class (k,) and by rank (k,) over outcomes drawn bin by bin."""
    rng, trials = np.random.default_rng(seed), bands.trials_of(sums)
    chance = np.clip(sums.mean_scores, 0, 1)
    unit = np.divide(sums.weight, trials, out=np.zeros_like(sums.weight), where=trials > 0)
    total, ranked = np.zeros(len(trials)), np.zeros(len(trials))
    for _ in range(replicates):
        errors = _errors(sums, np.asarray(rng.binomial(trials, chance) * unit))
        total += errors
        ranked += np.sort(errors)[::-1]
    return total / replicates, ranked / replicates


def _diagrams(
    sums: BinSums,
    shown: tuple[int, ...],
    names: tuple[str, ...],
    notion: ByClass,
    level: float,
    limits: tuple[Floats, Floats],
) -> tuple[ReliabilityDiagram, ...]:
    low, high = limits  # (k, B)
    mass = sums.weight.sum(1)
    gap = np.abs(sums.outcome - sums.score).sum(1)
    errors = np.divide(gap, mass, out=np.zeros_like(mass), where=mass > 0)
    return tuple(
        diagram_of(sums, c, (low[c], high[c]), notion=notion, level=level, error=float(errors[c]), name=names[c])
        for c in shown
    )
