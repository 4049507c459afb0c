"""A fitted estimator with the map that repairs its scores, and the scores out of fold that teach such maps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from calibrant.calibrators import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.predictions import Predictions
from calibrant.sklearn.scores import Response, has_unit, predictions
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import prepared
from calibrant.statistics.collected import Collected

Rows = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedPair:
    """A fitted ``estimator`` and the ``map`` for its scores.

    ``scale`` multiplies margins that have no unit of their own before the map takes them; else it is 1.
    """

    estimator: Any
    map: CalibrationMap
    classes: NDArray[Any]
    response_method: Response
    scale: float

    def uncalibrated(self, X: Any) -> Predictions:  # noqa: N803
        """Return the scores that the map takes."""
        batch = predictions(self.estimator, X, response_method=self.response_method, classes=self.classes)
        return _scaled(batch, self.scale)

    def probabilities(self, X: Any) -> NDArray[np.floating]:  # noqa: N803
        """Return the repaired probabilities (n, k)."""
        return self.map(self.uncalibrated(X)).probabilities


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """The rows of a fit and how their scores are found.

    Attributes
    ----------
    X : the rows, as the estimator takes them; y : their classes (n,); weights : (n,) or None.
    classes : (k,), the columns of every batch.
    """

    X: Any
    y: NDArray[Any]
    weights: NDArray[np.float64] | None
    classes: NDArray[Any]
    response_method: Response

    def scored(self, estimator: Any, rows: Rows) -> Predictions | None:
        """Return the scores of the rows that can tell of the estimator, None where there are none.

        A row of a class that it has not seen says nothing of an estimator that has; one of weight zero is not there.
        """
        seen = np.isin(self.y[rows], estimator.classes_)
        rows = rows[seen if self.weights is None else seen & (self.weights[rows] > 0)]
        if len(rows) == 0 or len(estimator.classes_) < 2:
            return None
        return predictions(
            estimator,
            _safe_indexing(self.X, rows),
            self.y[rows],
            response_method=self.response_method,
            sample_weight=None if self.weights is None else self.weights[rows],
            classes=self.classes,
            ids=rows,
        )

    def fold(self, estimator: Any, train: Rows, test: Rows, params: dict[str, Any]) -> tuple[Any, Predictions | None]:
        """Return the estimator fitted on the rows of a fold, and the scores of the other rows."""
        n = len(self.y)
        train, test = np.arange(n)[train], np.arange(n)[test]  # a splitter may give masks
        own = {name: _safe_indexing(v, train) if _length(v) == n else v for name, v in params.items()}
        fitted = estimator.fit(_safe_indexing(self.X, train), self.y[train], **own)
        return fitted, self.scored(fitted, test)

    def pair(self, method: Calibrator, estimator: Any, batch: Predictions) -> CalibratedPair:
        """Return the estimator with the map that the calibrator learns from the batch."""
        scale = 1.0 if has_unit(estimator, self.response_method) else _unit(batch)
        return CalibratedPair(
            estimator=estimator,
            map=method.fit(_scaled(batch, scale)),
            classes=self.classes,
            response_method=self.response_method,
            scale=scale,
        )


def joined(batches: Iterable[Predictions | None]) -> Predictions:
    """Return the batches as one, in the order of their ids; these stay only where a row comes more than once.

    Else an id, a place in the X of the fit, would be taken for that of another batch.
    """
    parts = [batch for batch in batches if batch is not None]
    require(bool(parts), "cv", "leave a row out of fold whose class was seen in the fold", "none")
    whole = Collected(tuple(parts)).pooled
    repeated = len(np.unique(whole.row_keys)) < len(whole)
    return whole if repeated else replace(whole, ids=None, _memo={})


def _length(value: Any) -> int | None:
    """Return the number of rows of an array, a frame or a list, None of anything else."""
    if getattr(value, "shape", ()):
        return int(value.shape[0])
    return len(value) if isinstance(value, list | tuple) else None


def _unit(batch: Predictions) -> float:
    """Return the reciprocal of the temperature of margins whose unit is unknown."""
    return inverse_temperature(FitRows.of(prepared(batch, None)[0])).beta


def _scaled(batch: Predictions, scale: float) -> Predictions:
    return batch if scale == 1 else batch.rescored(batch.scores * batch.scores.dtype.type(scale), batch.kind)
