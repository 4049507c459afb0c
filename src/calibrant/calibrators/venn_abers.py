"""Two isotonic fits for each new row, one as if its label were the class and one as if not: an interval, and its merge.

Formula: p_0 and p_1, the isotonic values at a score once the row itself has been added with label 0 and with label 1;
p = p_1 / (1 - p_0 + p_1). Each class against the rest on log-odds, rows divided by their sums; or each pair of classes,
coupled by p_c = 1 / (sum_j 1 / r_cj - (k - 2)).
Sources: Vovk, Petej and Fedorova 2015; the coupling is that of Price, Knerr, Personnaz and Dreyfus 1994.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import CapabilityError, require, sentence
from calibrant.formulas import NUMPY, Ops, log_odds, normalized
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.class_scores import class_scores
from calibrant.solvers.columns import effective_weights, label_mass
from calibrant.solvers.pava import with_one_more
from calibrant.solvers.zeros import check_zero, prepared_by_order, without_zeros

Floats = NDArray[np.float64]
Steps = tuple[Floats, Floats, Floats, Floats]

# Scores this near, relative to 1 + |score|, count as equal: another exp, log or order of a sum may round them apart.
_SAME = 1e-10
_MOST_COUPLED = 100  # classes of one-vs-one: 4,950 pairs


def _odds(log_p: Floats) -> Floats:
    odds: Floats = log_odds(NUMPY, log_p)
    return odds


def _steps(scores: Floats, outcome: Floats, weights: Floats) -> Steps:
    """Return knots and levels of p_0, which rises at its knots, and of p_1, which rises just above them."""
    order = np.argsort(scores)
    scores, near = scores[order], _SAME * (1 + np.abs(scores[order]))
    gaps = np.diff(scores, prepend=-np.inf, append=np.inf)
    new = gaps[:-1] > near  # where another group of equal scores begins
    starts = np.flatnonzero(new)
    mass, hits = (np.add.reduceat(column[order], starts) for column in (weights, weights * outcome))
    low, high = with_one_more(mass, hits)
    ends = np.append(starts[1:], len(scores)) - 1
    rises, follows = np.diff(low, prepend=-1.0) != 0, np.diff(high, append=2.0) != 0  # runs of a level are one step
    lower = (scores - np.minimum(near, gaps[:-1] / 2))[starts[rises]]
    upper = (scores + np.minimum(near, gaps[1:] / 2))[ends[follows]]
    return lower, np.insert(low[rises], 0, 0.0), upper, np.append(high[follows], 1.0)


def _padded(rows: list[Floats], fill: float | None) -> Floats:
    """Return rows of different lengths as one array, filled up with a number or with the last of each row."""
    width = max(len(row) for row in rows)
    return np.stack([np.append(row, np.full(width - len(row), row[-1] if fill is None else fill)) for row in rows])


def _pairs(k: int) -> tuple[Floats, Floats]:
    """Return which class comes first and which second in each pair, as 1.0 and 0.0 (k, pairs)."""
    first, second = np.array(list(combinations(range(k), 2))).T
    classes = np.arange(k)[:, None]
    return (classes == first).astype(np.float64), (classes == second).astype(np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class VennAbersMap(CalibrationMap):
    """The steps of p_0 and p_1 of each of m problems: k classes against the rest, or k (k - 1) / 2 ``pairs``.

    p_0 is ``lower_levels[j, b]`` with b the number of ``lower_knots[j]`` up to the score; p_1 ``upper_levels[j, b]``
    with b the number of ``upper_knots[j]`` below it. Knots (m, most) rise and end in infinities; levels (m, most + 1).
    """

    pairs: bool
    lower_knots: Floats
    lower_levels: Floats
    upper_knots: Floats
    upper_levels: Floats

    def __post_init__(self) -> None:
        k = self.record.k
        m = k * (k - 1) // 2 if self.pairs else k
        for name in ("lower", "upper"):
            knots, levels = getattr(self, f"{name}_knots"), getattr(self, f"{name}_levels")
            shapes = knots.ndim == levels.ndim == 2 and len(knots) == m and levels.shape == (m, knots.shape[1] + 1)
            got = f"{knots.shape}, {levels.shape}"
            require(shapes, f"knots and levels of {name}", f"have {m} rows and one level more", got)
            rising = not np.isnan(knots).any() and bool((knots[:, 1:] >= knots[:, :-1]).all())
            require(rising, f"{name}_knots", "be numbers that do not fall")
            require(bool(((levels >= 0) & (levels <= 1)).all()), f"{name}_levels", "lie in [0, 1]")
        require(bool((self.upper_levels > 0).all()), "upper_levels", "be positive")
        check_zero(self.floor)

    def intervals(self, predictions: Predictions) -> tuple[Floats, Floats]:
        """Return p_0 and p_1 (n, k) each: for each class against the rest the interval between its two fits.

        Raises
        ------
        DataError : if the classes are not those of the fit.
        CapabilityError : for a map of pairs, whose intervals are of pairs.
        """
        if self.pairs:
            way_out = 'fit "venn_abers" with its default strategy'
            raise CapabilityError(sentence("map", "treat each class against the rest", "pairs", way_out=way_out))
        self._check_classes(predictions)
        batch = without_zeros(predictions, self.floor)
        return self._bounds(NUMPY, class_scores(batch, _odds).T)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the merged probabilities over their row sums."""
        return self._coupled(ops, log_p) if self.pairs else self._each(ops, log_p)

    def _each(self, ops: Ops, log_p: Any) -> Any:
        return normalized(ops, self._merged(ops, log_odds(ops, log_p)), ops.exp(log_p))

    def _coupled(self, ops: Ops, log_p: Any) -> Any:
        k, (first, second) = self.record.k, _pairs(self.record.k)
        one = ops.constant(1.0)
        wins = self._merged(ops, ops.product(log_p, first - second))  # (n, pairs)
        against = ops.product(one / wins, first.T) + ops.product(one / (one - wins), second.T)  # (n, k)
        return normalized(ops, one / (against - ops.constant(k - 2.0)), ops.exp(log_p))

    def _merged(self, ops: Ops, scores: Any) -> Any:
        lower, upper = self._bounds(ops, scores)
        return upper / (ops.constant(1.0) - lower + upper)

    def _bounds(self, ops: Ops, scores: Any) -> tuple[Any, Any]:
        """Return p_0 and p_1 (n, m) of scores (n, m)."""
        lower = ops.pick(self.lower_levels, ops.place(scores, self.lower_knots, right=True))
        return lower, ops.pick(self.upper_levels, ops.place(scores, self.upper_knots, right=False))

    @property
    def n_parameters(self) -> int:
        """Number of steps of all functions."""
        return int(np.isfinite(self.lower_knots).sum() + np.isfinite(self.upper_knots).sum())


