"""What LCE and MLCE share: cells of like scores, kernel averages of residuals in them, and what labels by chance give.

One pass over all pairs of rows serves the observed labels and all redrawn ones.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import is_whole, require
from calibrant.estimate import Estimate
from calibrant.metrics.collected import CollectedMeasure, Measured
from calibrant.metrics.local_cells import Cells, Gaps, local_gaps_in
from calibrant.metrics.local_choices import TOO_FEW, KernelChoices, told, weighted_median
from calibrant.metrics.mass_bins import mass_bins, width_bins
from calibrant.metrics.row_blocks import Rows
from calibrant.metrics.tests.redraw import Together, redrawn
from calibrant.neighbourhood import Neighbourhood
from calibrant.predictions import Predictions
from calibrant.statistics import Collected

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOTIONS = ("class_wise", "top_label")
_STREAM = 0x6C6F6361  # keeps the redrawn labels of the floor apart from those of null levels and tests
_ROUNDING = 1e-9  # of a sum of shares
_NOISE = 10  # neighbours: the floor of one pair is then about sqrt(2 / pi) sqrt(p (1 - p) / 10)


class Local(NamedTuple):
    """What a local error is computed from: neighbourhood, cells, and shares of the classes by label vector (R, C)."""

    around: Neighbourhood
    gaps: Gaps
    shares: Floats


@dataclass(frozen=True, kw_only=True)
class LocalError(KernelChoices, CollectedMeasure):
    """A local calibration error: what LCE and MLCE share."""

    bootstraps = False
    repeats = False
    costly = True

    notion: Literal["class_wise", "top_label"] = "class_wise"
    bins: int = 15
    binning: Literal["width", "mass"] = "width"
    aggregate: Literal["uniform", "frequency"] = "uniform"
    least_rows: int = 1
    least_mass: float = 1e-6
    include_self: bool = False
    excess: bool = False
    redraws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.notion in NOTIONS, "notion", f"be one of {NOTIONS}", repr(self.notion))
        require(is_whole(self.bins) and self.bins > 0, "bins", "be a positive whole number", self.bins)
        require(self.binning in ("width", "mass"), "binning", "be 'width' or 'mass'", repr(self.binning))
        known = self.aggregate in ("uniform", "frequency")
        require(known, "aggregate", "be 'uniform' or 'frequency'", repr(self.aggregate))
        least = is_whole(self.least_rows) and self.least_rows >= 1
        require(least, "least_rows", "be a whole number of at least 1", self.least_rows)
        require(0 <= self.least_mass < np.inf, "least_mass", "be a number of at least 0", self.least_mass)
        require(is_whole(self.redraws) and self.redraws >= 2, "redraws", "be a whole number from 2 on", self.redraws)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Between 0 and 1; the excess may be negative."""
        return (-1.0 if self.excess else 0.0), 1.0

    @property
    def estimand(self) -> str:
        """The statistic in the population, at this bandwidth."""
        over = "the top class" if self.notion == "top_label" else "classes"
        above = ", above what labels drawn from the probabilities give" if self.excess else ""
        return f"{self._what} over rows of the kernel average of residuals of like scores, of {over}{above}"

    @property
    @abstractmethod
    def _what(self) -> str:
        """What is taken over rows, in words."""

    @abstractmethod
    def _by_column(self, gaps: Gaps) -> Floats:
        """Return the value of each column under each label vector (R, C)."""

    # ---- values ----------------------------------------------------------------------------------------------
    def of_rows(self, rows: Predictions) -> float:
        """Return the value alone."""
        return self.measured(rows).value

    def values_under(self, rows: Predictions, labels: Sequence[NDArray[np.integer]]) -> Floats:
        """Return the raw values (R,) of the same rows with each of R vectors of hard labels, by one pass over pairs."""
        return self._over_columns(self._local(rows, labels))

    def measured(self, rows: Predictions) -> Measured:
        """Return the value with the bandwidth, the effective sizes, the floor and what was left out."""
        return self._found(rows)[0]

    def estimate(self, sums: Collected) -> Estimate:
        """Return the value of all rows, and of each class."""
        (value, details, notes), by_class = self._found(sums.pooled)
        return self.found(value, len(sums.pooled), *notes, per_class=by_class, details=details)

    def _redrawn(self, rows: Predictions) -> Iterator[NDArray[np.int32]]:
        together: Together = "class" if self.by_class else "rank"
        return redrawn(rows, self.redraws, self.seed, _STREAM, together=together)

    def _found(self, rows: Predictions) -> tuple[Measured, Floats | None]:
        if len(rows) < 2:
            return Measured(float("nan"), {}, (TOO_FEW,)), None
        hard = not rows.soft
        require(hard or not self.excess, "labels", "be hard, one class a row, for the excess", "soft labels")
        labels = [rows.hard_labels] if hard else []
        if self.excess:
            labels += [one.astype(np.int64) for one in self._redrawn(rows)]
        local = self._local(rows, labels)
        values, (first, *rest) = self._over_columns(local), self._by_column(local.gaps)
        details = {**told(local.around), **self._support(local.gaps, rows.row_weights)}
        by_class = first - np.mean(rest, axis=0) if self.excess else first
        value = float(values[0])
        if self.excess:
            floor, spread = float(values[1:].mean()), float(values[1:].std(ddof=1))
            details |= {"raw": value, "floor": floor, "floor_spread": spread}
            value -= floor
        return Measured(value, details, self._notes(details)), by_class if self.notion == "class_wise" else None

    def _local(self, rows: Predictions, labels: Sequence[NDArray[np.integer]]) -> Local:
        around, features = self.around(rows), cast(NDArray[np.floating], rows.features)
        outcomes = [self._column(rows, one) for one in labels]
        cells = self._cells(rows)
        gaps = local_gaps_in(cells, around, outcomes, features if self.include_self else None)
        return Local(around, gaps, self._shares(rows, labels, cells.columns))

    def _cells(self, rows: Predictions) -> Cells:
        scores, w = self._scores(rows), rows.row_weights
        if self.binning == "width":
            bins = width_bins(scores, self.bins)
        else:
            bins = np.column_stack([mass_bins(column, w, self.bins) for column in scores.T])
        columns = bins.shape[1]
        held = np.bincount((bins + self.bins * np.arange(columns)).ravel(), minlength=columns * self.bins)
        with np.errstate(divide="ignore"):
            least = float(np.log(self.least_mass))
        return Cells(
            bins=bins,
            count=self.bins,
            allowed=held.reshape(columns, self.bins) >= self.least_rows,
            fixed=scores - self._soft(rows) if rows.soft else scores,
            weights=w,
            least=least,
        )

    def _scores(self, rows: Predictions) -> Floats:
        """Return the columns of scores (n, C)."""
        if self.notion == "top_label":
            return rows.summary.confidence[:, None]
        return Rows(rows).probabilities(slice(None))

    def _soft(self, rows: Predictions) -> Floats:
        labels = cast(Floats, rows.labels)
        return cast(Floats, rows.summary.correct)[:, None] if self.notion == "top_label" else labels

    def _column(self, rows: Predictions, labels: NDArray[np.integer]) -> Ints:
        """Return the column in which each row has its outcome (n,), -1 for none."""
        if self.notion == "top_label":
            return np.where(labels == rows.summary.top, 0, -1)
        return labels.astype(np.int64)

    def _shares(self, rows: Predictions, labels: Sequence[NDArray[np.integer]], columns: int) -> Floats:
        """Return what each column counts (R, C): all alike, or by the weight of its labels."""
        if self.aggregate == "uniform" or self.notion == "top_label":
            return np.ones((1, columns))
        w = rows.row_weights
        if rows.soft:
            return (w @ cast(Floats, rows.labels))[None]
        return np.stack([np.bincount(one, w, columns) for one in labels])

    def _over_columns(self, local: Local) -> Floats:
        """Return the mean over the columns that have neighbours (R,), NaN where none has."""
        by_column = self._by_column(local.gaps)
        shares = np.where(np.isnan(by_column), 0.0, local.shares)
        mass = shares.sum(1)
        with np.errstate(invalid="ignore"):
            return np.where(mass > 0, (shares * np.nan_to_num(by_column)).sum(1) / mass, np.nan)

    # ---- what qualifies them ---------------------------------------------------------------------------------
    def _support(self, gaps: Gaps, weights: Floats) -> dict[str, Any]:
        there, out = ~np.isnan(gaps.sizes), float(1 - gaps.kept.mean())
        w = np.broadcast_to(weights[gaps.sampled][:, None], there.shape)
        return {
            "median_effective_size": weighted_median(gaps.sizes[there], w[there]),
            "left_out": out if out > _ROUNDING else 0.0,
        }

    def _notes(self, details: dict[str, Any]) -> tuple[str, ...]:
        out, size = details["left_out"], details["median_effective_size"]
        if out == 1:
            return ("no row has neighbours in its bin: take a larger bandwidth",)
        notes = []
        if out > 0:
            notes.append(f"{out:.2%} of the scores have no neighbours in their bin, and are left out")
        if size < _NOISE:
            notes.append(f"half of the averages rest on fewer than {size:.1f} rows: mostly noise, at this bandwidth")
        return tuple(notes)
