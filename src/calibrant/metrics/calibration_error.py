"""Binned calibration error: notion x binning x norm x aggregation over classes. ECE, MCE, SCE, ACE are presets.

With bins b of weight share s_b, mean outcome y_b and mean score p_b, a column's error is
    norm 1:    sum_b s_b |y_b - p_b|
    norm 2:    sqrt(sum_b s_b (y_b - p_b)^2)      (``root=False``: without the square root)
    norm inf:  max_b |y_b - p_b| over bins with rows.
``debiased`` subtracts from each squared gap the unbiased estimate of the variance of its mean outcome,
y_b (1 - y_b) h / (1 - h), where h = sum w^2 / (sum w)^2 (1/n_b for equal weights): Kumar et al. (2019), Ferro and
Fricker (2012). A bin whose h is 1 (one row) has no such estimate and is left out; a note says what share that is.
``shares="equal"`` gives all bins with rows the same share. The plug-in norms are biased upwards, by about sqrt(B/n)
at a calibrated model: compare with the null level.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import require
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.metrics.estimators import Binning
from calibrant.metrics.estimators.equal_mass import Gathered, with_room
from calibrant.metrics.estimators.fixed import FixedBins
from calibrant.metrics.notions import Notion
from calibrant.metrics.pairs import AGGREGATES
from calibrant.metrics.relabelling import Relabellings
from calibrant.predictions import Predictions
from calibrant.statistics import BinSums

Floats = NDArray[np.float64]
_BINNINGS = {"width": "equal_width", "mass": "equal_mass", "sweep": "monotone_sweep"}
_TINY = np.finfo(np.float64).tiny
_NORM_WORDS = {1: "mean absolute", 2: "root mean square", np.inf: "largest absolute"}


@dataclass(frozen=True, kw_only=True)
class CalibrationError(Metric):
    """Binned calibration error of any notion, binning, norm and aggregation.

    Parameters
    ----------
    notion : ``"confidence"``, ``"class_wise"``, ``"top_label"``, ``"group"`` or another registered notion.
    binning : ``"width"`` (equal width on [0, 1]), ``"mass"`` (equal weight, ties together) or ``"sweep"`` (as many of
        equal weight as keep the rates monotone).
    bins : number of bins (default 15, as Guo et al.), or the most that a sweep may find.
    right : equal-width bins are closed on the right (default) or on the left.
    norm : 1, 2 or ``inf``.
    aggregate : over the columns of a notion that has several: ``"mean"`` (of classes plain, of groups and predicted
        classes weighed by their rows), ``"sum"`` or ``"max"``.
    shares : ``"mass"`` weighs bins by their rows, ``"equal"`` equally.
    threshold : scores under it are left out (equal mass only).
    debiased : subtract the estimated noise from squared gaps (norm 2 only); the value may be negative.
    root : take the square root of norm 2; not of a debiased value.
    """

    notion: str = "confidence"
    binning: Literal["width", "mass", "sweep"] = "width"
    bins: int = 15
    right: bool = True
    norm: float = 1
    aggregate: Literal["mean", "sum", "max"] = "mean"
    shares: Literal["mass", "equal"] = "mass"
    threshold: float = 0.0
    debiased: bool = False
    root: bool = True
    preset: str = field(default="calibration_error", compare=False)
    bins_in_use: Binning | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("right", "debiased", "root"):
            require(isinstance(getattr(self, name), bool), name, "be True or False", repr(getattr(self, name)))
        require(self.binning in _BINNINGS, "binning", "be 'width', 'mass' or 'sweep'", repr(self.binning))
        require(self.norm in _NORM_WORDS, "norm", "be 1, 2 or inf", self.norm)
        require(
            self.aggregate in ("mean", "sum", "max"),
            "aggregate",
            "be 'mean', 'sum' or 'max'",
            repr(self.aggregate),
        )
        require(self.shares in ("mass", "equal"), "shares", "be 'mass' or 'equal'", repr(self.shares))
        require(not self.debiased or self.norm == 2, "norm", "be 2 for a debiased error", self.norm)
        require(
            not (self.debiased and self.root),
            "root",
            "be False for a debiased error, which may be negative",
            self.root,
        )
        require(
            self.threshold == 0 or self.binning == "mass",
            "threshold",
            "be 0 unless bins have equal mass",
            self.threshold,
        )
        _ = self._notion, self._binning  # the options must build

    @cached_property
    def _notion(self) -> Notion:
        notion: Notion = registry.create("notion", self.notion)
        return notion

    @property
    def _several(self) -> bool:
        return self._notion.columns(2) > 1

    @cached_property
    def _binning(self) -> Binning:
        if self.bins_in_use is not None:
            return self.bins_in_use
        options: dict[str, Any] = {"bins": self.bins, "right": self.right}
        if self.binning == "mass":
            options["threshold"] = self.threshold
        built: Binning = registry.build(registry.lookup("estimator", _BINNINGS[self.binning]), options)
        return built

    @property
    def name(self) -> str:
        """The name of the preset, with the aggregation where it is the sum."""
        return self.preset

    @property
    def bootstraps(self) -> bool:  # type: ignore[override]
        """Maxima are not regular, nor are bins that the labels choose: the bootstrap gives them no valid interval."""
        return self.norm != np.inf and self.aggregate != "max" and self.binning != "sweep"

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """Debiased values may be negative, sums over classes exceed 1."""
        return (-1.0 if self.debiased else 0.0, np.inf if self.aggregate == "sum" else 1.0)

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """Weights are importances in the noise estimate: a repeated row is not an independent one."""
        return not self.debiased

    @cached_property
    def spec(self) -> str:
        """The spec string: the preset and what differs from it."""
        base = registry.lookup("measure", self.preset).options
        changed = [
            f"{name}={registry.literal(getattr(self, name))}"
            for name, default in base.items()
            if getattr(self, name) != default
        ]
        return f"{self.preset}({', '.join(changed)})" if changed else self.preset

    @property
    def estimand(self) -> str:
        """The same functional of the population, with these bins."""
        squared = self.norm == 2 and not self.root
        norm = "mean squared" if squared else _NORM_WORDS[self.norm]
        over = f", {self._notion.aggregated(self.aggregate)}" if self._several else ""
        return f"{norm} {self.notion.replace('_', '-')} gap of the population in {self._binning.words()}{over}"

    @property
    def gathering(self) -> Hashable:
        """Equal for the same notion, bins and need of squared weights."""
        return (self.notion, self._binning, self.debiased)

    def trivial(self, k: int) -> str:
        """Return what the notion says."""
        return self._notion.trivial(k)

    def sums(self, predictions: Predictions) -> Any:
        """Return the sums over bins of one batch, or what equal-mass bins need to be found."""
        return self._binning.gather(self._notion, predictions, squares=self.debiased)

    def final(self, sums: Any) -> BinSums:
        """Return the sums over the final bins."""
        return self._binning.finish(sums)

    def pinned(self, sums: Any) -> CalibrationError:
        """Return the same measure on the bins found in ``sums``."""
        if self.binning != "mass":
            return self
        edges = self._binning.finish(sums).edges
        fixed = FixedBins(edges=with_room(edges) if self.threshold else edges, right=True)
        return replace(self, bins_in_use=fixed)

    def reweighted_sums(self, predictions: Predictions, weights: Floats) -> list[Any]:
        """Return the sums under each weighting of the rows (n, R), in one pass where bins and notion allow it."""
        edges = self._binning.known_edges
        if edges is not None:
            found = self._notion.bin_many(predictions, edges, weights, right=self._binning.right)
            if found is not None:
                return list(found)
        return super().reweighted_sums(predictions, weights)

    def relabelled_sums(self, sums: Any, predictions: Predictions) -> Any:
        """Return the sums of the rows with other labels: no pass over the scores where bins do not depend on them."""
        if not isinstance(sums, BinSums):
            return self._binning.relabelled(sums, self._notion, predictions, squares=self.debiased)
        return sums.with_outcomes(self._notion.outcomes(predictions, sums.edges, right=self._binning.right))

    def relabelled_many(self, sums: Any, drawn: Relabellings) -> list[Any]:
        """Return the sums under each label vector; their outcomes are found together if bins do not depend on them."""
        if not isinstance(sums, BinSums):
            return super().relabelled_many(sums, drawn)
        outcomes = self._notion.outcomes_many(drawn, sums.edges, right=self._binning.right)
        return [sums.with_outcomes(one) for one in outcomes]

    def value(self, sums: Any) -> float:
        """Return the value from the sums."""
        final = self._binning.finish(sums)
        return float(self.function_of_gaps(final)(final.gaps))

    def estimate(self, sums: Any) -> Estimate:
        """Return the value with the error of each class and the rows in each bin."""
        final, columns = self._binning.finish(sums), self.columns(sums)
        return self.found(
            float(self._aggregated(columns, final.weight.sum(-1))),
            final.n,
            *self._notes(final),
            *(self._of_grid(sums, final) if isinstance(sums, Gathered) and sums.grid is not None else ()),
            per_class=columns if self._several else None,
            details=self._notion.details(final, columns),
        )

    def columns(self, sums: Any) -> Floats:
        """Return the error of each column (C,) from the sums."""
        final = self._binning.finish(sums)
        return self._errors(final.gaps, self._shares(final, final.weight), _noise(final) if self.debiased else None)

    def _of_grid(self, sums: Gathered, final: BinSums) -> Iterator[str]:
        """Yield how far the value, or where nothing bounds it how much weight, is from exact equal-mass bins."""
        if self.norm == 1 and self.shares == "mass":
            bound = float(self._aggregated(sums.bounds, final.weight))
            yield f"bins found on a grid: the value is within {bound:.2g} of that of exact equal-mass bins"
        else:
            share = float(sums.misplaced.max())
            yield f"bins found on a grid: up to {share:.2g} of the weight may stand in another bin than the exact one"

    def _notes(self, final: BinSums) -> Iterator[str]:
        alone = final.weight[final.filled & ~self._counted(final)].sum() / max(final.weight.sum(), _TINY)
        if alone > 0:
            yield f"left out: {alone:.1%} of the weight is alone in its bin, where no noise can be estimated"

    def function_of_gaps(
        self, sums: BinSums, weight: Floats | None = None, *, truth: bool = False
    ) -> Callable[[Floats], Floats]:
        """Return the estimate (...,) as a function of gaps (..., C, B) in the bins of the sums, less noise if debiased.

        ``weight`` (..., C, B), if given, takes the place of theirs. With ``truth`` the gaps are the true ones, and the
        value is the one that the estimate aims at.
        """
        weight = sums.weight if weight is None else weight
        shares, mass = self._shares(sums, weight), weight.sum(-1)
        noise = _noise(sums) if self.debiased and not truth else None
        return lambda gaps: self._aggregated(self._errors(gaps, shares, noise), mass)

    def _errors(self, gaps: Floats, shares: Floats, noise: Floats | None) -> Floats:
        """Return the error of each column (..., C)."""
        if self.norm == np.inf:
            return np.asarray(np.max(np.where(shares > 0, np.abs(gaps), 0.0), axis=-1))
        powers = np.abs(gaps) if self.norm == 1 else gaps**2
        if noise is not None:
            powers = powers - noise
        errors: Floats = np.einsum("...b,...b->...", shares, powers)  # (..., C)
        return np.sqrt(errors) if self.norm == 2 and self.root else errors

    def _shares(self, sums: BinSums, weight: Floats) -> Floats:
        """Return the share of each bin (..., C, B), summing to 1 in each column with rows; NaN where no bin counts."""
        counted = self._counted(sums)
        if not counted.any():
            return np.full(counted.shape, np.nan)
        parts = counted.astype(np.float64) if self.shares == "equal" else np.where(counted, weight, 0.0)
        total = parts.sum(-1, keepdims=True)
        shares: Floats = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
        return shares

    def _counted(self, sums: BinSums) -> NDArray[np.bool_]:
        """Return which bins count (C, B): those with rows; if debiased, with two of them, since one tells no noise."""
        return sums.filled & (sums.concentration < 1) if self.debiased else sums.filled

    def _aggregated(self, columns: Floats, mass: Floats) -> Floats:
        if self.aggregate == "mean":
            return self._notion.mean(columns, mass)
        return np.asarray(AGGREGATES[self.aggregate](columns, axis=-1))


def _noise(sums: BinSums) -> Floats:
    """Return the unbiased estimate of the variance of the mean outcome of each bin (C, B)."""
    rate, h = sums.outcome_rates, sums.concentration
    return np.divide(rate * (1 - rate) * h, 1 - h, out=np.zeros_like(rate), where=h < 1)


def choices() -> dict[str, Any]:
    """Return the options of `CalibrationError` that a preset may set, with their defaults."""
    return {f.name: f.default for f in fields(CalibrationError) if f.name not in ("preset", "bins_in_use")}
