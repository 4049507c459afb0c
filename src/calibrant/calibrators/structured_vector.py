"""Structured vector scaling: a slope and an intercept a class on few features, held back where rows are few.

Formula: q = softmax(z + D_1 z + D_2 r + D_3 r^(1/4) + b), with z the log-probabilities of the temperature map,
r = exp z and D diagonal. The ridge on these changes of the temperature map is, times the penalty, k / n on D and b, and
1 / n on what all classes share. Of more than ten million scores: q = softmax(D u + b), u = log p, with the ridge on the
changes of D from the inverse temperature and on b; each step is then one pass of a kernel.
Source: Berta, Holzmueller, Jordan and Bach 2026; the features r and r^(1/4) and the choice of the penalty are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.calibrators.log_linear import Path, SlopesPath
from calibrant.calibrators.structured import Structured
from calibrant.predictions import Predictions
from calibrant.registry import register

_MANY = 10_000_000  # scores up to which the features r and r^(1/4) are fitted too


@register(
    "calibrator",
    "svs",
    compared="",
    reference="berta2026",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    parameters="at most 4 k + 4",
    wants_rows="5k",
    cost="O(n k) a pass, 50 to 200 passes",
    assumes="the true log-probabilities are nearly those of the temperature map, plus terms in the own score",
    suits="many classes, few rows a class",
)
@dataclass(frozen=True, kw_only=True)
class StructuredVectorScaling(Structured):
    """Give each class a slope and an intercept, with a penalty that pulls all of them to the temperature map."""

    @property
    def path(self) -> Path:
        """Without matrices."""
        return Path(self.slopes_recipe, self.base, lambda base: None)

    def path_for(self, predictions: Predictions) -> Path:
        """Without the features r and r^(1/4) where there are very many scores."""
        path = self.path
        if predictions.scores.size <= _MANY:
            return path
        return SlopesPath(path.recipe, path.base, path.axes)
