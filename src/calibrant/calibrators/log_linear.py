"""Maps that are linear in features of log-probabilities, before a softmax: one record for vectors and matrices.

With u = log p and z = log((1 - m) softmax(beta u) + m / k), the features are z, r = exp z and r^(1/4), and
    q = softmax(slopes_1 z + slopes_2 r + slopes_3 r^(1/4) + z M + r N + (z A) B + shift).
The matrices that a method does not use are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators.affine import affine_scores
from calibrant.calibrators.base import CalibrationMap, FitRecord, Scores
from calibrant.errors import require
from calibrant.formulas import Ops, log_softmax
from calibrant.predictions import Kind, Predictions
from calibrant.scoring import LogLoss
from calibrant.solvers.affine import HeldRows, best_pairs
from calibrant.solvers.log_linear import Axes, Base, Coefficients, LogLinearFit
from calibrant.solvers.newton import NewtonMinimum
from calibrant.solvers.quasi_newton import PairsMinimum
from calibrant.solvers.zeros import check_zero

Floats = NDArray[np.float64]
Recipe = Mapping[str, float]
Record = Callable[..., FitRecord]

EMPTY: Floats = np.empty((0, 0))
ROOT = 0.25  # the power of the third feature


def based(ops: Ops, log_p: Any, beta: float, mix: float, k: int) -> Any:
    """Return z (n, k): log-probabilities sharpened by beta, and mixed with a share ``mix`` of 1 / k."""
    z = log_softmax(ops, log_p * ops.constant(beta))
    if mix == 0:
        return z
    return ops.log(ops.exp(z) * ops.constant(1 - mix) + ops.constant(mix / k))


@dataclass(frozen=True, kw_only=True, eq=False)
class LogLinearMap(CalibrationMap):
    """The map of the formula above.

    ``slopes`` (3, k) for z, r and r^(1/4); ``matrix`` (k, k) or empty, row j for z_j; ``probability_matrix`` (k, k) or
    empty; ``axes`` (k, d) and ``loadings`` (d, k) or empty; ``shift`` (k,). ``count`` is the number of parameters.
    """

    beta: float
    mix: float
    slopes: Floats
    shift: Floats
    matrix: Floats
    probability_matrix: Floats
    axes: Floats
    loadings: Floats
    count: int
    penalty: float
    gives = "logit"

    def __post_init__(self) -> None:
        k = self.record.k
        require(0 < self.beta < np.inf, "beta", "be positive and finite", self.beta)
        require(0 <= self.mix < 1, "mix", "lie in [0, 1)", self.mix)
        require(self.slopes.shape == (3, k), "slopes", f"have shape (3, {k})", f"shape {self.slopes.shape}")
        require(self.shift.shape == (k,), "shift", f"have shape ({k},)", f"shape {self.shift.shape}")
        for name in ("matrix", "probability_matrix"):
            matrix = getattr(self, name)
            require(matrix.shape in ((0, 0), (k, k)), name, f"be empty or of shape ({k}, {k})", f"shape {matrix.shape}")
        d = self.axes.shape[-1]
        paired = self.axes.shape in ((0, 0), (k, d)) and self.loadings.shape in ((0, 0), (d, k))
        require(paired and len(self.loadings) == d, "axes and loadings", "be of shapes (k, d) and (d, k), or empty")
        arrays = (self.slopes, self.shift, self.matrix, self.probability_matrix, self.axes, self.loadings)
        require(all(bool(np.isfinite(array).all()) for array in arrays), "coefficients", "be finite")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the logits."""
        z = based(ops, log_p, self.beta, self.mix, self.record.k)
        out = z * ops.constant(self.slopes[0]) + ops.constant(self.shift)
        for slope, power in zip(self.slopes[1:], (1.0, ROOT), strict=True):
            if slope.any():
                out = out + ops.exp(z * ops.constant(power)) * ops.constant(slope)
        if self.matrix.size:
            out = out + ops.product(z, self.matrix)
        if self.probability_matrix.size:
            out = out + ops.product(ops.exp(z), self.probability_matrix)
        if self.axes.size:
            out = out + ops.product(ops.product(z, self.axes), self.loadings)
        return out

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the logits, or the probabilities, in the dtype of the scores where slopes of u are all there is."""
        alone = self.beta == 1 and self.mix == 0 and not self.slopes[1:].any()
        if alone and not (self.matrix.size or self.probability_matrix.size or self.axes.size):
            return affine_scores(predictions, self.floor, self.slopes[0], self.shift)
        return super().transform(predictions)

    @property
    def n_parameters(self) -> int:
        """The number of fitted numbers."""
        return self.count


@dataclass(frozen=True, eq=False)
class Path:
    """Fits of one family at several penalties, the strongest first; each starts where the last one ended.

    ``recipe`` gives the ridge of each term from the penalty, the effective rows and k.
    """

    recipe: Callable[[float, float, int], Recipe]
    base: Callable[[Predictions], tuple[Base, float]]
    axes: Callable[[Base], Axes | None]

    def coefficients(self, base: Base, penalties: Sequence[float]) -> tuple[list[Coefficients], Axes | None]:
        """Return the best coefficients for each penalty."""
        axes, found = self.axes(base), list[Coefficients]()
        for penalty in penalties:
            recipe = self.recipe(penalty, base.rows.effective, base.rows.k)
            found.append(LogLinearFit(base, recipe, axes).minimum(found[-1] if found else None))
        return found, axes

    def maps(self, batch: Predictions, penalties: Sequence[float], records: Sequence[Record]) -> list[LogLinearMap]:
        """Return the map of each penalty, learnt from the batch."""
        base, floor = self.base(batch)
        found, axes = self.coefficients(base, penalties)
        parts = zip(found, penalties, records, strict=True)
        return [_as_map(base, one, axes, floor, penalty, record) for one, penalty, record in parts]

    def chosen(
        self,
        batch: Predictions,
        penalties: Sequence[float],
        fold: NDArray[np.int64],
        record: Record,
        judged_folds: int,
    ) -> float:
        """Return the penalty of the smallest log loss on rows left out: the first folds (n,), each once."""
        losses, records = np.zeros(len(penalties)), [record] * len(penalties)
        for held in range(judged_folds):
            judged, learnt = batch.take(fold == held), batch.take(fold != held)
            for i, one in enumerate(self.maps(learnt, penalties, records)):
                losses[i] += judged.row_weights @ LogLoss().rows(one(judged))
        return penalties[int(np.argmin(losses))]


@dataclass(frozen=True, eq=False)
class SlopesPath(Path):
    """The same for slopes of u and the shift alone, each step one pass of a kernel: for very many scores.

    The base is softmax(beta u), which slopes of beta are; nothing is mixed in.
    """

    def maps(self, batch: Predictions, penalties: Sequence[float], records: Sequence[Record]) -> list[LogLinearMap]:
        """Return the map of each penalty, learnt from the batch."""
        base, floor = self.base(batch)
        rows, k = HeldRows(base.rows), base.rows.k
        mass, moment = rows.label_sums()
        centre, start, maps = np.stack([np.full(k, base.beta), np.zeros(k)]), None, list[LogLinearMap]()
        for penalty, record in zip(penalties, records, strict=True):
            recipe = self.recipe(penalty, base.rows.effective, k)
            ridges = np.array([recipe["slopes_z"], recipe["shift"]])
            found = best_pairs(rows, centre, np.stack([moment, mass]), ridges, start)
            start = found.x
            maps.append(_of_slopes(found, floor, penalty, record))
        return maps


def _of_slopes(found: PairsMinimum, floor: float, penalty: float, record: Record) -> LogLinearMap:
    slopes, shift = found.x
    return LogLinearMap(
        beta=1.0,
        mix=0.0,
        slopes=np.stack([slopes, *np.zeros((2, len(slopes)))]),
        shift=shift - shift.mean(),
        matrix=EMPTY,
        probability_matrix=EMPTY,
        axes=EMPTY,
        loadings=EMPTY,
        count=1 + found.x.size,
        penalty=penalty,
        floor=floor,
        record=record(converged=found.converged, iterations=found.calls, message=_told(found)),
    )


def _told(found: PairsMinimum | NewtonMinimum) -> str:
    return "" if found.converged else f"{found.decrease:.1e} nats of predicted decrease left"


def _as_map(
    base: Base, found: Coefficients, axes: Axes | None, floor: float, penalty: float, record: Record
) -> LogLinearMap:
    k, terms, minimum = base.rows.k, found.terms, found.found
    shift, loadings = terms.get("shift", np.zeros(k)), terms.get("loadings", EMPTY)
    if axes is not None:
        shift = shift - axes.centre @ axes.vectors @ loadings
    return LogLinearMap(
        beta=base.beta,
        mix=base.mix,
        slopes=found.slopes(k),
        shift=shift - shift.mean(),
        matrix=terms.get("matrix_z", EMPTY),
        probability_matrix=terms.get("matrix_r", EMPTY),
        axes=EMPTY if axes is None else axes.vectors,
        loadings=loadings,
        count=1 + sum(part.size for part in terms.values()),
        penalty=penalty,
        floor=floor,
        record=record(converged=minimum.converged, iterations=minimum.steps, message=_told(minimum)),
    )
