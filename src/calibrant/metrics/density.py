"""Calibration error by kernel regression on the simplex, leave-one-out.

With the Dirichlet kernel of row i, k(p; p_i), the density at p with parameters p_i / h + 1 (for a pair: the Beta
density of the score f), the rate at p_j is c(p_j) = sum_(i != j) k(p_j; p_i) y_i / sum_(i != j) k(p_j; p_i), and the
error is the mean over rows of |c(p_j) - p_j|. Source: Popordanoska, Sayer and Blaschko (2022), A consistent and
differentiable Lp canonical calibration error estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.metrics import dirichlet_kernel
from calibrant.metrics.pairs import PairsMeasure
from calibrant.registry import register
from calibrant.statistics import Column
from calibrant.statistics.memo import kept

Floats = NDArray[np.float64]

_CELLS = 1024  # distinct scores up to which the sums are direct
_CELLS_TO_CHOOSE = 512


@register("measure", "ece_kde", reference="popordanoska2022")
@dataclass(frozen=True, kw_only=True)
class EceKde(PairsMeasure):
    """Calibration error by kernel regression (ECE-KDE): mean |rate - score|, rates by a Beta kernel, leave-one-out.

    The value depends on the bandwidth h more than most users expect: a small one fits noise (biased upwards), a large
    one smooths gaps and the score itself away. ``details`` show it: ``bandwidth``, ``value_at_half`` and
    ``value_at_double`` of it. Rows that share a score count as of equal weight. Exact up to 1,024 distinct scores;
    beyond, scores are joined in 1,024 cells of equal width in arcsin(sqrt(f)), which moves the value by less than 1 %
    of itself for h >= 0.0001. Cost: O(n log n) and 10^6 kernels for each bandwidth.

    The package ece-kde gives the power (without the root for norm 2), for two classes twice the value, and its search
    never leaves the first bandwidth.

    Parameters
    ----------
    bandwidth : h > 0, or None for the one of 13 from 0.0001 to 1 with the largest leave-one-out likelihood.
    norm : 1, or 2 for the root of the mean square.
    """

    bootstraps = False
    repeats = False
    bandwidth: float | None = None
    norm: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        dirichlet_kernel.check(self.bandwidth, self.norm)

    @property
    def estimand(self) -> str:
        """The mean gap in the population, smoothed."""
        return f"mean |rate - score| of the {self.notion.replace('_', '-')} scores, rates by kernel regression"

    def of_column(self, column: Column) -> float:
        """Return the error."""
        return self._at(column, self._bandwidth(column))

    def of_columns(self, columns: Sequence[Column]) -> Floats:
        """Return the error of each column; all share one product with the kernels."""
        kernels = self._kernels(columns[0], self._bandwidth(columns[0]))
        cells = [_in_cells(column, _CELLS) for column in columns]
        smoothed = kernels.kernels @ np.stack([column.outcome for column in cells], axis=1)  # (m, R)
        return np.array([self._error(kernels, *pair) for pair in zip(cells, smoothed.T, strict=True)])

    def details(self, column: Column) -> dict[str, Any]:
        """Return the bandwidth and the values at half and double of it."""
        h = self._bandwidth(column)
        return {"bandwidth": h, "value_at_half": self._at(column, h / 2), "value_at_double": self._at(column, 2 * h)}

    def notes(self, column: Column) -> tuple[str, ...]:
        """Say where rows have no neighbour."""
        return dirichlet_kernel.remarks(self._kernels(column, self._bandwidth(column)).reached)

    def _bandwidth(self, column: Column) -> float:
        if self.bandwidth is not None:
            return self.bandwidth

        def chosen() -> float:
            coarse = _in_cells(column, _CELLS_TO_CHOOSE)
            return dirichlet_kernel.likeliest(lambda h: _Kernels.of(coarse, h).likelihood(coarse))

        return kept(column.label_free, "beta bandwidth", chosen)

    def _kernels(self, column: Column, h: float) -> _Kernels:
        return kept(column.label_free, ("beta", h), lambda: _Kernels.of(_in_cells(column, _CELLS), h))

    def _at(self, column: Column, h: float) -> float:
        kernels, cells = self._kernels(column, h), _in_cells(column, _CELLS)
        return self._error(kernels, cells, kernels.kernels @ cells.outcome)

    def _error(self, kernels: _Kernels, cells: Column, smoothed: Floats) -> float:
        ones = cells.rates * cells.counts
        whole = np.abs(ones - np.round(ones)) < 1e-9  # hard labels: whether the row left out was right is known
        own = np.stack([np.where(whole, 1.0, cells.rates), np.where(whole, 0.0, cells.rates)])  # (2, m)
        powers = np.abs(kernels.rates(cells, own, smoothed) - cells.scores) ** self.norm
        rows = cells.rates * powers[0] + (1 - cells.rates) * powers[1]
        return dirichlet_kernel.mean_power(rows, cells.weight, kernels.reached, self.norm)


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Kernels of the distinct scores at each other (m, m), each row scaled to at most 1, by exp of ``scale`` (m,)."""

    kernels: Floats
    scale: Floats
    others: Floats  # (m,) sums of the kernels of all rows but one of those at each score

    @classmethod
    def of(cls, column: Column, h: float) -> _Kernels:
        """Return the Beta kernels of a column."""
        pairs = np.column_stack([1 - column.scores, column.scores])
        logs = dirichlet_kernel.log_kernels(pairs, pairs, h)
        alone = np.flatnonzero(column.counts == 1)
        logs[alone, alone] = -np.inf
        kernels, scale = dirichlet_kernel.scaled(logs)
        return cls(kernels, scale, kernels @ column.weight - kernels.diagonal() * column.weight / column.counts)

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Which scores another row's kernel reaches (m,)."""
        return self.scale > -np.inf

    def rates(self, column: Column, own: Floats, smoothed: Floats) -> Floats:
        """Return the rate at each score (2, m) with one row of outcome ``own`` (2, m) left out there.

        ``smoothed`` (m,) are the outcomes of all rows under the kernels.
        """
        itself = self.kernels.diagonal() * column.weight / column.counts
        outcome = smoothed - itself * own
        rates = np.divide(outcome, self.others, out=np.zeros_like(outcome), where=self.reached)
        return np.clip(rates, 0.0, 1.0)  # they are means of outcomes, but for rounding

    def likelihood(self, column: Column) -> float:
        """Return the mean log density at each row without that row, less a constant, over the rows that are reached."""
        there = self.reached
        return float(column.weight[there] @ (self.scale[there] + np.log(self.others[there]))) / column.mass


def _in_cells(column: Column, most: int) -> Column:
    """Return the column with its scores joined in cells of equal width in arcsin(sqrt(f)), if they are more."""
    if len(column.scores) <= most:
        return column
    starts = kept(column.label_free, ("cells", most), lambda: _starts(column.scores, most))
    weight = np.add.reduceat(column.weight, starts)
    return Column(
        scores=np.add.reduceat(column.weight * column.scores, starts) / weight,
        weight=weight,
        outcome=np.add.reduceat(column.outcome, starts),
        counts=np.add.reduceat(column.counts, starts),
    )


def _starts(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return where the cells start in increasing scores (m,); empty cells are left out."""
    place = np.arcsin(np.sqrt(scores))  # in which the kernel has about the same width everywhere
    cell = np.minimum((place - place[0]) / (place[-1] - place[0]) * most, most - 1).astype(np.int64)
    return np.flatnonzero(np.diff(cell, prepend=-1))
