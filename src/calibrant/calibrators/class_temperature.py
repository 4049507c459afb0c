"""One temperature for each predicted class, where a classifier is too sure of some classes and not of others.

Formula: q = softmax(beta_c u), c the predicted class, u = log p; beta_c has the smallest log loss on the rows of
class c plus m pseudo-rows with their scores, labelled as the temperature map of all rows says: between the two, the
more rows a class has the nearer its own. Source: Frenkel and Goldberger 2021 for class-based temperatures; the
shrinkage is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import require
from calibrant.formulas import Ops
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import InverseTemperature, inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]


def _best(rows: FitRows, prior: float) -> tuple[Floats, list[InverseTemperature]]:
    """Return beta for each predicted class (k,), and how each was found, that of all rows first."""
    whole = inverse_temperature(rows)
    betas, found = np.full(rows.k, whole.beta), [whole]
    for c, (chosen, share) in _groups(rows).items():
        # Scores times the common beta: a prior that pulls to 1 pulls to it, and its pseudo-rows are labelled by it.
        part = _rows_of(rows, chosen, share, whole.beta)
        found.append(inverse_temperature(part, prior))
        betas[c] *= found[-1].beta
    return betas, found


def _groups(rows: FitRows) -> dict[int, tuple[NDArray[np.intp], Floats]]:
    """Return, by class, the rows whose largest score it has, and 1 / the number of classes that share that score."""
    row, column = [], []
    for block in rows.slices():
        scores = rows.scores[block]
        tied = np.nonzero(scores == scores.max(1, keepdims=True))
        row.append(tied[0] + (block.start or 0))
        column.append(tied[1])
    place, classes = np.concatenate(row), np.concatenate(column)
    share = 1 / np.bincount(place, minlength=len(rows.scores))[place]
    order = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes, minlength=rows.k))[:-1]
    parts = zip(np.split(place[order], ends), np.split(share[order], ends), strict=True)
    return {c: part for c, part in enumerate(parts) if len(part[0])}


def _rows_of(rows: FitRows, chosen: NDArray[np.intp], share: Floats, beta: float) -> FitRows:
    """Return some rows with their logits times beta, each with a share of its weight."""
    weights = rows.weights[chosen] * share
    total = weights.sum()
    picked = rows.scores[chosen]
    logits = picked.astype(np.float64) if rows.logits else np.log(picked.astype(np.float64))
    return replace(
        rows,
        scores=(logits * beta).astype(rows.scores.dtype),
        logits=True,
        total=np.zeros(len(chosen)),
        labels=None if rows.labels is None else rows.labels[chosen],
        soft=None if rows.soft is None else rows.soft[chosen],
        top=np.ascontiguousarray(rows.top[chosen]),
        weights=weights / total,
        effective=float(total**2 / (weights @ weights)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassTemperatureMap(CalibrationMap):
    """softmax(beta_c u) with c the class of the largest score; ``betas`` (k,), their mean where classes tie."""

    betas: Floats
    gives = "logit"

    def __post_init__(self) -> None:
        require(self.betas.shape == (self.record.k,), "betas", f"have shape ({self.record.k},)", self.betas.shape)
        holds = bool(np.isfinite(self.betas).all() and (self.betas > 0).all())
        require(holds, "betas", "be positive and finite")
        check_zero(self.floor)

    @property
    def temperatures(self) -> Floats:
        """The temperatures T = 1 / beta (k,), by predicted class."""
        return np.asarray(1 / self.betas)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return beta_c u."""
        one, none = ops.constant(1.0), ops.constant(0.0)
        tied = ops.where(ops.largest(log_p) <= log_p, one, none)  # (n, k)
        return log_p * (ops.sum(tied * ops.constant(self.betas)) / ops.sum(tied))

    @property
    def n_parameters(self) -> int:
        """A temperature a class: k."""
        return self.record.k


@register(
    "calibrator",
    "class_temperature",
    compared="",
    reference="frenkel2021",
    preserves_argmax=True,
    contains_identity=True,
    depends_on_row_count=True,
    suits_imbalance=True,
    parameters="k",
    wants_rows="50k",
    cost="O(n k) a pass, about 10 passes",
    guarantee="training log loss never above the temperature map's; the predicted class stays",
    assumes="sharpness depends on the predicted class alone",
    suits="networks that are surer of some classes, accuracy fixed",
)
@dataclass(frozen=True, kw_only=True)
class ClassTemperatureScaling(Calibrator):
    """Divide the logits by a temperature of the predicted class, shrunk to one temperature of all.

    q = softmax(z / T_c), c the predicted class. Choose it where the predicted class must stay and some classes are
    predicted too surely; intercepts (`vector`) repair more where it may change.

    Parameters
    ----------
    prior : pseudo-rows for each predicted class, with the scores of its rows and labelled as the temperature map of all
        rows says.
    zero : what stands for an exact zero, in (0, 1). None: half the smallest positive calibration probability.

    Notes
    -----
    Each temperature is a convex fit, and the prior makes it exist: a class that is never predicted has the common
    temperature, one whose rows are all right is a little colder. The map jumps where the predicted class changes. Rows
    in which several classes have the largest score count for each of them in part, and get the mean of their beta. The
    prior weighs itself against Kish's effective rows; a weight of 2 is therefore not a row seen twice.
    """

    prior: float = 50.0
    zero: float | None = None

    def __post_init__(self) -> None:
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        check_zero(self.zero)

    def learn(self, predictions: Predictions) -> ClassTemperatureMap:
        """Return the map of the best temperatures."""
        batch, floor = prepared(predictions, self.zero)
        betas, found = _best(FitRows.of(batch), self.prior)
        record = self.fit_record(
            predictions, converged=all(one.converged for one in found), iterations=max(one.passes for one in found)
        )
        return ClassTemperatureMap(betas=betas, floor=floor, record=record)
