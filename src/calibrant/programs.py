"""A formula as a program: the list of its steps, recorded once, which runs with the operations of any place.

A formula (see `formulas`) is Python. What travels to a place without it, an ONNX graph or a torch module, is the list
of what it does, in order, and the constants that it uses.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from calibrant import registry
from calibrant.errors import CapabilityError, require, sentence
from calibrant.formulas import TINY, NumpyOps, Ops, log_softmax, softmax

Floats = NDArray[np.float64]


class Map(Protocol):
    """What is asked of a calibration map."""

    @property
    def floor(self) -> float:
        """What stands for an exact zero."""

    @property
    def gives(self) -> str:
        """The kind of what the formula returns."""

    @property
    def dimensions(self) -> int:
        """Number of features that the formula takes as a third argument; 0 for none."""

    @property
    def formula(self) -> Callable[..., Any]:
        """Return probabilities or logits (n, k), from operations and finite log-probabilities (n, k)."""


class Step(NamedTuple):
    """One operation by name; its arguments and settings are `Place`, `Constant`, lists of them, or plain."""

    operation: str
    arguments: tuple[Any, ...]
    settings: dict[str, Any]


class Place(NamedTuple):
    """The result of the step with this number; 0 is the input, -1 and so on are the inputs beside it."""

    at: int


class Constant(NamedTuple):
    """The constant with this number."""

    at: int


@dataclass(frozen=True, eq=False)
class Value:
    """What a step will compute; an operator on it is one step more."""

    recorder: Recorder
    at: int
    __array_ufunc__ = None  # an array on the left of an operator leaves it to this class

    def __add__(self, other: Any) -> Value:
        return self.recorder.infix("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.recorder.infix("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self.recorder.infix("subtract", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.recorder.infix("subtract", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.recorder.infix("multiply", self, other)

    def __rmul__(self, other: Any) -> Value:
        return self.recorder.infix("multiply", other, self)

    def __truediv__(self, other: Any) -> Value:
        return self.recorder.infix("divide", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.recorder.infix("divide", other, self)

    def __neg__(self) -> Value:
        return self.recorder.infix("subtract", 0.0, self)

    def __lt__(self, other: Any) -> Value:
        return self.recorder.infix("less", self, other)

    def __le__(self, other: Any) -> Value:
        return self.recorder.infix("less_equal", self, other)

    def __gt__(self, other: Any) -> Value:
        return self.recorder.infix("less", other, self)

    def __ge__(self, other: Any) -> Value:
        return self.recorder.infix("less_equal", other, self)


@dataclass(frozen=True, eq=False)
class Recorder:
    """The operations of `formulas.Ops`, and any other, that write down what they are asked for."""

    steps: list[Step] = field(default_factory=list)
    constants: list[Floats] = field(default_factory=list)

    def __getattr__(self, operation: str) -> Callable[..., Value]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        return partial(self._recorded, operation)

    def constant(self, values: Any) -> Value:
        """Return a constant as a value."""
        return self._recorded("constant", np.asarray(values, dtype=np.float64))

    def infix(self, operation: str, left: Any, right: Any) -> Value:
        """Return the value of an operator between values and numbers."""
        sides = (side if isinstance(side, Value) else self.constant(side) for side in (left, right))
        return self._recorded(operation, *sides)

    def _recorded(self, operation: str, *arguments: Any, **settings: Any) -> Value:
        kept = {name: self._kept(setting) for name, setting in settings.items()}
        self.steps.append(Step(operation, tuple(map(self._kept, arguments)), kept))
        return Value(self, len(self.steps))

    def _kept(self, argument: Any) -> Any:
        if isinstance(argument, Value):
            return Place(argument.at)
        if isinstance(argument, list):
            return [self._kept(one) for one in argument]
        if isinstance(argument, (float, np.floating, np.ndarray)):
            self.constants.append(np.asarray(argument, dtype=np.float64))
            return Constant(len(self.constants) - 1)
        return argument


class Infix:
    """The operators as operations, for places whose values have them."""

    add = staticmethod(operator.add)
    subtract = staticmethod(operator.sub)
    multiply = staticmethod(operator.mul)
    divide = staticmethod(operator.truediv)
    less = staticmethod(operator.lt)
    less_equal = staticmethod(operator.le)


class NumpyPlace(Infix, NumpyOps):
    """NumPy as a place where a program runs."""


@dataclass(frozen=True, eq=False)
class Program:
    """Steps, the constants that they use, and which step's result is the answer."""

    steps: tuple[Step, ...]
    constants: tuple[Floats, ...]
    answer: int

    def run(self, ops: Any, x: Any, constants: Sequence[Any] | None = None, beside: Sequence[Any] = ()) -> Any:
        """Return the answer for an input, each value let go after its last use.

        ``ops`` has the operations, those of `Infix` too; ``constants`` are ours in the form that they take; ``beside``
        are the inputs after the first.
        """
        known, last = self.constants if constants is None else constants, self._last_uses()
        values = {-at: given for at, given in enumerate((x, *beside))}
        for number, step in enumerate(self.steps, 1):
            if number not in last:
                continue  # nobody needs it
            arguments = [_resolved(argument, values, known) for argument in step.arguments]
            settings = {name: _resolved(setting, values, known) for name, setting in step.settings.items()}
            values[number] = getattr(ops, step.operation)(*arguments, **settings)
            values = {at: value for at, value in values.items() if last.get(at, 0) > number}
        return values[self.answer]

    def _last_uses(self) -> dict[int, int]:
        """Return, for each step that the answer needs, the last step that uses it."""
        last = {self.answer: len(self.steps) + 1}
        for number in range(len(self.steps), 0, -1):
            if number in last:
                step = self.steps[number - 1]
                for at in _places((*step.arguments, *step.settings.values())):
                    last.setdefault(at, number)
        return last


