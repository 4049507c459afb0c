"""Kernel weights of pairs of rows, queries against references, in the log domain; and the sums over each query."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, SmallInts
from calibrant.kernels._threads import thread_count

_KERNELS = {"gaussian": 0, "laplacian": 1, "box": 2}


class PairSums(NamedTuple):
    """Sums over the references of each query, (m,) each; ``by_class`` (m, k) or None.

    ``nearest`` least squared distance · ``top`` largest log-weight, counted from the nearest reference (the box kernel:
    from 0), -inf where no reference has any weight · ``total`` and ``squares`` sums of the weights divided by the
    largest, and of their squares, 0 where there is none.
    """

    nearest: Floats
    top: Floats
    total: Floats
    squares: Floats
    by_class: Floats | None


def pair_weights(
    products: Scores,
    query_norms: Scores,
    norms: Scores,
    *,
    kernel: str,
    scale: float,
    log_weights: Scores | None = None,
    labels: SmallInts | None = None,
    k: int = 0,
    weights: Scores | None = None,
    threads: int | None = None,
) -> PairSums:
    """Return the sums of w_j exp(-scale d_ij^2) (``laplacian``: of d; ``box``: 1 where d^2 <= scale) over n references.

    ``products`` (m, n), ``query_norms`` (m,), ``norms`` and ``log_weights`` (n,) are of one dtype, and n a multiple of
    eight: a reference of infinite norm is not there, and a product of -inf leaves out a pair. ``labels`` (n,) in
    0..k-1 ask for ``by_class``. The weights divided by the largest of their query are left in ``weights`` (m, n), which
    may be the products.
    """
    m = len(products)
    columns = np.empty((4, m))
    by_class = None if labels is None else np.empty((m, k))
    _native.pair_weights(
        products, query_norms, norms, log_weights, labels, _KERNELS[kernel], scale, thread_count(threads),
        weights, columns, by_class,
    )  # fmt: skip
    return PairSums(columns[0], columns[1], columns[2], columns[3], by_class)
