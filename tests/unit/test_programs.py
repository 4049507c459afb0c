"""Formulas as lists of steps: the same answer as the formula, and nothing kept longer than it is needed."""

import weakref

import numpy as np
import pytest

from calibrant import Predictions, programs
from calibrant.errors import CapabilityError, DataError
from calibrant.formulas import NUMPY, Ops
from calibrant.programs import NumpyPlace, recorded
from calibrant.solvers.rows import log_probabilities
from calibrant.solvers.zeros import without_zeros
from portable_maps import OPERATIONS, learnt, values

ARRAYS = NumpyPlace()


def test_every_operation_of_formulas_is_tried():
    assert {name for name in vars(Ops) if not name.startswith("_")} <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_program_answers_as_the_formula(name):
    with np.errstate(divide="ignore"):
        wanted = OPERATIONS[name](NUMPY, values())
        assert np.array_equal(recorded(OPERATIONS[name]).run(ARRAYS, values()), wanted)


def test_an_array_on_the_left_of_an_operator():
    weights = np.array([1.0, 2.0, 3.0])
    program = recorded(lambda ops, x: weights * x)
    assert np.array_equal(program.run(ARRAYS, values()), weights * values())


def test_constants_can_be_other_than_they_were_recorded():
    program = recorded(lambda ops, x: x * ops.constant(2.0))
    assert program.run(ARRAYS, 3.0, [5.0]) == 15.0


def test_a_value_is_let_go_after_its_last_use():
    alive = weakref.WeakSet()

    class Number:
        def __init__(self):
            alive.add(self)

        def __neg__(self):
            assert len(alive) <= 2  # this one and what is left of its operand's step
            return Number()

    class Place:
        constant = staticmethod(float)

        def subtract(self, left, right):
            return -right

    program = recorded(lambda ops, x: 0.0 - (0.0 - (0.0 - x)))
    assert isinstance(program.run(Place(), Number()), Number)
    assert len(alive) == 0


def test_what_the_answer_does_not_need_is_left_out():
    program = recorded(lambda ops, x: (ops.cosine(x), x + 1.0)[1])
    assert program.run(ARRAYS, 2.0) == 3.0


BATCHES = {
    "logits": Predictions.from_logits([[0.5, -np.inf, 2.0], [1.0, 2.0, 800.0], [-np.inf, -np.inf, 3.0]]),
    "probabilities": Predictions.from_probabilities([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]),
}


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("floor", [1e-3, 1e-200])
def test_zeros_are_replaced_as_the_maps_do(kind, floor):
    batch = BATCHES[kind]
    clean = without_zeros(batch, floor)
    found = programs.log_probabilities(NUMPY, batch.scores, NUMPY.constant(floor), logits=batch.logits)
    # Both take a logarithm of a sum; its rounding is some units in the last place of the largest log-probability.
    np.testing.assert_allclose(found, log_probabilities(clean, slice(None)), rtol=1e-14, atol=1e-14)


def test_a_floor_below_what_the_precision_can_tell_from_zero():
    class Low:
        floor = 1e-300

    assert programs.stand_in(Low(), np.float64) == 1e-300
    assert programs.stand_in(Low(), np.float32) == float(np.finfo(np.float32).smallest_subnormal)


def test_only_maps_of_scores_are_portable(monkeypatch):
    repaired = learnt("temperature", "logits")
    programs.check_portable(repaired, "logit")
    with pytest.raises(DataError, match="kind must be 'probability' or 'logit', got 'logits'"):
        programs.check_portable(repaired, "logits")
    with pytest.raises(DataError, match="learnt must be a calibration map, got str"):
        programs.check_portable("temperature", "logit")
    entry = programs.registry.lookup("calibrator", "temperature")
    monkeypatch.setitem(vars(entry.capabilities), "needs_features", True)
    with pytest.raises(CapabilityError, match="map must need nothing but scores, got temperature"):
        programs.check_portable(repaired, "logit")
