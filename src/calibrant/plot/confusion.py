"""The confusion of confidence: where the classifier puts its probability, and what occurs there.

Of class i, where probability is put on class j: says = sum p_j p_i / sum p_j, occurs = sum p_j [label is i] / sum p_j.
If the whole vector of probabilities is calibrated the two agree for every pair, up to chance; a difference tells which
classes are taken for which, more or less often than the scores say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.metrics import CalibrationError
from calibrant.plot import bands
from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
_BLOCK = 1 << 18  # entries of the columns read at once: a few megabytes of temporaries


@dataclass(frozen=True, eq=False, kw_only=True)
class ConfusionDiagram:
    """Pairs of classes: all matrices (m, m), row i the class that occurs, column j the class believed in.

    Attributes
    ----------
    names : (m,) classes; the last one stands for all others where ``others`` is not 0.
    others : number of classes behind the last one.
    given : mean probability of class j in rows with label i.
    says, occurs : probability and frequency of class i, weighted by the probability of class j.
    beyond : which differences are beyond chance, all together (Bennett's inequality, which holds at any n, and
        Bonferroni over what might have been picked); none where not ``banded``.
    level : of all pairs together.
    n : rows of positive weight.
    banded : whether chance is known: not that of soft labels.
    """

    names: tuple[str, ...]
    others: int
    given: Floats
    says: Floats
    occurs: Floats
    beyond: NDArray[np.bool_]
    level: float
    n: int
    banded: bool = True

    @property
    def gaps(self) -> Floats:
        """How much more often the class occurs than it says (m, m)."""
        return self.occurs - self.says


def prepare(predictions: Predictions, *, most: int = 12, level: float = 0.95) -> ConfusionDiagram:
    """Return the confusion of the classes; of many, that of those with the largest class-wise error.

    Parameters
    ----------
    predictions : labelled rows.
    most : how many classes to tell apart at most, the rest counting as one of them.
    level : of all pairs together.

    Raises
    ------
    DataError : without labels, or for ``most`` under 2.
    """
    bands.check(predictions, level)
    require(most >= 2, "most", "be at least 2", most)
    picked = _picked(predictions, most)
    others = predictions.k - len(picked)
    sums = _sums(predictions, picked, others > 0)
    names = tuple(predictions.class_labels[c] for c in picked)
    return ConfusionDiagram(
        names=(*names, f"the other {others:,}") if others else names,
        others=others,
        given=_ratio(sums.given, sums.occurring[:, None]),
        says=_ratio(sums.says, sums.believed[None, :]),
        occurs=_ratio(sums.given, sums.believed[None, :]),
        beyond=_beyond(sums, level, _log_pairs(predictions.k, len(picked) + (others > 0), others > 0))
        & bands.known(predictions),
        level=level,
        n=len(predictions) if predictions.weights is None else int((predictions.weights > 0).sum()),
        banded=bands.known(predictions),
    )


@dataclass(eq=False)
class _Sums:
    """Weighted sums over rows: of y_i p_j, p_i p_j, the variance of the first, p_j and y_i; and the largest p_j."""

    given: Floats
    says: Floats
    variance: Floats
    believed: Floats
    occurring: Floats
    largest: Floats


def _picked(predictions: Predictions, most: int) -> NDArray[np.int64]:
    if predictions.k <= most:
        return np.arange(predictions.k)
    metric = CalibrationError(notion="class_wise", preset="sce")
    errors = metric.estimate(metric.sums(predictions)).per_class
    worst = np.argsort(-np.asarray(errors), kind="stable")[: most - 1]
    return np.sort(worst)


def _sums(predictions: Predictions, picked: NDArray[np.int64], rest: bool) -> _Sums:
    m = len(picked) + rest
    sums = _Sums(*(np.zeros((m, m)) for _ in range(3)), *(np.zeros(m) for _ in range(3)))
    step = max(1, _BLOCK // m)
    for start in range(0, len(predictions), step):
        rows = slice(start, min(start + step, len(predictions)))
        p, y = _block(predictions, picked, rows, rest)  # (b, m)
        w = predictions.row_weights[rows, None]
        sums.given += (w * y).T @ p
        sums.says += (w * p).T @ p
        sums.variance += (w**2 * p * (1 - p)).T @ p**2
        sums.believed += (w * p).sum(0)
        sums.occurring += (w * y).sum(0)
        np.maximum(sums.largest, (w * p).max(0), out=sums.largest)
    return sums


def _block(predictions: Predictions, picked: NDArray[np.int64], rows: slice, rest: bool) -> tuple[Floats, Floats]:
    """Return probabilities and outcomes (b, m) of some rows, the other classes summed into the last column."""
    labels = predictions.labels
    scores = predictions.scores[rows][:, picked].astype(np.float64)
    p = np.exp(scores - predictions.summary.total[rows, None]) if predictions.logits else scores
    if labels is None:
        raise AssertionError("labels were checked before")
    y = labels[rows][:, picked] if predictions.soft else (labels[rows, None] == picked).astype(np.float64)
    if not rest:
        return p, y
    return tuple(np.column_stack([part, np.maximum(1 - part.sum(1), 0)]) for part in (p, y))  # type: ignore[return-value]


def _log_pairs(k: int, m: int, rest: bool) -> Floats:
    """Return the logarithm (m, m) of the number of pairs that each is picked from.

    The classes told apart are the worst ones: it might have been any two of k, and, where the rest counts as one, any
    set of so many left out.
    """
    single = np.full((m, m), 2 * np.log(k))
    if not rest:
        return single
    sets = scipy.special.gammaln(k + 1) - scipy.special.gammaln(m) - scipy.special.gammaln(k - m + 2)
    single[-1, :] = single[:, -1] = sets + np.log(2 * k + 1)
    return np.asarray(single + np.log(2))  # both kinds together


def _beyond(sums: _Sums, level: float, log_pairs: Floats) -> NDArray[np.bool_]:
    """Return which differences (m, m) are rarer than the level allows, by Bennett (1962), among so many pairs.

    A rare class that occurs once is many standard deviations off: the normal approximation would call that evidence.
    """
    apart, largest = np.abs(sums.given - sums.says), np.maximum(sums.largest, 1e-100)[None, :]
    variance = np.maximum(sums.variance, 1e-200)  # what cannot be has none, and is evidence all the same
    u = largest * apart / variance
    exponent = variance / largest**2 * ((1 + u) * np.log1p(u) - u)
    return np.asarray((exponent > log_pairs + np.log(2 / (1 - level))) & (apart > 1e-9 * sums.believed))


def _ratio(sums: Floats, weights: Floats) -> Floats:
    whole = np.broadcast_to(weights, sums.shape)
    return np.divide(sums, whole, out=np.zeros_like(sums), where=whole > 0)
