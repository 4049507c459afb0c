"""The bank: small fixed data sets on which every law is checked, each with one thing that breaks careless code.

All logits are multiples of 1/64, so that adding such a number to a row is exact and a shift is a shift, bit for bit.
Every set carries features, so that methods which need them take part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant.predictions import Predictions

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
_GRID = 64.0
_MAKERS: dict[str, Callable[[np.random.Generator], Predictions]] = {}


@cache
def bank() -> dict[str, Predictions]:
    """Return the data sets by name. They are read-only, and the same in every process."""
    return {name: make(np.random.default_rng([7, i])) for i, (name, make) in enumerate(_MAKERS.items())}


def _set(make: Callable[[np.random.Generator], Predictions]) -> Callable[[np.random.Generator], Predictions]:
    _MAKERS[make.__name__.strip("_")] = make
    return make


def _drawn(rng: np.random.Generator, n: int, k: int, spread: float = 2.0, heat: float = 1.6) -> tuple[Floats, Labels]:
    """Return logits (n, k) on the grid, and labels of a model whose logits are smaller by the factor ``heat``."""
    logits = np.round(spread * rng.normal(size=(n, k)) * _GRID) / _GRID
    noise = rng.gumbel(size=(n, k))
    return logits, np.argmax(logits / heat + noise, axis=1)


def _softmax(logits: Floats) -> Floats:
    e = np.exp(logits - logits.max(1, keepdims=True))
    rows: Floats = e / e.sum(1, keepdims=True)
    return rows


def _with_features(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {"features": rng.normal(size=(n, 3))}


@_set
def _over_confident(rng: np.random.Generator) -> Predictions:
    logits, labels = _drawn(rng, 160, 4)
    return Predictions.from_logits(logits, labels, **_with_features(rng, 160))


@_set
def _biased(rng: np.random.Generator) -> Predictions:
    """Probabilities in which one class is preferred without reason."""
    logits, labels = _drawn(rng, 200, 3, heat=1.0)
    preferred = _softmax(logits + np.array([1.5, 0.0, -0.5]))
    return Predictions.from_probabilities(preferred, labels, **_with_features(rng, 200))


@_set
def _two_classes(rng: np.random.Generator) -> Predictions:
    logits, labels = _drawn(rng, 80, 2)
    return Predictions.from_probabilities(_softmax(logits), labels, **_with_features(rng, 80))


@_set
def _many_classes(rng: np.random.Generator) -> Predictions:
    """Three hundred classes and forty rows, in single precision."""
    logits, labels = _drawn(rng, 40, 300, spread=4.0)
    return Predictions.from_logits(logits.astype(np.float32), labels, **_with_features(rng, 40))


@_set
def _ties(rng: np.random.Generator) -> Predictions:
    """Seven different rows, each many times, two of them with equal entries."""
    kinds = np.round(2 * rng.normal(size=(7, 3)) * _GRID) / _GRID
    kinds[0], kinds[1] = 0.0, [1.0, 1.0, 0.0]
    logits = kinds[rng.integers(7, size=90)]
    labels = np.argmax(logits / 1.6 + rng.gumbel(size=logits.shape), axis=1)
    return Predictions.from_logits(logits, labels, **_with_features(rng, 90))


@_set
def _exact_zeros(rng: np.random.Generator) -> Predictions:
    """Votes of ten trees: zeros, ones, ties, and labels of probability zero."""
    logits, labels = _drawn(rng, 90, 4, heat=1.3)
    votes = np.array([rng.multinomial(10, p) for p in _softmax(logits)]) / 10
    labels[0] = int(np.argmin(votes[0]))
    return Predictions.from_probabilities(votes, labels, **_with_features(rng, 90))


@_set
def _one_hot(rng: np.random.Generator) -> Predictions:
    """Scores that are 0 or 1, one in six of them wrong."""
    labels = rng.integers(3, size=60)
    said = np.where(rng.random(60) < 1 / 6, (labels + 1) % 3, labels)
    return Predictions.from_probabilities(np.eye(3)[said], labels, **_with_features(rng, 60))


@_set
def _one_row(rng: np.random.Generator) -> Predictions:
    return Predictions.from_logits([[0.5, -1.0, 0.25]], [2], **_with_features(rng, 1))


@_set
def _class_missing(rng: np.random.Generator) -> Predictions:
    logits, labels = _drawn(rng, 120, 5)
    return Predictions.from_logits(logits, np.where(labels == 3, 0, labels), **_with_features(rng, 120))


@_set
def _one_class(rng: np.random.Generator) -> Predictions:
    logits, _ = _drawn(rng, 40, 3)
    return Predictions.from_logits(logits, np.ones(40, np.int64), **_with_features(rng, 40))


@_set
def _perfectly_classified(rng: np.random.Generator) -> Predictions:
    logits, _ = _drawn(rng, 60, 4)
    return Predictions.from_logits(logits, logits.argmax(1), **_with_features(rng, 60))


@_set
def _always_wrong(rng: np.random.Generator) -> Predictions:
    """Scores that are worse than none: the label is the class of the smallest."""
    logits, _ = _drawn(rng, 50, 3)
    return Predictions.from_logits(logits, logits.argmin(1), **_with_features(rng, 50))


@_set
def _uniform(rng: np.random.Generator) -> Predictions:
    """Scores that say nothing at all."""
    labels = rng.integers(4, size=30)
    return Predictions.from_probabilities(np.full((30, 4), 0.25), labels, **_with_features(rng, 30))


@_set
def _soft_labels(rng: np.random.Generator) -> Predictions:
    logits, _ = _drawn(rng, 70, 3)
    labels = rng.dirichlet([1, 1, 1], size=70) * 0.4 + _softmax(logits / 1.6) * 0.6
    return Predictions.from_logits(logits, labels, **_with_features(rng, 70))


@_set
def _weights(rng: np.random.Generator) -> Predictions:
    """Whole weights from 0 to 3."""
    logits, labels = _drawn(rng, 110, 3)
    weights = rng.integers(4, size=110)
    return Predictions.from_probabilities(_softmax(logits), labels, weights=weights, **_with_features(rng, 110))


@_set
def _single_precision(rng: np.random.Generator) -> Predictions:
    logits, labels = _drawn(rng, 120, 3)
    return Predictions.from_probabilities(_softmax(logits).astype(np.float32), labels, **_with_features(rng, 120))


@_set
def _minus_infinity(rng: np.random.Generator) -> Predictions:
    """Logits of -inf, one of them at the label."""
    logits, labels = _drawn(rng, 80, 4)
    hidden = (rng.random((80, 4)) < 0.2) & (np.arange(4) != labels[:, None])
    hidden[0, labels[0]] = True
    logits[hidden] = -np.inf
    return Predictions.from_logits(logits, labels, **_with_features(rng, 80))
