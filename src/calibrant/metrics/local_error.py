"""Local calibration error: do predictions agree with outcomes around each row, among rows of like score?

With a kernel K of distances in a feature space and the bin B_c(i) of p_ic, the local gap of row i in class c is
    g_ic = sum_{j in B_c(i)} K_ij (p_jc - 1{y_j = c}) / sum_{j in B_c(i)} K_ij,
LCE_c the mean of |g_ic| over rows and MLCE_c the largest. Sources: Luo et al. (2022) for the top label; Barbera et al.
(2025) for classes. They count row i among its own neighbours, which rewards over-confidence: docs/theory/local.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics.local_binned import LocalError
from calibrant.metrics.local_cells import Gaps
from calibrant.registry import register

Floats = NDArray[np.float64]
_COST = "O(n^2 (d + k)), and O(n^2) for each redrawn label vector"


@register("measure", "lce", reference="luo2022", needs_features=True, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class LocalCalibrationError(LocalError):
    """Local calibration error (LCE): the mean size of kernel-averaged residuals around each row, in bins of the score.

    It needs features. Each probability is compared with the outcomes of the rows near by whose probability is in the
    same bin; the row itself is left out. Positive at a perfect model too, by about
    sqrt(2 / pi) sqrt(p (1 - p) / effective size): take ``excess=True`` to subtract what labels drawn from the
    probabilities give. ``lce(like="lcn")`` is the number of the code released by Barbera et al. (2025).

    Parameters
    ----------
    notion : ``"class_wise"`` (default; Barbera et al., 2025), each class against whether it is the label, or
        ``"top_label"`` (Luo et al., 2022), the confidence against whether it was right.
    bins, binning : of the scores of each column; of equal ``"width"``, right-closed, or of equal ``"mass"``.
    aggregate : over classes, ``"uniform"`` or weighed by the ``"frequency"`` of their labels.
    kernel, bandwidth, ess : what a near row is: ``"gaussian"``, ``"laplacian"`` or ``"box"``, in the units of the
        space; by default the bandwidth at which the median effective number of neighbours, bins aside, is ``ess``.
    space, dimensions, standardise : where distances are taken; by default up to 50 principal components of the
        standardised features of the measured rows, the same for all methods on these rows. A fitted space or
        neighbourhood is used as it is.
    least_rows : bins with fewer rows do not count. least_mass : nor does a score whose neighbours in its bin have
        together less weight than this, a neighbour at distance 0 having 1. ``details["left_out"]`` says how many.
    include_self : count a row among its own neighbours, as published; improper at small bandwidths.
    excess, redraws, seed : subtract the mean over so many label vectors drawn from the probabilities; rows are keyed
        by their ids. It then may be negative; ``details`` have the raw value, the floor and its spread.

    Notes
    -----
    ``details["median_effective_size"]`` is the number of rows that an average rests on, within its bin. The value
    depends on the bandwidth, which has the scale of the space: compare methods in one space only. Weights count rows as
    neighbours and in the mean; a repeated row is a neighbour of its copies, a weighted one is not. Soft labels stand in
    the place of outcomes, but have no excess. Redrawn labels depend on the order of the classes. Rows are kept; O(n)
    memory beside n k.
    """

    @property
    def _what(self) -> str:
        return "mean absolute value"

    def _by_column(self, gaps: Gaps) -> Floats:
        return gaps.mean


@register("measure", "mlce", reference="luo2022", needs_features=True, cost=_COST)
@dataclass(frozen=True, kw_only=True)
class MaximalLocalCalibrationError(LocalError):
    """Maximal local calibration error (MLCE): the largest kernel-averaged residual of any row, averaged over classes.

    As `lce`, with the maximum over rows in place of the mean: decided by the rows with the fewest neighbours, and far
    from 0 at a perfect model. Look at ``excess=True`` and at the effective sizes; `local_gaps` says where.

    Parameters
    ----------
    As for `lce`.
    """

    @property
    def _what(self) -> str:
        return "largest absolute value"

    def _by_column(self, gaps: Gaps) -> Floats:
        return gaps.largest
