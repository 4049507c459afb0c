"""Three classes on the triangle of probabilities: arrows from what is predicted to what is observed.

The triangle is cut into small triangles; each arrow starts at the mean prediction of the rows in one of them and ends
at the frequencies of their labels. Source of the idea: Vaicenavicius et al. (2019), Evaluating model calibration in
classification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.plot import bands
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
_ROWS = 25  # a cell, on average, before the triangle is cut finer


@dataclass(frozen=True, eq=False, kw_only=True)
class SimplexDiagram:
    """Predictions and outcomes on the cells of the triangle that hold rows.

    Attributes
    ----------
    names : the three classes.
    divisions : parts that each side is cut into.
    predicted, observed : (b, 3) mean prediction and frequencies of the labels.
    rows, shares : (b,) rows of positive weight, and share of the weight.
    beyond : (b,) whether the difference is beyond chance: Pearson's chi-square of the effective rows of the cell among
        those of labels drawn from its mean prediction.
    level : of one cell.
    n : rows of positive weight.
    """

    names: tuple[str, ...]
    divisions: int
    predicted: Floats
    observed: Floats
    rows: NDArray[np.int64]
    shares: Floats
    beyond: NDArray[np.bool_]
    level: float
    n: int


def prepare(
    predictions: Predictions,
    *,
    divisions: int | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> SimplexDiagram:
    """Return the mean predictions and the observed frequencies in the cells of the triangle.

    Parameters
    ----------
    predictions : labelled rows of three classes.
    divisions : parts that each side is cut into, so that there are divisions**2 cells; by default 2 to 8, for 25 rows
        a cell.
    level, replicates, seed : at which one cell is called beyond chance, and of the labels drawn for it.

    Raises
    ------
    DataError : without labels, for other than three classes, or for ``divisions`` under 1.
    """
    bands.check(predictions, level, replicates)
    require(predictions.k == 3, "predictions", "have three classes to be drawn on a triangle", predictions.k)
    there = predictions.without_absent_rows()
    divisions = int(np.clip(np.sqrt(len(there) / _ROWS), 2, 8)) if divisions is None else divisions
    require(divisions >= 1, "divisions", "be at least 1", divisions)
    p = np.asarray(there.probabilities, dtype=np.float64)  # (n, 3)
    _, cell = np.unique(_cells(p, divisions), return_inverse=True)
    w = there.row_weights
    weight, squares = (np.bincount(cell, values).astype(np.float64) for values in (w, w**2))
    predicted, observed = (_means(values, cell, w) for values in (p, _outcomes(there)))
    return SimplexDiagram(
        names=predictions.class_labels,
        divisions=divisions,
        predicted=predicted,
        observed=observed,
        rows=np.bincount(cell),
        shares=weight / weight.sum(),
        beyond=_chances(predicted, observed, bands.effective(weight, squares), replicates, seed) <= 1 - level,
        level=level,
        n=len(there),
    )


def _cells(p: Floats, divisions: int) -> NDArray[np.int64]:
    """Return a number of the cell of each row (n,): the parts of its three coordinates."""
    part = np.minimum((p * divisions).astype(np.int64), divisions - 1)
    corner = part.sum(1) == divisions  # on a corner of the grid: no cell's inside
    part[corner, p[corner].argmax(1)] -= 1
    return np.asarray(part @ [1, divisions, divisions**2])


def _outcomes(predictions: Predictions) -> Floats:
    if predictions.soft:
        return np.asarray(predictions.labels)
    return np.eye(3)[predictions.hard_labels]


def _means(values: Floats, cell: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the weighted mean of values (n, 3) in each cell (b, 3)."""
    sums = np.stack([np.bincount(cell, weights * column) for column in values.T], axis=1)
    return np.asarray(sums / np.bincount(cell, weights)[:, None])


def _chances(predicted: Floats, observed: Floats, rows: NDArray[np.int64], replicates: int, seed: int) -> Floats:
    """Return how rare (b,) the distance of a cell is among those of labels drawn from its mean prediction."""
    rng = np.random.default_rng(seed)
    exact = predicted / predicted.sum(1, keepdims=True)  # sums to 1 to the last bit, as the generator wants it
    distance = _distance(observed, exact)
    at_least = np.ones(len(rows))
    for _ in range(replicates):
        at_least += _distance(rng.multinomial(rows, exact) / rows[:, None], exact) >= distance - 1e-12
    return at_least / (replicates + 1)


def _distance(observed: Floats, predicted: Floats) -> Floats:
    """Return sum (q - p)^2 / p of each row (b,); what cannot be and is not counts nothing."""
    square = (observed - predicted) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(square > 0, square / predicted, 0.0).sum(1))
