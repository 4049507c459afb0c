"""`Neighbourhood`: which rows count, and how much, around any point of a feature space. Fitted once, on stated rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, is_whole, require, sentence
from calibrant.neighbourhood.bandwidth import choose
from calibrant.neighbourhood.indexes import check_backend, index_of
from calibrant.neighbourhood.kernel import KernelName, check_kernel, log_kernel
from calibrant.neighbourhood.local_sums import LocalFrequencies, Weighing, class_frequencies, exact, exact_averages
from calibrant.neighbourhood.neighbours import Index, Neighbours, nearest, without_own
from calibrant.neighbourhood.references import (
    BLOCK_BYTES,
    Coordinates,
    References,
    Rows,
    single_suffices,
    squared_norms,
)
from calibrant.neighbourhood.space import Features, Space
from calibrant.neighbourhood.truncation import Beyond, truncated
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]


class WeightBlock(NamedTuple):
    """Weights of all reference rows around some queries.

    ``rows`` which queries · ``weights`` (b, n) relative to the largest of each, valid until the next block ·
    ``log_largest`` (b,) the logarithm of that one, -inf where no row has any weight.
    """

    rows: slice
    weights: Coordinates
    log_largest: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbourhood:
    """Reference rows in a space, with a kernel and its bandwidth: makes weighted neighbours of any features.

    Make one with `fit`. Methods that are given no features are about the reference rows, each without itself.

    Attributes
    ----------
    space : the `Space`; neither it nor anything else is ever fitted anew.
    kernel, bandwidth : as in `log_kernel`; the bandwidth is in the units of the space.
    rows : (n, d) coordinates of the reference rows, in the dtype of their features.
    labels : (n,) int64 in 0..k-1, or soft (n, k).
    weights : (n,), summing to Kish's effective number of rows.
    curve, share : how the bandwidth was chosen, as in `Bandwidth`.
    backend : "exact" for all pairs; or the name of an index, "faiss", which finds the ``neighbours`` nearest rows
        of a query: all others are left out.
    block_bytes : what the largest temporary array may take; but 96 queries are always taken together.
    """

    space: Space
    kernel: KernelName
    bandwidth: float
    rows: Coordinates
    labels: NDArray[Any]
    weights: Floats
    k: int
    curve: Floats = field(default_factory=lambda: np.empty((0, 2)))
    share: float = 0.0
    backend: str = "exact"
    neighbours: int = 64
    block_bytes: int = BLOCK_BYTES

    def __post_init__(self) -> None:
        check_kernel(self.kernel, self.bandwidth)
        check_backend(self.backend)
        whole = is_whole(self.neighbours) and self.neighbours >= 1
        require(whole, "neighbours", "be a whole number of at least 1", self.neighbours)
        n = len(self.rows)
        fits = self.rows.shape == (n, self.space.dimensions) and n > 0
        require(fits, "rows", f"have shape (n, {self.space.dimensions})", self.rows.shape)
        right = self.labels.shape in ((n,), (n, self.k)) and self.weights.shape == (n,)
        require(right, "labels and weights", f"belong to {n} rows", (self.labels.shape, self.weights.shape))
        inside = self.labels.ndim == 2 or (self.labels.min() >= 0 and self.labels.max() < self.k)
        require(bool(inside and (self.weights > 0).all()), "labels and weights", f"lie in 0..{self.k - 1} and above 0")

    @classmethod
    def fit(
        cls,
        predictions: Predictions,
        *,
        space: Space | None = None,
        dimensions: int = 50,
        standardise: bool = True,
        kernel: KernelName = "gaussian",
        bandwidth: float | Literal["log_loss", "size"] = "log_loss",
        size: float = 50.0,
        **search: Any,
    ) -> Neighbourhood:
        """Return the neighbourhood of the rows of a batch with features and labels; rows of weight 0 are not there.

        Parameters
        ----------
        space : in place of one that is fitted on the features, by `Space.fit` with ``dimensions, standardise``.
        bandwidth : a number, in the units of the space; "log_loss" for the least leave-one-out log loss of the local
            class frequencies; or "size" for a median effective sample size of ``size``. The choice looks at up to a
            thousand of the rows, each with all others.
        kernel : "gaussian", "laplacian" or "box".
        search : ``backend, neighbours, block_bytes`` of the class.

        Raises
        ------
        DataError : if there are no features or no labels.
        """
        batch = predictions.without_absent_rows()
        features, labels, w = _features(batch), batch.labels, batch.row_weights
        if labels is None:
            raise DataError(sentence("predictions", "have labels", way_out="pass labels="))
        if space is None:
            space = Space.fit(features, dimensions=dimensions, standardise=standardise, weights=batch.weights)
        chosen = isinstance(bandwidth, str)
        made = cls(
            space=space,
            kernel=kernel,
            bandwidth=1.0 if chosen else cast(float, bandwidth),
            rows=space.apply(features, features.dtype.type),
            labels=labels,
            weights=w * (w.sum() / (w @ w)),
            k=batch.k,
            **search,
        )
        if not chosen:
            return made
        found = choose(cast(str, bandwidth), made._laid, made._norms, kernel, labels, made.weights, batch.k, size)
        return replace(made, bandwidth=found.value, curve=found.curve, share=found.share)

    def at(self, bandwidth: float) -> Neighbourhood:
        """Return the same neighbourhood with another bandwidth."""
        return replace(self, bandwidth=bandwidth, curve=np.empty((0, 2)), share=0.0)

    @property
    def class_frequencies(self) -> Floats:
        """Weighted class frequencies (k,) of all reference rows."""
        return class_frequencies(self.labels, self.weights, self.k)

    # ---- averages around queries -----------------------------------------------------------------------------
    def frequencies(self, features: Features, *, prior: Floats | None = None) -> LocalFrequencies:
        """Return the class frequencies around the rows of ``features`` (m, D), with their mass and effective size.

        ``prior`` (k,) or (m, k) stands where no row has any weight, as the box kernel may find; by default the class
        frequencies of all reference rows. An isolated query has the frequencies of the rows nearest to it, a small
        ``log_mass`` and an ``effective_size`` near 1: guards by support look at these.
        """
        return self._around(self._queries(features), None, self.labels, prior)

    def leave_one_out(self, *, prior: Floats | None = None) -> LocalFrequencies:
        """Return the class frequencies around each reference row, which itself, with all of its weight, is left out."""
        return self._around(*self._whose(None), self.labels, prior)

    def averages(
        self, values: Floats, features: Features | None = None, *, prior: Floats | None = None
    ) -> LocalFrequencies:
        """Return kernel-weighted averages of ``values`` (n, c) of the reference rows, as ``frequencies`` (m, c).

        Around the rows of ``features`` (m, D); without features, around each reference row, itself left out.
        """
        right = values.ndim == 2 and len(values) == len(self.rows)
        require(right, "values", f"have shape ({len(self.rows)}, c)", values.shape)
        return self._around(*self._whose(features), np.asarray(values, dtype=np.float64), prior)

    def _around(
        self, queries: Coordinates, own: Rows | None, values: NDArray[Any], prior: Floats | None
    ) -> LocalFrequencies:
        hard = values.ndim == 1
        if prior is None:
            prior = self.class_frequencies if hard else self.weights @ values / self.weights.sum()
        if self.backend != "exact":
            how = self._weighing, self._search, self._beyond
            return truncated(*how, queries, own, self.neighbours, self.weights, values, prior)
        if hard:
            return exact(self._references, self._weighing, queries, own, prior)
        return exact_averages(self._references, self._weighing, queries, own, values, prior)

    # ---- neighbours and their weights ------------------------------------------------------------------------
    def nearest(self, count: int, features: Features | None = None) -> Neighbours:
        """Return the ``count`` nearest reference rows of each row of ``features`` (m, D), by the backend.

        Without features those of each reference row, itself left out. All others where there are fewer.
        """
        require(is_whole(count) and count >= 1, "count", "be a whole number of at least 1", count)
        search = self._search_all if self.backend == "exact" else self._search
        return search(*self._whose(features), count)

    def weight_blocks(self, features: Features | None = None) -> Iterator[WeightBlock]:
        """Yield the weights, kernel times weight, of all reference rows around blocks of queries; 0 of a row itself.

        Exact whatever the backend; in single precision where that moves no weight by much more than 1e-3 of it.
        """
        references, n = self._references, len(self.rows)
        for block in references.blocks(*self._whose(features)):
            sums = self._weighing.sums(references, block, weights=block.products)
            yield WeightBlock(block.rows, block.products[:, :n], sums.log_largest)

    def log_weights(self, features: Features | None = None) -> Iterator[tuple[slice, Floats]]:
        """Yield blocks of queries with the logarithms (b, n) of kernel times weight; -inf of a row around itself."""
        logs = np.log(self.weights)
        for block in self._references.blocks(*self._whose(features)):
            yield block.rows, log_kernel(self.kernel, block.squared(self._references), self.bandwidth) + logs

    # ---- what is underneath ----------------------------------------------------------------------------------
    def _queries(self, features: Features) -> Coordinates:
        return self.space.apply(features, self.rows.dtype.type)

    def _whose(self, features: Features | None) -> tuple[Coordinates, Rows | None]:
        if features is None:
            return self.rows, np.arange(len(self.rows))
        return self._queries(features), None

    @property
    def _weighing(self) -> Weighing:
        return Weighing(self.kernel, self.bandwidth)

    @cached_property
    def _norms(self) -> Coordinates:
        return squared_norms(self.rows)

    @cached_property
    def _references(self) -> References:
        return self._laid(single_suffices(self._norms, self.kernel, self.bandwidth))

    def _laid(self, single: bool) -> References:
        hard = self.labels if self.labels.ndim == 1 else None
        return References.of(self.rows, self.weights, hard, single=single, block_bytes=self.block_bytes)

    @cached_property
    def _index(self) -> Index:
        return index_of(self.backend, self.rows)

    @cached_property
    def _beyond(self) -> Beyond:
        return Beyond.of(self.rows, self.weights)

    def _search_all(self, queries: Coordinates, own: Rows | None, count: int) -> Neighbours:
        return nearest(self._references, queries, own, count)

    def _search(self, queries: Coordinates, own: Rows | None, count: int) -> Neighbours:
        most = min(count + (own is not None), len(self.rows))
        found = self._index.search(queries, most)
        return found if own is None else without_own(found, own)


def _features(batch: Predictions) -> Features:
    require(batch.features is not None, "predictions", "have features", way_out="pass features=")
    return cast(Features, batch.features)
