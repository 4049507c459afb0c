"""`Space`: where distances between rows are taken; fitted once on stated rows, applied to all others.

Features are centred, divided by their standard deviations, and projected on their first principal components: as many
as asked for, or on a given projection. Nothing is ever fitted anew on the rows that a measure looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.formulas import NUMPY, TOGETHER

Floats = NDArray[np.float64]
Features = NDArray[np.floating]

_ENTRIES = 1 << 20  # of a block in float64: 8 MB
_CONSTANT = 1e-12  # a standard deviation below this share of the largest entry is rounding
_RANK = 1e-10  # a component whose variance is below this share of the largest one's is rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """An affine map from features to coordinates, z = (x - mean) projection.

    Attributes
    ----------
    mean : (D,) of the features of the rows it was fitted on.
    projection : (D, d), the standardisation included; a constant feature has a row of zeros.
    variances : (d,) of the coordinates on those rows. ``total`` : that of all features, standardised if asked for.
    """

    mean: Floats
    projection: Floats
    variances: Floats
    total: float

    def __post_init__(self) -> None:
        shape = self.projection.shape
        fits = self.mean.shape == shape[:1] and self.variances.shape == shape[1:] and len(shape) == 2
        require(fits, "projection", f"have shape ({self.mean.size}, {self.variances.size})", f"shape {shape}")
        finite = all(np.isfinite(each).all() for each in (self.mean, self.projection, self.variances))
        require(finite, "space", "hold finite numbers")

    @classmethod
    def fit(
        cls,
        features: Features,
        *,
        dimensions: int = 50,
        standardise: bool = True,
        projection: Floats | None = None,
        weights: Floats | None = None,
    ) -> Space:
        """Return the space of the rows of ``features`` (n, D), float32 or float64, which are read in blocks.

        Parameters
        ----------
        dimensions : at most so many principal components are kept. Up to as many features that vary are kept as they
            are, since turning them changes no distance; fewer components where the rows span fewer.
        standardise : divide by standard deviations. Constant features are dropped in any case.
        projection : (D, d) to use in place of the principal components, after the standardisation.
        weights : (n,); rows of weight 0 are not there, and only ratios matter.

        Notes
        -----
        Exact: an eigenvalue problem of the D features or the n rows, whichever are fewer, O(n D min(n, D)), in double
        precision. Each component has its largest loading positive, so the same rows give the same space.

        Raises
        ------
        DataError : where no feature varies, or the shapes do not fit.
        """
        _check(features, dimensions, projection, weights)
        rows = _Rows(features, None if weights is None else weights / weights.sum())
        mean, scale = rows.moments()
        varying = np.flatnonzero(scale)
        require(varying.size > 0, "features", "vary in at least one column")
        if not standardise:
            scale = np.where(scale > 0, 1.0, 0.0)
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        if projection is None and varying.size <= dimensions:
            found = np.eye(len(mean))[:, varying]
        elif projection is None:
            found = rows.components(mean, inverse, dimensions)
        else:
            found = np.asarray(projection, dtype=np.float64)
        space = inverse[:, None] * found
        variances, total = rows.variances(mean, space), float(rows.variances(mean, inverse).sum())
        return cls(mean=mean, projection=space, variances=variances, total=total)

    @property
    def dimensions(self) -> int:
        """Number of coordinates d."""
        return int(self.projection.shape[1])

    def apply(self, features: Features, dtype: type[np.floating] = np.float64) -> Features:
        """Return the coordinates (n, d) of the rows of ``features`` (n, D); each row by itself, in blocks.

        Raises
        ------
        DataError : if the number of features is another than at the fit.
        """
        known = len(self.mean)
        right = features.ndim == 2 and features.shape[1] == known
        require(right, "features", f"have shape (n, {known}) as at the fit", f"shape {features.shape}")
        out = np.empty((len(features), self.dimensions), dtype)
        step = TOGETHER * max(1, _ENTRIES // (TOGETHER * known))
        for start in range(0, len(features), step):
            rows = slice(start, start + step)
            out[rows] = NUMPY.product(features[rows].astype(np.float64) - self.mean, self.projection)
        return out


def _check(features: Features, dimensions: int, projection: Floats | None, weights: Floats | None) -> None:
    two = features.ndim == 2 and len(features) > 0
    require(two, "features", "have shape (n, D) with at least one row", f"shape {features.shape}")
    require(is_whole(dimensions) and dimensions >= 1, "dimensions", "be a whole number of at least 1", dimensions)
    if projection is not None:
        right = projection.ndim == 2 and len(projection) == features.shape[1]
        require(right, "projection", f"have shape ({features.shape[1]}, d)", f"shape {projection.shape}")
    if weights is not None:
        require(weights.shape == (len(features),), "weights", f"have shape ({len(features)},)", weights.shape)


class _Moments(NamedTuple):
    """Mean of each feature (D,), and its standard deviation, exactly 0 where it is constant."""

    mean: Floats
    scale: Floats


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows to fit on, read in blocks of float64; ``weights`` sum to 1, None for equal ones."""

    features: Features
    weights: Floats | None

    def blocks(self, columns: slice = slice(None)) -> Iterator[tuple[Floats, Floats]]:
        """Yield blocks of the rows of positive weight (b, D), with their weights (b,)."""
        n, width = self.features[:, columns].shape
        step = max(1, _ENTRIES // max(width, 1))
        for start in range(0, n, step):
            rows = slice(start, start + step)
            block = self.features[rows, columns].astype(np.float64)
            w = np.full(len(block), 1 / n) if self.weights is None else self.weights[rows]
            yield (block, w) if w.all() else (block[w > 0], w[w > 0])

    def moments(self) -> _Moments:
        """Return mean and standard deviation of the features, in two passes."""
        largest = np.zeros(self.features.shape[1])
        mean, square = np.zeros_like(largest), np.zeros_like(largest)
        for x, w in self.blocks():
            mean += w @ x
            np.maximum(largest, np.abs(x).max(0, initial=0), out=largest)
        for x, w in self.blocks():
            x -= mean
            square += w @ (x * x)
        scale = np.sqrt(square)
        return _Moments(mean, np.where(scale > _CONSTANT * largest, scale, 0.0))

    def variances(self, mean: Floats, projection: Floats) -> Floats:
        """Return the variances of the coordinates (d,); of a diagonal projection (D,), those of the scaled features."""
        found = np.zeros(projection.shape[-1])
        for x, w in self.blocks():
            z = (x - mean) * projection if projection.ndim == 1 else (x - mean) @ projection
            found += w @ (z * z)
        return found

    def components(self, mean: Floats, inverse: Floats, most: int) -> Floats:
        """Return the first principal components (D, d) of the features times ``inverse``, each of length 1."""
        n, width = self.features.shape
        found = self._by_features(mean, inverse, most) if width <= n else self._by_rows(mean, inverse, most)
        largest = found[np.abs(found).argmax(0), np.arange(found.shape[1])]
        return np.asarray(found * np.sign(largest))

    def _by_features(self, mean: Floats, inverse: Floats, most: int) -> Floats:
        covariance = np.zeros((len(mean), len(mean)))
        for x, w in self.blocks():
            x = (x - mean) * (inverse * np.sqrt(w)[:, None])
            covariance += x.T @ x
        return _leading(covariance, most)[1]

    def _by_rows(self, mean: Floats, inverse: Floats, most: int) -> Floats:
        """Return them from the products of the rows (n, n): the features, more than rows, are read column by column."""
        n, width = self.features.shape
        roots = np.sqrt(np.full(n, 1 / n) if self.weights is None else self.weights)
        step = max(1, _ENTRIES // n)
        slices = [slice(start, start + step) for start in range(0, width, step)]

        def scaled(columns: slice) -> Floats:
            centred = self.features[:, columns].astype(np.float64) - mean[columns]
            return np.asarray(centred * inverse[columns] * roots[:, None])

        products = np.zeros((n, n))
        for columns in slices:
            x = scaled(columns)
            products += x @ x.T
        values, vectors = _leading(products, most)
        found = np.concatenate([scaled(columns).T @ vectors for columns in slices])  # (D, d)
        return np.asarray(found / np.sqrt(values))


def _leading(symmetric: Floats, most: int) -> tuple[Floats, Floats]:
    """Return the largest eigenvalues (d,), falling, and their vectors (m, d); those that are rounding are left out."""
    m = len(symmetric)
    values, vectors = scipy.linalg.eigh(symmetric, subset_by_index=[max(0, m - most), m - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > _RANK * max(values[0], 0.0)
    return values[kept], vectors[:, kept]
