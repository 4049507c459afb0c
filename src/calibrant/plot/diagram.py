"""What a reliability diagram shows, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.plot.scene import Side
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["confidence", "class_wise", "top_label"]
Band = Literal["consistency", "bootstrap"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReliabilityDiagram:
    """Scores against outcomes in bins; all columns (B,), zero in empty bins.

    Attributes
    ----------
    notion : ``"confidence"`` (top class against correct), ``"class_wise"`` (one class against its occurrence) or
        ``"top_label"`` (top class against correct where one class is predicted).
    name : the class, or the empty string.
    edges : (B+1,) of the bins.
    mean_scores, outcome_rates : mean confidence (or probability) and accuracy (or frequency) of each bin.
    rows, shares : rows of positive weight, and share of the total weight.
    low, high, level, band : ``"consistency"``: where the outcome rate of the bin lies, with probability ``level``, if
        the predictions are calibrated (central quantiles), NaN for soft labels; ``"bootstrap"``: the interval of the
        outcome rate.
    n : rows of positive weight.
    mean_score, outcome_rate, error : over all rows: mean score, outcome rate, and mean absolute gap of the bins.
    least_score : the smallest score possible: 1/k for the confidence, 0 for a class.
    """

    notion: Kind
    name: str = ""
    edges: Floats
    mean_scores: Floats
    outcome_rates: Floats
    rows: NDArray[np.int64]
    shares: Floats
    low: Floats
    high: Floats
    level: float
    n: int
    mean_score: float
    outcome_rate: float
    error: float
    least_score: float = 0.0
    band: Band = "consistency"

    @property
    def bins(self) -> int:
        """Number of bins, empty ones too."""
        return len(self.rows)

    @property
    def banded(self) -> bool:
        """Whether there is a band, and with it a notion of what is beyond chance."""
        return not np.isnan(self.low).any()

    @property
    def filled(self) -> Flags:
        """Which bins hold rows (B,)."""
        return self.rows > 0

    @property
    def over(self) -> Flags:
        """Which bins are over-confident (B,): outcomes rarer than the scores say."""
        return self.filled & (self.outcome_rates < self.mean_scores)

    @property
    def under(self) -> Flags:
        """Which bins are under-confident (B,): outcomes more frequent than the scores say."""
        return self.filled & (self.outcome_rates > self.mean_scores)

    @property
    def beyond(self) -> Flags:
        """Which bins are evidence of miscalibration (B,): the band does not hold what it should."""
        held = self.outcome_rates if self.band == "consistency" else self.mean_scores
        return self.filled & ((held < self.low) | (held > self.high))

    @property
    def sides(self) -> tuple[Side, ...]:
        """The side of each bin (B,)."""
        return sides(self.outcome_rates - self.mean_scores)


def sides(gaps: Floats) -> tuple[Side, ...]:
    """Return the side of each gap, outcome minus score (m,)."""
    return tuple("over" if gap < 0 else "under" if gap > 0 else "even" for gap in gaps)


def diagram_of(
    sums: BinSums,
    column: int,
    limits: tuple[Floats, Floats],
    *,
    notion: Kind,
    level: float,
    error: float,
    name: str = "",
    least_score: float = 0.0,
    band: Band = "consistency",
) -> ReliabilityDiagram:
    """Return the diagram of one column of bin sums with its band ((B,), (B,))."""
    weight, filled = sums.weight[column], sums.filled[column]
    mass = float(weight.sum()) or 1.0
    return ReliabilityDiagram(
        notion=notion,
        name=name,
        edges=sums.edges,
        mean_scores=sums.mean_scores[column],
        outcome_rates=sums.outcome_rates[column],
        rows=sums.rows[column],
        shares=np.where(filled, weight, 0.0) / mass,
        low=limits[0],
        high=limits[1],
        level=level,
        n=int(sums.rows[column].sum()),
        mean_score=float(sums.score[column].sum()) / mass,
        outcome_rate=float(sums.outcome[column].sum()) / mass,
        error=error,
        least_score=least_score,
        band=band,
    )
