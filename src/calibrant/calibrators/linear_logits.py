"""What matrix scaling and Dirichlet calibration share: the map, the options, the choice of the two penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from calibrant import folds
from calibrant.calibrators.base import CalibrationMap, Calibrator
from calibrant.errors import is_whole, require
from calibrant.formulas import Ops
from calibrant.predictions import Predictions
from calibrant.scoring import LogLoss
from calibrant.solvers.linear_logits import LinearFit, LinearLogits, Plane, Towards
from calibrant.solvers.newton import NewtonMinimum
from calibrant.solvers.rows import FitRows
from calibrant.solvers.zeros import check_zero, prepared

Floats = NDArray[np.float64]

FOLDS = 5
# Multiples of the usual penalty, the strongest first; the search starts at the second. Losses on rows left out that
# differ by less than `ALIKE` nats are one to the choice, which then takes the stronger penalty.
LAMBDAS, MUS = (16.0, 4.0, 1.0, 1 / 4, 1 / 16), (1.0, 1 / 4, 1 / 16, 1 / 64)
ALIKE = 1e-5
ENOUGH = 1e-6  # nats of predicted decrease that a fit on some folds may leave, a tenth of what can be told apart


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearLogitsMap(CalibrationMap):
    """softmax(u matrix + shift), u = log p; ``matrix`` (k, k), row j for u_j, ``shift`` (k,) sums to 0.

    ``off_diagonal`` and ``intercept`` are the penalties lambda and mu of the fit.
    """

    matrix: Floats
    shift: Floats
    off_diagonal: float
    intercept: float
    gives = "logit"

    def __post_init__(self) -> None:
        k = self.record.k
        require(self.matrix.shape == (k, k), "matrix", f"have shape ({k}, {k})", f"shape {self.matrix.shape}")
        require(self.shift.shape == (k,), "shift", f"have shape ({k},)", f"shape {self.shift.shape}")
        finite = bool(np.isfinite(self.matrix).all() and np.isfinite(self.shift).all())
        require(finite, "matrix and shift", "be finite")
        check_zero(self.floor)

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return u matrix + shift."""
        return ops.product(log_p, self.matrix) + ops.constant(self.shift)

    @property
    def n_parameters(self) -> int:
        """A matrix, and an intercept a class of which one is fixed by the sum: k^2 + k - 1."""
        return self.matrix.size + len(self.shift) - 1


@dataclass(frozen=True, eq=False)
class Learner:
    """One batch, ready to be fitted at any penalties."""

    fit: LinearFit
    centred: bool
    floor: float

    @classmethod
    def of(cls, method: LinearLogitsScaling, predictions: Predictions) -> Learner:
        """Return the learner of a method's choices."""
        batch, floor = prepared(predictions, method.zero)
        rows = FitRows.of(batch)
        features = _features(rows, method.centred)
        return cls(LinearFit(rows, features, method.shrunk_to, method.prior * rows.k), method.centred, floor)

    def map(self, found: LinearLogits, penalties: tuple[float, float], record: Any) -> LinearLogitsMap:
        """Return the map of what was found."""
        matrix, shift, minimum = found
        message = "" if minimum.converged else f"{minimum.decrease:.1e} nats of predicted decrease left"
        return LinearLogitsMap(
            matrix=matrix - matrix.mean(0) if self.centred else matrix,
            shift=shift,
            off_diagonal=penalties[0],
            intercept=penalties[1],
            floor=self.floor,
            record=record(converged=minimum.converged, iterations=minimum.steps, message=message),
        )


def _features(rows: FitRows, centred: bool) -> Plane:
    """Return the log-probabilities (n, k), each row less its mean where ``centred``, in the dtype of the scores."""
    out = np.empty_like(rows.scores)
    for block in rows.slices():
        u = rows.log_probabilities(block)
        out[block] = u - u.mean(1, keepdims=True) if centred else u
    return out


