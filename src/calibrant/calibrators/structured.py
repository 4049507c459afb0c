"""What structured vectors and matrices share: the base, the ridges of slopes and shift, the choice of the penalty."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from calibrant import folds
from calibrant.calibrators.base import Calibrator
from calibrant.calibrators.log_linear import LogLinearMap, Path, Record
from calibrant.errors import is_whole, require
from calibrant.predictions import Predictions
from calibrant.solvers.log_linear import Base
from calibrant.solvers.rows import FitRows
from calibrant.solvers.temperature import inverse_temperature
from calibrant.solvers.zeros import check_zero, prepared

# Penalties to choose from, the strongest first, so that each fit starts from a tamer one.
PENALTIES = (4.0, 1.0, 1 / 4, 1 / 16)
FOLDS = 5
# Scores from which a split of at most so many rows has to do, and three penalties.
_LARGE, _ENOUGH = 2_000_000, 6_000
FEATURES = ("probabilities", "logits")


@dataclass(frozen=True, kw_only=True)
class Structured(Calibrator):
    """The choices that both have."""

    penalty: float | None = None
    features: Literal["probabilities", "logits"] = "probabilities"
    prior: float | None = None
    seed: int = 0
    zero: float | None = None

    def __post_init__(self) -> None:
        holds = self.penalty is None or 0 < self.penalty < float("inf")
        require(holds, "penalty", "be positive and finite, or None", self.penalty, way_out="None chooses by folds")
        require(self.features in FEATURES, "features", "be 'probabilities' or 'logits'", repr(self.features))
        holds = self.prior is None or 0 < self.prior < float("inf")
        require(holds, "prior", "be positive and finite, or None", self.prior, way_out="None pulls only at the edge")
        require(is_whole(self.seed), "seed", "be a whole number", self.seed)
        check_zero(self.zero)

    @property
    @abstractmethod
    def path(self) -> Path:
        """The fits of this family."""

    def path_for(self, predictions: Predictions) -> Path:
        """Return the fits that suit the number of scores."""
        del predictions
        return self.path

    def learn(self, predictions: Predictions) -> LogLinearMap:
        """Return the map of the given penalty, or of the one that is best on rows left out."""
        record, path = partial(self.fit_record, predictions), self.path_for(predictions)
        penalty = self._chosen(predictions, path, record) if self.penalty is None else self.penalty
        return path.maps(predictions, [penalty], [record])[0]

    def _chosen(self, predictions: Predictions, path: Path, record: Record) -> float:
        """Return the best penalty on rows left out: of many scores one third of some rows, else in folds."""
        large = predictions.scores.size > _LARGE
        if large and len(predictions) > _ENOUGH:
            pieces = len(predictions) // _ENOUGH + 1
            predictions = predictions.take(folds.assign(predictions, pieces, seed=self.seed) == 0)
        count = min(3 if large else FOLDS, len(np.unique(predictions.row_keys)))
        if count < 2:
            return 1.0
        fold = folds.assign(predictions, count, seed=self.seed)
        return path.chosen(predictions, PENALTIES[: 3 if large else None], fold, record, 1 if large else count)

    def base(self, predictions: Predictions) -> tuple[Base, float]:
        """Return the base, the temperature map with a share 1 / (n + 1) of the uniform distribution, and the floor."""
        batch, floor = prepared(predictions, self.zero)
        rows = FitRows.of(batch)
        beta = inverse_temperature(rows, self.prior).beta
        return Base(rows, beta, 1 / (rows.effective + 1)), floor

    def slopes_recipe(self, penalty: float, n: float, k: int) -> dict[str, float]:
        """Return the ridges of the slopes and of the shift."""
        names = ("z", "r", "root") if self.features == "probabilities" else ("z",)
        one, several = penalty / n, penalty * k / n
        shared = {f"shared_{name}": one for name in names if len(names) > 1}
        return {**shared, **{f"slopes_{name}": several for name in names}, "shift": several}


def maps_of(methods: Sequence[Structured], predictions: Predictions) -> list[LogLinearMap]:
    """Return what each method learns; those that differ in the penalty alone are fitted along one path."""
    found: dict[Structured, LogLinearMap] = {}
    for family in dict.fromkeys(replace(method, penalty=1.0) for method in methods):
        of_family = [method for method in methods if replace(method, penalty=1.0) == family]
        members = sorted(of_family, key=lambda method: -(method.penalty or 0.0))
        penalties = [method.penalty or 0.0 for method in members]
        records = [partial(method.fit_record, predictions) for method in members]
        found.update(zip(members, family.path_for(predictions).maps(predictions, penalties, records), strict=True))
    return [found[method] for method in methods]
