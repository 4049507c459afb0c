"""Hosmer-Lemeshow for k classes: observed against expected counts by group of confidence and rank or class.

Rows are sorted by confidence and cut into g groups of equal weight. In a group, d = sum w (e_y - p) over its rows has
mean 0 under the null, and the covariance V = sum w^2 (diag p - p p'), so that the sum over groups of d' V^- d is
asymptotically chi-square with the ranks of V, g (k - 1) in all, as degrees of freedom. Pearson's sum of (O - E)^2 / E
(Fagerland, Hosmer and Bofin, 2008, with (g - 2) (k - 1) degrees for a model fitted to the same rows) takes the rows of
a group for copies of their mean: where probabilities differ inside a group it varies less than chi-square, and for more
than two classes groups of equal confidence are far from that. Hence the covariance itself is used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from calibrant import kernels
from calibrant.errors import is_whole, require
from calibrant.metrics.row_blocks import Rows, slices
from calibrant.metrics.tests.base import ASYMPTOTIC, EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.redraw import check_redraws, observed_and_redrawn, upper_p_value
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected
from calibrant.validation import frozen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_FEWEST = 5.0  # expected rows in a cell that stands alone (Cochran's rule); rarer classes are counted together
_GROUP_ROWS = 20  # of a group: with fewer, its outcomes would mostly be counted as one
_SPREAD = 5.0  # variance of the count of every cell from which chi-square is used: as that of 5 Poisson events
_RANK = 1e-9  # eigenvalues of V below this share of the largest are rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """One group: its rows, the cell of each class, expected counts of the cells, and V^(-1/2)."""

    rows: Ints
    cell: Ints  # (k,)
    weights: Floats  # (m,)
    expected: Floats  # (cells,)
    whitener: Floats  # (cells, rank)
    least_spread: float

    @classmethod
    def of(cls, batch: Predictions, rows: Ints) -> Group:
        """Return the group of some rows."""
        w, p = batch.row_weights[rows], Rows(batch).probabilities(rows)
        cell = _cells(w @ p / (w @ w) * w.sum())
        joined = p @ np.eye(cell.max() + 1)[cell]  # (m, cells)
        expected, scaled = w @ joined, w[:, None] * joined
        covariance = np.diag(w**2 @ joined) - scaled.T @ scaled
        spread = np.diag(covariance) / (w @ w) * len(w)
        return cls(
            rows=rows,
            cell=cell,
            weights=w,
            expected=expected,
            whitener=_inverse_root(covariance),
            least_spread=float(spread.min()) if len(expected) > 1 else np.inf,
        )

    def statistics(self, labels: NDArray[np.int32]) -> Floats:
        """Return d' V^- d of each of several label vectors (R,)."""
        cells, size = self.cell[labels[:, self.rows]], len(self.expected)
        cells += size * np.arange(len(labels))[:, None]
        observed = np.bincount(cells.ravel(), np.tile(self.weights, len(labels)), size * len(labels))
        standard = (observed.reshape(-1, size) - self.expected) @ self.whitener  # (R, rank)
        return np.asarray(np.einsum("ij,ij->i", standard, standard))


def _cells(expected: Floats) -> Ints:
    """Return the cell of each class (k,): the rarest are counted together until a cell has enough expected rows."""
    cell, number, total = np.empty(len(expected), np.int64), 0, 0.0
    for c in np.argsort(expected, kind="stable"):
        if total >= _FEWEST:
            number, total = number + 1, 0.0
        cell[c] = number
        total += expected[c]
    return cell if total >= _FEWEST else np.minimum(cell, max(number - 1, 0))


