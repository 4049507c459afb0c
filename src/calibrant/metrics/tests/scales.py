"""T-Cal: a test of calibration that adapts to the scale on which the residuals are alike.

At scale m the simplex is cut into cubes of side 1/m. Over the cubes b with weights W_b the debiased plug-in is
    T_m = sum_b (|sum w r|^2 - sum w^2 |r|^2) / W_b / sum_b W_b,    r = e_y - p,
and the test takes the scale where T_m is the most standard deviations of its redrawn values, with the p-value of that
choice. Source: Lee, Huang, Hassani and Dobriban (2023), T-Cal: an optimal test for the calibration of predictive
models. They share the level among scales by Bonferroni's inequality; here the largest standardised statistic is itself
compared with its redrawn values, which has the exact level and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import require
from calibrant.metrics.row_blocks import Rows, slices
from calibrant.metrics.simplex_cubes import cubes
from calibrant.metrics.tests.base import EXACT, CalibrationTest, TestResult, dependence
from calibrant.metrics.tests.redraw import check_redraws, observed_and_redrawn, upper_p_value
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.statistics import Collected
from calibrant.validation import frozen

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_FINEST = 64
_ENTRIES = 1 << 18  # labels of one step: a few temporaries of 2 MB


def top_class_only(batch: Predictions) -> Predictions:
    """Return the batch as two classes: the top class is wrong (0) or right (1)."""
    summary = batch.summary
    right = (summary.top == batch.hard_labels).astype(np.int64)
    confidence = np.minimum(summary.confidence, 1.0)  # a row's sum may round to more
    scores = frozen(np.column_stack([1 - confidence, confidence]))
    return replace(batch, scores=scores, kind="probability", labels=right, classes=None, _memo={})


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """One scale: the rows that share a cube, and what of the plug-in does not depend on the labels."""

    per_axis: int
    rows: Ints  # (m,) rows that are not alone in their cube
    cube: Ints  # (m,)
    w: Floats  # (m,)
    mass: Floats  # (cubes,) weights
    expected: Floats  # (cubes, k) weighted sums of the probabilities
    fixed: float

    @classmethod
    def of(cls, batch: Predictions, per_axis: int) -> Scale:
        """Return the scale with cubes of side 1 / per_axis."""
        number, count = cubes(batch, per_axis)
        rows = np.flatnonzero(number >= 0)
        cube, w, reader = number[rows], batch.row_weights[rows], Rows(batch)
        mass = np.bincount(cube, w, count).astype(np.float64)  # of no rows, bincount is of integers
        expected = np.zeros((count, batch.k))
        for some in slices(len(rows), batch.k):
            np.add.at(expected, cube[some], w[some, None] * reader.probabilities(rows[some]))
        own = w**2 * (1 + batch.summary.sum_of_squares[rows]) / mass[cube]
        fixed = float(np.sum(np.einsum("bc,bc->b", expected, expected) / mass) - own.sum())
        return cls(per_axis=per_axis, rows=rows, cube=cube, w=w, mass=mass, expected=expected, fixed=fixed)

    @property
    def pairs(self) -> int:
        """Ordered pairs of different rows that share a cube."""
        sizes = np.bincount(self.cube)
        return int(sizes @ (sizes - 1))

    def plug_in(self, batch: Predictions, labels: NDArray[np.int32]) -> Floats:
        """Return the debiased plug-in, times the total weight, of each of several label vectors (R, n)."""
        at_once = max(1, _ENTRIES // max(1, len(self.rows)))
        parts = [labels[start : start + at_once, self.rows] for start in range(0, len(labels), at_once)]
        return np.concatenate([self._of(batch, drawn) for drawn in parts])

    def _of(self, batch: Predictions, drawn: NDArray[np.int32]) -> Floats:
        p = batch.scores[self.rows, drawn].astype(np.float64)  # (R, m)
        if batch.logits:
            p = np.exp(p - batch.summary.total[self.rows])
        linear = (p * self.w - self.expected[self.cube, drawn]) @ (2 * self.w / self.mass[self.cube])
        return np.asarray(self.fixed + linear + self._squared_counts(drawn, batch.k))

    def _squared_counts(self, drawn: NDArray[np.int32], k: int) -> Floats:
        """Return the sum over cubes of the squared weights of the labels, over the weight of the cube (R,)."""
        replicates, size = len(drawn), len(self.mass) * k
        cells = (self.cube * k + drawn) + size * np.arange(replicates)[:, None]
        weights, held = np.tile(self.w, replicates), np.arange(replicates * size)
        if size > 8 * len(self.rows):  # most cells are empty
            held, cells = np.unique(cells, return_inverse=True)
        counts = np.bincount(cells.ravel(), weights, len(held))
        parts = counts**2 / self.mass[held % size // k] if len(held) else np.zeros(0)
        return np.bincount(held // max(size, 1), parts, replicates).astype(np.float64)


def scales_of(batch: Predictions) -> list[Scale]:
    """Return scales 1, 2, 4, ... for as long as there are as many pairs in cubes as rows, at least the first."""
    found = [Scale.of(batch, 1)]
    while found[-1].per_axis < _FINEST:
        finer = Scale.of(batch, 2 * found[-1].per_axis)
        if finer.pairs < len(batch):
            break
        found.append(finer)
    return found


def standardized(statistics: Floats) -> Floats:
    """Return statistics (scales, R + 1) in standard deviations of their scale, the observed one among them."""
    spread = statistics.std(axis=1, keepdims=True)
    return np.asarray(np.divide(statistics, spread, out=np.zeros_like(statistics), where=spread > 0))


@register("test", "t_cal", reference="lee2023", supports_soft_labels=False, cost="O(replicates n) a scale")
@dataclass(frozen=True, kw_only=True)
class AdaptiveTest(CalibrationTest):
    """T-Cal: adaptive test of calibration, the debiased squared error on cubes of every scale.

    Parameters
    ----------
    notion : ``"canonical"``, cubes of the simplex, or ``"confidence"``, intervals of the top class's probability.
    replicates, seed : of the redrawn labels.

    Notes
    -----
    Null: labels are drawn from the predicted probabilities, independently given the scores (confidence: the top class
    is right with the chance that its confidence says). The level is at most the nominal one at every n and k and with
    any weights. Scales 1, 2, 4, ..., 64 are used for as long as there are as many pairs inside cubes as rows; with many
    classes only the coarsest remain, which test the mean residuals of rows whose largest probabilities are alike. Rows
    with the same id are taken to move together: their labels are redrawn together. Rows are kept. Cost
    O(replicates n) a scale, memory O(cubes k + n replicates).
    """

    null: ClassVar[str] = "the labels are drawn from the predicted probabilities"
    level = EXACT

    notion: Literal["canonical", "confidence"] = "canonical"
    replicates: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        known = self.notion in ("canonical", "confidence")
        require(known, "notion", "be 'canonical' or 'confidence'", repr(self.notion))
        check_redraws(self.replicates, self.seed)

    def result(self, sums: Collected) -> TestResult:
        """Return the plug-in at the scale where it stands out most, and the p-value of having looked at all."""
        batch = sums.pooled if self.notion == "canonical" else top_class_only(sums.pooled)
        if len(batch) < 2:
            return self.found(float("nan"), float("nan"), len(batch), "needs at least two rows")
        labels, scales = observed_and_redrawn(batch, self.replicates, self.seed), scales_of(batch)
        statistics = np.array([scale.plug_in(batch, labels) for scale in scales])
        comparable = standardized(statistics)  # (scales, R + 1)
        best = int(comparable[:, 0].argmax())
        return self.found(
            float(statistics[best, 0] / batch.row_weights.sum()),
            upper_p_value(comparable.max(axis=0)),
            len(batch),
            *dependence(batch),
            scale=scales[best].per_axis,
            scales=[scale.per_axis for scale in scales],
            p_values=[upper_p_value(values) for values in statistics],
        )
