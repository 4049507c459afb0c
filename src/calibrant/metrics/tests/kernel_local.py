"""Kernel test of local calibration: the KLCE² against labels redrawn from the probabilities.

The redrawn labels keep the noise of each row as its probabilities say it, which a permutation of the residuals, as
published, does not: rows near each other are then alike in their noise alone. Source: Vashistha and Farahi (2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from calibrant.metrics.local_choices import TOO_FEW
from calibrant.metrics.local_pairs import PairChoices, told_of
from calibrant.metrics.tests.base import EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.pair_forms import redrawn_forms
from calibrant.metrics.tests.redraw import check_redraws, observed_and_redrawn, upper_p_value
from calibrant.registry import register
from calibrant.statistics import Collected

_COST = "O(n^2 (d + k + replicates))"


@register("test", "klce_test", reference="vashistha2025", needs_features=True, supports_soft_labels=False, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class KernelLocalTest(PairChoices, CalibrationTest):
    """Kernel test of local calibration: do rows that are near in features and scores err alike?

    Parameters
    ----------
    kernel, bandwidth, ess, space, dimensions, standardise, simplex, width : as in the measure ``klce``.
    replicates, seed : of the redrawn labels.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, independently given scores and features. One-sided. The
    level is at most the nominal one at every n, k and with any weights where ids do not repeat. Rows with the same id
    are taken to move together, and so are their labels redrawn; no level is claimed there. Rows are kept.
    Cost O(n^2 (d + k + replicates)) time and O(n replicates) memory, beside O(n k).
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities"
    level = EXACT

    replicates: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_redraws(self.replicates, self.seed)

    def result(self, sums: Collected) -> TestResult:
        """Return the KLCE² and its p-value; NaN with fewer than two rows."""
        batch = sums.pooled
        if len(batch) < 2:
            return self.found(float("nan"), float("nan"), len(batch), TOO_FEW)
        kernel, w = self.pair_kernel(batch), batch.row_weights
        labels = observed_and_redrawn(batch, self.replicates, self.seed)
        values = redrawn_forms(batch, kernel.between, labels) / float(w.sum() ** 2 - w @ w)
        details = {**told_of(kernel), "replicates": self.replicates}
        return self.found(float(values[0]), upper_p_value(values), len(batch), *dependence(batch), **details)
