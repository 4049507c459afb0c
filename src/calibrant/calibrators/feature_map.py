"""What maps share whose formula reads features beside the scores."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap
from calibrant.errors import require
from calibrant.formulas import NUMPY, TOGETHER, Ops
from calibrant.predictions import Predictions
from calibrant.solvers.rows import log_probabilities

_BLOCK = 1 << 17  # entries of the features in float64: 1 MB
_WAY_OUT = "pass features= as at the fit"


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureMap(CalibrationMap):
    """A map whose formula takes features (n, d) as a third argument; it declines a batch without them in a sentence."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Number of features d that the formula takes."""

    @abstractmethod
    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return probabilities or logits (n, k), from finite log-probabilities (n, k) and features (n, d)."""

    def __call__(self, predictions: Predictions) -> Predictions:
        """Return the batch with repaired scores; everything else comes along.

        Raises
        ------
        DataError : if the batch has no features, or another number of them, or other classes than those of the fit.
        """
        check_features(predictions, self.dimensions)
        return super().__call__(predictions)

    def repaired(self, batch: Predictions, rows: slice) -> NDArray[np.float64]:
        """Return what the formula gives for some rows of a batch without exact zeros."""
        assert batch.features is not None
        log_p, features = log_probabilities(batch, rows), batch.features[rows]
        step = TOGETHER * max(1, _BLOCK // (TOGETHER * features.shape[1]))
        parts = [slice(start, start + step) for start in range(0, len(log_p), step)]
        return np.concatenate([self.formula(NUMPY, log_p[at], features[at].astype(np.float64)) for at in parts])


def check_features(predictions: Predictions, dimensions: int) -> None:
    """Raise ``DataError`` unless the batch has so many features."""
    found = predictions.features
    require(found is not None, "predictions", f"have the {dimensions} features of the map", way_out=_WAY_OUT)
    assert found is not None
    fits = found.shape[1] == dimensions
    require(fits, "features", f"be the {dimensions} of the map", found.shape[1], way_out=_WAY_OUT)