@register(
    "calibrator",
    "venn_abers",
    compared="",
    reference="vovk2015",
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="at most 2 n k + k^2",
    wants_rows="500k",
    cost="O(k n log n)",
    guarantee="two classes: p_0 or p_1, the one for the label to come, is calibrated for exchangeable rows",
    assumes="rows are exchangeable",
    suits="intervals for probabilities, thousands of rows a class",
)
@dataclass(frozen=True, kw_only=True)
class VennAbers(Calibrator):
    """Give each class an interval from two isotonic fits, and the probability in it that risks least log loss.

    Choose it where the width of ``intervals`` of the map is wanted: it tells how much the calibration rows leave open.
    For two classes it is valid for finite samples: of p_0 and p_1 the one for the label that comes true is calibrated
    exactly. As a plain map it is an isotonic one that is never certain; `isotonic` joins the steps and is smoother.

    Parameters
    ----------
    strategy : "one_vs_rest" on log-odds, rows rescaled; "one_vs_one" on differences of log-probabilities of each pair,
        for up to 100 classes: k (k - 1) / 2 fits that each see the rows of two classes, coupled.
    zero : what stands for an exact zero, in (0, 1). None: 1e-30, or less below smaller scores, so that the other scores
        of a row keep their values, and equal scores stay equal.

    Notes
    -----
    Exact: p_0 and p_1 at any score are what two new isotonic fits would give, looked up in O(log n). Scores within
    1e-10 count as equal. p_1 / (1 - p_0 + p_1) is the minimax choice for log loss. A class without calibration rows
    keeps its column: p_0 = 0 and p_1 > 0; a pair without rows is even. Validity does not extend to the rescaled rows,
    to weights or to soft labels; weights are masses, in units of Kish's effective rows, and the added row weighs 1.
    """

    strategy: Literal["one_vs_rest", "one_vs_one"] = "one_vs_rest"
    zero: float | None = None

    def __post_init__(self) -> None:
        known = self.strategy in ("one_vs_rest", "one_vs_one")
        require(known, "strategy", "be 'one_vs_rest' or 'one_vs_one'", repr(self.strategy))
        check_zero(self.zero)

    def declines(self, predictions: Predictions) -> str:
        """Return why the method does not suit the batch, as a sentence, or the empty string."""
        if self.strategy == "one_vs_one" and predictions.k > _MOST_COUPLED:
            condition, way_out = f"have at most {_MOST_COUPLED} classes for venn_abers of pairs", "take one_vs_rest"
            return sentence("predictions", condition, f"{predictions.k} classes", way_out=way_out)
        return super().declines(predictions)

    def learn(self, predictions: Predictions) -> VennAbersMap:
        """Return the map of all steps."""
        batch, floor = prepared_by_order(predictions, self.zero)
        steps = _of_pairs if self.strategy == "one_vs_one" else _of_classes
        found = steps(batch, effective_weights(predictions))
        lower_knots, lower_levels, upper_knots, upper_levels = (list(part) for part in zip(*found, strict=True))
        return VennAbersMap(
            pairs=self.strategy == "one_vs_one",
            lower_knots=_padded(lower_knots, np.inf),
            lower_levels=_padded(lower_levels, None),
            upper_knots=_padded(upper_knots, np.inf),
            upper_levels=_padded(upper_levels, None),
            floor=floor,
            record=self.fit_record(predictions),
        )


def _of_classes(batch: Predictions, weights: Floats) -> Iterator[Steps]:
    """Yield the steps of each class against the rest."""
    for c, scores in enumerate(class_scores(batch, _odds)):
        yield _steps(scores, label_mass(batch, c), weights)


def _of_pairs(batch: Predictions, weights: Floats) -> Iterator[Steps]:
    """Yield the steps of each pair of classes, learnt from the label mass on either."""
    log_p = class_scores(batch, lambda log_p: log_p)
    for first, second in combinations(range(batch.k), 2):
        won, lost = label_mass(batch, first), label_mass(batch, second)
        rows = np.flatnonzero(won + lost)
        if not len(rows):
            yield np.array([np.inf]), np.array([0.0, 0.0]), np.array([np.inf]), np.array([1.0, 1.0])
            continue
        mass = (won + lost)[rows]
        yield _steps(log_p[first, rows] - log_p[second, rows], won[rows] / mass, weights[rows] * mass)
