"""Structured matrix scaling: what every class's score tells of every other class, held back where rows are few.

Formula: q = softmax(z + D_1 z + D_2 r + D_3 r^(1/4) + z M + r N + b), with z the log-probabilities of the temperature
map, r = exp z, D diagonal, M and N zero on the diagonal. The ridge on these changes of the temperature map is, times
the penalty, k / n on D and b, (k - 1) k / n on M, a tenth of that on N, 1 / n on what all classes share.
With more than 150 classes z M is (z A) B with A the principal axes of z: a 1024th of the ridge on B, a 16th on D and b.
Source: Berta, Holzmueller, Jordan and Bach 2026; the features r and r^(1/4) and the choice of the penalty are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.calibrators.log_linear import Path
from calibrant.calibrators.structured import Structured
from calibrant.errors import is_whole, require
from calibrant.registry import register
from calibrant.solvers.log_linear import Axes, Base

_AXES = 150  # principal axes on which the matrix acts where there are more classes than that
_ON_AXES = (1 / 16, 1 / 1024)  # of the penalty, for slopes and for loadings: found at 1,000 classes
_FEW = 30  # classes up to which r has a matrix of its own


@register(
    "calibrator",
    "sms",
    compared="sms(penalty=1.0)",
    reference="berta2026",
    depends_on_row_count=True,
    differentiable=True,
    suits_imbalance=True,
    contains_identity=False,
    parameters="at most 2 k k + 4 k + 4",
    wants_rows="5k",
    cost="O(n k^2) a pass, 50 to 300 passes; with more than 150 classes O(n k rank)",
    assumes="the true log-probabilities are nearly those of the temperature map, plus terms in all scores",
    suits="the strongest single method, from few rows on",
)
@dataclass(frozen=True, kw_only=True)
class StructuredMatrixScaling(Structured):
    """Let every class's score move every class's probability, with a penalty that grows with the number of classes."""

    rank: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        holds = self.rank is None or (is_whole(self.rank) and self.rank >= 0)
        require(holds, "rank", "be a whole number of at least 0, or None", self.rank)

    @property
    def path(self) -> Path:
        """With matrices, on axes where classes are many."""
        return Path(self.recipe, self.base, self.axes)

    def recipe(self, penalty: float, n: float, k: int) -> dict[str, float]:
        """Return the ridge of each term."""
        recipe, matrix = self.slopes_recipe(penalty, n, k), penalty * k * (k - 1) / n
        if self._rank(k):
            return {**self.slopes_recipe(penalty * _ON_AXES[0], n, k), "loadings": matrix * _ON_AXES[1]}
        recipe["matrix_z"] = matrix
        if self.features == "probabilities" and k <= _FEW:
            recipe["matrix_r"] = matrix / 10
        return recipe

    def axes(self, base: Base) -> Axes | None:
        """Return the axes on which the matrix acts, None for all."""
        rank = self._rank(base.rows.k)
        return Axes.principal(base.z, base.rows.weights, rank) if rank else None

    def _rank(self, k: int) -> int:
        rank = _AXES if self.rank is None else self.rank
        return rank if rank < k else 0
