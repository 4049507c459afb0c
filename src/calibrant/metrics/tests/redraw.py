"""Labels redrawn from the predicted probabilities, and the p-value that they give: exact at every n.

If P(Y = c | p) = p_c and rows are independent given their scores, the observed labels and R redrawn ones are
exchangeable, so (1 + #{redrawn statistics >= observed}) / (R + 1) is at most a with chance at most a, for any statistic
of scores, labels and weights. Source: Broecker and Smith (2007); the finite-sample rule is that of Monte Carlo tests.

Rows that share an id are drawn together, so that a statistic that adds over them varies more, not less. ``"rank"``,
for what is right or wrong: one uniform for an id, counted from a row's largest probability down, so that its rows are
right together and wrong together. ``"class"``, for counts of classes: a race in which class c of row i arrives at
E_c / p_ic, with an exponential E_c that the rows of an id share. Rows a and b then both get class c with chance
1 / sum_j max(a_j / a_c, b_j / b_c) >= a_c b_c, so that no count of a class varies less than with independent labels,
and rows with equal probabilities get equal labels. Where labels move in another way still, the observed and the redrawn
ones are not exchangeable.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.row_blocks import slices
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Together = Literal["rank", "class"]
_STREAM = 0x74657374  # keeps these draws apart from those of null levels and bootstrap weights
_AT_ONCE = 1 << 22  # labels drawn in one walk over the scores: 16 MB, and 32 MB of uniforms
_TOGETHER, _MOST_TOGETHER = 1 << 19, 64  # labels measured together: 4 MB, and as much for each array of outcomes
_ROUNDING = 1e-9  # statistics that differ by less, relative to the largest, are the same


def check_redraws(replicates: int, seed: int) -> None:
    """Raise ``DataError`` unless replicates and seed are whole numbers, replicates at least 1."""
    require(is_whole(replicates) and replicates >= 1, "replicates", "be a positive whole number", replicates)
    require(is_whole(seed), "seed", "be a whole number", seed)


def redrawn(
    predictions: Predictions, replicates: int, seed: int, stream: int = _STREAM, *, together: Together = "rank"
) -> Iterator[NDArray[np.int32]]:
    """Yield ``replicates`` label vectors (n,) drawn from the probabilities, keyed by the keys of the rows.

    Draws of another ``stream`` are independent of these. ``together`` says how rows with the same id are drawn.
    """
    if together == "class" and ids_repeat(predictions):
        yield from (_raced(predictions, seed ^ stream, r) for r in range(replicates))
        return
    order = None if predictions.ids is None else _by_rank(predictions)
    scores = predictions.scores if order is None else np.take_along_axis(predictions.scores, order, axis=1)
    at_once = max(1, _AT_ONCE // len(predictions))
    for start in range(0, replicates, at_once):
        several = range(start, min(start + at_once, replicates))
        uniforms = np.stack([kernels.uniforms(predictions.row_keys, seed ^ stream, r) for r in several])
        total = predictions.summary.total
        drawn = kernels.draw_labels(scores, uniforms, logits=predictions.logits, total=total)
        yield from drawn if order is None else (order[np.arange(len(one)), one] for one in drawn)


def ids_repeat(predictions: Predictions) -> bool:
    """Return whether two rows share an id."""
    keys = np.sort(predictions.row_keys)
    return bool((keys[1:] == keys[:-1]).any())


def _raced(predictions: Predictions, seed: int, replicate: int) -> NDArray[np.int32]:
    """Return the class of each row (n,) that arrives first, with the times of its id."""
    n, k = predictions.scores.shape
    total = predictions.summary.total if predictions.logits else 0.0
    keys, of_key = np.unique(predictions.row_keys, return_inverse=True)
    first, labels = np.full(n, np.inf), np.zeros(n, np.int32)
    for c in range(k):
        waiting = -np.log(kernels.uniforms(keys, seed, replicate * k + c))
        scores = predictions.scores[:, c].astype(np.float64) - total
        with np.errstate(divide="ignore"):
            arrival = np.log(waiting)[of_key] - scores if predictions.logits else waiting[of_key] / scores
        sooner = arrival < first
        first[sooner], labels[sooner] = arrival[sooner], c
    return labels


def _by_rank(predictions: Predictions) -> NDArray[np.int32]:
    """Return the classes of each row (n, k) from the most likely one down, some rows at a time."""
    order = np.empty(predictions.scores.shape, np.int32)
    for some in slices(len(order), predictions.k):
        order[some] = np.argsort(-predictions.scores[some], axis=1, kind="stable")
    return order


def relabellings(predictions: Predictions, replicates: int, seed: int, stream: int = _STREAM) -> Iterator[Relabellings]:
    """Yield the batch with the label vectors of `redrawn`, many at a time for few rows."""
    at_once = max(1, min(_MOST_TOGETHER, _TOGETHER // len(predictions)))
    labels = redrawn(predictions, replicates, seed, stream)
    while several := list(itertools.islice(labels, at_once)):
        yield Relabellings(predictions, np.array(several, dtype=np.int64))


def observed_and_redrawn(
    predictions: Predictions, replicates: int, seed: int, *, together: Together = "class"
) -> NDArray[np.int32]:
    """Return the labels (R + 1, n): the observed ones first, then the redrawn ones."""
    labels = np.empty((replicates + 1, len(predictions)), np.int32)
    labels[0] = predictions.hard_labels
    for row, drawn in zip(labels[1:], redrawn(predictions, replicates, seed, together=together), strict=True):
        row[:] = drawn
    return labels


def upper_p_value(statistics: Floats) -> float:
    """Return the p-value of the first of R + 1 statistics when large ones speak against the null; NaN if it is NaN.

    Redrawn statistics within rounding of the observed one count as equal to it, which can only raise the p-value.
    """
    observed, drawn = statistics[0], statistics[1:]
    if np.isnan(observed):
        return float("nan")
    finite = np.abs(statistics[np.isfinite(statistics)])
    slack = _ROUNDING * finite.max(initial=0.0)
    return float((1 + np.count_nonzero(~(drawn < observed - slack))) / (len(drawn) + 1))
