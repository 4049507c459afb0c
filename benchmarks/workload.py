"""An over-confident classifier whose right temperature is known: labels are drawn from softmax(z), scores are T z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 1.5  # what a correct fit finds
_BLOCK = 1000  # rows drawn at a time: the float64 noise of all rows would take twice the memory of both matrices


@dataclass(frozen=True, eq=False)
class Workload:
    """Probabilities and logits (n, k) float32 of the same classifier, C-contiguous, and labels (n,) int64."""

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        n, k = self.logits.shape
        return n, k


@dataclass(frozen=True, eq=False)
class Pairs:
    """A stream of rows after the classes are gone: confidence (n,) float32 and correct (n,) bool."""

    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]


def classifier(rows: int, classes: int, seed: int = 0) -> Workload:
    """Return scores with heavy tops, as image classifiers give them: about 75 % accurate with 1,000 classes."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((rows, classes), dtype=np.float32)
    labels = np.empty(rows, np.int64)
    for first in range(0, rows, _BLOCK):
        block = logits[first : first + _BLOCK]
        _raise_tops(block, rng)
        labels[first : first + _BLOCK] = (block + rng.gumbel(size=block.shape)).argmax(axis=1)
    logits *= np.float32(TEMPERATURE)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Workload(probabilities, logits, labels)


def _raise_tops(logits: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Lift one class well above the noise of all the others, and three rivals part of the way."""
    n, k = logits.shape
    each, noise = np.arange(n), np.log(k) + 0.5  # the noise of k classes weighs about as much as one logit of this size
    logits[each, rng.integers(0, k, n)] += rng.normal(noise + 2.1, 2.0, n).astype(np.float32)
    for _ in range(3):
        logits[each, rng.integers(0, k, n)] += rng.uniform(0.0, noise, n).astype(np.float32)


def pairs(rows: int, seed: int = 1) -> Pairs:
    """Return a stream that says more than it knows: right with probability 0.9 times the confidence."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(5.0, 1.5, rows).astype(np.float32)
    return Pairs(confidence, rng.random(rows, dtype=np.float32) < 0.9 * confidence)
