"""Murphy's decomposition of a proper score of the pairs (score f, outcome o), with the terms within bins.

With bins b of share s_b, mean score f_b and mean outcome o_b, overall outcome o, L(f, o) the expected loss of f when
the outcome has mean o, and D(o, f) = L(f, o) - L(o, o) its divergence:
    loss = REL - RES + UNC + WBV - WBC,
    REL = sum_b s_b D(o_b, f_b)          reliability, 0 for a calibrated model
    RES = sum_b s_b D(o_b, o)            resolution, how far bins differ
    UNC = L(o, o)                        uncertainty of the outcome
    WBV = sum_b s_b mean of L(f, o_b) - L(f_b, o_b)             spread of the scores within bins, never negative
    WBC = sum_b s_b covariance of o and L(f, 0) - L(f, 1)       what that spread tells of the outcome.
It is exact, because L is affine in o. For the Brier loss (f - o)^2, D(o, f) = (f - o)^2 and the terms are those of
Stephenson, Coelho and Jolliffe (2008), Two extra components in the Brier score decomposition; for the log loss D is the
Kullback-Leibler divergence. Murphy (1973), A new vector partition of the probability score, is the case of scores that
are constant within bins.

Ferro and Fricker (2012) take the noise out: with h_b = sum w^2 / (sum w)^2 (1/n_b for equal weights),
d = sum_b s_b o_b (1 - o_b) h_b / (1 - h_b) and u = o (1 - o) h / (1 - h),
    REL' = REL - d,  RES' = RES - d + u,  UNC' = UNC + u.
REL' is unbiased, given the scores, where scores are constant in each bin and every bin holds two rows or more; UNC' is
unbiased for rows that are drawn independently. A bin of one row tells no noise: nothing is taken out there, since the
terms must add up to the score, and a note says how much weight that is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant import kernels, registry
from calibrant.errors import is_whole, require
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.metrics.notions import Notion
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Merging, Statistic

Floats = NDArray[np.float64]


def _brier(f: Floats, o: Floats | float) -> Floats:
    """Return the expected squared error of score f when the outcome has mean o."""
    return np.asarray((f - 2 * np.asarray(o)) * f + o)


def _log(f: Floats, o: Floats | float) -> Floats:
    """Return -o log f - (1 - o) log(1 - f) with 0 log 0 = 0."""
    mean = np.asarray(o)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(mean > 0, -mean * np.log(f), 0.0)
        return hit + np.where(mean < 1, -(1 - mean) * np.log1p(-f), 0.0)


_LOSSES: dict[str, Callable[[Floats, Floats | float], Floats]] = {"brier": _brier, "log_loss": _log}


@dataclass(frozen=True, eq=False, kw_only=True)
class MurphySums(Statistic):
    """Weighted sums by column and bin (C, B): of one, score, outcome, loss, squared weight; rows of positive weight.

    ``if_hit, if_missed`` are the sums of the losses that each score would have for outcomes 1 and 0.
    """

    planes: dict[str, Floats]
    rows: int

    @property
    def merging(self) -> Merging:
        """Sums over fixed bins merge exactly."""
        return "exact"

    def merge(self, other: MurphySums) -> MurphySums:
        """Return the sums of both sets of rows."""
        planes = {name: plane + other.planes[name] for name, plane in self.planes.items()}
        return replace(self, planes=planes, rows=self.rows + other.rows)


@register("measure", "murphy_reliability", reference="stephenson2008")
@dataclass(frozen=True, kw_only=True)
class MurphyReliability(Metric):
    """Reliability term of Murphy's decomposition; the details hold all terms: loss = rel - res + unc + wbv - wbc.

    The loss is that of the pair (confidence, correct), not of all classes: (confidence - correct)^2 for
    ``rule="brier"``, the binary log loss in nats for ``"log_loss"``, both over 15 equal-width bins. rel is the squared
    `rmsce`, or the Kullback-Leibler divergence in its place; wbv and wbc are the terms within bins, without which the
    parts do not add up to the score. With scores of exactly 0 or 1 those of the log loss are infinite: ``within`` =
    wbv - wbc is given besides, and is finite where the score is.

    Biased upwards by the noise of the mean outcomes, about bins / n times their variance, and so is the resolution.
    ``debiased`` (Brier only) takes it out after Ferro and Fricker (2012); rel may then be negative. O(n), exact sums.

    Parameters
    ----------
    rule : ``"brier"`` or ``"log_loss"``.
    bins : number of equal-width bins.
    notion : ``"confidence"``, ``"class_wise"`` (terms are means over classes) or another that splits no rows.
    debiased : the terms of Ferro and Fricker.
    """

    rule: Literal["brier", "log_loss"] = "brier"
    bins: int = 15
    notion: str = "confidence"
    debiased: bool = False
    bootstraps = False

    def __post_init__(self) -> None:
        require(self.rule in _LOSSES, "rule", "be 'brier' or 'log_loss'", repr(self.rule))
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(isinstance(self.debiased, bool), "debiased", "be True or False", repr(self.debiased))
        brier = self.rule == "brier" or not self.debiased
        require(brier, "rule", "be 'brier' for the debiased terms", repr(self.rule))
        require(not self._notion.splits_rows, "notion", "have all rows in each column", repr(self.notion))

    @cached_property
    def _notion(self) -> Notion:
        notion: Notion = registry.create("notion", self.notion)
        return notion

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Debiased terms may be negative, divergences are unbounded."""
        return (-1.0 if self.debiased else 0.0, 1.0 if self.rule == "brier" else float("inf"))

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """A repeated row is not an independent one in the estimate of the noise."""
        return not self.debiased

    @property
    def estimand(self) -> str:
        """The same functional of the population, with these bins."""
        return f"reliability of the {self.notion} pairs of the population in {self.bins} equal-width bins ({self.rule})"

    @property
    def gathering(self) -> Hashable:
        """Equal for the same pairs, bins and loss."""
        return ("murphy", self.notion, self.bins, self.rule)

    def sums(self, predictions: Predictions) -> MurphySums:
        """Return the sums over the bins of one batch."""
        weights = predictions.row_weights
        columns = [self._column(predictions, *pair) for pair in self._notion.pairs(predictions)]
        planes = {name: np.stack([column[name] for column in columns]) for name in columns[0]}
        return MurphySums(planes=planes, rows=int((weights > 0).sum()))

    def _column(self, predictions: Predictions, scores: Floats, outcomes: Floats) -> dict[str, Floats]:
        rows = np.flatnonzero(predictions.row_weights > 0)
        f, o, w = (values[rows] for values in (scores, outcomes, predictions.row_weights))
        f = np.minimum(f, 1.0)  # a probability may round above 1
        edges, first = np.linspace(0.0, 1.0, self.bins + 1), np.zeros(len(f), dtype=np.int64)
        where = kernels.label_bins(f[:, None], first, edges, logits=False)
        loss = _LOSSES[self.rule]
        found, missed = loss(f, o), loss(f, 0.0)
        if self.rule == "log_loss" and self._notion.columns(predictions.k) == 1:
            ones = np.flatnonzero(f == 1.0)  # some only round to it
            missed[ones] = -self._notion.log_remainder(predictions, rows[ones])
            found[ones] = np.multiply(1 - o[ones], missed[ones], out=np.zeros(len(ones)), where=o[ones] < 1)
        values = {
            "weight": w,
            "score": w * f,
            "outcome": w * o,
            "loss": w * found,
            "if_hit": w * loss(f, 1.0),
            "if_missed": w * missed,
            "square_weight": w**2,
        }
        return {name: np.bincount(where, v, minlength=self.bins).astype(np.float64) for name, v in values.items()}

    def value(self, sums: MurphySums) -> float:
        """Return the reliability."""
        return self.terms(sums)["rel"]

    def estimate(self, sums: MurphySums) -> Estimate:
        """Return the reliability with all terms."""
        terms, alone = self.terms(sums), _alone(sums.planes)
        note = f"{alone:.1%} of the weight is alone in its bin, where no noise can be taken out"
        return self.found(terms["rel"], sums.rows, *((note,) if self.debiased and alone else ()), details=terms)

    def terms(self, sums: MurphySums) -> dict[str, float]:
        """Return rel, res, unc, wbv, wbc, within and the score, each the mean over columns."""
        count = len(sums.planes["weight"])
        columns = [self._terms({name: plane[c] for name, plane in sums.planes.items()}) for c in range(count)]
        return {name: float(np.mean([column[name] for column in columns])) for name in columns[0]}

    def _terms(self, sums: dict[str, Floats]) -> dict[str, float]:
        """Return the terms of one column from its sums (B,)."""
        filled = sums["weight"] > 0
        sums = {name: plane[filled] for name, plane in sums.items()}
        terms = _decomposed(sums, _LOSSES[self.rule])
        if not self.debiased:
            return terms
        noise, unseen = _noises(sums)
        debiased = {"rel": terms["rel"] - noise, "res": terms["res"] - noise + unseen, "unc": terms["unc"] + unseen}
        return {**terms, **debiased}


