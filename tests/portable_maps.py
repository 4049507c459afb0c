"""Maps of every registered method on six kinds of scores, and ten thousand rows each, in five of them never seen.

For the tests that run maps elsewhere than in NumPy: a new method takes part without an edit.
"""

from functools import cache

import numpy as np

from calibrant import Predictions, registry
from calibrant.calibrators import calibrator

ROWS, FITTED = 10_000, 300
NAMES = [entry.name for entry in registry.entries("calibrator") if not entry.capabilities.needs_features]


def drawn(rng, n, k, heat=1.6):
    """Logits (n, k), and labels of a model whose logits are smaller by the factor ``heat``."""
    logits = 2 * rng.normal(size=(n, k))
    return logits, np.argmax(logits / heat + rng.gumbel(size=(n, k)), axis=1)


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _logits(rng, n):
    return Predictions.from_logits(*drawn(rng, n, 4))


def _two_classes(rng, n):
    logits, labels = drawn(rng, n, 2)
    return Predictions.from_probabilities(softmax(logits), labels)


def _class_missing(rng, n):
    logits, labels = drawn(rng, n, 5)
    return Predictions.from_logits(logits, np.where(labels == 3, 0, labels))


def _votes(rng, n):
    """Votes of ten trees: exact zeros and ones, ties, and scores that lie on the edges of bins."""
    logits, labels = drawn(rng, n, 3, heat=1.3)
    return Predictions.from_probabilities(rng.multinomial(10, softmax(logits)) / 10, labels)


def _hidden(rng, n):
    """Logits of -inf in one entry of six, never at the label."""
    logits, labels = drawn(rng, n, 3)
    hidden = (rng.random((n, 3)) < 1 / 6) & (np.arange(3) != labels[:, None])
    return Predictions.from_logits(np.where(hidden, -np.inf, logits), labels)


def _own_rows(rng, n):
    """Single precision, and the rows of the fit again and again: every edge of a bin is one of these scores."""
    del rng
    logits, labels = drawn(np.random.default_rng(9), FITTED, 4)
    return Predictions.from_logits(np.resize(logits.astype(np.float32), (n, 4)), np.resize(labels, n))


_MAKERS = {
    make.__name__.strip("_"): make for make in (_logits, _two_classes, _class_missing, _votes, _hidden, _own_rows)
}
SETS = [*_MAKERS]


@cache
def learnt(name, which):
    """The map of a method on few rows of a set, None where it declines them."""
    method, batch = calibrator(name), _MAKERS[which](np.random.default_rng(1), FITTED)
    return None if method.declines(batch) else method.fit(batch)


@cache
def fresh(which):
    """Ten thousand rows of a set."""
    return _MAKERS[which](np.random.default_rng(2), ROWS)


def narrowed(batch, dtype):
    """The scores in a dtype, and the batch of the same numbers in float64."""
    scores = batch.scores.astype(dtype)
    make = Predictions.from_logits if batch.logits else Predictions.from_probabilities
    return scores, make(scores.astype(np.float64))


KNOTS = np.array([[-1.0, 0.0, 0.5, 2.0], [-2.0, 1.0, 1.0, np.inf], [0.25, np.inf, np.inf, np.inf]])
TABLE = np.arange(15.0).reshape(3, 5)
MATRIX = np.array([[1.0, 2.0], [0.0, -1.0], [0.5, 0.25]])

# Each operation of formulas in a formula of its own, on values (n, 3) of which many lie on the knots.
OPERATIONS = {
    "constant": lambda ops, x: x + ops.constant([1.0, 2.0, 3.0]),
    "exp": lambda ops, x: ops.exp(x),
    "log": lambda ops, x: ops.log(x * x),
    "maximum": lambda ops, x: ops.maximum(x, ops.constant(0.5)),
    "minimum": lambda ops, x: ops.minimum(x, ops.constant(0.5)),
    "where": lambda ops, x: ops.where(x <= ops.constant(0.5), x, ops.constant(7.0)),
    "sum": lambda ops, x: x / (ops.sum(x) + ops.constant(50.0)),
    "largest": lambda ops, x: x - ops.largest(x),
    "descending": lambda ops, x: ops.descending(x),
    "top": lambda ops, x: ops.top(x),
    "product": lambda ops, x: ops.product(x, MATRIX),
    "stacked": lambda ops, x: ops.stacked([ops.column(x, 2), ops.sum(x)]),
    "column": lambda ops, x: ops.column(x, 1),
    "place": lambda ops, x: ops.pick(TABLE, ops.place(x, KNOTS, right=False)),
    "pick": lambda ops, x: ops.pick(TABLE, ops.place(x, KNOTS, right=True)),
    "no knot": lambda ops, x: ops.pick(TABLE[:, :1], ops.place(x, KNOTS[:, :0], right=True)),
    "less": lambda ops, x: ops.where(x < ops.constant(0.5), x, -x),
    "greater": lambda ops, x: ops.where(x > ops.constant(0.5), x, x - ops.constant(1.0)),
    "numbers": lambda ops, x: 2.0 * x + 1.0 - (3.0 - x) / 4.0,
    "nothing": lambda ops, x: x,
}


def values():
    """Values (200, 3) on a grid of quarters, so that many are equal to a knot or to each other."""
    return np.random.default_rng(3).integers(-10, 11, size=(200, 3)) / 4
