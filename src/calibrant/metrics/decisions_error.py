"""Decision calibration: does the cost that the probabilities promise for the chosen actions come true?

Costs are a table (A, k): what action a costs when the label is c. Each row takes the action of least expected cost
under its probabilities, a(p) = argmin_a sum_c cost[a, c] p_c, the first of those that only rounding tells apart. With
shares w / sum w the gap of an action is
    gap_a = sum over rows that take it of share * (cost[a, y] - sum_c cost[a, c] p_c),
and the error is sum_a |gap_a|: a decision maker with these costs who follows the probabilities, and is told how often
each action is taken, pays what was promised for each action just where it is 0. It bounds |sum_a gap_a|, the difference
between paid and promised cost of all rows.

Source: Zhao, Kim, Sahoo, Ma and Ermon (2021), Calibrating predictions to decisions. They ask more: costs and the rule
that chooses the action range apart there, so that some costs are charged for actions that are best under others. Who is
calibrated in their sense, for all costs of A actions, has 0 here for every table; 0 here for one table, charged and
acted upon, is necessary for that and not sufficient.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.errors import DataError, require, sentence
from calibrant.estimate import Estimate
from calibrant.metrics.base import Metric
from calibrant.metrics.row_blocks import Rows, slices
from calibrant.predictions import Predictions
from calibrant.registry import register
from calibrant.scoring import ZeroOne
from calibrant.statistics import Merging, Statistic

Floats = NDArray[np.float64]
Table = tuple[tuple[float, ...], ...]
_LARGEST = 1e100  # cost, so that sums over rows stay finite


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionSums(Statistic):
    """Weighted sums by action (A,): of one, of the promised and of the paid cost; rows of positive weight."""

    weight: Floats
    promised: Floats
    paid: Floats
    rows: int

    @property
    def merging(self) -> Merging:
        """Sums merge exactly."""
        return "exact"

    def merge(self, other: ActionSums) -> ActionSums:
        """Return the sums of both sets of rows."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return ActionSums(**{name: mine + theirs for name, (mine, theirs) in pairs.items()})

    @property
    def gaps(self) -> Floats:
        """Paid less promised cost of the rows of each action, over all rows (A,)."""
        return np.asarray((self.paid - self.promised) / self.weight.sum())


@register("measure", "decision_error", reference="zhao2021")
@dataclass(frozen=True, kw_only=True)
class DecisionError(Metric):
    """Decision calibration error: |paid - promised cost| within each action, summed over the actions.

    Every row takes the action of least expected cost, the first on ties; 0 means that whoever acts on the probabilities
    pays what they promise, action by action, for these costs. By default the cost of a wrong class is 1: the actions
    are the predicted classes, and each gap is mean confidence less accuracy among the rows predicted to be of the
    class.

    In units of the costs. ``per_class`` is |gap| of each action; ``details`` hold ``share, promised, paid`` of each
    (mean costs of its rows, NaN where none takes it), and ``total`` = paid - promised over all rows. Biased upwards by
    the noise of the mean costs, about sqrt(A / n): compare with the null level. Cost O(n k A), or O(n) by default;
    exact sums.

    Parameters
    ----------
    costs : table of actions by classes, nested tuples or an array (A, k), or None for 0 on the right class and 1 else.
    """

    costs: Table | None = None
    bootstraps = False

    def __post_init__(self) -> None:
        if self.costs is not None:
            object.__setattr__(self, "costs", _table(self.costs))

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """No gap exceeds the range of the costs."""
        return (0.0, 1.0 if self.costs is None else float(self._costs.max() - self._costs.min()))

    @property
    def by_class(self) -> bool:
        """Whether the costs tell classes apart."""
        return self.costs is not None

    @property
    def estimand(self) -> str:
        """The same functional of the population."""
        return "sum over actions of |population mean of (paid - promised cost) x [the action is taken]|"

    @property
    def gathering(self) -> Hashable:
        """Equal for the same costs."""
        return ("decisions", self.costs)

    @cached_property
    def _costs(self) -> Floats:
        return np.array(self.costs, dtype=np.float64)

    @property
    def _rounding(self) -> float:
        """What rounding may add to a sum of k costs, each weighed by a probability."""
        return float(self._costs.shape[1] * np.finfo(np.float64).eps * np.abs(self._costs).max())

    def sums(self, predictions: Predictions) -> ActionSums:
        """Return the sums over the actions of one batch."""
        actions, action, promised, paid = self._decided(predictions)
        w = predictions.row_weights
        return ActionSums(
            weight=_by_action(action, w, actions),
            promised=_by_action(action, w * promised, actions),
            paid=_by_action(action, w * paid, actions),
            rows=int((w > 0).sum()),
        )

    def value(self, sums: ActionSums) -> float:
        """Return the sum of the absolute gaps."""
        return float(np.abs(sums.gaps).sum())

    def estimate(self, sums: ActionSums) -> Estimate:
        """Return the value with the gap of each action."""
        with np.errstate(invalid="ignore"):  # no row takes the action
            promised, paid = sums.promised / sums.weight, sums.paid / sums.weight
        share = sums.weight / sums.weight.sum()
        details = {"share": share, "promised": promised, "paid": paid, "total": float(sums.gaps.sum())}
        return self.found(self.value(sums), sums.rows, per_class=np.abs(sums.gaps), details=details)

    def _decided(self, predictions: Predictions) -> tuple[int, NDArray[Any], Floats, Floats]:
        """Return the number of actions, and of each row (n,) the action, its promised and its paid cost."""
        if self.costs is None:
            summary = predictions.summary
            return predictions.k, summary.top, 1.0 - summary.confidence, 1.0 - ZeroOne().rows(predictions)
        actions, k = self._costs.shape
        require(k == predictions.k, "costs", f"have one column for each of the {predictions.k} classes", f"{k} columns")
        blocks = [np.stack(block) for block in self._blocks(predictions)]
        action, promised, paid = np.concatenate(blocks, axis=1)
        return actions, action.astype(np.int64), promised, paid

    def _blocks(self, predictions: Predictions) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield action, promised and paid cost of the rows, a block at a time."""
        access = Rows(predictions)
        for rows in slices(*predictions.scores.shape):
            p = access.probabilities(rows)
            expected = p @ self._costs.T  # (block, A)
            action = _cheapest(expected, self._rounding)
            promised = np.take_along_axis(expected, action[:, None], 1)[:, 0]
            surprise = (access.residuals(rows, p) * self._costs[action]).sum(1)  # paid less promised
            yield action.astype(np.float64), promised, promised + surprise


def _cheapest(expected: Floats, rounding: float) -> NDArray[np.int64]:
    """Return the first action (n,) whose expected cost (n, A) is the least, or more by rounding alone."""
    return np.asarray((expected <= expected.min(1, keepdims=True) + rounding).argmax(1))


def _by_action(action: NDArray[Any], values: Floats, actions: int) -> Floats:
    return np.bincount(action, values, minlength=actions).astype(np.float64)


def _table(costs: Any) -> Table:
    """Return the costs as nested tuples; ``DataError`` where they are no finite table."""
    try:
        table = np.asarray(costs, dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(sentence("costs", "be a table of actions by classes", repr(costs))) from None
    require(table.ndim == 2 and table.size > 0, "costs", "be a table of actions by classes", f"shape {table.shape}")
    require(bool((np.abs(table) <= _LARGEST).all()), "costs", f"be numbers of size up to {_LARGEST:g}")
    return tuple(tuple(row) for row in table.tolist())