def _places(arguments: Iterable[Any]) -> Iterator[int]:
    for argument in arguments:
        if isinstance(argument, Place):
            yield argument.at
        elif isinstance(argument, list):
            yield from _places(argument)


def _resolved(argument: Any, values: Mapping[int, Any], constants: Sequence[Any]) -> Any:
    if isinstance(argument, Place):
        return values[argument.at]
    if isinstance(argument, Constant):
        return constants[argument.at]
    if isinstance(argument, list):
        return [_resolved(one, values, constants) for one in argument]
    return argument


def check_portable(learnt: Any, kind: object) -> None:
    """Raise unless ``learnt`` has a formula of scores, or of scores and features, and ``kind`` is a kind of scores.

    Raises
    ------
    CapabilityError : if the map needs features that its formula does not take.
    DataError : if an argument is not what it must be.
    """
    require(hasattr(learnt, "formula"), "learnt", "be a calibration map", type(learnt).__name__)
    require(kind in ("probability", "logit"), "kind", "be 'probability' or 'logit'", repr(kind))
    entry = registry.lookup("calibrator", registry.parse(learnt.record.spec)[0])
    if entry.capabilities.needs_features and not learnt.dimensions:
        raise CapabilityError(sentence("map", "need nothing but scores", f"{entry.name}, which needs features"))


def recorded(formula: Callable[..., Any], beside: int = 0) -> Program:
    """Return the program of a formula ``formula(ops, x)``, with so many inputs beside x; it is called once."""
    recorder = Recorder()
    answer = formula(recorder, *(Value(recorder, -at) for at in range(1 + beside)))
    return Program(tuple(recorder.steps), tuple(recorder.constants), answer.at)


def log_probabilities(ops: Ops, scores: Any, zero: Any, *, logits: bool) -> Any:
    """Return finite log-probabilities (n, k) of scores (n, k), each exact zero replaced by ``zero`` as in `solvers`."""
    if logits:
        absent = scores <= ops.constant(-math.inf)
        top = ops.largest(scores)
        total = top + ops.log(ops.sum(ops.exp(scores - top)))
        standing = total + ops.log(zero)
        return ops.maximum(log_softmax(ops, ops.where(absent, standing, scores)), ops.constant(math.log(TINY)))
    absent = scores <= ops.constant(0.0)
    count = ops.sum(ops.where(absent, ops.constant(1.0), ops.constant(0.0)))
    standing = ops.where(absent, zero, scores) / (ops.constant(1.0) + zero * count)
    return ops.log(ops.maximum(standing, ops.constant(TINY)))


def probabilities(ops: Ops, learnt: Map, log_p: Any, *features: Any) -> Any:
    """Return the repaired probabilities (n, k); ``features`` (n, d) are asked of a map with dimensions."""
    found = learnt.formula(ops, log_p, *features)
    return softmax(ops, found) if learnt.gives == "logit" else found


def stand_in(learnt: Map, dtype: Any) -> float:
    """Return what stands for an exact zero among scores of a precision: the floor, or the smallest number it has."""
    return max(learnt.floor, float(np.finfo(np.dtype(dtype)).smallest_subnormal))
