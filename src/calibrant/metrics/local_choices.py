"""What all local measures and tests share: where rows are near each other, and the kernel that weighs neighbours.

The space is fitted on the features alone, so that all methods on the same rows are measured in the same one; a space
that was fitted elsewhere can be given, and nothing of it is then fitted anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import is_whole, require
from calibrant.neighbourhood import KERNELS, KernelName, Neighbourhood, Space
from calibrant.predictions import Predictions
from calibrant.statistics import Collected

Floats = NDArray[np.float64]
TOO_FEW = "needs at least two rows"
_NO_TEXT = "a spec cannot hold one: pass dimensions= and standardise=, or build the measure in Python"


@dataclass(frozen=True, eq=False)
class LocalRows(Collected):
    """Rows with features, and what a measure has found of them that does not depend on their labels."""

    memo: dict[Hashable, Any] = field(default_factory=dict)

    def merge(self, other: Collected) -> LocalRows:
        """Return the rows of both."""
        return LocalRows(self.batches + other.batches)


@dataclass(frozen=True, kw_only=True)
class SpaceChoices:
    """The space in which rows are near each other.

    Parameters
    ----------
    space : a fitted `Space` or `Neighbourhood`, of which nothing is fitted anew; None for one that is fitted on the
        features of the measured rows, without a look at scores or labels.
    dimensions : principal components that are kept at most. standardise : divide features by standard deviations.
    """

    entry: ClassVar[registry.Entry]

    space: Space | Neighbourhood | None = None
    dimensions: int = 50
    standardise: bool = True

    def __post_init__(self) -> None:
        known = self.space is None or isinstance(self.space, Space | Neighbourhood)
        require(known, "space", "be a fitted Space or Neighbourhood", repr(self.space), way_out=_NO_TEXT)
        positive = is_whole(self.dimensions) and self.dimensions >= 1
        require(positive, "dimensions", "be a whole number of at least 1", self.dimensions)

    @property
    def spec(self) -> str:
        """The spec string; a given space is named by a digest of its numbers."""
        plain = registry.spec_of(replace(self, space=None))
        if self.space is None:
            return plain
        head, told = (plain[:-1], ", ") if plain.endswith(")") else (plain, "(")
        return f"{head}{told}space={_digest(self.space)!r})"

    @property
    def gathering(self) -> Hashable:
        """Equal for all measures that keep rows with their features."""
        return "collected rows with features"

    def sums(self, predictions: Predictions) -> LocalRows:
        """Return the rows of one batch; ``DataError`` if it has no features."""
        given = predictions.features is not None
        way_out = "pass features=, one row of numbers for each row"
        require(given, "predictions", "have features for a local measure", way_out=way_out)
        return LocalRows((predictions,))

    def fitted_space(self, rows: Predictions) -> Space:
        """Return the given space, or that of the rows."""
        if isinstance(self.space, Neighbourhood):
            return self.space.space
        if self.space is not None:
            return self.space
        features = cast(NDArray[np.floating], rows.features)
        return Space.fit(features, dimensions=self.dimensions, standardise=self.standardise, weights=rows.weights)


@dataclass(frozen=True, kw_only=True)
class KernelChoices(SpaceChoices):
    """The space, and the kernel that weighs neighbours in it.

    Parameters
    ----------
    kernel : ``"gaussian"``, ``"laplacian"`` or ``"box"`` of the distance in the space.
    bandwidth : in the units of the space; ``"ess"`` takes the one at which the median effective number of neighbours
        is ``ess``, again without a look at scores or labels.
    """

    kernel: KernelName = "gaussian"
    bandwidth: float | Literal["ess"] = "ess"
    ess: float = 50.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.kernel in KERNELS, "kernel", f"be one of {KERNELS}", repr(self.kernel))
        if isinstance(self.bandwidth, str):
            require(self.bandwidth == "ess", "bandwidth", "be a positive number or 'ess'", repr(self.bandwidth))
        else:
            require(0 < self.bandwidth < np.inf, "bandwidth", "be a positive number or 'ess'", self.bandwidth)
        require(1 <= self.ess < np.inf, "ess", "be at least 1", self.ess)

    def around(self, rows: Predictions) -> Neighbourhood:
        """Return the neighbourhood of the rows; of a given one the space, the kernel and the bandwidth are kept."""
        space, given = self.fitted_space(rows), self.space
        if isinstance(given, Neighbourhood):
            return Neighbourhood.fit(rows, space=space, kernel=given.kernel, bandwidth=given.bandwidth)
        if isinstance(self.bandwidth, str):
            return Neighbourhood.fit(rows, space=space, kernel=self.kernel, bandwidth="size", size=self.ess)
        return Neighbourhood.fit(rows, space=space, kernel=self.kernel, bandwidth=float(self.bandwidth))


def pooled_order(batch: Predictions) -> NDArray[np.int64]:
    """Return which rows of a batch, in which order, are those that `Collected` pools from it alone."""
    there = np.flatnonzero(batch.row_weights > 0)
    return there[np.argsort(batch.row_keys[there], kind="stable")]


def told(around: Neighbourhood) -> dict[str, Any]:
    """Return what a reader must know of a neighbourhood."""
    return {"bandwidth": around.bandwidth, "dimensions": around.space.dimensions}


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the lower weighted median of values (m,); NaN of none."""
    if not weights.sum() > 0:
        return float("nan")
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(cumulative, 0.5 * cumulative[-1] * (1 - 1e-9))]])  # less by rounding


def _digest(space: Space | Neighbourhood) -> str:
    inner = space.space if isinstance(space, Neighbourhood) else space
    told = hashlib.sha256(inner.mean.tobytes() + inner.projection.tobytes())
    if isinstance(space, Neighbourhood):
        told.update(f"{space.kernel} {space.bandwidth!r}".encode())
    return told.hexdigest()[:8]
