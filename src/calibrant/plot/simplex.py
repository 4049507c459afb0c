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
_ROWS = 100  # a cell, on average, before the triangle is cut finer


@dataclass(frozen=True, eq=False, kw_only=True)
class SimplexDiagram:
    """Predictions and outcomes on the cells of the triangle that hold rows.

    Attributes
    ----------
    names : the three classes.
    divisions : parts that each side is cut into.
    predicted, observed : (b, 3) mean prediction and frequencies of the labels.
    rows, shares : (b,) rows of positive weight, and share of the weight.
    beyond : (b,) whether the difference is beyond chance, all cells together: one of the three frequencies is outside
        the binomial band of the effective rows of the cell at its mean prediction (Bonferroni); none where not
        ``banded``.
    level : of all cells together.
    n : rows of positive weight.
    banded : whether chance is known: not that of soft labels.
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
    banded: bool = True


def prepare(predictions: Predictions, *, divisions: int | None = None, level: float = 0.95) -> SimplexDiagram:
    """Return the mean predictions and the observed frequencies in the cells of the triangle.

    Parameters
    ----------
    predictions : labelled rows of three classes.
    divisions : parts that each side is cut into, so that there are divisions**2 cells; by default 2 to 8, for 100 rows
        a cell.
    level : at which no cell of a calibrated model is called beyond chance.

    Raises
    ------
    DataError : without labels, for other than three classes, or for ``divisions`` under 1.
    """
    bands.check(predictions, level)
    require(predictions.k == 3, "predictions", "have three classes to be drawn on a triangle", predictions.k)
    there = predictions.without_absent_rows()
    divisions = int(np.clip(np.sqrt(len(there) / _ROWS), 2, 8)) if divisions is None else divisions
    require(divisions >= 1, "divisions", "be at least 1", divisions)
    p = np.asarray(there.probabilities, dtype=np.float64)  # (n, 3)
    _, cell = np.unique(_cells(p, divisions), return_inverse=True)
    w = there.row_weights
    weight, squares = (np.bincount(cell, values).astype(np.float64) for values in (w, w**2))
    known = bands.known(predictions)
    predicted, observed = (_means(values, cell, w) for values in (p, _outcomes(there)))
    return SimplexDiagram(
        names=predictions.class_labels,
        divisions=divisions,
        predicted=predicted,
        observed=observed,
        rows=np.bincount(cell),
        shares=weight / weight.sum(),
        beyond=_beyond(predicted, observed, bands.effective(weight, squares), level) & known,
        level=level,
        n=len(there),
        banded=known,
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


def _beyond(predicted: Floats, observed: Floats, rows: NDArray[np.int64], level: float) -> NDArray[np.bool_]:
    """Return which cells (b,) have a frequency outside its band.

    The predictions of a cell differ, and the number of a class is then less spread than the binomial of their mean
    (Hoeffding, 1956, On the distribution of the number of successes in independent trials).
    """
    share = 1 - (1 - level) / predicted.size
    low, high = bands.binomial(rows[:, None], predicted, share)
    return np.asarray(((observed < low - 1e-12) | (observed > high + 1e-12)).any(1))
