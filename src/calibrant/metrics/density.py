"""Calibration error by kernel regression on the simplex, leave-one-out.

With the Dirichlet kernel of row i, k(p; p_i), the density at p with parameters p_i / h + 1 (for a pair: the Beta
density of the score f), the rate at p_j is c(p_j) = sum_(i != j) k(p_j; p_i) y_i / sum_(i != j) k(p_j; p_i), and the
error is the mean over rows of |c(p_j) - p_j|. Source: Popordanoska, Sayer and Blaschko (2022), A consistent and
differentiable Lp canonical calibration error estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
    ``value_at_double`` of it. At each row only that row is left out, with its own weight and outcome (of a soft label
    its mean), whichever rows share its score; a row of weight 2 is one row. Exact up to 1,024 distinct scores; beyond,
    scores are joined in 1,024 cells of equal width in arcsin(sqrt(f)), which moves the value by less than 1 % of itself
    for h >= 0.0001. Cost: O(n log n) and 10^6 kernels for each bandwidth.

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
        return dirichlet_kernel.remarks(self._kernels(column, self._bandwidth(column)).others > 0)

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
        gaps = np.abs(kernels.rates(cells, smoothed) - cells.scores[kernels.rows.score])
        return dirichlet_kernel.mean_power(gaps**self.norm, cells.row_weights, kernels.beside > 0, self.norm)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a column in order of score, and which of them are alike: in a run, score and weight are the same."""

    score: NDArray[np.int64]  # (n,) which of the distinct ones
    first: NDArray[np.int64]  # (m,) where each score starts
    heaviest: NDArray[np.int64]  # (m,) a row of the largest weight at each
    runs: NDArray[np.int64]  # (g,) where each run starts: without weights, one a score

    @classmethod
    def of(cls, column: Column) -> _Rows:
        """Return the rows of a column."""
        score, first = np.repeat(np.arange(len(column.counts)), column.counts), np.cumsum(column.counts) - column.counts
        weight = column.row_weights
        largest = np.flatnonzero(weight == np.maximum.reduceat(weight, first)[score])
        new = (np.diff(score, prepend=-1) > 0) | (np.diff(weight, prepend=0.0) != 0)
        return cls(score, first, largest[np.searchsorted(largest, first)], np.flatnonzero(new))

    def others(self, sums: Floats, each: Floats) -> Floats:
        """Return the sum over the other rows of the same score (n,) of what rows have: ``each`` (n,), in all ``sums``.

        A difference, but for the heaviest row: the others may be tiny beside it, and are added up.
        """
        rest: Floats = sums[self.score] - each
        light = each.copy()
        light[self.heaviest] = 0.0
        rest[self.heaviest] = np.add.reduceat(light, self.first)
        return rest


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Kernels of the distinct scores at each other, each row scaled to at most 1, by exp of ``scale`` (m,)."""

    kernels: Floats  # (m, m), 0 on the diagonal
    own: Floats  # (m,) of each score at itself, 0 where one row has it
    scale: Floats
    rows: _Rows
    others: Floats  # (g,) sums of the kernels of all other rows, for a row of each run

    @classmethod
    def of(cls, column: Column, h: float) -> _Kernels:
        """Return the Beta kernels of a column."""
        pairs = np.column_stack([1 - column.scores, column.scores])
        logs = dirichlet_kernel.log_kernels(pairs, pairs, h)
        alone = np.flatnonzero(column.counts == 1)
        logs[alone, alone] = -np.inf
        kernels, scale = dirichlet_kernel.scaled(logs)
        own = kernels.diagonal().copy()
        np.fill_diagonal(kernels, 0.0)
        rows, rest = kept(column.label_free, ("beside", len(own)), lambda: _beside(column))
        score = rows.score[rows.runs]
        return cls(kernels, own, scale, rows, (kernels @ column.weight)[score] + own[score] * rest)

    @cached_property
    def beside(self) -> Floats:
        """Sums of the kernels of all other rows, at each row (n,)."""
        return np.repeat(self.others, np.diff(self.rows.runs, append=len(self.rows.score)))

    def rates(self, column: Column, smoothed: Floats) -> Floats:
        """Return the rate at each row (n,) without it; ``smoothed`` (m,) are ``kernels`` times the outcomes."""
        rows = self.rows
        rest = rows.others(column.outcome, column.row_weights * column.row_outcomes)
        outcome = smoothed[rows.score] + self.own[rows.score] * rest
        rates = np.divide(outcome, self.beside, out=np.zeros_like(outcome), where=self.beside > 0)
        return np.clip(rates, 0.0, 1.0)  # they are means of outcomes, but for rounding

    def likelihood(self, column: Column) -> float:
        """Return the mean log density at each row without that row, less a constant, over the rows that are reached."""
        there, runs = np.flatnonzero(self.others > 0), self.rows.runs
        densities = self.scale[self.rows.score[runs[there]]] + np.log(self.others[there])
        weight = np.add.reduceat(column.row_weights, runs)[there]
        return float((weight * densities).sum()) / column.mass


def _beside(column: Column) -> tuple[_Rows, Floats]:
    """Return the rows of a column, and the weight of the other rows of the same score, for a row of each run (g,)."""
    rows = _Rows.of(column)
    return rows, rows.others(column.weight, column.row_weights)[rows.runs]


def _in_cells(column: Column, most: int) -> Column:
    """Return the column with its scores joined in cells of equal width in arcsin(sqrt(f)), if they are more."""
    column = replace(column, scores=np.minimum(column.scores, 1.0))  # a probability may round above 1
    if len(column.scores) <= most:
        return column
    starts = kept(column.label_free, ("cells", most), lambda: _starts(column.scores, most))
    weight = np.add.reduceat(column.weight, starts)
    return replace(
        column,
        scores=np.add.reduceat(column.weight * column.scores, starts) / weight,
        weight=weight,
        outcome=np.add.reduceat(column.outcome, starts),
        counts=np.add.reduceat(column.counts, starts),
        order=None,
    )


def _starts(scores: Floats, most: int) -> NDArray[np.int64]:
    """Return where the cells start in increasing scores (m,); empty cells are left out."""
    place = np.arcsin(np.sqrt(scores))  # in which the kernel has about the same width everywhere
    width = max(place[-1] - place[0], np.finfo(np.float64).tiny)  # 0 if all scores round to 1 from above
    cell = np.minimum((place - place[0]) / width * most, most - 1).astype(np.int64)
    return np.flatnonzero(np.diff(cell, prepend=-1))
