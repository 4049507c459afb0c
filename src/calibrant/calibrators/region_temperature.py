"""A temperature for each region of the features, drawn to the temperature of all rows where a region has few.

Formula: q = softmax(beta_r z), r the nearest of the centres that k-means finds; beta_r has the smallest log loss on the
rows of region r plus m pseudo-rows with their scores, labelled as the temperature map of all rows says.
Sources: Lloyd 1982, Arthur and Vassilvitskii 2007 for the regions; the shrinkage is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.feature_map import FeatureMap
from calibrant.calibrators.local_kernel import LocalRows, coordinates, squared_distances
from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import InverseTemperature, inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

_ROUNDS = 100  # of Lloyd's algorithm, at most
_TRIED = 1024  # rows among which centres are sought at the start: enough to tell a few regions


def _nearest(ops: Ops, z: Any, centres: Floats) -> Any:
    """Return, as 1.0 and 0.0, which centre (r, q) is nearest to coordinates (n, q), the first of equals (n, r)."""
    return ops.top(ops.constant(0.0) - squared_distances(ops, z, centres))


def _centres(points: Floats, weights: Floats, regions: int, seed: int) -> Floats:
    """Return the centres (r, q) that k-means finds, by weight; fewer where there are fewer different points."""
    centres = _start(points, weights, regions, np.random.default_rng(seed))
    place = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        now = np.argmax(_nearest(NUMPY, points, centres), axis=1)
        if (now == place).all():
            break
        place = now
        mass = np.bincount(place, weights, len(centres))
        sums = np.stack([np.bincount(place, weights * column, len(centres)) for column in points.T], axis=1)
        filled = mass > 0
        centres[filled] = sums[filled] / mass[filled, None]
    return centres


def _start(points: Floats, weights: Floats, regions: int, rng: np.random.Generator) -> Floats:
    """Return points (r, q), each drawn by its weight and its squared distance from those before (k-means++)."""
    step = max(1, len(points) // _TRIED)
    points, weights = points[::step], weights[::step]
    chosen = [_drawn(weights, rng)]
    squared = np.full(len(points), np.inf)
    while len(chosen) < regions:
        squared = np.minimum(squared, np.square(points - points[chosen[-1]]).sum(1))
        if not (weights * squared).any():
            break
        chosen.append(_drawn(weights * squared, rng))
    return points[chosen].copy()


def _drawn(weights: Floats, rng: np.random.Generator) -> int:
    cumulative = weights.cumsum()
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right").clip(0, len(weights) - 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionTemperatureMap(FeatureMap):
    """softmax(beta_r u), r the nearest of ``centres`` (r, q) in a space of ``mean`` (d,) and ``projection`` (d, q)."""

    mean: Floats
    projection: Floats
    centres: Floats
    betas: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        d, q = self.mean.size, self.projection.shape[-1]
        fits = self.projection.shape == (d, q) and self.centres.shape == (self.betas.size, q) and self.betas.size > 0
        require(fits, "centres", f"have shape ({self.betas.size}, {q})", self.centres.shape)
        finite = all(np.isfinite(each).all() for each in (self.mean, self.projection, self.centres, self.betas))
        require(finite and bool((self.betas > 0).all()), "betas", "be positive, and the space finite")
        check_zero(self.floor)

    @property
    def dimensions(self) -> int:
        """Number of features."""
        return int(self.mean.size)

    @property
    def temperatures(self) -> Floats:
        """The temperatures T = 1 / beta (r,), by region."""
        return np.asarray(1 / self.betas)

    def formula(self, ops: Ops, log_p: Any, features: Any = None) -> Any:
        """Return beta_r u."""
        if not self.projection.size:
            return log_p * ops.constant(self.betas)
        z = coordinates(ops, features, self.mean, self.projection)
        return log_p * ops.sum(_nearest(ops, z, self.centres) * ops.constant(self.betas))

    @property
    def n_parameters(self) -> int:
        """A centre and a temperature for each region."""
        return int(self.centres.size + self.betas.size)


@register(
    "calibrator",
    "region_temperature",
    compared="",
    reference="lloyd1982",
    needs_features=True,
    preserves_argmax=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most regions d + regions",
    wants_rows="500",
    cost="O(n d^2 + n k) a pass, about 10 passes",
    guarantee="the predicted class stays",
    assumes="sharpness is the same within a region of the features",
    suits="scores too sure in some regions; a map that holds no rows",
)
@dataclass(frozen=True, kw_only=True)
class RegionTemperatureScaling(Calibrator):
    """Divide the logits by the temperature of the region in which the features lie.

    Choose it where the confidence is wrong by another factor in a few large regions, and the map must be small; where
    the factor changes smoothly, `local_temperature`.

    Parameters
    ----------
    regions : number of regions, at most.
    prior : pseudo-rows of each region that pull to the temperature of all rows.
    dimensions : of the space: that many principal components of the standardised features, at most.
    seed : of the first centres.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    The map jumps at the border of two regions. Under 20 distinct rows, or with features that never move, there is one
    region. The prior counts Kish's effective rows; a weight of 2 is therefore not a row seen twice.
    """

    regions: int = 8
    prior: float = 50.0
    dimensions: int = 50
    seed: int = 0
    zero: float | None = None

    def __post_init__(self) -> None:
        for name in ("regions", "dimensions"):
            number = getattr(self, name)
            require(is_whole(number) and number >= 1, name, "be a whole number of at least 1", number)
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> RegionTemperatureMap:
        """Return the regions and their temperatures."""
        rows = LocalRows.of(predictions, self.zero, self.dimensions)
        if rows is None:
            return self._one_region(predictions)
        whole = inverse_temperature(FitRows.of(rows.batch))
        centres = _centres(rows.points, rows.weights, self.regions, self.seed)
        place = np.argmax(_nearest(NUMPY, rows.points, centres), axis=1)
        found = [self._within(rows.batch, place == r, whole.beta) for r in range(len(centres))]
        told = self.fit_record(
            predictions,
            converged=all(one is None or one.converged for one in (whole, *found)),
            iterations=max(one.passes for one in (whole, *found) if one is not None),
        )
        return RegionTemperatureMap(
            mean=rows.space.mean,
            projection=rows.space.projection,
            centres=centres,
            betas=np.array([whole.beta * (1.0 if one is None else one.beta) for one in found]),
            floor=rows.floor,
            record=told,
        )

    def _within(self, batch: Predictions, chosen: NDArray[np.bool_], beta: float) -> InverseTemperature | None:
        """Return the inverse temperature of some rows, in units of that of all; None for none."""
        if not chosen.any():
            return None
        part = batch.take(chosen)
        fit = FitRows.of(part)
        logits = np.concatenate([beta * fit.log_probabilities(block) for block in fit.slices()])
        # Scores times the common beta: a prior that pulls to 1 pulls to it, and its pseudo-rows are labelled by it.
        return inverse_temperature(FitRows.of(part.rescored(logits, "logit")), self.prior)

    def _one_region(self, predictions: Predictions) -> RegionTemperatureMap:
        assert predictions.features is not None
        batch, floor = prepared(predictions, self.zero)
        found, d = inverse_temperature(FitRows.of(batch)), predictions.features.shape[1]
        return RegionTemperatureMap(
            mean=np.zeros(d),
            projection=np.zeros((d, 0)),
            centres=np.zeros((1, 0)),
            betas=np.array([found.beta]),
            floor=floor,
            record=self.fit_record(predictions, converged=found.converged, iterations=found.passes),
        )
