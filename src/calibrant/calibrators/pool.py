"""A weighted mean of maps: the record of a linear pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Scores
from calibrant.calibrators.feature_map import check_features
from calibrant.errors import require
from calibrant.formulas import Ops, softmax
from calibrant.predictions import Kind, Predictions
from calibrant.solvers.zeros import check_zero, kept_positive, without_zeros

Floats = NDArray[np.float64]

_SUM = 1e-9  # to which weights sum to 1


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolMap(CalibrationMap):
    """sum_m weights_m maps_m(p): ``weights`` (m,) positive, summing to 1.

    ``specs`` are all candidates, ``losses`` their out-of-fold log losses and ``shares`` their weights before those that
    nobody would miss were dropped, (candidates,) each; ``gain`` (2,) of the pool over the identity, and its error.
    """

    maps: tuple[CalibrationMap, ...]
    weights: Floats
    specs: tuple[str, ...]
    losses: Floats
    shares: Floats
    gain: Floats

    def __post_init__(self) -> None:
        fits = self.weights.shape == (len(self.maps),) and len(self.maps) > 0
        require(fits, "weights", f"have shape ({len(self.maps)},)", f"shape {self.weights.shape}")
        summed = bool((self.weights > 0).all()) and abs(self.weights.sum() - 1) <= _SUM
        require(summed, "weights", "be positive and sum to 1")
        require(all(one.record.k == self.record.k for one in self.maps), "maps", f"have {self.record.k} classes")
        told = self.losses.shape == self.shares.shape == (len(self.specs),)
        require(told, "losses and shares", f"have shape ({len(self.specs)},)")
        require(self.gain.shape == (2,), "gain", "have shape (2,)", f"shape {self.gain.shape}")
        check_zero(self.floor)

    @property
    def dimensions(self) -> int:
        """Number of features that some of the maps take; 0 where none does."""
        return max(one.dimensions for one in self.maps)

    def __call__(self, predictions: Predictions) -> Predictions:
        """Return the batch with repaired scores; everything else comes along.

        Raises
        ------
        DataError : if the classes are others than at the fit, or features that a map takes are not there.
        """
        if self.dimensions:
            check_features(predictions, self.dimensions)
        return super().__call__(predictions)

    def formula(self, ops: Ops, log_p: Any, *features: Any) -> Any:
        """Return the weighted mean of the maps' probabilities."""
        parts = [one.formula(ops, log_p, *features[: one.dimensions]) for one in self.maps]
        parts = [softmax(ops, x) if one.gives == "logit" else x for one, x in zip(self.maps, parts, strict=True)]
        mean = parts[0] * ops.constant(self.weights[0])
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            mean = mean + part * ops.constant(weight)
        return mean

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the weighted mean of the probabilities (n, k); what a single map returns where there is one."""
        if len(self.maps) == 1:
            return self.maps[0].transform(predictions)
        batch, out = without_zeros(predictions, self.floor), np.zeros(predictions.scores.shape)
        for one, weight in zip(self.maps, self.weights, strict=True):
            scores, kind = one.transform(batch)
            out += weight * batch.rescored(scores, kind).probabilities
        return kept_positive(out.astype(batch.scores.dtype)), "probability"

    @property
    def n_parameters(self) -> int:
        """Those of all maps, and the weights."""
        return sum(one.n_parameters for one in self.maps) + len(self.maps) - 1
