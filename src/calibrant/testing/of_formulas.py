"""Laws of formulas, which are what runs elsewhere: ``check_...(calibrator, predictions)``, one law each."""

from __future__ import annotations

import numpy as np

from calibrant.calibrators.base import Calibrator
from calibrant.predictions import Predictions
from calibrant.programs import NumpyPlace, probabilities, recorded
from calibrant.solvers.rows import log_probabilities
from calibrant.solvers.zeros import without_zeros
from calibrant.testing.tolerances import FORMULAS
from calibrant.testing.tools import fitted, unseen


def check_formula(method: Calibrator, predictions: Predictions) -> None:
    """The formula of the map gives what the map gives, as a program too, on the rows of the fit and rows never seen."""
    learnt = fitted(method, predictions)
    if learnt is None or (method.entry.capabilities.needs_features and not learnt.dimensions):
        return  # what it does with features is no formula
    program = recorded(lambda ops, *given: probabilities(ops, learnt, *given), beside=int(learnt.dimensions > 0))
    for batch in (predictions, unseen(predictions)):
        log_p = log_probabilities(without_zeros(batch, learnt.floor), slice(None))
        mapped, beside = learnt(batch).probabilities, [batch.features] if learnt.dimensions else []
        off = np.abs(program.run(NumpyPlace(), log_p, beside=beside) - mapped).max()
        assert off <= FORMULAS(mapped.dtype), f"the formula differs from the map by {off:.1e}"
