"""Where a model is wrong: signed local gaps of every row, and regions and groups with intervals that hold together.

The local gap of a row is the kernel average of correctness less confidence of the other rows around it: negative where
the model trusts itself too much. Regions are clusters of the features; given groups stand beside them. Their intervals
are gap ± c × standard error, c the quantile of the largest standardised gap over all of them in a wild bootstrap (one
sign an id): with chance ``level`` all intervals hold at once, so that the worst region may be looked for. Source of the
bootstrap: Wu (1986); of the maximum: Westfall and Young (1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.estimate import strict
from calibrant.metrics.local_choices import KernelChoices
from calibrant.metrics.regions import Regions
from calibrant.predictions import Predictions, as_predictions
from calibrant.scoring import ZeroOne

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_STREAM = 0x7369676E  # keeps the signs apart from other draws
_EXAMPLES = 5
_MARKS = 3
_FEWEST = 10.0  # effective ids of a region that has an interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """Some rows together.

    Attributes
    ----------
    kind, name : "cluster" and its number, or "group" and its value.
    rows, share : how many rows, and their share of the weight.
    confidence, accuracy, gap : weighted means, and accuracy less confidence.
    low, high : the simultaneous interval of the gap; None where under ten effective rows, or ids, are too few for one.
    marks : (feature, difference) of the features that tell the region apart, in standard deviations of all rows.
    examples : rows near its centre, by their places in the predictions.
    """

    kind: Literal["cluster", "group"]
    name: str
    rows: int
    share: float
    confidence: float
    accuracy: float
    gap: float
    low: float | None
    high: float | None
    marks: tuple[tuple[int, float], ...]
    examples: tuple[int, ...]

    @property
    def sure(self) -> float:
        """How far the interval is from 0; 0 where it holds 0 or there is none."""
        return 0.0 if self.low is None or self.high is None else max(self.low, -self.high, 0.0)

    def __repr__(self) -> str:
        told = "too few rows for an interval" if self.low is None else f"[{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.kind} {self.name}: {self.rows} rows, gap {self.gap:+.3f} {told}"


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalGaps:
    """Signed local gaps, accuracy less confidence, and the regions that they make.

    Attributes
    ----------
    rows : (n,) places in the predictions of the rows of positive weight, which all other arrays are about.
    gaps : (n,) kernel average around each row, itself left out; NaN without any neighbour.
    effective_size : (n,) rows that it rests on.
    coordinates : (n, d) of the rows in the space: its principal components, or all features where they are few.
    cluster : (n,) number of the cluster.
    regions : clusters, then groups, each with an interval at ``level`` that holds together with all others.
    bandwidth : of the kernel.
    """

    rows: Ints
    gaps: Floats
    effective_size: Floats
    coordinates: Floats
    cluster: Ints
    regions: tuple[Region, ...]
    bandwidth: float
    level: float

    @property
    def worst(self) -> tuple[Region, ...]:
        """The regions whose interval does not hold 0, the surest first."""
        return tuple(sorted((one for one in self.regions if one.sure > 0), key=lambda one: -one.sure))

    def to_dict(self) -> dict[str, Any]:
        """Return a strict-JSON record of the regions."""
        told = [{**vars(one), "marks": [list(mark) for mark in one.marks]} for one in self.regions]
        return strict({"level": self.level, "bandwidth": self.bandwidth, "n": len(self.rows), "regions": told})

    def __repr__(self) -> str:
        head = f"{len(self.worst)} of {len(self.regions)} regions are off, at {self.level:.0%} for all together"
        return "\n  ".join([head, *map(repr, self.worst)])


def local_gaps(
    predictions: Predictions,
    *,
    clusters: int = 10,
    level: float = 0.95,
    replicates: int = 999,
    seed: int = 0,
    **choices: Any,
) -> LocalGaps:
    """Return where the confidence is too high or too low: gaps around every row, of clusters and of given groups.

    Parameters
    ----------
    predictions : with features and labels, hard or soft; groups, if given, are regions too.
    clusters : regions by k-means in the space.
    level : of the intervals, which hold all together.
    replicates, seed : of the wild bootstrap, keyed by the ids of the rows.
    choices : ``space, dimensions, standardise, kernel, bandwidth, ess`` as in the measure `lce`.

    Notes
    -----
    Clusters look at the features alone. The standard error of a region is the larger of that of its residuals, ids
    together, and of that which its confidences promise, if the rows of an id are right together; the multiple of it is
    at least that of as many independent normal gaps. So a few rows that are all right have no narrow interval.

    Raises
    ------
    DataError : without features or labels, or with fewer than two rows.
    """
    given = as_predictions(predictions)
    require(given.features is not None, "predictions", "have features for local gaps", way_out="pass features=")
    require(given.labels is not None, "predictions", "have labels to be measured", way_out="pass labels=")
    require(is_whole(clusters) and clusters >= 1, "clusters", "be a positive whole number", clusters)
    require(0 < level < 1, "level", "lie between 0 and 1", level)
    require(is_whole(replicates) and replicates >= 1, "replicates", "be a positive whole number", replicates)
    require(is_whole(seed), "seed", "be a whole number", seed)
    rows = np.flatnonzero(given.row_weights > 0)
    require(len(rows) > 1, "predictions", "have at least two rows", len(rows))
    batch = given.without_absent_rows()
    around = KernelChoices(**choices).around(batch)
    z, residuals = np.asarray(around.rows, dtype=np.float64), ZeroOne().rows(batch) - batch.summary.confidence
    local = around.averages(residuals[:, None], prior=np.array([np.nan]))
    cluster = Regions.fit(z, batch.row_weights, clusters).nearest(z)
    members = _members(batch, cluster)
    bounds = _intervals(batch, residuals, members, level, replicates, seed)
    return LocalGaps(
        rows=rows,
        gaps=local.frequencies[:, 0],
        effective_size=local.effective_size,
        coordinates=z,
        cluster=cluster,
        regions=tuple(_region(batch, z, rows, one, *ends) for one, ends in zip(members, bounds, strict=True)),
        bandwidth=around.bandwidth,
        level=level,
    )


class _Members(NamedTuple):
    """A region before its figures: what it is, and whether each row is in it (n,)."""

    kind: Literal["cluster", "group"]
    name: str
    inside: NDArray[np.bool_]


def _members(batch: Predictions, cluster: Ints) -> list[_Members]:
    found = [_Members("cluster", str(c), cluster == c) for c in np.unique(cluster)]
    groups = batch.groups
    if groups is not None:
        found += [_Members("group", str(value), groups == value) for value in np.unique(groups)]
    return found


def _intervals(
    batch: Predictions, residuals: Floats, members: list[_Members], level: float, replicates: int, seed: int
) -> list[tuple[float | None, float | None]]:
    """Return the interval of the mean residual of each region, all together at the level."""
    w, confidence = batch.row_weights, batch.summary.confidence
    inside = np.stack([one.inside for one in members]) * w  # (C, n)
    mass = inside.sum(1)
    gap = inside @ residuals / mass
    shares = inside / mass[:, None]
    ids = np.unique(batch.row_keys, return_inverse=True)[1]
    effective = 1 / (_by_id(shares, ids) ** 2).sum(1)
    by_id = _by_id(shares * (residuals - gap[:, None]), ids)
    noise = np.sqrt(confidence * (1 - np.minimum(confidence, 1.0)))
    promised = np.sqrt((_by_id(shares * noise, ids) ** 2).sum(1))
    error = np.maximum(np.sqrt((by_id**2).sum(1)), promised)
    used = (effective >= _FEWEST) & (error > 0)
    if not used.any():
        return [(None, None)] * len(members)
    keys = np.unique(batch.row_keys)
    largest = np.empty(replicates)
    for r in range(replicates):
        signs = np.where(kernels.uniforms(keys, seed ^ _STREAM, r) < 0.5, -1.0, 1.0)
        largest[r] = np.abs(by_id[used] @ signs / error[used]).max()
    normal = float(ndtri((1 + level ** (1 / int(used.sum()))) / 2))
    half = max(_quantile(largest, level), normal) * error
    ends = zip(np.maximum(gap - half, -1.0), np.minimum(gap + half, 1.0), used, strict=True)
    return [(float(low), float(high)) if told else (None, None) for low, high, told in ends]


def _by_id(terms: Floats, ids: Ints) -> Floats:
    """Return the sums of the terms (C, n) of the rows of each id (C, ids)."""
    return np.stack([np.bincount(ids, one) for one in terms])


def _quantile(largest: Floats, level: float) -> float:
    return float(np.quantile(largest, level, method="inverted_cdf"))


def _region(batch: Predictions, z: Floats, rows: Ints, one: _Members, low: float | None, high: float | None) -> Region:
    w, inside = batch.row_weights, np.flatnonzero(one.inside)
    share = w[inside] / w[inside].sum()
    confidence, accuracy = share @ batch.summary.confidence[inside], share @ ZeroOne().rows(batch)[inside]
    distance = ((z[inside] - share @ z[inside]) ** 2).sum(1)
    nearest = inside[np.argsort(distance, kind="stable")[:_EXAMPLES]]
    return Region(
        kind=one.kind,
        name=one.name,
        rows=len(inside),
        share=float(w[inside].sum() / w.sum()),
        confidence=float(confidence),
        accuracy=float(accuracy),
        gap=float(accuracy - confidence),
        low=low,
        high=high,
        marks=_marks(batch, inside, share),
        examples=tuple(rows[nearest].tolist()),
    )


def _marks(batch: Predictions, inside: Ints, share: Floats) -> tuple[tuple[int, float], ...]:
    """Return the features whose mean in the region is farthest from that of all rows, in standard deviations."""
    x = np.asarray(batch.features, dtype=np.float64)
    w = batch.row_weights / batch.row_weights.sum()
    mean = w @ x
    spread = np.sqrt(np.maximum(w @ (x - mean) ** 2, 0.0))
    off = np.divide(share @ x[inside] - mean, spread, out=np.zeros_like(mean), where=spread > 0)
    return tuple((int(f), float(off[f])) for f in np.argsort(-np.abs(off), kind="stable")[:_MARKS])