def _inverse_root(covariance: Floats) -> Floats:
    """Return A (cells, rank) with A A' the pseudo-inverse; counts that sum to a constant take one rank."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _RANK * max(values[-1], 0.0)
    kept[0] = False  # the direction of equal shifts of all cells, in which nothing can vary
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def by_rank(batch: Predictions) -> Predictions:
    """Return the batch with the scores of each row in descending order, and as label the place of the label."""
    scores, rank = np.empty_like(batch.scores), batch.summary.label_rank
    if rank is None:  # labels that came later than the scores
        rank = kernels.scan_rows(batch.scores, logits=batch.logits, labels=batch.hard_labels).label_rank
    place = np.asarray(rank, dtype=np.int64) - 1
    for rows in slices(len(batch), batch.k):
        scores[rows] = np.sort(batch.scores[rows], axis=1)[:, ::-1]
    return replace(batch, scores=frozen(scores), labels=place, classes=None, _memo={})


def groups_of(batch: Predictions, count: int) -> Iterator[Group]:
    """Yield groups of equal weight by confidence; ties stay together and go where their first unit goes."""
    _, tie = np.unique(batch.summary.confidence, return_inverse=True)
    mass = np.bincount(tie, batch.row_weights)
    before = (np.cumsum(mass) - mass) / mass.sum()
    group = np.floor(count * before + 1e-9).astype(np.int64)[tie]  # 1e-9 of a group is rounding of the sums
    for number in np.unique(group):
        yield Group.of(batch, np.flatnonzero(group == number))


@register("test", "hosmer_lemeshow", reference="fagerland2008", supports_soft_labels=False)
@dataclass(frozen=True, kw_only=True)
class HosmerLemeshow(CalibrationTest):
    """Hosmer-Lemeshow for k classes: counts of the classes in groups of confidence, against their expectation.

    Parameters
    ----------
    groups : most groups of equal weight by confidence (default 10); fewer where confidences are tied, or where a
        group would have under 20 rows (with weights, Kish's effective rows).
    outcomes : what is counted in a group: ``"rank"`` (default), whether the label is the most probable class, the
        second, and so on, or ``"class"``, as Fagerland et al. Over-confidence in all classes alike cancels in the
        counts of classes and shows in those of ranks; for k = 2 ranks give the usual test of the confidence.
    p_value : ``"chi_square"``, ``"resampled"`` (labels redrawn from the probabilities), or ``"auto"`` (default):
        chi-square where the count of every cell has a variance of at least 5 under the null, else resampled. The choice
        looks at the probabilities alone.
    replicates, seed : of the redrawn labels.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, which were not fitted on these rows. The statistic is
    sum over groups of d' V^- d, where d is observed minus expected counts and V their exact covariance: groups x
    (k - 1) degrees of freedom. In each group, classes with fewer than 5 expected rows are counted together, the rarest
    first, until a count has 5. The level of the resampled p-value is at most the nominal one at every n; that of
    chi-square is asymptotic. Rows with the same id are taken to move together: where ids repeat, labels are redrawn
    whatever ``p_value`` says, those of an id together. Weights are importances and enter V squared. Rows
    are kept, and ranks need a copy of the scores. O(n k log k), plus O(cells^3) a group.
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities, in groups of confidence"

    groups: int = 10
    outcomes: Literal["rank", "class"] = "rank"
    p_value: Literal["auto", "chi_square", "resampled"] = "auto"
    replicates: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        require(is_whole(self.groups) and self.groups >= 1, "groups", "be a positive whole number", self.groups)
        require(self.outcomes in ("rank", "class"), "outcomes", "be 'rank' or 'class'", repr(self.outcomes))
        known = self.p_value in ("auto", "chi_square", "resampled")
        require(known, "p_value", "be 'auto', 'chi_square' or 'resampled'", repr(self.p_value))
        check_redraws(self.replicates, self.seed)

    @property
    def level(self) -> str:
        """That of redrawn labels where they are redrawn, else of chi-square."""
        return {
            "resampled": EXACT,
            "chi_square": ASYMPTOTIC,
            "auto": "at most the nominal one where labels are redrawn; elsewhere asymptotic, every count having a "
            "variance of at least 5",
        }[self.p_value]

    def result(self, sums: Collected) -> TestResult:
        """Return the statistic with its p-value."""
        batch = sums.pooled if self.outcomes == "class" else by_rank(sums.pooled)
        affordable = int(batch.effective_rows / _GROUP_ROWS + 1e-9)
        groups = [*groups_of(batch, max(1, min(self.groups, affordable)))]
        freedom = sum(group.whitener.shape[1] for group in groups)
        small, together = min(group.least_spread for group in groups) < _SPREAD, dependence(batch)
        if freedom == 0:
            return self.found(0.0, 1.0, len(batch), _why_nothing_varies(batch), *together, degrees_of_freedom=0)
        resampled = bool(self.p_value == "resampled" or (self.p_value == "auto" and small) or together)
        labels = observed_and_redrawn(batch, self.replicates if resampled else 0, self.seed)
        values = np.sum([group.statistics(labels) for group in groups], axis=0)
        warned = small and not resampled
        return self.found(
            float(values[0]),
            upper_p_value(values) if resampled else float(chdtrc(freedom, values[0])),
            len(batch),
            *(("some cells are too small for chi-square: use p_value='resampled'",) if warned else ()),
            *together,
            degrees_of_freedom=freedom,
            groups=len(groups),
            resampled=resampled,
        )


def _why_nothing_varies(batch: Predictions) -> str:
    certain = bool((batch.summary.confidence >= 1).all())
    return "no count can vary under the null" if certain else "too few expected rows to tell counts apart"
