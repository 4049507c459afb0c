"""Miscalibration by isotonic recalibration: the CORP decomposition of a proper score.

The outcomes are regressed on the scores by pool-adjacent-violators; with S the mean score of what is forecast,
MCB = S(scores) - S(recalibrated), DSC = S(overall rate) - S(recalibrated), UNC = S(overall rate), and so
S(scores) = MCB - DSC + UNC. Source: Dimitriadis, Gneiting and Jordan (2021), Stable reliability diagrams for
probabilistic classifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]
Rule = Callable[[Floats], tuple[Floats, Floats]]  # the scores of forecasts for outcomes 1 and 0


@register("measure", "corp_miscalibration", reference="dimitriadis2021")
@dataclass(frozen=True, kw_only=True)
class CorpMiscalibration(PairsMeasure):
    """CORP miscalibration (MCB): what isotonic recalibration of the scores would gain in a proper score.

    ``details`` hold the other terms: ``score`` = MCB - ``discrimination`` + ``uncertainty``. The bins are those of the
    isotonic regression, which needs no choice. It is fitted to the rows that it is judged on, so MCB is biased
    upwards, about n^(-2/3) at a calibrated model: compare with the null level. Soft labels enter as expectations
    over the label. Cost: O(n log n).

    Parameters
    ----------
    rule : ``"brier"``, (y - f)^2 of the pair (half the sum over two classes), or ``"log_loss"``, in nats: infinite
        where a score of 0 or 1 is wrong. A confidence that rounds to 1 counts with what the other probabilities leave,
        so that the score of the confidence is infinite only where `log_loss` is.
    """

    bootstraps = False
    rule: Literal["brier", "log_loss"] = "brier"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.rule in _RULES, "rule", "be 'brier' or 'log_loss'", repr(self.rule))

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """A log score, and a sum over classes, have no upper bound."""
        return 0.0, 1.0 if self.rule == "brier" and self.aggregate != "sum" else np.inf

    @property
    def estimand(self) -> str:
        """The gain in the population."""
        rule = "squared error" if self.rule == "brier" else "log loss"
        return f"gain in {rule} of the {self.notion.replace('_', '-')} scores by isotonic recalibration"

    def of_column(self, column: Column) -> float:
        """Return the miscalibration."""
        return self._terms(column)["miscalibration"]

    def details(self, column: Column) -> dict[str, Any]:
        """Return all terms."""
        return self._terms(column)

    def _terms(self, column: Column) -> dict[str, float]:
        return column.kept(("corp", self.rule), lambda: _terms(column, _RULES[self.rule]))


def _terms(column: Column, rule: Rule) -> dict[str, float]:
    losses = kept(column.label_free, rule, lambda: rule(column.scores))
    score = _mean_score(column.weight, column.outcome, losses, column.lost)
    forecast = isotonic(column)
    pools = np.flatnonzero(np.diff(forecast, prepend=-1.0))  # few: a score of each, not of each row
    sums = (np.add.reduceat(column.weight, pools), np.add.reduceat(column.outcome, pools))
    recalibrated = _mean_score(*sums, rule(forecast[pools]))
    overall = column.outcome.sum(keepdims=True)
    uncertainty = _mean_score(column.weight.sum(keepdims=True), overall, rule(overall / column.mass))
    return {
        "miscalibration": max(score - recalibrated, 0.0),  # the least mean score of all isotonic ones: less rounds
        "discrimination": max(uncertainty - recalibrated, 0.0),
        "uncertainty": uncertainty,
        "score": score,
    }


def isotonic(column: Column) -> Floats:
    """Return the isotonic regression of the outcomes on the scores, at each distinct score (m,)."""
    return column.kept("isotonic", lambda: _isotonic(column))


def _isotonic(column: Column) -> Floats:
    fitted: Floats = scipy.optimize.isotonic_regression(column.rates, weights=column.weight).x
    return np.clip(fitted, 0.0, 1.0)  # means of rates in [0, 1], but for rounding


def _mean_score(weight: Floats, outcome: Floats, losses: tuple[Floats, Floats], lost: float = np.inf) -> float:
    """Return the mean score of forecasts with the weight and the weighted sum of outcomes at each (m,).

    ``losses`` are their scores for outcomes 1 and 0, (m,) each; ``lost`` is the sum of the infinite ones of outcome 0.
    """
    hit, miss = losses
    misses = _product(np.maximum(weight - outcome, 0.0), miss)
    infinite = np.isinf(misses)
    total = (_product(outcome, hit) + np.where(infinite, 0.0, misses)).sum() + (lost if infinite.any() else 0.0)
    return float(total / weight.sum())


def _product(weight: Floats, score: Floats) -> Floats:
    """Return the product, 0 where the weight is 0 even if the score is infinite."""
    return np.multiply(weight, score, out=np.zeros_like(weight), where=weight > 0)


def _squared(forecast: Floats) -> tuple[Floats, Floats]:
    return (1 - forecast) ** 2, forecast**2


def _log(forecast: Floats) -> tuple[Floats, Floats]:
    forecast = np.minimum(forecast, 1.0)  # a probability may round above 1
    with np.errstate(divide="ignore"):
        return -np.log(forecast), -np.log1p(-forecast)


_RULES: dict[str, Rule] = {"brier": _squared, "log_loss": _log}
