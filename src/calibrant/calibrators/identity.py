"""Change nothing: the reference that every other map is compared with.

Formula: q = p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calibrant.calibrators.base import CalibrationMap, Calibrator, Scores
from calibrant.formulas import Ops
from calibrant.predictions import Kind, Predictions
from calibrant.registry import register


@dataclass(frozen=True, kw_only=True, eq=False)
class IdentityMap(CalibrationMap):
    """The map that returns the scores as they came, without a copy."""

    gives = "logit"

    def formula(self, ops: Ops, log_p: Any) -> Any:
        """Return the log-probabilities."""
        del ops
        return log_p

    def transform(self, predictions: Predictions) -> tuple[Scores, Kind]:
        """Return the read-only scores of the batch themselves."""
        return predictions.scores, predictions.kind

    @property
    def n_parameters(self) -> int:
        """None: 0."""
        return 0


@register(
    "calibrator",
    "identity",
    preserves_argmax=True,
    contains_identity=True,
    differentiable=True,
    finite_log_loss=False,
    recovers_truth=True,
    suits_imbalance=True,
    parameters="0",
    wants_rows="0",
    cost="O(1)",
    guarantee="no harm and no repair",
    assumes="the scores are calibrated",
    suits="the reference of every comparison",
)
@dataclass(frozen=True, kw_only=True)
class Identity(Calibrator):
    """Leave the scores as they are.

    q = p. Use it as the reference in a comparison, and as the choice when no map has proved a gain. A label on a class
    of probability 0 keeps its infinite log loss.
    """

    def learn(self, predictions: Predictions) -> IdentityMap:
        """Return the map; nothing is learnt."""
        return IdentityMap(record=self.fit_record(predictions))
