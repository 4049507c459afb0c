"""What the local pictures share: the gap around every row, and that gap under labels redrawn from the scores.

The local gap of a row is the kernel average of being right minus the confidence over the other rows around it, in one
space of the features that looks at neither scores nor labels; negative where the classifier trusts itself too much.
Source: Luo et al. (2022), whose local calibration error is about the size of these gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.metrics.local_choices import KernelChoices
from calibrant.metrics.local_regions import LocalGaps, Region, local_gaps
from calibrant.metrics.relabelling import Relabellings
from calibrant.metrics.tests.redraw import redrawn
from calibrant.neighbourhood import Neighbourhood
from calibrant.plot import bands
from calibrant.predictions import Predictions
from calibrant.scoring import ZeroOne

Floats = NDArray[np.float64]
_STREAM = 0x61726F75  # keeps these draws apart from those of tests and null levels
_ROWS, _CLUSTERS = 50, (2, 10)  # rows of a region on average, and the fewest and most regions


@dataclass(frozen=True, eq=False, kw_only=True)
class Surroundings:
    """The rows of positive weight and what is around each.

    Attributes
    ----------
    batch : the rows, n of them. around : their neighbourhood. found : their gaps and regions.
    residuals : (n,) being right minus the confidence.
    drawn, drawn_gaps : (R, n) residuals and local gaps with redrawn labels; (0, n) for soft labels.
    """

    batch: Predictions
    around: Neighbourhood
    found: LocalGaps
    residuals: Floats
    drawn: Floats
    drawn_gaps: Floats

    @property
    def gaps(self) -> Floats:
        """The local gaps (n,), right minus says; NaN without any neighbour."""
        return self.found.gaps

    @property
    def banded(self) -> bool:
        """Whether chance is known."""
        return bool(len(self.drawn))


def prepare(
    predictions: Predictions,
    *,
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
    around: Neighbourhood | None = None,
    **choices: Any,
) -> Surroundings:
    """Return what is around each row of labelled predictions with features.

    Parameters
    ----------
    level : of the intervals of the regions, all together.
    replicates, seed : of the redrawn labels.
    around : the neighbourhood of these rows, whose space and bandwidth are kept; by default one as in the measure
        `lce`, by ``choices``.

    Raises
    ------
    DataError : without labels or features, or where no feature varies.
    """
    bands.check(predictions, level, replicates)
    require(predictions.features is not None, "predictions", "have features", way_out="pass features=")
    batch = predictions.without_absent_rows()
    fitted = KernelChoices(**choices).around(batch) if around is None else around
    found = local_gaps(batch, clusters=_clusters(len(batch)), level=level, seed=seed, space=fitted)
    confidence = batch.summary.confidence
    drawn = np.empty((0, len(batch)))
    if bands.known(predictions):
        labels = np.stack(list(redrawn(batch, replicates, seed, _STREAM))).astype(np.int64)
        drawn = Relabellings(batch, labels).correct - confidence
    return Surroundings(
        batch=batch,
        around=fitted,
        found=found,
        residuals=ZeroOne().rows(batch) - confidence,
        drawn=drawn,
        drawn_gaps=_averages(fitted, drawn),
    )


def ranked(found: LocalGaps) -> tuple[int, ...]:
    """Return the regions, by their places, the worst first: the surest to be off, then by the size of the gap."""

    def badness(place: int) -> tuple[bool, float, float]:
        region = found.regions[place]
        return region.low is None, -region.sure, -abs(region.gap)

    return tuple(sorted(range(len(found.regions)), key=badness))


def members(made: Surroundings, region: Region) -> NDArray[np.bool_]:
    """Return which rows (n,) are in a region."""
    if region.kind == "cluster":
        return np.asarray(made.found.cluster == int(region.name))
    groups = made.batch.groups
    return np.array([str(group) == region.name for group in ([] if groups is None else groups)], dtype=np.bool_)


def _clusters(n: int) -> int:
    return int(np.clip(n // _ROWS, *_CLUSTERS))


def _averages(around: Neighbourhood, values: Floats) -> Floats:
    """Return the kernel averages (R, n) of values (R, n) around each row."""
    if not len(values):
        return values
    return around.averages(values.T, prior=np.full(len(values), np.nan)).frequencies.T
