"""The operations of formulas as nodes of an ONNX graph, in float64 throughout.

Values are names. Every node means the same in all versions of the operator set from 13 on, the oldest in which sums and
softmax take their axes as they do today; `largest` alone is written in two ways.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.onnx._package import onnx

Floats = NDArray[np.float64]

_AXES_AS_INPUT = 18  # the version of the operator set from which maxima take their axes as sums do
_SAME = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "exp": "Exp",
    "log": "Log",
    "maximum": "Max",
    "minimum": "Min",
    "where": "Where",
}


class OnnxPlace:
    """ONNX as a place where a program runs: its ``nodes`` and ``initializers``, all names behind one prefix."""

    def __init__(self, prefix: str, version: int) -> None:
        self.prefix, self.version = prefix, version
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}

    def __getattr__(self, operation: str) -> Any:
        if operation not in _SAME:
            raise AttributeError(f"{operation} is no operation of formulas")
        return partial(self.node, _SAME[operation])

    def node(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> str:
        """Add a node; return the name of its first output."""
        made = [f"{self.prefix}{len(self.nodes)}{'' if i == 0 else f'_{i}'}" for i in range(outputs)]
        names = [given if isinstance(given, str) else self.constant(given) for given in inputs]
        self.nodes.append(onnx.helper.make_node(kind, names, made, name=made[0], **attributes))
        return made[0]

    def constant(self, values: Any) -> str:
        """Return the name of a float64 constant."""
        return self.tensor(np.asarray(values, dtype=np.float64))

    def whole(self, *values: int) -> str:
        """Return the name of a constant list of whole numbers."""
        return self.tensor(np.array(values, dtype=np.int64))

    def tensor(self, values: NDArray[Any]) -> str:
        """Return the name of a constant; equal ones share it."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self.initializers:
            name = f"{self.prefix}c{len(self.initializers)}"
            self.initializers[key] = onnx.numpy_helper.from_array(values, name)
        return str(self.initializers[key].name)

    def cast(self, x: str, element: int) -> str:
        """Return x in another type of element."""
        return self.node("Cast", x, to=element)

    def sum(self, x: str) -> str:
        """Return the sum of each row (n, 1)."""
        return self.node("ReduceSum", x, self.whole(1), keepdims=1)

    def largest(self, x: str) -> str:
        """Return the maximum of each row (n, 1)."""
        if self.version < _AXES_AS_INPUT:
            return self.node("ReduceMax", x, axes=[1], keepdims=1)
        return self.node("ReduceMax", x, self.whole(1), keepdims=1)

    def descending(self, x: str) -> str:
        """Return each row sorted, the largest first."""
        width = self.node("Gather", self.node("Shape", x), self.whole(1), axis=0)
        return self.node("TopK", x, width, outputs=2, axis=1)

    def top(self, x: str) -> str:
        """Return, as 1.0 and 0.0, which entry is the first maximum of its row (n, k)."""
        width = self.node("Gather", self.node("Shape", x), self.tensor(np.array(1)), axis=0)
        places = self.node("Range", self.tensor(np.array(0)), width, self.tensor(np.array(1)))
        first = self.node("Equal", self.node("ArgMax", x, axis=1, keepdims=1), places)
        return self.cast(first, onnx.TensorProto.DOUBLE)

    def product(self, x: str, matrix: Floats) -> str:
        """Return x @ matrix."""
        return self.node("MatMul", x, matrix)

    def stacked(self, columns: list[str]) -> str:
        """Return columns side by side."""
        return self.node("Concat", *columns, axis=1)

    def column(self, x: str, c: int) -> str:
        """Return one column (n, 1)."""
        return self.node("Gather", x, self.whole(c), axis=1)

    def place(self, x: str, knots: Floats, *, right: bool) -> str:
        """Return how many knots lie below, by a binary search written out: ``width`` of them are left at each step."""
        k, m = knots.shape
        found = self.cast(self.node("Less", x, x), onnx.TensorProto.INT64)  # zeros (n, k)
        if m == 0:
            return found
        steps = m.bit_length()
        padded = np.full((k, 2**steps - 1), np.inf)
        padded[:, :m] = knots
        flat, start = self.constant(padded.ravel()), self.tensor(np.arange(k) * padded.shape[1] - 1)
        for width in (2**step for step in reversed(range(steps))):
            further = self.node("Add", found, self.whole(width))
            knot = self.node("Gather", flat, self.node("Add", further, start), axis=0)
            below = self.node("LessOrEqual" if right else "Less", knot, x)
            found = self.node("Where", below, further, found)
        return self.node("Min", found, self.whole(m))

    def pick(self, table: Floats, place: str) -> str:
        """Return table[c, place[i, c]]."""
        k, m = table.shape
        at = self.node("Add", place, self.tensor(np.arange(k) * m))
        return self.node("Gather", self.constant(table.ravel()), at, axis=0)