@dataclass(frozen=True, kw_only=True)
class LinearLogitsScaling(Calibrator):
    """The choices that both have."""

    off_diagonal: float | None = None
    intercept: float | None = None
    prior: float = 20.0
    seed: int = 0
    zero: float | None = None
    centred: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("off_diagonal", "intercept"):
            value = getattr(self, name)
            holds = value is None or 0 < value < np.inf
            require(holds, name, "be positive and finite, or None", value, way_out="None chooses by folds")
        require(0 < self.prior < np.inf, "prior", "be positive and finite", self.prior)
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        check_zero(self.zero)

    @property
    def shrunk_to(self) -> Towards:
        """Where the penalties pull to."""
        return "identity"

    def learn(self, predictions: Predictions) -> LinearLogitsMap:
        """Return the map of the given penalties, or of those that are best on rows left out."""
        choice = self._chosen(predictions, *self._paths(predictions.effective_rows, predictions.k))
        learner = Learner.of(self, predictions)
        return learner.map(learner.fit.best(*choice), choice, partial(self.fit_record, predictions))

    def _paths(self, n: float, k: int) -> tuple[Sequence[float], Sequence[float]]:
        """Return the penalties to choose from, one where it is given."""
        usual = (k * (k - 1)) ** 2 / n if self.shrunk_to == "identity" else k**2 / n
        lambdas = [usual * share for share in LAMBDAS] if self.off_diagonal is None else [self.off_diagonal]
        mus = [k**2 / n * share for share in MUS] if self.intercept is None else [self.intercept]
        return lambdas, mus

    def _chosen(self, batch: Predictions, lambdas: Sequence[float], mus: Sequence[float]) -> tuple[float, float]:
        """Return lambda at the usual mu, then mu at that lambda, of the smallest log loss on rows left out."""
        first, usual = min(1, len(lambdas) - 1), min(1, len(mus) - 1)
        count = min(FOLDS, len(np.unique(batch.row_keys)))
        if count < 2 or len(lambdas) == len(mus) == 1:
            return lambdas[first], mus[usual]
        # Folds that do not look at the labels: then they do not depend on the names of the classes.
        fold = folds.assign(replace(batch, labels=None, _memo={}), count, seed=self.seed)
        held = [HeldOut(self, batch.take(fold != i), batch.take(fold == i)) for i in range(count)]

        @cache
        def loss(lambda_: float, mu: float) -> float:
            return sum(part.loss(lambda_, mu) for part in held) / float(batch.row_weights.sum())

        lambda_ = _climbed(lambdas, first, lambda one: loss(one, mus[usual]))
        return lambda_, _climbed(mus, usual, lambda one: loss(lambda_, one))


class HeldOut:
    """A learner on most rows, judged on the others; each fit starts where the last one ended."""

    def __init__(self, method: LinearLogitsScaling, learnt: Predictions, judged: Predictions) -> None:
        self._learner, self._judged = Learner.of(method, learnt), judged
        self._last: NewtonMinimum | None = None
        self._record = partial(method.fit_record, learnt)

    def loss(self, lambda_: float, mu: float) -> float:
        """Return the weighted sum of the log losses of the judged rows."""
        found = self._learner.fit.best(lambda_, mu, self._last, ENOUGH)
        self._last = found.found
        mapped = self._learner.map(found, (lambda_, mu), self._record)(self._judged)
        return float(self._judged.row_weights @ LogLoss().rows(mapped))


def _climbed(penalties: Sequence[float], at: int, loss: Callable[[float], float]) -> float:
    """Return the penalty of the smallest loss, from the one in place ``at`` to weaker ones, or to stronger ones.

    Losses of neighbours decide, so that a loss with one valley is enough; of penalties that are alike the stronger one.
    """
    while at + 1 < len(penalties) and loss(penalties[at + 1]) < loss(penalties[at]) - ALIKE:
        at += 1
    while at > 0 and loss(penalties[at - 1]) <= loss(penalties[at]) + ALIKE:
        at -= 1
    return penalties[at]
