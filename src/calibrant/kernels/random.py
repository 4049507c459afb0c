"""Random numbers that depend on an id, a seed and a replicate, and on nothing else: shards and threads agree.

The generator is counter-based: two rounds of the SplitMix64 finaliser (Steele, Lea and Flood 2014) over the id, keyed
by seed and replicate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.kernels import _native
from calibrant.kernels._arrays import Floats, Scores, SmallInts
from calibrant.kernels._threads import thread_count

_WORD = (1 << 64) - 1


def uniforms(ids: NDArray[np.uint64], seed: int, replicate: int) -> Floats:
    """Return a uniform in the open interval (0, 1) for each id (n,) uint64; seed and replicate count modulo 2^64."""
    out = np.empty(len(ids))
    _native.uniforms(ids, seed & _WORD, replicate & _WORD, thread_count(None), out)
    return out


def poisson_weights(ids: NDArray[np.uint64], seed: int, replicate: int) -> Floats:
    """Return a Poisson(1) count for each id (n,), as float64: the weights of one bootstrap replicate."""
    out = uniforms(ids, seed, replicate)
    _native.poisson_quantiles(out, thread_count(None), out)
    return out


def draw_labels(
    scores: Scores, uniforms: Floats, *, logits: bool, total: Floats | None = None, threads: int | None = None
) -> SmallInts:
    """Return labels drawn from each row's probabilities by inverting their cumulative sums at the uniforms.

    ``uniforms`` (n,) or (R, n) float64 in (0, 1), and the labels have the same shape: R draws a row cost one pass.
    ``total`` (n,) is the log-sum-exp, needed for logits. Rows are used as if they summed to 1; a class of probability
    0 is never drawn.
    """
    labels = np.empty(uniforms.shape, np.int32)
    normalizer = total if logits else None
    _native.draw_labels(scores, np.atleast_2d(uniforms), normalizer, thread_count(threads), np.atleast_2d(labels))
    return labels