def _decomposed(sums: dict[str, Floats], loss: Callable[[Floats, Floats | float], Floats]) -> dict[str, float]:
    """Return all terms from the sums over filled bins (B,)."""
    w = sums["weight"]
    shares, f, o = w / w.sum(), np.minimum(sums["score"] / w, 1.0), np.minimum(sums["outcome"] / w, 1.0)
    overall = np.minimum(shares @ o, 1.0)
    least = loss(o, o)
    rel = shares @ np.maximum(loss(f, o) - least, 0.0)  # divergences are never negative, but round
    res = shares @ np.maximum(loss(overall, o) - least, 0.0)
    score = sums["loss"].sum() / w.sum()
    with np.errstate(invalid="ignore"):  # scores of 0 and 1: 0 times infinity is not used, infinity less itself is NaN
        within = score - shares @ loss(f, o)
        hit, missed = o * sums["if_hit"] / w, (1 - o) * sums["if_missed"] / w
        wbv = shares @ (np.where(o > 0, hit, 0.0) + np.where(o < 1, missed, 0.0) - loss(f, o))
        terms = {"rel": rel, "res": res, "unc": loss(overall, overall), "wbv": wbv, "wbc": wbv - within}
    return {name: float(term) for name, term in {**terms, "within": within, "score": score}.items()}


def _noises(sums: dict[str, Floats]) -> tuple[float, float]:
    """Return the estimated variances of the mean outcomes within bins, averaged, and of the overall mean outcome."""
    w, outcome, squares = sums["weight"], sums["outcome"], sums["square_weight"]
    within = _noise(outcome / w, squares / w**2)
    total = w.sum()
    overall = _noise(outcome.sum(keepdims=True) / total, squares.sum(keepdims=True) / total**2)
    return float(w @ within / total), float(overall[0])


def _alone(planes: dict[str, Floats]) -> float:
    """Return the share of the weight in bins that hold one row."""
    w = planes["weight"]
    return float(w[(w > 0) & (planes["square_weight"] >= w**2)].sum() / w.sum())


def _noise(rate: Floats, concentration: Floats) -> Floats:
    """Return rate (1 - rate) h / (1 - h), 0 where one row makes the mean."""
    several = concentration < 1
    return np.divide(rate * (1 - rate) * concentration, 1 - concentration, out=np.zeros_like(rate), where=several)
