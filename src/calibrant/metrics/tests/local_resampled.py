"""Test of local calibration: the LCE against its values on labels redrawn from the probabilities.

What is above the redrawn values is the excess of the LCE over its noise floor; one pass over the pairs of rows gives
all of them. Source: Luo et al. (2022) and Barbera et al. (2025), for the statistic; Broecker and Smith (2007), for the
resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from calibrant.metrics.local_choices import TOO_FEW, KernelChoices
from calibrant.metrics.local_error import LocalCalibrationError
from calibrant.metrics.tests.base import EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.redraw import Together, check_redraws, observed_and_redrawn, upper_p_value
from calibrant.registry import register
from calibrant.statistics import Collected

_COST = "O(n^2 (d + k + replicates))"
_UNDEFINED = "no row has neighbours in its bin: take a larger bandwidth"


@register("test", "lce_test", reference="luo2022", needs_features=True, supports_soft_labels=False, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class LocalTest(KernelChoices, CalibrationTest):
    """Test of local calibration: is the local calibration error above its noise floor?

    Parameters
    ----------
    notion, bins, kernel, bandwidth, ess, space, dimensions, standardise : as in the measure ``lce``.
    replicates, seed : of the redrawn labels.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, independently given scores and features. One-sided, so that
    it sees what adds to the error: under-confident scores, whose labels vary less than redrawn ones, may hide at
    bandwidths with few neighbours; ``klce_test`` sees both. The level is at most the nominal one at every n, k and with
    any weights where ids do not repeat. Rows with the same id are taken to move together, and so are their labels
    redrawn; no level is claimed there. Rows are kept. Cost O(n^2 (d + k + replicates)) time.
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities"
    level = EXACT

    notion: Literal["class_wise", "top_label"] = "class_wise"
    bins: int = 15
    replicates: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_redraws(self.replicates, self.seed)
        _ = self._measure  # its options must be right

    @cached_property
    def _measure(self) -> LocalCalibrationError:
        return LocalCalibrationError(
            space=self.space,
            dimensions=self.dimensions,
            standardise=self.standardise,
            kernel=self.kernel,
            bandwidth=self.bandwidth,
            ess=self.ess,
            notion=self.notion,
            bins=self.bins,
        )

    @property
    def _together(self) -> Together:
        return "class" if self._measure.by_class else "rank"

    def result(self, sums: Collected) -> TestResult:
        """Return the LCE, its mean on redrawn labels, and its p-value; NaN with fewer than two rows."""
        batch = sums.pooled
        if len(batch) < 2:
            return self.found(float("nan"), float("nan"), len(batch), TOO_FEW)
        labels = observed_and_redrawn(batch, self.replicates, self.seed, together=self._together)
        values = self._measure.values_under(batch, list(labels))
        undefined = (_UNDEFINED,) if np.isnan(values[0]) else ()
        details = {"null_mean": float(values[1:].mean()), "replicates": self.replicates}
        notes = (*undefined, *dependence(batch))
        return self.found(float(values[0]), upper_p_value(values), len(batch), *notes, **details)
